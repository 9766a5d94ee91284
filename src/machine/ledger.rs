//! The exit ledger: why the guest was left, how often, and how long it took.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use serde::Serialize;

use crate::hypervisor::Exit;

/// What an exit was for, before it is decoded to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A read of a port.
    PortRead(u16),
    /// A write to a port.
    PortWrite(u16),
    /// A read of a device's memory.
    MmioRead(u64),
    /// A write to a device's memory.
    MmioWrite(u64),
    /// A signal, or one of our own kicks.
    Interrupted,
    /// Anything else; each ends the machine.
    Other,
}

impl Cause {
    /// The cause of `exit`.
    pub fn of(exit: &Exit<'_>) -> Self {
        match exit {
            Exit::PortRead(port, _) => Self::PortRead(*port),
            Exit::PortWrite(port, _) => Self::PortWrite(*port),
            Exit::MmioRead(address, _) => Self::MmioRead(*address),
            Exit::MmioWrite(address, _) => Self::MmioWrite(*address),
            Exit::Interrupted => Self::Interrupted,
            _ => Self::Other,
        }
    }
}

/// Exits of one cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// The time spent on them outside of the guest.
    pub time: Duration,
}

/// All exits of a machine. Each vCPU keeps its own and adds it up when it ends.
#[derive(Default)]
pub struct Ledger {
    tallies: BTreeMap<Cause, Tally>,
}

impl Ledger {
    /// Adds one exit that took `time` to serve.
    pub fn record(&mut self, cause: Cause, time: Duration) {
        let tally = self.tallies.entry(cause).or_default();
        tally.count += 1;
        tally.time += time;
    }

    fn add(&mut self, other: Self) {
        for (cause, tally) in other.tallies {
            let sum = self.tallies.entry(cause).or_default();
            sum.count += tally.count;
            sum.time += tally.time;
        }
    }

    /// Decodes every cause by `name_of` and sorts by count, most first.
    pub fn rows(&self, name_of: impl Fn(Cause) -> (String, String)) -> Vec<Row> {
        let mut sums = BTreeMap::<(String, String), Tally>::new();
        for (cause, tally) in &self.tallies {
            let sum = sums.entry(name_of(*cause)).or_default();
            sum.count += tally.count;
            sum.time += tally.time;
        }
        let mut rows: Vec<Row> = sums
            .into_iter()
            .map(|((device, access), tally)| Row {
                device,
                access,
                count: tally.count,
                time_us: tally.time.as_micros(),
            })
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.count));
        rows
    }
}

/// The ledgers of all vCPUs, added up as they end.
#[derive(Default)]
pub struct SharedLedger(Mutex<Ledger>);

impl SharedLedger {
    /// Adds the ledger of a vCPU that has ended.
    pub fn add(&self, ledger: Ledger) {
        self.lock().add(ledger);
    }

    /// Decodes and sorts what has been added.
    pub fn rows(&self, name_of: impl Fn(Cause) -> (String, String)) -> Vec<Row> {
        self.lock().rows(name_of)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// One line of the printed ledger.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The device.
    pub device: String,
    /// Its register, and whether it was read or written.
    pub access: String,
    /// How many exits.
    pub count: u64,
    /// Microseconds outside of the guest.
    pub time_us: u128,
}

/// Prints rows as a table with a sum.
pub struct Table<'a>(pub &'a [Row]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>9}  {:>9}  {:<12} access", "exits", "time", "device")?;
        for row in self.0 {
            let Row {
                device,
                access,
                count,
                time_us,
            } = row;
            writeln!(f, "{count:>9}  {time_us:>6} us  {device:<12} {access}")?;
        }
        let count: u64 = self.0.iter().map(|row| row.count).sum();
        let time: u128 = self.0.iter().map(|row| row.time_us).sum();
        write!(f, "{count:>9}  {time:>6} us  in all")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(cause: Cause) -> (String, String) {
        match cause {
            Cause::PortWrite(port) => ("port".into(), format!("{port:#x}")),
            _ => ("other".into(), String::new()),
        }
    }

    #[test]
    fn exits_of_one_register_are_one_row_most_first() {
        let mut ledger = Ledger::default();
        ledger.record(Cause::Interrupted, Duration::from_micros(1));
        ledger.record(Cause::PortWrite(0x3f8), Duration::from_micros(2));
        ledger.record(Cause::PortWrite(0x3f8), Duration::from_micros(3));
        let rows = ledger.rows(name);
        assert_eq!(
            (rows[0].access.as_str(), rows[0].count, rows[0].time_us),
            ("0x3f8", 2, 5)
        );
        assert_eq!(rows.len(), 2);
    }

    #[test]
    fn the_table_ends_with_the_sum() {
        let mut ledger = Ledger::default();
        ledger.record(Cause::Other, Duration::from_micros(7));
        ledger.record(Cause::PortWrite(1), Duration::from_micros(5));
        let table = Table(&ledger.rows(name)).to_string();
        assert!(table.ends_with("2      12 us  in all"), "{table}");
    }
}
