//! Whatever stops it, nothing stays on the host.

use rustix::process::{Pid, Signal, kill_process};

use crate::Test;
use crate::host::{Ended, Host, wait_until};
use crate::image;

/// All of this file.
pub const ALL: &[Test] = &[
    (
        "a_signal_ends_it_with_a_report_of_what_is_there",
        a_signal_ends_it_with_a_report_of_what_is_there,
    ),
    (
        "a_signal_cuts_a_long_command_off",
        a_signal_cuts_a_long_command_off,
    ),
    (
        "a_bench_that_is_killed_takes_everything_along",
        a_bench_that_is_killed_takes_everything_along,
    ),
    (
        "what_a_user_has_named_like_a_bench_stays",
        what_a_user_has_named_like_a_bench_stays,
    ),
];

fn a_signal_ends_it_with_a_report_of_what_is_there() {
    let host = Host::new();
    let what = ["--wall", "process,container", "--only", "getpid"];
    let long = ["--rounds", "100000", "--time-budget", "1h"];
    let record = ["--export", "json", "record"];
    let bench = host.start(&[&what[..], &long, &record].concat(), "round 1 done");
    kill_process(Pid::from_child(&bench), Signal::INT).unwrap();
    let ended = Ended::wait(bench);
    assert_eq!(ended.status, Some(130), "{ended:?}");
    assert!(ended.output.contains("\n getpid "), "{ended:?}");
    let record = host.record("record");
    assert_eq!(record.last().unwrap()["end"]["reason"], "it was stopped");
    let failed = |entry: &&serde_json::Value| entry["sample"]["outcome"]["failed"].is_string();
    assert_eq!(record.iter().find(failed), None);
    expect_nothing(&host);
}

fn a_signal_cuts_a_long_command_off() {
    let host = Host::new();
    let image = image::path().to_str().unwrap();
    let what = ["--wall", "container", "--timeout", "1h", image, "--"];
    let bench = host.start(&[&what[..], &["sleep", "1000"]].concat(), "preparing");
    wait_until("the command runs", || {
        !host.names("run/instances").is_empty()
    });
    kill_process(Pid::from_child(&bench), Signal::TERM).unwrap();
    let ended = Ended::wait(bench);
    assert_eq!(ended.status, Some(143), "{ended:?}");
    expect_nothing(&host);
}

fn a_bench_that_is_killed_takes_everything_along() {
    let host = Host::new();
    let image = image::path().to_str().unwrap();
    let what = ["--wall", "process,container", "--only", "getpid"];
    let command = ["--timeout", "1h", image, "--", "sleep", "1000"];
    let mut bench = host.start(&[&what[..], &command].concat(), "preparing");
    // Sessions stand, and the command runs.
    let is_command = |name: &String| !name.starts_with("bench-");
    wait_until("the command runs", || {
        host.names("run/instances").iter().any(is_command)
    });
    bench.kill().unwrap();
    bench.wait().unwrap();
    wait_until("all of its processes have gone", || host.processes() == 0);
    assert_eq!(host.names("run/instances"), [""; 0]);
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(
        !mounts.contains(host.path("").to_str().unwrap()),
        "{mounts}"
    );
    // Files stay, until a next one comes.
    let next = host.run(&["--wall", "process", "--rounds", "1", "--only", "getpid"]);
    assert_eq!(next.status, Some(0), "{next:?}");
    expect_nothing(&host);
}

fn what_a_user_has_named_like_a_bench_stays() {
    let host = Host::new();
    let image = image::path().to_str().unwrap();
    let keep = ["--keep", "bench-4194305-vm", image, "--", "touch", "/mine"];
    let mut kept = host.vmm(&[&["run", "--wall", "container"][..], &keep].concat());
    assert!(kept.status().unwrap().success());
    let next = host.run(&["--wall", "process", "--rounds", "1", "--only", "getpid"]);
    assert_eq!(next.status, Some(0), "{next:?}");
    assert_eq!(host.names("store/keeps"), ["bench-4194305-vm"]);
}

/// Neither process, nor instance, nor keep, nor file.
fn expect_nothing(host: &Host) {
    assert_eq!(host.processes(), 0);
    assert_eq!(host.names("run/instances"), [""; 0]);
    assert_eq!(host.names("store/keeps"), [""; 0]);
    assert_eq!(
        host.names("run")
            .iter()
            .chain(&host.names("store/benches"))
            .find(|name| name.starts_with("bench-")),
        None
    );
}
