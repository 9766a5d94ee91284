//! Other VMMs beside ours, with a kernel that boots.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::assets::{busybox_root, vmlinux};

/// A boot of QEMU's may fail in a host that QEMU emulates; one of three is enough.
#[test]
fn a_boot_is_measured_beside_qemus() {
    let place = tempfile::tempdir().unwrap();
    let mut bench = Command::new(env!("CARGO_BIN_EXE_vmm"));
    bench
        .env("VMM_STORE", place.path().join("store"))
        .args(["bench", "--suite", "boot", "--no-control", "--vmm", "qemu"])
        .args(["--rounds", "2", "--timeout", "60", "--export", "json"])
        .arg(place.path().join("record.json"))
        .arg("--kernel")
        .arg(vmlinux())
        .arg("--rootfs")
        .arg(busybox_root());
    crate::guest::words(&mut bench, "");
    let output = bench.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let record = fs::read_to_string(place.path().join("record.json")).unwrap();
    for vmm in ["vmm", "qemu"] {
        let mut samples = record.lines().map(|line| of(line, vmm));
        assert!(samples.any(|measured| measured), "of {vmm}: {record}");
    }
}

/// Whether `line` is a boot by `vmm` that was measured, in all that every host tells.
fn of(line: &str, vmm: &str) -> bool {
    let line: Value = serde_json::from_str(line).unwrap();
    let sample = &line["sample"];
    let measures = sample["outcome"]["measured"]["measures"].as_array();
    let is_positive = |name: &str| {
        let mut measures = measures.into_iter().flatten();
        measures.any(|one| one["name"] == name && one["value"].as_f64() > Some(0.0))
    };
    let names = ["to init", "processor time", "memory of its own", "threads"];
    sample["target"] == vmm && names.into_iter().all(is_positive)
}
