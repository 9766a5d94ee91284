//! What goes wrong is told, and takes nothing else along.

use std::process::Command;

use crate::Test;
use crate::host::{Ended, Host};
use crate::image;

/// All of this file.
pub const ALL: &[Test] = &[
    (
        "a_command_that_fails_has_its_status_and_last_words_in_the_report",
        a_command_that_fails_has_its_status_and_last_words_in_the_report,
    ),
    (
        "a_failure_that_is_none_is_measured",
        a_failure_that_is_none_is_measured,
    ),
    (
        "a_command_that_hangs_is_ended",
        a_command_that_hangs_is_ended,
    ),
    (
        "a_workload_that_there_is_not_has_a_suggestion",
        a_workload_that_there_is_not_has_a_suggestion,
    ),
    (
        "a_file_that_cannot_be_made_is_told_before_the_first_run",
        a_file_that_cannot_be_made_is_told_before_the_first_run,
    ),
    (
        "what_means_nothing_is_refused",
        what_means_nothing_is_refused,
    ),
    (
        "a_disk_that_is_full_ends_it_with_a_report",
        a_disk_that_is_full_ends_it_with_a_report,
    ),
];

/// What comes of measuring a script of the shell.
fn measured(options: &[&str], script: &str) -> Ended {
    let image = image::path().to_str().unwrap();
    let what = ["--wall", "process", "--rounds", "1"];
    let command = [image, "--", "sh", "-c", script];
    Host::new().run(&[&what, options, &command].concat())
}

fn a_command_that_fails_has_its_status_and_last_words_in_the_report() {
    let ended = measured(&[], "echo tea; echo no milk >&2; exit 3");
    assert_eq!(ended.status, Some(1), "{ended:?}");
    let told = "it ended with status 3: no milk";
    assert!(ended.sentence().contains(told), "{ended:?}");
}

fn a_failure_that_is_none_is_measured() {
    let ended = measured(&["--ignore-failure"], "exit 3");
    assert_eq!(ended.status, Some(0), "{ended:?}");
}

fn a_command_that_hangs_is_ended() {
    let ended = measured(&["--timeout", "1s"], "sleep 1000");
    assert_eq!(ended.status, Some(1), "{ended:?}");
    let told = "nothing came of it in 1 s";
    assert!(ended.sentence().contains(told), "{ended:?}");
}

fn a_workload_that_there_is_not_has_a_suggestion() {
    let ended = Host::new().run(&["--only", "getpidd"]);
    assert_eq!(ended.status, Some(2), "{ended:?}");
    assert!(ended.errors.contains("'getpid'"), "{ended:?}");
}

fn a_file_that_cannot_be_made_is_told_before_the_first_run() {
    for format in ["json", "csv", "html"] {
        let host = Host::new();
        let ended = host.run(&["--only", "getpid", "--export", format, "nowhere/file"]);
        assert_eq!(ended.status, Some(1), "{ended:?}");
        assert!(ended.errors.contains("nowhere/file"), "{ended:?}");
        assert_eq!(host.names("store/keeps"), [""; 0]);
    }
}

fn what_means_nothing_is_refused() {
    let refused: [(&[&str], &str); 3] = [
        (&["--vmm", "qemu"], "--vmm means nothing"),
        (&["--suite", "boot", "--explain"], "--explain means nothing"),
        (&["--cpu-list", "1023"], "--cpu-list has CPUs 1023"),
    ];
    for (options, told) in refused {
        let ended = Host::new().run(options);
        assert_eq!(ended.status, Some(1), "{ended:?}");
        assert!(ended.errors.contains(told), "{ended:?}");
    }
}

/// A file system with next to no room, until it is dropped.
struct Small(Host);

impl Small {
    fn new() -> Self {
        let host = Host::new();
        std::fs::create_dir(host.path("small")).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16k", "small"]);
        assert!(mount.arg(host.path("small")).status().unwrap().success());
        Self(host)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let mut unmount = Command::new("umount");
        let _ = unmount.arg(self.0.path("small")).status();
    }
}

fn a_disk_that_is_full_ends_it_with_a_report() {
    let small = Small::new();
    let what = ["--wall", "process", "--rounds", "1000", "--only", "getpid"];
    let ended = small
        .0
        .run(&[&what[..], &["--export", "json", "small/record"]].concat());
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(
        ended.errors.contains("No space left on device"),
        "{ended:?}"
    );
    assert!(ended.output.contains("\n getpid "), "{ended:?}");
    // Every line that is there is whole.
    assert!(small.0.record("small/record").len() > 1);
}
