//! Upper layers that outlive their runs.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

use vmm::image::Format;
use vmm::root::{Keep, KeepError, KeepName, Keeps, Record, Upper, UpperError};

use super::holder::Holder;
use super::host::{Stage, digest_of, loops_of, mounts_below, run, wait_until};
use super::{Promise, promises};

pub const PROMISES: &[Promise] = promises![
    what_a_keep_holds_is_there_in_the_next_run,
    a_keep_takes_no_more_of_the_disk_than_is_written,
    a_keep_in_use_is_refused_with_the_process_that_has_it,
    a_keep_is_refused_to_another_base,
    a_keep_of_a_run_that_was_killed_is_used_again,
    a_keep_is_not_mounted_twice_where_a_process_is_left_of_an_earlier_run,
    a_keep_that_a_guest_wrote_is_looked_through_before_it_is_mounted,
    a_keep_with_a_noted_fault_is_mended,
    a_keep_that_cannot_be_made_leaves_nothing,
    a_keep_that_was_never_finished_is_made_again,
    keeps_are_listed_and_removed,
];

fn what_a_keep_holds_is_there_in_the_next_run() {
    let stage = Stage::set(Format::Erofs);
    let workbench = stage.workbench();
    let root = stage.kept_root(&workbench, "work");
    fs::write(root.path().join("note"), "kept\n").unwrap();
    fs::remove_dir_all(root.path().join("old")).unwrap();
    drop(root);
    wait_until(|| loops_of(&image(&stage)).is_empty());
    let root = stage.kept_root(&workbench, "work");
    assert_eq!(
        fs::read_to_string(root.path().join("note")).unwrap(),
        "kept\n"
    );
    assert!(!root.path().join("old").exists());
}

fn a_keep_takes_no_more_of_the_disk_than_is_written() {
    let stage = Stage::set(Format::Erofs);
    let workbench = stage.workbench();
    drop(stage.kept_root(&workbench, "work"));
    let image = fs::metadata(image(&stage)).unwrap();
    assert_eq!(image.len(), 8 << 30);
    assert!(image.blocks() * 512 < 8 << 20, "{} blocks", image.blocks());
}

fn a_keep_in_use_is_refused_with_the_process_that_has_it() {
    let stage = Stage::set(Format::Erofs);
    let holder = Holder::with_keep(&stage, "work");
    let error = open(&stage, "work").unwrap_err().to_string();
    let process = format!("process {}", holder.id());
    assert!(error.contains(&process), "{error}");
}

fn a_keep_is_refused_to_another_base() {
    let mut stage = Stage::set(Format::Erofs);
    drop(open(&stage, "work").unwrap());
    stage.base.digest = digest_of(0xa5);
    let error = open(&stage, "work").unwrap_err();
    assert!(matches!(error, KeepError::OtherBase { .. }), "{error}");
}

fn a_keep_of_a_run_that_was_killed_is_used_again() {
    let stage = Stage::set(Format::Erofs);
    let holder = Holder::with_keep(&stage, "work");
    let note = File::create(holder.inside("note")).unwrap();
    note.write_all_at(b"kept\n", 0).unwrap();
    note.sync_all().unwrap();
    drop(note);
    holder.kill();
    let workbench = stage.workbench();
    let root = stage.kept_root(&workbench, "work");
    assert_eq!(
        fs::read_to_string(root.path().join("note")).unwrap(),
        "kept\n"
    );
}

fn a_keep_is_not_mounted_twice_where_a_process_is_left_of_an_earlier_run() {
    let stage = Stage::set(Format::Erofs);
    let workbench = stage.workbench();
    let root = stage.kept_root(&workbench, "work");
    // What a process does that has outlived its run.
    let left = File::open(root.path().join("etc/hostname")).unwrap();
    drop(root);
    let error = Upper::keep(&workbench, open(&stage, "work").unwrap()).unwrap_err();
    assert!(matches!(error, UpperError::StillMounted(_)), "{error}");
    drop(left);
    drop(stage.kept_root(&workbench, "work"));
}

fn a_keep_that_a_guest_wrote_is_looked_through_before_it_is_mounted() {
    let stage = Stage::set(Format::Erofs);
    let workbench = stage.workbench();
    let image = open(&stage, "work").unwrap().image_for_guest().unwrap();
    spoil(&image);
    let error = Upper::keep(&workbench, open(&stage, "work").unwrap()).unwrap_err();
    assert!(
        matches!(error, UpperError::Keep(KeepError::FileSystem { .. })),
        "{error}"
    );
    assert_eq!(mounts_below(&stage.store.path().join("mnt/upper")), []);
}

fn a_keep_with_a_noted_fault_is_mended() {
    let stage = Stage::set(Format::Erofs);
    let workbench = stage.workbench();
    drop(open(&stage, "work").unwrap());
    // s_state, with "errors detected".
    let file = File::options().write(true).open(image(&stage)).unwrap();
    run(
        "debugfs",
        &["-w", "-R", "ssv state 2", image(&stage).to_str().unwrap()],
    );
    drop(file);
    drop(stage.kept_root(&workbench, "work"));
    run("e2fsck", &["-fn", image(&stage).to_str().unwrap()]);
}

fn a_keep_that_cannot_be_made_leaves_nothing() {
    let stage = Stage::set(Format::Erofs);
    let record = Record {
        size: 1 << 20,
        ..stage.record()
    };
    let keeps = Keeps::of_store(stage.store.path());
    let error = keeps.open(&name("small"), record).unwrap_err();
    assert!(matches!(error, KeepError::FileSystem { .. }), "{error}");
    assert!(!stage.store.path().join("keeps/small").exists());
}

fn a_keep_that_was_never_finished_is_made_again() {
    let stage = Stage::set(Format::Erofs);
    let workbench = stage.workbench();
    let directory = stage.store.path().join("keeps/work");
    fs::create_dir_all(directory.join("seed/upper")).unwrap();
    fs::write(directory.join("upper.img"), "half").unwrap();
    let root = stage.kept_root(&workbench, "work");
    assert!(root.path().join("etc/hostname").exists());
}

fn keeps_are_listed_and_removed() {
    let stage = Stage::set(Format::Erofs);
    let keeps = Keeps::of_store(stage.store.path());
    drop(open(&stage, "two").unwrap());
    drop(open(&stage, "one").unwrap());
    let names = || -> Vec<String> {
        let all = keeps.list().unwrap();
        all.into_iter().map(|one| one.name.to_string()).collect()
    };
    assert_eq!(names(), ["one", "two"]);
    keeps.remove(&name("one")).unwrap();
    assert_eq!(names(), ["two"]);
    assert!(matches!(
        keeps.remove(&name("one")),
        Err(KeepError::None(_))
    ));
}

fn name(text: &str) -> KeepName {
    text.parse().unwrap()
}

fn open(stage: &Stage, text: &str) -> Result<Keep, KeepError> {
    Keeps::of_store(stage.store.path()).open(&name(text), stage.record())
}

/// The file system of the keep `work`.
fn image(stage: &Stage) -> PathBuf {
    let keep = stage.store.path().join("keeps").join("work");
    keep.join("upper.img")
}

/// Makes of a file system what only a hostile guest leaves: its super block is no longer one.
fn spoil(image: &std::path::Path) {
    let file = File::options().write(true).open(image).unwrap();
    file.write_all_at(&[0xff; 512], 1024 + 0x58).unwrap();
    file.write_all_at(&[0xff; 65536], 4096).unwrap();
}
