//! What a guest writes is there after it, whatever ends it.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::slice;

use tempfile::TempDir;

use crate::assets::*;
use crate::guest::{Guest, busybox, session};

fn disk(folder: &TempDir, name: &str, mib: u64) -> String {
    let path = folder.path().join(name);
    File::create(&path).unwrap().set_len(mib << 20).unwrap();
    path.display().to_string()
}

/// A guest with the small root and `disks` beside it.
fn with_disks(disks: &[String]) -> Command {
    let mut command = busybox();
    for disk in disks {
        command.args(["--disk", &format!("path={disk},format=raw")]);
    }
    command
}

#[test]
fn what_one_boot_writes_the_next_reads() {
    let folder = scratch();
    writes_then_reads(&[disk(&folder, "data.img", 64)]);
}

#[test]
fn what_one_boot_writes_past_the_host_s_cache_the_next_reads() {
    let folder = scratch();
    let _mounted = Mounted::ext4(&folder);
    writes_then_reads(&[format!("{},cache=direct", disk(&folder, "data.img", 64))]);
}

/// A file on the first of `disks` has the same checksum in the boot after the one that made it.
fn writes_then_reads(disks: &[String]) {
    let write = [
        "mke2fs -q /dev/vdb && mount /dev/vdb /mnt",
        "dd if=/dev/urandom of=/mnt/file bs=1M count=16 2>/dev/null",
        "echo sum $(md5sum < /mnt/file)",
        "umount /mnt",
    ];
    let written = session(&mut with_disks(disks), &write);
    let read = [
        "mount -o ro /dev/vdb /mnt",
        "echo sum $(md5sum < /mnt/file)",
    ];
    let read = session(&mut with_disks(disks), &read);
    assert_eq!(checksum(&written).len(), 32);
    assert_eq!(checksum(&written), checksum(&read));
}

/// The checksum behind the last `sum`.
fn checksum(output: &str) -> String {
    let (_, after) = output.rsplit_once("sum ").expect("a checksum was printed");
    after.chars().take_while(char::is_ascii_hexdigit).collect()
}

#[test]
fn two_disks_keep_their_order_and_their_serial_numbers() {
    let folder = scratch();
    let first = format!("{},serial=first", disk(&folder, "a.img", 8));
    let second = format!("{},serial=second", disk(&folder, "b.img", 16));
    let line = "echo $(cat /sys/block/vdb/serial)-$(cat /sys/block/vdb/size)-$(cat /sys/block/vdc/serial)-$(cat /sys/block/vdc/size)";
    let output = session(&mut with_disks(&[first, second]), &[line]);
    assert!(output.contains("first-16384-second-32768"), "{output}");
}

#[test]
fn a_read_only_disk_cannot_be_written() {
    let folder = scratch();
    let data = format!("{},readonly", disk(&folder, "data.img", 8));
    let lines = [
        "echo ro $(cat /sys/block/vdb/ro)",
        "echo x | dd of=/dev/vdb 2>/dev/null || echo refused $((6*7))",
    ];
    let output = session(&mut with_disks(&[data]), &lines);
    assert!(
        output.contains("ro 1") && output.contains("refused 42"),
        "{output}"
    );
}

#[test]
fn a_read_only_root_refuses_every_way_to_write() {
    let lines = [
        "touch /file",
        "mount -o remount,rw /",
        "echo x | dd of=/dev/vda || echo refused $((6*7))",
        "echo ro $(cat /sys/block/vda/ro)",
    ];
    let output = session(&mut busybox(), &lines);
    for refusal in [
        "touch: /file: Read-only file system",
        "mount: mounting /dev/root on / failed: Permission denied",
        "refused 42",
        "ro 1\r",
    ] {
        assert!(output.contains(refusal), "no '{refusal}' in {output}");
    }
}

#[test]
fn discarded_blocks_are_given_back_to_the_host() {
    let folder = scratch();
    let data = [disk(&folder, "data.img", 32)];
    let lines = [
        "dd if=/dev/urandom of=/dev/vdb bs=1M count=16 2>/dev/null; sync",
        "blkdiscard /dev/vdb && echo discarded $((6*7))",
    ];
    let output = session(&mut with_disks(&data), &lines);
    assert!(output.contains("discarded 42"), "{output}");
    assert!(allocated(Path::new(&data[0])) < 1 << 20);
}

fn allocated(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    path.metadata().unwrap().blocks() * 512
}

