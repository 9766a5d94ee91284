//! Each step that can fail, failed: what is said, and that nothing is left.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use vmm::image::Format;
use vmm::root::namespace::{NamespaceError, unshare_mounts};
use vmm::root::{Keeps, Lower, Root, RootError, Upper, Workbench};

use super::host::{Stage, loops_of, mounts_below, run};
use super::{Promise, promises};

pub const PROMISES: &[Promise] = promises![
    a_process_with_threads_is_told_that_it_is_too_late,
    a_base_that_is_missing_is_named,
    a_base_that_is_no_file_system_leaves_no_loop_device,
    a_base_of_another_format_leaves_no_loop_device,
    a_host_without_loop_devices_is_told_how_to_get_them,
    a_loop_device_without_a_node_is_named,
    a_root_without_its_place_unmounts_both_layers,
    a_full_disk_leaves_no_keep,
    a_device_that_shows_only_a_part_of_the_base_is_not_shared,
    a_path_with_colons_and_commas_is_a_path,
];

fn a_process_with_threads_is_told_that_it_is_too_late() {
    let (release, wait) = mpsc::channel::<()>();
    let thread = thread::spawn(move || wait.recv());
    let error = unshare_mounts().unwrap_err();
    assert!(matches!(error, NamespaceError::Threads(2)), "{error}");
    drop(release);
    thread.join().unwrap().unwrap_err();
}

fn a_base_that_is_missing_is_named() {
    let stage = Stage::set(Format::Erofs);
    fs::remove_file(&stage.base.path).unwrap();
    assert!(refusal(&stage).starts_with("cannot open the base /"));
}

fn a_base_that_is_no_file_system_leaves_no_loop_device() {
    let stage = Stage::set(Format::Erofs);
    fs::write(&stage.base.path, vec![0; 1 << 20]).unwrap();
    let said = refusal(&stage);
    assert!(
        said.contains("it holds no erofs that this kernel can read"),
        "{said}"
    );
}

fn a_base_of_another_format_leaves_no_loop_device() {
    let mut stage = Stage::set(Format::Erofs);
    stage.base.format = Format::Ext4;
    refusal(&stage);
}

fn a_host_without_loop_devices_is_told_how_to_get_them() {
    let stage = Stage::set(Format::Erofs);
    let _workbench = stage.workbench();
    cover(Path::new("/dev"));
    let said = refusal(&stage);
    assert!(
        said.contains("there is no /dev/loop-control: load the loop module"),
        "{said}"
    );
}

fn a_loop_device_without_a_node_is_named() {
    let stage = Stage::set(Format::Erofs);
    let control = rustix::fs::stat("/dev/loop-control").unwrap();
    cover(Path::new("/dev"));
    let (kind, mode) = (FileType::CharacterDevice, Mode::RUSR);
    mknodat(CWD, "/dev/loop-control", kind, mode, control.st_rdev).unwrap();
    let said = refusal(&stage);
    assert!(said.contains("make it by `mknod /dev/loop"), "{said}");
}

fn a_root_without_its_place_unmounts_both_layers() {
    let stage = Stage::set(Format::Erofs);
    let workbench = stage.workbench();
    let lower = Lower::mount(&workbench, &stage.base).unwrap();
    let upper = Upper::memory(&workbench, 1 << 20).unwrap();
    fs::remove_dir(stage.store.path().join("mnt/merged")).unwrap();
    let error = Root::mount(&workbench, lower, upper).unwrap_err();
    assert!(matches!(error, RootError::Overlay(_)), "{error}");
    drop(workbench);
    assert_eq!(mounts_below(stage.store.path()), []);
    assert_eq!(loops_of(&stage.base.path), Vec::<PathBuf>::new());
}

fn a_full_disk_leaves_no_keep() {
    let stage = Stage::set(Format::Erofs);
    let small = stage.store.path().join("keeps");
    fs::create_dir(&small).unwrap();
    run(
        "mount",
        &[
            "-t",
            "tmpfs",
            "-o",
            "size=256K",
            "none",
            small.to_str().unwrap(),
        ],
    );
    let keeps = Keeps::of_store(stage.store.path());
    let error = keeps
        .open(&"work".parse().unwrap(), stage.record())
        .unwrap_err();
    assert_eq!(error.to_string(), "keep 'work' cannot be used");
    assert_eq!(fs::read_dir(&small).unwrap().count(), 0);
}

fn a_device_that_shows_only_a_part_of_the_base_is_not_shared() {
    let stage = Stage::set(Format::Erofs);
    let mut losetup = Command::new("losetup");
    losetup
        .args(["--find", "--show", "--read-only", "--offset", "4096"])
        .arg(&stage.base.path);
    let part = String::from_utf8(losetup.output().unwrap().stdout).unwrap();
    let workbench = stage.workbench();
    let both = Lower::mount(&workbench, &stage.base).map(|_| loops_of(&stage.base.path).len());
    run("losetup", &["--detach", part.trim()]);
    assert_eq!(both.unwrap(), 2);
}

fn a_path_with_colons_and_commas_is_a_path() {
    let stage = Stage::set(Format::Erofs);
    let odd = stage.store.path().join("a:b,c d");
    fs::create_dir(&odd).unwrap();
    let workbench = Workbench::set_up(&unshare_mounts().unwrap(), &odd).unwrap();
    let root = stage.root(&workbench);
    assert!(root.path().join("etc/hostname").exists());
}

/// What is said of a base that cannot be mounted; nothing is left of the attempt.
fn refusal(stage: &Stage) -> String {
    let workbench = stage.workbench();
    let error = Lower::mount(&workbench, &stage.base).unwrap_err();
    drop(workbench);
    assert_eq!(mounts_below(&stage.store.path().join("mnt/lower")), []);
    assert_eq!(loops_of(&stage.base.path), Vec::<PathBuf>::new());
    vmm::chain(&error)
}

/// Hides a directory of the host from this process.
fn cover(directory: &Path) {
    run(
        "mount",
        &["-t", "tmpfs", "none", directory.to_str().unwrap()],
    );
}
