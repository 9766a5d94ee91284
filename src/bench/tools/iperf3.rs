//! iperf3: a stream of TCP over loopback, its server behind the same wall.

use serde::Deserialize;

use super::{Tool, for_each_of};
use crate::bench::sample::Measure;
use crate::bench::workload::Unit;

/// The server serves one client and ends. Until it listens, a client fails at once, and of some
/// versions ends with status 0 even so. A shell that has no iperf3 would try for ever.
const SCRIPT: &str = "command -v iperf3 > /dev/null || exit 127
iperf3 --server --one-off --port 52017 > /dev/null &
while out=; do
    out=$(iperf3 --client 127.0.0.1 --port 52017 --time 1 --json)
    case $out in *bits_per_second*) break ;; esac
done
echo \"$out\"";

/// By the image's shell.
pub const TOOL: Tool = Tool {
    workload: "iperf3",
    program: "iperf3",
    words: &["sh", "-c", SCRIPT],
    measures,
};

#[derive(Deserialize)]
struct Output {
    end: End,
}

#[derive(Deserialize)]
struct End {
    sum_received: Sum,
}

#[derive(Deserialize)]
struct Sum {
    bits_per_second: f64,
}

fn measures(printed: &str) -> Vec<Measure> {
    let output: Option<Output> = serde_json::from_str(printed).ok();
    let bits = output.map(|output| output.end.sum_received.bits_per_second);
    let measure = bits.and_then(|bits| for_each_of(bits / 8.0, Unit::NanosecondsPerByte));
    measure.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_in_a_second_become_the_time_of_a_byte() {
        // As iperf3 3.12 prints it, but for what is not read.
        let printed = r#"{"start": {}, "end": {"sum_sent": {"bits_per_second": 1.0},
            "sum_received": {"start": 0, "seconds": 1.0, "bits_per_second": 8e9}}}"#;
        let expected = Measure::new("time", Unit::NanosecondsPerByte, 1.0);
        assert_eq!(measures(printed), [expected]);
        assert_eq!(measures(r#"{"error": "unable to connect"}"#), []);
    }
}
