//! The CMOS clock (MC146818): the host's time, read-only.
//!
//! A guest with kvmclock has the time from there; this is for one that has not.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::bus::BusDevice;

/// The clock behind its index and data ports.
#[derive(Default)]
pub struct Cmos {
    index: u8,
}

/// A moment as the clock's registers have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DateTime {
    year: u64,
    month: u64,
    day: u64,
    weekday: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

const INDEX: u64 = 0;
const DATA: u64 = 1;
/// Binary values rather than decimal ones, and 24 hours.
const STATUS_B: u8 = 0b0000_0110;
/// The time is valid.
const STATUS_D: u8 = 1 << 7;

impl BusDevice for Cmos {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        data.fill(0);
        let (DATA, [byte]) = (offset, data) else {
            return;
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        *byte = register(self.index, DateTime::at(now.map_or(0, |now| now.as_secs())));
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        if let (INDEX, [index]) = (offset, data) {
            // The top bit masks the NMI on a PC.
            self.index = index & 0x7f;
        }
    }

    fn register_name(&self, offset: u64) -> &'static str {
        match offset {
            INDEX => "index",
            _ => "data",
        }
    }
}

fn register(index: u8, now: DateTime) -> u8 {
    let value = match index {
        0x00 => now.second,
        0x02 => now.minute,
        0x04 => now.hour,
        0x06 => now.weekday,
        0x07 => now.day,
        0x08 => now.month,
        0x09 => now.year % 100,
        0x32 => now.year / 100,
        0x0b => STATUS_B.into(),
        0x0d => STATUS_D.into(),
        _ => 0,
    };
    u8::try_from(value).unwrap_or(0)
}

impl DateTime {
    /// The moment `seconds` after 1970, in the proleptic Gregorian calendar and UTC.
    ///
    /// Days are counted from 1 March 0000, so that the leap day is the last of its year.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "no u64 of seconds overflows here"
    )]
    fn at(seconds: u64) -> Self {
        const DAYS_TO_1970: u64 = 719_468;
        const DAYS_IN_400_YEARS: u64 = 146_097;
        let days = seconds / 86_400 + DAYS_TO_1970;
        let (era, day_of_era) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
        let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
        let year_of_era = (day_of_era - leap_days) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = (month_from_march + 2) % 12 + 1;
        Self {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
            // 1 March 0000 was a Wednesday; the clock counts from 1, Sunday.
            weekday: (days + 3) % 7 + 1,
            hour: seconds / 3_600 % 24,
            minute: seconds / 60 % 60,
            second: seconds % 60,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epoch_was_a_thursday() {
        let epoch = DateTime::at(0);
        assert_eq!(
            (epoch.year, epoch.month, epoch.day, epoch.weekday),
            (1970, 1, 1, 5)
        );
    }

    #[test]
    fn leap_days_are_kept() {
        let leap = DateTime::at(951_827_696);
        assert_eq!((leap.year, leap.month, leap.day), (2000, 2, 29));
        assert_eq!((leap.hour, leap.minute, leap.second), (12, 34, 56));
        let next = DateTime::at(951_827_696 + 86_400);
        assert_eq!((next.month, next.day), (3, 1));
    }

    #[test]
    fn the_century_has_its_own_register() {
        let now = DateTime::at(1_700_000_000);
        assert_eq!((register(0x32, now), register(0x09, now)), (20, 23));
    }

    #[test]
    fn the_data_port_answers_for_the_index() {
        let mut clock = Cmos::default();
        clock.write(INDEX, &[0x80 | 0x0d]);
        let mut data = [0];
        clock.read(DATA, &mut data);
        assert_eq!(data, [STATUS_D]);
    }
}
