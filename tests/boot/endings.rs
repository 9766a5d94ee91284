//! Every way in which a machine ends, by its exit status and its sentence.

use crate::assets::*;
use crate::guest::{Guest, busybox, vmm, words};

#[test]
fn a_reboot_exits_with_status_0() {
    let mut guest = Guest::boot(&mut busybox());
    guest.run("reboot");
    guest.wait().expect_status(0);
}

#[test]
fn a_reboot_restarts_where_it_is_told_to() {
    let mut guest = Guest::boot(busybox().args(["--on-reboot", "restart"]));
    guest.run("echo first; reboot").expect("first\r");
    guest.expect("login: ").send("root\n");
    guest.run("echo second; poweroff").expect("second\r");
    guest.wait().expect_status(0);
}

#[test]
fn a_panic_is_told_with_its_reason() {
    let ended = Guest::start(words(&mut busybox(), "init=/bin/false")).wait();
    ended.expect_status(10);
    assert!(
        ended.errors.contains("panicked: Attempted to kill init!"),
        "{}",
        ended.errors
    );
}

#[test]
fn a_kernel_without_a_root_panics_and_is_told() {
    let ended = Guest::start(&mut vmm(&vmlinux())).wait();
    ended.expect_status(10);
    assert!(
        ended.errors.contains("VFS: Unable to mount root fs"),
        "{}",
        ended.errors
    );
}

#[test]
fn sigterm_presses_the_power_button() {
    let mut guest = Guest::boot(&mut busybox());
    guest
        .run("echo ready $((6*7))")
        .expect("ready 42")
        .signal(libc::SIGTERM);
    guest.wait().expect_status(0);
}

#[test]
fn a_guest_that_ignores_the_button_is_stopped_after_the_grace_time() {
    let mut command = busybox();
    let mut guest = Guest::start(words(&mut command, "init=/bin/sh").args(["--grace", "1"]));
    guest.expect("# ").signal(libc::SIGTERM);
    let ended = guest.wait();
    ended.expect_status(128 + libc::SIGTERM);
    assert!(ended.errors.contains("--grace"), "{}", ended.errors);
}

#[test]
fn a_second_signal_does_not_wait() {
    let mut command = busybox();
    let mut guest = Guest::start(words(&mut command, "init=/bin/sh").args(["--grace", "1000"]));
    // In the order of their numbers, which is how two that wait together are read.
    guest
        .expect("# ")
        .signal(libc::SIGINT)
        .signal(libc::SIGTERM);
    guest.wait().expect_status(128 + libc::SIGTERM);
}

#[test]
fn a_guest_that_hangs_before_its_drivers_is_told() {
    // Nothing tells this kernel of its devices, so it has no root, and panics for ever.
    let mut command = busybox();
    words(&mut command, "acpi=off panic=0 console=hvc0").arg("--cmdline-only");
    let ended = Guest::start(command.args(["--boot-timeout", "3"])).wait();
    ended.expect_status(13);
    assert!(ended.errors.contains("--serial stdio"), "{}", ended.errors);
}

#[test]
fn statistics_name_devices_and_registers() {
    let mut guest = Guest::boot(busybox().arg("--stats"));
    guest.run("poweroff");
    let ended = guest.wait();
    ended.expect_status(0);
    assert!(ended.errors.contains("write Status") && ended.errors.contains("disk0"));
    assert!(ended.errors.contains("KVM's counter"));
}

#[test]
fn the_timeline_ends_with_the_guest() {
    let folder = scratch();
    let file = folder.path().join("timeline.json");
    let mut guest = Guest::boot(busybox().arg("--timeline").arg(&file));
    guest.run("poweroff");
    guest.wait().expect_status(0);
    let timeline = std::fs::read_to_string(file).unwrap();
    let timeline: serde_json::Value = serde_json::from_str(&timeline).unwrap();
    let last = timeline["spans"].as_array().unwrap().last().unwrap();
    assert_eq!(last["name"], "guest: until it ended");
}
