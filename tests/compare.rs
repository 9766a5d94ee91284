//! `vmm compare` of an image with busybox, behind the walls that need no KVM, and behind the vm
//! wall where `VMM_TEST_WALLS` names it.

#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

#[path = "shared/image.rs"]
mod image;

use std::path::Path;
use std::process::{Command, Output};

use libtest_mimic::{Arguments, Trial};
use serde_json::Value;
use tempfile::TempDir;

fn main() {
    let arguments = Arguments::from_args();
    let tests: [(&str, fn()); 6] = [
        (
            "the_process_wall_reaches_what_the_host_has",
            the_process_wall_reaches_what_the_host_has,
        ),
        (
            "the_container_wall_shares_the_kernel_alone",
            the_container_wall_shares_the_kernel_alone,
        ),
        (
            "a_wall_that_cannot_be_had_has_its_reason",
            a_wall_that_cannot_be_had_has_its_reason,
        ),
        (
            "what_a_command_prints_is_compared_by_line",
            what_a_command_prints_is_compared_by_line,
        ),
        (
            "an_image_that_is_not_there_is_told_once",
            an_image_that_is_not_there_is_told_once,
        ),
        ("nothing_is_left_on_the_host", nothing_is_left_on_the_host),
    ];
    let vm: [(&str, fn()); 1] = [("the_vm_wall_shares_nothing", the_vm_wall_shares_nothing)];
    let has_vm = std::env::var("VMM_TEST_WALLS").is_ok_and(|walls| walls.contains("vm"));
    let mut wanted: Vec<_> = tests.iter().chain(vm.iter().filter(|_| has_vm)).collect();
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: these need root, to mount the image");
        wanted.clear();
    }
    let trial = |(name, test): &&(&'static str, fn())| {
        let test = *test;
        Trial::test(*name, move || {
            test();
            Ok(())
        })
    };
    libtest_mimic::run(&arguments, wanted.iter().map(trial).collect()).exit();
}

/// A store and a runtime directory of its own.
struct Host(TempDir);

impl Host {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn compare(&self, options: &[&str], command: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_vmm"))
            .env("VMM_STORE", self.0.path().join("store"))
            .env("VMM_RUNTIME", self.0.path().join("run"))
            .arg("compare")
            .args(options)
            .arg(image::path())
            .arg("--")
            .args(command)
            .output()
            .unwrap()
    }

    fn json(&self, options: &[&str]) -> Value {
        let ended = self.compare(&[options, &["--json"]].concat(), &[]);
        assert!(ended.status.success(), "{ended:?}");
        serde_json::from_slice(&ended.stdout).unwrap()
    }
}

/// Whose the fact `name` is behind the only wall of `comparison`.
fn whose<'a>(comparison: &'a Value, name: &str) -> &'a str {
    let rows = comparison["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == name).unwrap();
    row["cells"][0]["whose"].as_str().unwrap()
}

fn the_process_wall_reaches_what_the_host_has() {
    let comparison = Host::new().json(&["--wall", "process"]);
    for name in ["PID", "interfaces", "canary process", "canary in /tmp"] {
        assert_eq!(whose(&comparison, name), "hosts", "{name}");
    }
    assert_eq!(whose(&comparison, "root"), "own");
}

fn the_container_wall_shares_the_kernel_alone() {
    let comparison = Host::new().json(&["--wall", "container"]);
    assert_eq!(whose(&comparison, "boot id"), "hosts");
    let own = ["PID", "interfaces", "canary process", "canary in /tmp"];
    for name in own.iter().chain(&["capabilities", "seccomp", "root"]) {
        assert_eq!(whose(&comparison, name), "own", "{name}");
    }
}

fn the_vm_wall_shares_nothing() {
    let assets = std::env::var("VMM_TEST_ASSETS").unwrap();
    let kernel = Path::new(&assets).join("vmlinux").display().to_string();
    let comparison = Host::new().json(&["--wall", "vm", "--kernel", &kernel]);
    let rows = comparison["rows"].as_array().unwrap();
    for row in rows {
        assert_eq!(row["cells"][0]["whose"], "own", "{row}");
    }
}

fn a_wall_that_cannot_be_had_has_its_reason() {
    let walls = ["--wall", "vm", "--wall", "process"];
    let kernel = ["--kernel", "/nowhere/vmlinux"];
    let comparison = Host::new().json(&[&walls[..], &kernel].concat());
    assert_eq!(comparison["walls"][0], "process");
    let reason = comparison["missing"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("/nowhere/vmlinux"), "{reason}");
}

fn an_image_that_is_not_there_is_told_once() {
    let host = Host::new();
    let output = Command::new(env!("CARGO_BIN_EXE_vmm"))
        .env("VMM_STORE", host.0.path().join("store"))
        .args(["compare", "no-such-image"])
        .output()
        .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert_eq!(errors.matches("no-such-image").count(), 1, "{errors}");
    assert_eq!(output.stdout, b"");
}

fn what_a_command_prints_is_compared_by_line() {
    let script = "echo same; ls -l /proc/self/ns/pid | grep -o 'pid:.*'; exit 3";
    let walls = ["--wall", "process", "--wall", "container"];
    let ended = Host::new().compare(&walls, &["sh", "-c", script]);
    let text = String::from_utf8(ended.stdout).unwrap();
    assert!(
        text.starts_with("same       same\nprocess    pid:["),
        "{text}"
    );
    assert!(text.ends_with("status: process 3, container 3\n"), "{text}");
}

fn nothing_is_left_on_the_host() {
    let host = Host::new();
    host.json(&["--wall", "process"]);
    let left = std::fs::read_dir(host.0.path().join("run")).unwrap();
    let names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    let ours = |name: &&std::ffi::OsString| name.to_string_lossy().starts_with("compare-");
    assert_eq!(names.iter().find(ours), None);
}
