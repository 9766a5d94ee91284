//! What a command finds behind the process wall.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use vmm::image::Format;
use vmm::root::enter::{View, Writable, exec};

use super::host::{Stage, mounts_below};
use super::{Promise, promises};

pub const PROMISES: &[Promise] = promises![
    a_command_finds_the_files_of_the_image_and_the_processes_of_the_host,
    a_volume_that_is_only_read_refuses_writes_also_below_its_mounts,
    a_read_only_tree_refuses_writes_and_its_private_tmp_takes_them,
    a_place_is_resolved_in_the_tree_wherever_its_links_lead,
];

/// Names what this program looks at when it is started in a tree.
const LOOK: &str = "VMM_TEST_LOOK";

fn a_command_finds_the_files_of_the_image_and_the_processes_of_the_host() {
    let stage = Stage::set(Format::Erofs);
    let workbench = stage.workbench();
    let root = stage.root(&workbench);
    let _view = View::of(&root).unwrap();
    let program = File::open(env::current_exe().unwrap()).unwrap();
    // SAFETY: this process has one thread.
    unsafe { env::set_var(LOOK, std::process::id().to_string()) };
    panic!("{}", exec(root.path(), &program, &[OsString::from("look")]));
}

/// What the program of that test does in the tree; false where it is not that.
pub fn look_if_told() -> bool {
    let Ok(process) = env::var(LOOK) else {
        return false;
    };
    assert_eq!(fs::read_to_string("/etc/hostname").unwrap(), "base\n");
    assert_eq!(env::current_dir().unwrap(), Path::new("/"));
    assert!(Path::new("/proc").join(process).exists());
    File::create("/dev/null")
        .unwrap()
        .write_all(b"gone")
        .unwrap();
    true
}

fn a_volume_that_is_only_read_refuses_writes_also_below_its_mounts() {
    let stage = Stage::set(Format::Erofs);
    let workbench = stage.workbench();
    let root = stage.root(&workbench);
    let view = View::of(&root).unwrap();
    let volume = stage.store.path().join("volume");
    fs::create_dir_all(volume.join("inner")).unwrap();
    let inner = volume.join("inner");
    assert!(
        Command::new("mount")
            .args(["-t", "tmpfs", "none"])
            .arg(inner)
            .status()
            .unwrap()
            .success()
    );
    view.show(&volume, Path::new("/data/ro"), Writable::No)
        .unwrap();
    view.show(&volume, Path::new("/data/rw"), Writable::Yes)
        .unwrap();
    let data = root.path().join("data");
    for place in ["ro/file", "ro/inner/file"] {
        assert_eq!(
            refusal(&data.join(place)),
            ErrorKind::ReadOnlyFilesystem,
            "{place}"
        );
    }
    fs::write(data.join("rw/inner/file"), "written").unwrap();
    assert!(volume.join("inner/file").exists());
}

fn a_read_only_tree_refuses_writes_and_its_private_tmp_takes_them() {
    let stage = Stage::set(Format::Erofs);
    let workbench = stage.workbench();
    let root = stage.root(&workbench);
    let view = View::of(&root).unwrap();
    view.private(Path::new("/tmp"), 1 << 20).unwrap();
    view.make_read_only().unwrap();
    assert_eq!(
        refusal(&root.path().join("etc/file")),
        ErrorKind::ReadOnlyFilesystem
    );
    fs::write(root.path().join("tmp/file"), "written").unwrap();
}

fn a_place_is_resolved_in_the_tree_wherever_its_links_lead() {
    let stage = Stage::set(Format::Erofs);
    let workbench = stage.workbench();
    let root = stage.root(&workbench);
    let outside = stage.store.path().join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, root.path().join("way-out")).unwrap();
    let view = View::of(&root).unwrap();
    view.private(Path::new("/way-out/../../../place"), 1 << 20)
        .unwrap_err();
    view.private(Path::new("/../place"), 1 << 20).unwrap();
    assert_eq!(mounts_below(&root.path().join("place")).len(), 1);
    assert!(fs::read_dir(&outside).unwrap().next().is_none());
}

fn refusal(file: &Path) -> ErrorKind {
    fs::write(file, "written").unwrap_err().kind()
}
