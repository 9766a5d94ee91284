//! What fio prints by the jobs in guest/rootfs/fio, in a guest or on the host.

use crate::bench::behind::reading::shown;
use crate::bench::sample::Measure;
use crate::bench::workload::Unit;

/// The jobs, a shell's script that takes the disk as its argument.
pub const JOBS: &str = include_str!("../../../guest/rootfs/fio/jobs");
/// What it prints last.
pub const END: &str = "FIO-END";

/// The measures in `output`, whatever a console has printed before them.
pub fn measures(output: &str) -> Vec<Measure> {
    output.lines().filter_map(measure).collect()
}

/// What `output` says instead of a result.
pub fn reason(output: &str) -> String {
    let is_other = |line: &&str| !line.trim().is_empty() && !line.contains("FIO");
    let last = output.lines().rev().find(is_other);
    shown(last.unwrap_or("nothing"))
}

/// A line `FIO NAME, UNIT NUMBER`: operations, or KiB, for each second.
fn measure(line: &str) -> Option<Measure> {
    let (_, result) = line.split_once("FIO ")?;
    let (name, number) = result.trim().rsplit_once(' ')?;
    let number: f64 = number.parse().ok()?;
    if !number.is_finite() || number <= 0.0 {
        return None;
    }
    let (name, unit) = name.rsplit_once(", ")?;
    match unit {
        "IOPS" => Some(Measure::new(name, Unit::Nanoseconds, 1e9 / number)),
        "KiB/s" => {
            let for_a_byte = 1e9 / (number * 1024.0);
            Some(Measure::new(name, Unit::NanosecondsPerByte, for_a_byte))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_becomes_the_time_for_one() {
        let output = "login: FIO read 4 KiB, depth 1, IOPS 20000\r\n\
                      [1.2] FIO read 1 MiB, KiB/s 1048576\nFIO-END\n";
        let expected = [
            Measure::new("read 4 KiB, depth 1", Unit::Nanoseconds, 50_000.0),
            Measure::new(
                "read 1 MiB",
                Unit::NanosecondsPerByte,
                1e9 / 1_073_741_824.0,
            ),
        ];
        assert_eq!(measures(output), expected);
    }

    #[test]
    fn what_is_no_rate_is_no_measure() {
        assert_eq!(
            measures("FIO read, IOPS 0\nFIO read, IOPS x\nFIO read, W 1\nFIO read, IOPS inf\n"),
            []
        );
        let said = "fio: engine libaio not loadable\nFIO read, IOPS \nFIO-END\n";
        assert_eq!(reason(said), "fio: engine libaio not loadable");
    }
}
