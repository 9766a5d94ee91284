//! sysbench: prime numbers, and writes to memory, in one thread.

use super::{Tool, for_each_of};
use crate::bench::sample::Measure;
use crate::bench::workload::Unit;

/// Prime numbers up to 10,000, over and over.
pub const CPU: Tool = Tool {
    workload: "sysbench-cpu",
    program: "sysbench",
    words: &["sysbench", "cpu", "--time=1", "run"],
    measures: events,
};

/// Blocks of 1 MiB, over and over.
pub const MEMORY: Tool = Tool {
    workload: "sysbench-memory",
    program: "sysbench",
    words: &[
        "sysbench",
        "memory",
        "--time=1",
        "--memory-block-size=1M",
        "--memory-total-size=100T",
        "run",
    ],
    measures: bytes,
};

/// A line `events per second:  3192.74`.
fn events(printed: &str) -> Vec<Measure> {
    let mut lines = printed.lines().map(str::trim);
    let rate = lines.find_map(|line| line.strip_prefix("events per second:")?.trim().parse().ok());
    let measure = rate.and_then(|rate| for_each_of(rate, Unit::Nanoseconds));
    measure.into_iter().collect()
}

/// A line `5071.71 MiB transferred (5067.50 MiB/sec)`.
fn bytes(printed: &str) -> Vec<Measure> {
    let rate = |line: &str| {
        let (_, rate) = line.split_once('(')?;
        let rate: f64 = rate.strip_suffix(" MiB/sec)")?.parse().ok()?;
        for_each_of(rate * 1_048_576.0, Unit::NanosecondsPerByte)
    };
    let mut lines = printed.lines().map(str::trim);
    lines.find_map(rate).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_in_a_second_become_the_time_of_one() {
        // As sysbench 1.0.20 prints it, but for what is not read.
        let printed = "CPU speed:\n    events per second:  3200.00\n\nGeneral statistics:\n";
        let expected = Measure::new("time", Unit::Nanoseconds, 312_500.0);
        assert_eq!(events(printed), [expected]);
    }

    #[test]
    fn mebibytes_in_a_second_become_the_time_of_a_byte() {
        let printed = "Total operations: 5071 ( 5067.50 per second)\n\n\
                       5071.71 MiB transferred (1024.00 MiB/sec)\n";
        let expected = Measure::new("time", Unit::NanosecondsPerByte, 1e9 / 1_073_741_824.0);
        assert_eq!(bytes(printed), [expected]);
    }
}
