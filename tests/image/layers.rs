//! Layers on top of each other, as the OCI specification says.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::fixture::Fixture;
use crate::tarball::{Layout, Tarball};

/// Imports an image of `layers`; returns its files, and what keeps them.
fn files(layers: Vec<Tarball>) -> (Fixture, PathBuf) {
    let fixture = Fixture::new();
    let layers: Vec<Vec<u8>> = layers.into_iter().map(Tarball::bytes).collect();
    let layout = Layout::new(fixture.path("layout"))
        .image("amd64", &layers)
        .written();
    let image = fixture.import(&layout).unwrap();
    let out = fixture.extracted(&image);
    (fixture, out)
}

fn names(directory: PathBuf) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_whiteout_removes_what_a_lower_layer_has() {
    let lower = Tarball::default()
        .file("d/a", b"1")
        .file("d/b", b"1")
        .file("c/x/y", b"1");
    let upper = Tarball::default()
        .file("d/.wh.a", b"")
        .file(".wh.c", b"")
        .file(".wh.none", b"");
    let (_keep, out) = files(vec![lower, upper]);
    assert_eq!(names(out.join("d")), ["b"]);
    assert_eq!(names(out), ["d"]);
}

#[test]
fn a_whiteout_spares_its_own_layer_wherever_it_stands() {
    let lower = || {
        Tarball::default()
            .file("d/a", b"old")
            .file("d/sub/old", b"")
    };
    let before = Tarball::default().file("d/.wh.a", b"").file("d/a", b"new");
    let behind = Tarball::default().file("d/a", b"new").file("d/.wh.a", b"");
    for upper in [before, behind] {
        let (_keep, out) = files(vec![lower(), upper]);
        assert_eq!(fs::read(out.join("d/a")).unwrap(), b"new");
    }
    let (_keep, out) = files(vec![
        lower(),
        Tarball::default()
            .file("d/sub/new", b"")
            .file("d/.wh.sub", b""),
    ]);
    assert_eq!(names(out.join("d/sub")), ["new"]);
}

#[test]
fn an_opaque_directory_hides_what_is_below_at_any_depth() {
    let lower = || {
        Tarball::default()
            .file("d/old", b"")
            .file("d/sub/deep/old", b"")
    };
    let before = Tarball::default()
        .file("d/.wh..wh..opq", b"")
        .file("d/sub/deep/new", b"");
    let behind = Tarball::default()
        .file("d/sub/deep/new", b"")
        .file("d/.wh..wh..opq", b"");
    for upper in [before, behind] {
        let (_keep, out) = files(vec![lower(), upper]);
        assert_eq!(names(out.join("d")), ["sub"]);
        assert_eq!(names(out.join("d/sub/deep")), ["new"]);
    }
}

#[test]
fn the_root_has_an_entry_of_its_own() {
    let layer = Tarball::default()
        .member("./", b'5', "", b"")
        .file("./a", b"");
    let (_keep, out) = files(vec![layer]);
    assert_eq!(fs::metadata(&out).unwrap().mtime(), 7);
}

#[test]
fn the_last_of_several_entries_counts() {
    let layer = Tarball::default()
        .file("a", b"first")
        .link("b", "a")
        .file("a", b"last")
        .directory("c")
        .file("c/inside", b"")
        .directory("c");
    let (_keep, out) = files(vec![layer]);
    assert_eq!(fs::read(out.join("a")).unwrap(), b"last");
    assert_eq!(fs::read(out.join("b")).unwrap(), b"first");
    assert_eq!(names(out.join("c")), ["inside"]);
}

#[test]
fn a_file_becomes_a_directory_and_a_directory_a_file() {
    let lower = Tarball::default().file("a", b"").file("b/c", b"");
    let upper = Tarball::default().file("a/x", b"");
    let fixture = Fixture::new();
    let layers = [lower.bytes(), upper.bytes()];
    let layout = Layout::new(fixture.path("layout"))
        .image("amd64", &layers)
        .written();
    assert!(
        fixture.import(&layout).is_err(),
        "a file has nothing below it"
    );

    let lower = Tarball::default().file("a", b"").file("b/c", b"");
    let upper = Tarball::default()
        .directory("a")
        .file("a/x", b"")
        .file("b", b"now");
    let (_keep, out) = files(vec![lower, upper]);
    assert_eq!(names(out.join("a")), ["x"]);
    assert_eq!(fs::read(out.join("b")).unwrap(), b"now");
}

#[test]
fn a_merged_usr_is_kept_merged() {
    let lower = Tarball::default()
        .directory("usr/bin")
        .symlink("bin", "usr/bin");
    let upper = Tarball::default().file("bin/tool", b"t");
    let (_keep, out) = files(vec![lower, upper]);
    assert!(fs::symlink_metadata(out.join("bin")).unwrap().is_symlink());
    assert_eq!(fs::read(out.join("usr/bin/tool")).unwrap(), b"t");
}

#[test]
fn long_names_times_and_attributes_come_from_the_extended_header() {
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(250));
    let layer = Tarball::default()
        .pax("path", long.as_bytes())
        .file("short", b"x")
        .pax("SCHILY.xattr.user.note", b"a\nb\x00c")
        .file("noted", b"x")
        .pax("SCHILY.xattr.trusted.overlay.redirect", b"/elsewhere")
        .file("bent", b"x")
        .pax("mtime", b"1700000000.25")
        .file("dated", b"x");
    let (fixture, out) = files(vec![layer]);
    assert!(out.join(long).exists());

    let image = fixture.import(&fixture.path("layout")).unwrap();
    let Some(mount) = fixture.mounted(&image) else {
        return;
    };
    let dated = fs::metadata(mount.path().join("dated")).unwrap();
    assert_eq!(
        (dated.mtime(), dated.mtime_nsec()),
        (1_700_000_000, 250_000_000)
    );
    let get = |file: &str, name: &str| {
        let mut value = [0; 100];
        let got = rustix::fs::lgetxattr(mount.path().join(file), name, &mut value[..]);
        got.map(|size| value[..size].to_vec()).ok()
    };
    assert_eq!(get("noted", "user.note").unwrap(), b"a\nb\x00c");
    assert_eq!(get("bent", "trusted.overlay.redirect"), None);
}

#[test]
fn the_host_is_chosen_from_several_platforms_in_a_nested_index() {
    let fixture = Fixture::new();
    let layer = |text: &[u8]| vec![Tarball::default().file("arch", text).bytes()];
    let layout = Layout::new(fixture.path("layout"))
        .image("arm64", &layer(b"arm64"))
        .image("amd64", &layer(b"amd64"))
        .nested("latest")
        .nested("multi")
        .written();

    let image = fixture.import(&layout).unwrap();

    let out = fixture.extracted(&image);
    assert_eq!(fs::read(out.join("arch")).unwrap(), b"amd64");
    let tagged = PathBuf::from(format!("{}:multi", layout.display()));
    assert_eq!(fixture.import(&tagged).unwrap().digest, image.digest);
    let wrong = PathBuf::from(format!("{}:none", layout.display()));
    assert!(fixture.import(&wrong).is_err());
}
