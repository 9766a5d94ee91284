//! Plain directories become bases.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use crate::fixture::{Fixture, run};

/// A directory with one of each kind of file.
fn make(root: &Path) {
    fs::create_dir_all(root.join("etc/deep/er")).unwrap();
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").unwrap();
    fs::write(root.join("large"), vec![7; 3_000_000]).unwrap();
    fs::write(root.join("empty"), "").unwrap();
    fs::write(root.join("setuid"), "#!").unwrap();
    fs::set_permissions(root.join("setuid"), fs::Permissions::from_mode(0o4755)).unwrap();
    fs::hard_link(root.join("large"), root.join("etc/again")).unwrap();
    symlink("../large", root.join("etc/link")).unwrap();
    let many = root.join("many");
    fs::create_dir(&many).unwrap();
    for number in 0..1000 {
        fs::write(many.join(format!("{number:0>100}")), "x".repeat(number * 5)).unwrap();
    }
}

#[test]
fn a_directory_comes_out_as_it_went_in() {
    let fixture = Fixture::new();
    let root = fixture.path("root");
    make(&root);

    let image = fixture.import(&root).unwrap();

    let out = fixture.extracted(&image);
    let (root, out) = (root.display().to_string(), out.display().to_string());
    run("diff", &["--recursive", "--no-dereference", &root, &out]);
}

#[test]
fn the_kernel_mounts_a_base_with_modes_links_and_times() {
    let fixture = Fixture::new();
    let root = fixture.path("root");
    make(&root);

    let image = fixture.import(&root).unwrap();

    let Some(mount) = fixture.mounted(&image) else {
        return;
    };
    let there = |name: &str| fs::symlink_metadata(mount.path().join(name)).unwrap();
    let before = |name: &str| fs::symlink_metadata(root.join(name)).unwrap();
    assert_eq!(there("setuid").mode() & 0o7777, 0o4755);
    assert_eq!(there("large").ino(), there("etc/again").ino());
    for name in ["large", "etc", "etc/link", "many", "."] {
        let told = |m: &fs::Metadata| (m.mode(), m.nlink(), m.mtime(), m.mtime_nsec(), m.uid());
        assert_eq!(told(&there(name)), told(&before(name)), "{name}");
    }
    let names = |path: &Path| run("ls", &["-A", &path.display().to_string()]);
    assert_eq!(names(&mount.path().join("many")), names(&root.join("many")));
}

#[test]
fn the_same_files_are_the_same_base() {
    let (one, other) = (Fixture::new(), Fixture::new());
    let root = one.path("root");
    make(&root);
    let copy = other.path("copy");
    let paths = [root.display().to_string(), copy.display().to_string()];
    run("cp", &["--archive", &paths[0], &paths[1]]);

    let images = [one.import(&root).unwrap(), other.import(&copy).unwrap()];

    assert_eq!(images[0].base.digest, images[1].base.digest);
    let bytes = images.map(|image| fs::read(image.base.path).unwrap());
    assert!(bytes[0] == bytes[1]);
}
