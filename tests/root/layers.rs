//! Base and upper layer.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use vmm::image::Format;

use super::holder::Holder;
use super::host::{Stage, loops_of, mounts_below, resident_bytes, run, wait_until};
use super::{Promise, promises};

pub const PROMISES: &[Promise] = promises![
    an_erofs_becomes_a_tree_that_can_be_written,
    a_squashfs_becomes_a_tree_that_can_be_written,
    a_disk_with_ext4_becomes_a_tree_that_can_be_written,
    a_disk_whose_journal_was_not_replayed_is_mounted_and_stays_as_it_is,
    ten_runs_that_start_together_share_a_superblock_and_a_loop_device,
    what_one_run_has_read_is_in_the_page_cache_of_the_next,
    a_root_that_is_dropped_leaves_no_mount_and_no_loop_device,
    a_run_that_is_killed_leaves_no_mount_and_no_loop_device,
    what_the_upper_layer_has_no_room_for_is_an_error,
];

fn an_erofs_becomes_a_tree_that_can_be_written() {
    can_be_written(Format::Erofs);
}

fn a_squashfs_becomes_a_tree_that_can_be_written() {
    can_be_written(Format::Squashfs);
}

fn a_disk_with_ext4_becomes_a_tree_that_can_be_written() {
    can_be_written(Format::Ext4);
}

fn a_disk_whose_journal_was_not_replayed_is_mounted_and_stays_as_it_is() {
    let stage = Stage::set(Format::Ext4);
    let image = stage.base.path.to_str().unwrap();
    run("debugfs", &["-w", "-R", "feature needs_recovery", image]);
    tree_can_be_written(&stage);
}

fn can_be_written(format: Format) {
    tree_can_be_written(&Stage::set(format));
}

fn tree_can_be_written(stage: &Stage) {
    let before = fs::read(&stage.base.path).unwrap();
    let workbench = stage.workbench();
    let root = stage.root(&workbench);
    let hostname = root.path().join("etc/hostname");
    assert_eq!(fs::read_to_string(&hostname).unwrap(), "base\n");
    fs::write(&hostname, "mine\n").unwrap();
    fs::remove_dir_all(root.path().join("old")).unwrap();
    assert_eq!(fs::read_to_string(&hostname).unwrap(), "mine\n");
    assert_eq!(mode(root.path()), mode(root.lower().path()));
    drop(root);
    assert!(
        fs::read(&stage.base.path).unwrap() == before,
        "the base has changed"
    );
}

fn ten_runs_that_start_together_share_a_superblock_and_a_loop_device() {
    let stage = Stage::set(Format::Erofs);
    let runs = Holder::start_many(&stage, 10);
    let devices: Vec<&str> = runs.iter().map(Holder::device).collect();
    assert_eq!(devices, vec![devices[0]; 10]);
    assert_eq!(loops_of(&stage.base.path).len(), 1);
}

fn what_one_run_has_read_is_in_the_page_cache_of_the_next() {
    let stage = Stage::set(Format::Erofs);
    let first = Holder::start(&stage);
    fs::read(first.inside("big")).unwrap();
    let second = Holder::start(&stage);
    assert_eq!(resident_bytes(&second.inside("big")), 8 << 20);
}

fn a_root_that_is_dropped_leaves_no_mount_and_no_loop_device() {
    let stage = Stage::set(Format::Erofs);
    let workbench = stage.workbench();
    drop(stage.root(&workbench));
    drop(workbench);
    assert_eq!(mounts_below(stage.store.path()), []);
    assert_eq!(loops_of(&stage.base.path), Vec::<PathBuf>::new());
}

fn a_run_that_is_killed_leaves_no_mount_and_no_loop_device() {
    let stage = Stage::set(Format::Erofs);
    let run = Holder::start(&stage);
    assert_eq!(loops_of(&stage.base.path).len(), 1);
    run.kill();
    assert_eq!(mounts_below(stage.store.path()), []);
    wait_until(|| loops_of(&stage.base.path).is_empty());
}

fn what_the_upper_layer_has_no_room_for_is_an_error() {
    let stage = Stage::set(Format::Erofs);
    let workbench = stage.workbench();
    let root = stage.root(&workbench);
    let written = fs::write(root.path().join("huge"), vec![1; 65 << 20]);
    assert_eq!(written.unwrap_err().kind(), ErrorKind::StorageFull);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode()
}
