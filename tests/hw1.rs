//! The opening story: a homework that the host cannot run, behind every wall (examples/hw1).
//!
//! `scripts/build-hw1` builds its image, and `VMM_TEST_HW1` names it.

#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use tempfile::TempDir;

/// A store with the homework's image, and a runtime directory.
struct Desk(TempDir);

/// A test, to be run behind a wall.
type Test = (&'static str, fn(&Desk, &str));

fn main() {
    let arguments = Arguments::from_args();
    let trials = match std::env::var_os("VMM_TEST_HW1") {
        _ if !rustix::process::geteuid().is_root() => skip("it needs root, to mount the image"),
        None => skip("VMM_TEST_HW1 names no image: scripts/build-hw1 builds it"),
        Some(image) => trials(&image),
    };
    libtest_mimic::run(&arguments, trials).exit();
}

fn skip(reason: &str) -> Vec<Trial> {
    eprintln!("skipped: {reason}");
    Vec::new()
}

fn trials(image: &OsStr) -> Vec<Trial> {
    let desk = Arc::new(Desk::with(image));
    let walls = std::env::var("VMM_TEST_WALLS").unwrap_or_else(|_| "process,container".to_owned());
    let tests: [Test; 2] = [
        ("it_prints_its_table", it_prints_its_table),
        (
            "its_input_and_its_status_arrive",
            its_input_and_its_status_arrive,
        ),
    ];
    let mut trials = Vec::new();
    for wall in walls.split(',').map(str::to_owned) {
        for (name, test) in tests {
            let (wall, desk) = (wall.clone(), desk.clone());
            trials.push(Trial::test(format!("{name}::{wall}"), move || {
                test(&desk, &wall);
                Ok(())
            }));
        }
    }
    trials
}

fn it_prints_its_table(desk: &Desk, wall: &str) {
    let ended = desk.run(wall, &["python3", "hw1.py"], "");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    assert_eq!(String::from_utf8_lossy(&ended.stdout), TABLE);
    assert_eq!(ended.status.code(), Some(0));
}

fn its_input_and_its_status_arrive(desk: &Desk, wall: &str) {
    let ended = desk.run(
        wall,
        &["python3", "hw1.py", "-"],
        "1000 0.5\n2000 2\n4000 8\n",
    );
    assert_eq!(String::from_utf8_lossy(&ended.stdout), SLOW);
    assert_eq!(ended.status.code(), Some(1));
}

impl Desk {
    fn with(image: &OsStr) -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        let mut import = desk.vmm();
        let ended = import.args(["image", "import"]).arg(image).arg("hw1");
        assert!(ended.status().unwrap().success());
        desk
    }

    fn vmm(&self) -> Command {
        let mut vmm = Command::new(env!("CARGO_BIN_EXE_vmm"));
        vmm.env("VMM_STORE", self.0.path().join("store"))
            .env("VMM_RUNTIME", self.0.path().join("run"));
        vmm
    }

    /// What comes of `command` behind `wall`, with `input`.
    fn run(&self, wall: &str, command: &[&str], input: &str) -> Output {
        let mut vmm = self.vmm();
        vmm.args(["run", "--wall", wall, "--timeout", "180"])
            .args(kernel(wall))
            .args(["hw1", "--"])
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = vmm.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // One that reads nothing closes it early.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output().unwrap()
    }
}

/// The vm wall runs the kernel of the assets.
fn kernel(wall: &str) -> Vec<OsString> {
    let vmlinux = |assets| Path::new(&assets).join("vmlinux").into_os_string();
    let assets = std::env::var_os("VMM_TEST_ASSETS").filter(|_| wall == "vm");
    assets.map_or(Vec::new(), |assets| {
        vec!["--kernel".into(), vmlinux(assets)]
    })
}

const TABLE: &str = "  numbers    seconds    times longer
---------  ---------  --------------
     1000      0.011
     2000      0.024             2.2
     4000      0.052             2.2
     8000      0.113             2.2
    16000      0.251             2.2
";

const SLOW: &str = "  numbers    seconds    times longer
---------  ---------  --------------
     1000      0.500
     2000      2.000             4.0
     4000      8.000             4.0
";
