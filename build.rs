//! Builds `guest/init` and `guest/probe` for whatever runs our commands, to be embedded
//! (decision 0016).

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Static, without being relocated at its start.
const RUSTFLAGS: [&str; 2] = ["-Ctarget-feature=+crt-static", "-Crelocation-model=static"];
/// What cargo sets for us, and what `clippy` and the fuzzers set for our own code alone.
const NOT_INHERITED: [&str; 5] = [
    "CARGO_BUILD_TARGET",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTFLAGS",
    "CLIPPY_ARGS",
    "CARGO_INCREMENTAL",
];

fn main() {
    if env::var_os("CARGO_FEATURE_WALLS").is_none() {
        return;
    }
    for source in [
        "guest/init",
        "guest/probe",
        "guest/wire",
        "Cargo.lock",
        "Cargo.toml",
    ] {
        println!("cargo::rerun-if-changed={source}");
    }
    let target = variable("TARGET");
    let directory = PathBuf::from(variable("OUT_DIR")).join("guest");
    build(&target, &directory);
    let built = directory.join(&target).join("guest");
    println!("cargo::rustc-env=VMM_INIT={}", built.join("init").display());
    println!(
        "cargo::rustc-env=VMM_PROBE={}",
        built.join("probe").display()
    );
}

/// A build of its own, with its own directory: cargo holds the lock of ours.
fn build(target: &str, directory: &Path) {
    let mut cargo = Command::new(variable("CARGO"));
    cargo
        .args(["build", "--quiet", "--profile", "guest"])
        .args(["--package", "init", "--package", "probe"])
        .args(["--target", target, "--target-dir"])
        .arg(directory)
        .current_dir(variable("CARGO_MANIFEST_DIR"))
        .env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\x1f"));
    NOT_INHERITED.iter().for_each(|name| {
        cargo.env_remove(name);
    });
    let status = cargo.status().expect("cargo runs us, so it runs");
    assert!(
        status.success(),
        "cannot build what runs inside: cargo has said why"
    );
}

fn variable(name: &str) -> String {
    env::var(name).expect("cargo sets it for build scripts")
}
