//! fio: random reads of 4 KiB, one after the other, past the page cache of whoever runs it.

use serde::Deserialize;

use super::{Tool, for_each_of};
use crate::bench::sample::Measure;
use crate::bench::workload::Unit;

/// By an engine that every kernel has. The file stays for the next run.
pub const TOOL: Tool = Tool {
    workload: "fio",
    program: "fio",
    words: &[
        "fio",
        "--name=vmm-bench",
        "--filename=/vmm-bench-fio",
        "--size=64M",
        "--rw=randread",
        "--bs=4k",
        "--direct=1",
        "--ioengine=psync",
        "--runtime=1",
        "--time_based",
        "--output-format=json",
    ],
    measures,
};

#[derive(Deserialize)]
struct Output {
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct Job {
    read: Read,
}

#[derive(Deserialize)]
struct Read {
    iops: f64,
    clat_ns: Latency,
}

/// From the request to its completion, in nanoseconds.
#[derive(Deserialize)]
struct Latency {
    percentile: Percentiles,
}

#[derive(Deserialize)]
struct Percentiles {
    #[serde(rename = "50.000000")]
    p50: f64,
    #[serde(rename = "95.000000")]
    p95: f64,
    #[serde(rename = "99.000000")]
    p99: f64,
}

fn measures(printed: &str) -> Vec<Measure> {
    // Whatever it has to say before, as of a file that it lays out.
    let begin = printed.find('{').unwrap_or(printed.len());
    let output: Option<Output> = serde_json::from_str(&printed[begin..]).ok();
    let Some([Job { read }]) = output.as_ref().map(|output| output.jobs.as_slice()) else {
        return Vec::new();
    };
    let Some(time) = for_each_of(read.iops, Unit::Nanoseconds) else {
        return Vec::new();
    };
    let Percentiles { p50, p95, p99 } = read.clat_ns.percentile;
    let percentiles = [("p50", p50), ("p95", p95), ("p99", p99)];
    let percentiles = percentiles.map(|(name, ns)| Measure::new(name, Unit::Nanoseconds, ns));
    std::iter::once(time).chain(percentiles).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_in_a_second_become_the_time_of_one() {
        // As fio 3.33 prints it, but for what is not read.
        let printed = r#"vmm-bench: Laying out IO file (1 file / 64MiB)
            {"fio version": "fio-3.33", "jobs": [{"jobname": "vmm-bench", "read": {
            "iops": 20000.0, "clat_ns": {"min": 1, "percentile": {"1.000000": 39680,
            "50.000000": 51456, "95.000000": 59136, "99.000000": 94720}}}}]}"#;
        let expected = [
            ("time", 50_000.0),
            ("p50", 51_456.0),
            ("p95", 59_136.0),
            ("p99", 94_720.0),
        ];
        let expected = expected.map(|(name, ns)| Measure::new(name, Unit::Nanoseconds, ns));
        assert_eq!(measures(printed), expected);
        assert_eq!(measures(&printed.replace("20000.0", "0")), []);
    }
}
