//! A user who may not mount: a user namespace, and a base that is extracted.

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use vmm::image::{Base, Format, ImageConfig};
use vmm::root::namespace::unshare_mounts;
use vmm::root::{DEFAULT_SIZE, Keeps, Lower, Record, Root, Upper, Workbench};

use super::host::{digest_of, make, plant};
use super::{Promise, promises};

pub const PROMISES: &[Promise] = promises![
    a_user_without_rights_gets_a_tree_that_can_be_written,
    the_base_is_extracted_once_and_that_is_said,
    an_extraction_that_was_killed_is_begun_anew,
    an_extracted_base_has_the_links_and_modes_of_the_image,
    a_disk_with_ext4_is_extracted,
    a_disk_that_names_a_file_outside_writes_none_there,
    a_squashfs_is_extracted,
    a_user_without_rights_is_refused_a_keep,
];

/// Whoever has no files and no rights here.
const NOBODY: u32 = 65533;
/// Tells a process that is nobody's what to do.
const TASK: &str = "VMM_TEST_NOBODYS_TASK";

fn a_user_without_rights_gets_a_tree_that_can_be_written() {
    let home = Home::of_nobody(Format::Erofs);
    assert_eq!(home.told("write"), "RootOnly\nmine\nfalse\n");
}

fn the_base_is_extracted_once_and_that_is_said() {
    let home = Home::of_nobody(Format::Erofs);
    let said = |output: Output| String::from_utf8(output.stderr).unwrap();
    let first = said(home.run("write"));
    assert!(first.contains("its files are extracted to"), "{first}");
    assert!(first.contains("1 device nodes are left out"), "{first}");
    assert_eq!(said(home.run("write")), "");
}

fn an_extraction_that_was_killed_is_begun_anew() {
    let home = Home::of_nobody(Format::Erofs);
    let part = home.tree().with_extension("part");
    fs::create_dir_all(part.join("half")).unwrap();
    for path in [part.join("half"), part, home.path("trees")] {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    assert_eq!(home.told("write"), "RootOnly\nmine\nfalse\n");
    assert!(!home.tree().join("half").exists());
}

fn an_extracted_base_has_the_links_and_modes_of_the_image() {
    let home = Home::of_nobody(Format::Erofs);
    home.told("write");
    let tree = home.tree();
    let tool = fs::metadata(tree.join("usr/bin/tool")).unwrap();
    let same = fs::metadata(tree.join("usr/bin/same")).unwrap();
    assert_eq!((tool.mode() & 0o7777, tool.ino()), (0o4755, same.ino()));
    assert_eq!(fs::metadata(&tree).unwrap().mode() & 0o7777, 0o751);
    assert_eq!(fs::read_link(tree.join("link")).unwrap(), Path::new("/etc"));
    assert!(fs::read(tree.join("big")).unwrap() == vec![0x5a; 8 << 20]);
}

fn a_disk_with_ext4_is_extracted() {
    let home = Home::of_nobody(Format::Ext4);
    assert_eq!(home.told("write"), "RootOnly\nmine\nfalse\n");
}

fn a_disk_that_names_a_file_outside_writes_none_there() {
    let home = Home::of_nobody(Format::Ext4);
    let mut image = fs::read(home.path("base")).unwrap();
    let name = b"hostname";
    let at = image
        .windows(name.len())
        .position(|bytes| bytes == name)
        .unwrap();
    image[at..at + name.len()].copy_from_slice(b"../../ou");
    fs::write(home.path("base"), image).unwrap();
    home.run("write");
    assert!(home.tree().join("usr/bin/tool").exists());
    assert!(!home.path("trees/ou").exists());
    assert!(!home.path("ou").exists());
}

fn a_squashfs_is_extracted() {
    let home = Home::of_nobody(Format::Squashfs);
    assert_eq!(home.told("write"), "RootOnly\nmine\nfalse\n");
}

fn a_user_without_rights_is_refused_a_keep() {
    let home = Home::of_nobody(Format::Erofs);
    let refusal = "keep 'work' can only be mounted by the host's root: \
                   run as root, or use it behind --wall vm\n";
    assert_eq!(home.told("keep"), refusal);
}

/// The store of a user without rights, and a program of his.
struct Home {
    folder: TempDir,
    format: Format,
}

impl Home {
    fn of_nobody(format: Format) -> Self {
        let folder = TempDir::new().unwrap();
        let tree = folder.path().join("tree");
        plant(&tree);
        make(format, &tree, &folder.path().join("base"));
        fs::copy(env::current_exe().unwrap(), folder.path().join("program")).unwrap();
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        Self { folder, format }
    }

    /// Has nobody do `task`.
    fn run(&self, task: &str) -> Output {
        let format = self.format.name();
        Command::new(self.path("program"))
            .env(TASK, format!("{task} {format}"))
            .current_dir(self.folder.path())
            .uid(NOBODY)
            .gid(NOBODY)
            .output()
            .unwrap()
    }

    fn told(&self, task: &str) -> String {
        let output = self.run(task);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tree(&self) -> PathBuf {
        // Of one who has no owners to give.
        self.path("trees").join(digest_of(0x5a).hex() + "-of-root")
    }
}

/// What nobody's program does; false where it is not that.
pub fn work_if_told() -> bool {
    let Ok(told) = env::var(TASK) else {
        return false;
    };
    let (task, format) = told.split_once(' ').unwrap();
    let formats = [Format::Erofs, Format::Ext4, Format::Squashfs];
    let store = env::current_dir().unwrap();
    let base = Base {
        path: store.join("base"),
        digest: digest_of(0x5a),
        format: formats
            .into_iter()
            .find(|one| one.name() == format)
            .unwrap(),
    };
    match task {
        "write" => write(&store, &base),
        _ => keep(&store, &base),
    }
    true
}

fn write(store: &Path, base: &Base) {
    let namespace = unshare_mounts().unwrap();
    println!("{:?}", namespace.ids());
    let workbench = Workbench::set_up(&namespace, store).unwrap();
    let lower = Lower::mount(&workbench, base).unwrap();
    let upper = Upper::memory(&workbench, 16 << 20).unwrap();
    let root = Root::mount(&workbench, lower, upper).unwrap();
    fs::write(root.path().join("etc/hostname"), "mine").unwrap();
    fs::remove_dir_all(root.path().join("old")).unwrap();
    println!(
        "{}",
        fs::read_to_string(root.path().join("etc/hostname")).unwrap()
    );
    println!("{}", root.path().join("old").exists());
}

fn keep(store: &Path, base: &Base) {
    let record = Record {
        image: "tests".to_owned(),
        config: ImageConfig::of_host(),
        base: base.clone(),
        size: DEFAULT_SIZE,
    };
    let name = "work".parse().unwrap();
    let keep = Keeps::of_store(store).open(&name, record).unwrap();
    let workbench = Workbench::set_up(&unshare_mounts().unwrap(), store).unwrap();
    println!("{}", Upper::keep(&workbench, keep).unwrap_err());
}
