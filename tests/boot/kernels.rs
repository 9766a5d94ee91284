//! Every kernel format, and the sizes that a machine may have.

use std::process::Command;

use crate::assets::*;
use crate::guest::{Guest, busybox, busybox_on, session, vmm};

#[test]
fn an_elf_kernel_boots_and_powers_off_with_status_0() {
    let output = session(&mut busybox(), &["uname -s"]);
    assert!(output.contains("Linux"));
}

#[test]
fn a_bzimage_boots() {
    let output = session(&mut busybox_on(&bzimage()), &["echo up $((6*7))"]);
    assert!(output.contains("up 42"));
}

#[test]
fn the_pvh_entry_boots() {
    let output = session(
        busybox().args(["--boot-protocol", "pvh"]),
        &["echo up $((6*7))"],
    );
    assert!(output.contains("up 42"));
}

#[test]
fn without_acpi_the_command_line_tells_of_the_devices() {
    let mut guest = Guest::boot(busybox().arg("--no-acpi"));
    guest.run("echo up $((6*7))").expect("up 42").run("reboot");
    guest.wait().expect_status(0);
}

#[test]
fn debian_s_kernel_boots_debian_to_its_login() {
    let folder = scratch();
    let mut guest = Guest::boot(&mut debian(&folder));
    guest.run("uname -r").expect("cloud-amd64");
    guest.run("poweroff");
    guest.wait().expect_status(0);
}

#[test]
fn debian_has_four_vcpus_and_a_queue_of_its_disk_for_each() {
    let folder = scratch();
    let mut guest = Guest::boot(debian(&folder).args(["--cpus", "4"]));
    guest.run("echo cpus $(nproc), queues $(ls /sys/block/vda/mq | wc -l)");
    guest.expect("cpus 4, queues 4").run("poweroff");
    guest.wait().expect_status(0);
}

/// Debian with its own kernel, from a copy of its root in `folder`.
fn debian(folder: &tempfile::TempDir) -> Command {
    let root = folder.path().join("debian.img");
    std::fs::copy(debian_root(), &root).unwrap();
    let mut command = vmm(&debian_kernel());
    command.arg("--initrd").arg(debian_initrd());
    command.arg("--rootfs").arg(root);
    command
}

#[test]
fn four_vcpus_are_four_cores_of_one_package() {
    let line = "echo cpus $(nproc) in $(sort -u /sys/devices/system/cpu/cpu*/topology/physical_package_id | wc -l)";
    let output = session(busybox().args(["--cpus", "4"]), &[line]);
    assert!(output.contains("cpus 4 in 1"), "{output}");
}

#[test]
fn thirty_two_vcpus_come_up() {
    let output = session(busybox().args(["--cpus", "32"]), &["echo cpus $(nproc)"]);
    assert!(output.contains("cpus 32"), "{output}");
}

#[test]
fn sixty_four_mib_are_enough() {
    let output = session(busybox().args(["--memory", "64M"]), &["echo up $((6*7))"]);
    assert!(output.contains("up 42"));
}

#[test]
fn six_gib_lie_on_both_sides_of_the_hole() {
    let line = "echo gib $(($(sed -n 's/MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo) >> 19))";
    let output = session(busybox().args(["--memory", "6G"]), &[line]);
    assert!(output.contains("gib 11"), "{output}");
}

#[test]
fn the_guest_s_clock_is_the_host_s() {
    let before = seconds_since_1970();
    let output = session(&mut busybox(), &["echo at $(date +%s)."]);
    let (_, after_at) = output.rsplit_once("at ").unwrap();
    let guest: u64 = after_at.split('.').next().unwrap().parse().unwrap();
    assert!((before..=seconds_since_1970()).contains(&guest));
}

fn seconds_since_1970() -> u64 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