#[test]
fn a_second_vm_cannot_have_a_disk_that_is_written() {
    let folder = scratch();
    let data = [disk(&folder, "data.img", 8)];
    let mut first = Guest::boot(&mut with_disks(&data));
    first.expect("# ");
    let second = Guest::start(&mut with_disks(&data)).wait();
    second.expect_status(1);
    assert!(
        second.errors.contains("data.img") && second.errors.contains("in use"),
        "{}",
        second.errors
    );
}

#[test]
fn after_kill_9_a_synced_file_is_there_and_the_file_system_clean() {
    let folder = scratch();
    let data = [disk(&folder, "data.img", 64)];
    mkfs(&data[0]);
    let mut guest = Guest::boot(&mut with_disks(&data));
    guest.run("mount -t ext4 /dev/vdb /mnt && echo kept $((6*7)) > /mnt/file && sync");
    guest.run("(while :; do date >> /mnt/log; done) &");
    guest.run("sleep 1; echo writing $((6*7))");
    guest.expect("writing 42").signal(libc::SIGKILL);
    guest.wait().expect_status(128 + libc::SIGKILL);
    let replayed = fsck(&data[0], "-p");
    assert!(replayed < 2, "fsck -p ended with {replayed}");
    assert_eq!(fsck(&data[0], "-fn"), 0);
    let output = session(
        &mut with_disks(&data),
        &["mount /dev/vdb /mnt; cat /mnt/file"],
    );
    assert!(output.contains("kept 42"), "{output}");
}

#[test]
fn a_sync_in_the_guest_is_a_flush_of_the_host_s_disk() {
    let folder = scratch();
    let device = LoopDevice::over(&disk(&folder, "data.img", 8));
    let before = device.flushes();
    let mut guest = Guest::boot(&mut with_disks(slice::from_ref(&device.0)));
    guest.run("dd if=/dev/urandom of=/dev/vdb bs=4k count=1 conv=fsync && echo synced $((6*7))");
    guest.expect("synced 42");
    assert!(device.flushes() > before);
}

/// A block device of the host that counts.
struct LoopDevice(String);

impl LoopDevice {
    fn over(file: &str) -> Self {
        let mut losetup = Command::new("/sbin/losetup");
        let output = losetup.args(["--find", "--show", file]).output().unwrap();
        assert!(output.status.success(), "cannot make a loop device");
        Self(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }

    /// How many flushes it has completed: the sixteenth number of its statistics.
    fn flushes(&self) -> u64 {
        let path = self.0.replace("/dev", "/sys/block") + "/stat";
        let numbers = std::fs::read_to_string(path).unwrap();
        numbers.split_whitespace().nth(15).unwrap().parse().unwrap()
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        let _ = Command::new("/sbin/losetup").args(["-d", &self.0]).status();
    }
}

fn mkfs(path: &str) {
    let status = Command::new("/sbin/mke2fs")
        .args(["-q", "-t", "ext4", "-F", path])
        .status();
    assert!(status.unwrap().success());
}

fn fsck(path: &str, how: &str) -> i32 {
    let status = Command::new("/sbin/e2fsck").args([how, path]).status();
    status.unwrap().code().unwrap()
}

#[test]
fn a_full_host_is_an_i_o_error_in_the_guest_and_no_more() {
    let folder = scratch();
    let _mounted = Mounted::tmpfs(&folder, "size=4m");
    let data = [disk(&folder, "data.img", 64)];
    let lines = [
        "dd if=/dev/zero of=/dev/vdb bs=1M count=16 oflag=direct",
        "echo alive $((6*7))",
    ];
    let output = session(&mut with_disks(&data), &lines);
    assert!(
        output.contains("I/O error, dev vdb") && output.contains("alive 42"),
        "{output}"
    );
}

/// A file system of a test's own over its folder, for as long as this lives.
struct Mounted<'f>(&'f Path);

impl<'f> Mounted<'f> {
    fn tmpfs(folder: &'f TempDir, options: &str) -> Self {
        Self::new(folder, &["-t", "tmpfs", "-o", options, "tmpfs"])
    }

    /// One that can pass by the page cache, whatever is below.
    fn ext4(folder: &'f TempDir) -> Self {
        let image = disk(folder, "ext4.img", 128);
        mkfs(&image);
        Self::new(folder, &["-o", "loop", &image])
    }

    fn new(folder: &'f TempDir, what: &[&str]) -> Self {
        let mut mount = Command::new("mount");
        let status = mount.args(what).arg(folder.path()).status().unwrap();
        assert!(
            status.success(),
            "these tests run as root, in a host of their own"
        );
        Self(folder.path())
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}
