//! What is broken or wants out is refused with a sentence, and leaves nothing behind.

use std::fs;
use std::io::Write;
use std::time::Duration;

use vmm::image::{Digest, ResolveOptions};

use crate::fixture::{Fixture, has, run, told};
use crate::tarball::{Layout, Tarball, blob_path};

/// Imports an image with the one layer `layer`, and returns why that cannot be.
fn refusal(layer: Vec<u8>) -> String {
    refusal_of(|layout| layout.image("amd64", &[layer]))
}

/// Imports the layout that `make` makes, and returns why that cannot be.
fn refusal_of(make: impl FnOnce(Layout) -> Layout) -> String {
    let fixture = Fixture::new();
    let layout = make(Layout::new(fixture.path("layout"))).written();
    let error = fixture.import(&layout).unwrap_err();
    assert_eq!(fixture.leftovers(), [""; 0]);
    told(&error)
}

#[test]
fn a_path_with_dots_is_refused() {
    for path in ["../etc/passwd", "a/../../b", "/../x", ".."] {
        let refusal = refusal(Tarball::default().file(path, b"x").bytes());
        assert!(
            refusal.contains("could lead out of the image"),
            "{path}: {refusal}"
        );
    }
}

#[test]
fn indexes_that_name_each_other_without_end_are_refused() {
    let refusal = refusal_of(|layout| {
        let layout = layout.nested("0").repeated(500);
        let layout = layout.nested("1").repeated(500);
        layout.nested("2").repeated(500)
    });
    assert!(refusal.contains("more indexes in indexes"), "{refusal}");
}

#[test]
fn a_name_of_a_megabyte_is_refused() {
    let layer = Tarball::default().file("x", b"x").bytes();
    let name = "x".repeat(1 << 20);
    let refusal = refusal_of(|layout| layout.image("amd64", &[layer]).nested(&name));
    assert!(refusal.contains("no name of an image"), "{refusal}");
}

#[test]
fn an_absolute_path_is_one_of_the_image() {
    let fixture = Fixture::new();
    let layer = Tarball::default().file("/etc/motd", b"hello").bytes();
    let layout = Layout::new(fixture.path("layout"))
        .image("amd64", &[layer])
        .written();

    let image = fixture.import(&layout).unwrap();

    let out = fixture.extracted(&image);
    assert_eq!(fs::read(out.join("etc/motd")).unwrap(), b"hello");
}

#[test]
fn a_link_in_the_way_is_followed_inside_of_the_image() {
    let fixture = Fixture::new();
    let canary = fixture.path("canary");
    fs::create_dir(&canary).unwrap();
    let layer = Tarball::default()
        .symlink("out", &canary.display().to_string())
        .symlink("up", "../../../../tmp")
        .file("out/file", b"x")
        .file("up/file", b"y")
        .bytes();
    let layout = Layout::new(fixture.path("layout"))
        .image("amd64", &[layer])
        .written();

    let image = fixture.import(&layout).unwrap();

    assert!(fs::read_dir(&canary).unwrap().next().is_none());
    let out = fixture.extracted(&image);
    let inside = out.join(canary.strip_prefix("/").unwrap()).join("file");
    assert_eq!(fs::read(inside).unwrap(), b"x");
    assert_eq!(fs::read(out.join("tmp/file")).unwrap(), b"y");
}

#[test]
fn links_that_have_no_end_are_refused() {
    let layer = Tarball::default()
        .symlink("a", "b")
        .symlink("b", "a")
        .file("a/x", b"");
    assert!(refusal(layer.bytes()).contains("too many symbolic links"));
}

#[test]
fn a_hard_link_to_outside_is_refused() {
    let outside = Tarball::default().link("x", "../../etc/shadow").bytes();
    assert!(refusal(outside).contains("is no path inside of the image"));
    let absolute = Tarball::default().link("x", "/etc/shadow").bytes();
    assert!(refusal(absolute).contains("which is not there"));
    let directory = Tarball::default().directory("d").link("x", "d").bytes();
    assert!(refusal(directory).contains("which is a directory"));
}

#[test]
fn a_whiteout_of_no_name_is_refused() {
    for path in [".wh...", ".wh..", ".wh.", "a/.wh..."] {
        let refusal = refusal(Tarball::default().file(path, b"").bytes());
        assert!(refusal.contains("hides no name"), "{path}: {refusal}");
    }
    let below = Tarball::default().file(".wh.a/b", b"").bytes();
    assert!(refusal(below).contains("lies below a whiteout"));
}

#[test]
fn a_bomb_is_stopped_by_the_limit() {
    let fixture = Fixture::new();
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut encoder = encoder;
    let bomb = Tarball::default()
        .header_only("zeros", b'0', 1 << 32)
        .bytes();
    encoder.write_all(&bomb[..512]).unwrap();
    encoder.write_all(&vec![0; 8 << 20]).unwrap();
    let path = fixture.path("bomb.tar.gz");
    fs::write(&path, encoder.finish().unwrap()).unwrap();
    let max_size = 1 << 20;
    let options = ResolveOptions {
        max_size,
        ..Default::default()
    };

    let error = fixture.store.import(&path, &options).unwrap_err();

    let error = told(&error);
    assert!(
        error.contains("unpacks to more than 1048576 bytes: --max-size"),
        "{error}"
    );
    assert_eq!(fixture.leftovers(), [""; 0]);
}

#[test]
fn a_name_that_is_a_bomb_is_stopped_before_it_is_held_in_memory() {
    let layer = Tarball::default().header_only("././@LongLink", b'L', 1 << 32);
    assert!(refusal(layer.bytes()).contains("metadata exceeds limit"));
}

#[test]
fn a_sparse_file_counts_as_large_as_it_says() {
    let layer = Tarball::default()
        .pax("GNU.sparse.major", b"0")
        .header_only("x", b'0', 1 << 33)
        .bytes();
    assert!(!refusal(layer).is_empty());
}

#[test]
fn an_archive_that_is_cut_off_is_told_as_one() {
    let whole = Tarball::default().file("file", &[7; 5000]).bytes();
    for length in [100, 512, 600, 3000, 5000] {
        let refusal = refusal(whole[..length].to_vec());
        assert!(refusal.contains("layer 1"), "{length}: {refusal}");
    }
}

#[test]
fn a_layer_that_is_not_what_its_digest_says_is_refused() {
    let fixture = Fixture::new();
    let layer = Tarball::default().file("file", b"good").bytes();
    let digest = Digest::of(&layer);
    let layout = Layout::new(fixture.path("layout"))
        .image("amd64", &[layer])
        .written();
    let evil = Tarball::default().file("file", b"evil").bytes();
    fs::write(blob_path(&layout, &digest), evil).unwrap();

    let error = told(&fixture.import(&layout).unwrap_err());

    assert!(error.contains("layer 1 of 1 is damaged"), "{error}");
    assert_eq!(fixture.leftovers(), [""; 0]);
}

#[test]
fn a_blob_that_is_a_link_is_not_followed() {
    let fixture = Fixture::new();
    let layer = Tarball::default().file("file", b"x").bytes();
    let digest = Digest::of(&layer);
    let layout = Layout::new(fixture.path("layout"))
        .image("amd64", std::slice::from_ref(&layer))
        .written();
    let elsewhere = fixture.path("elsewhere");
    fs::write(&elsewhere, layer).unwrap();
    let blob = blob_path(&layout, &digest);
    fs::remove_file(&blob).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &blob).unwrap();

    assert!(fixture.import(&layout).is_err());
}

#[test]
fn a_media_type_that_nobody_knows_is_named() {
    let fixture = Fixture::new();
    let layer = Tarball::default().file("file", b"x").bytes();
    let layout = Layout::new(fixture.path("layout"));
    let layout = layout
        .image_of("amd64", &[layer], "application/x-unknown")
        .written();

    let error = told(&fixture.import(&layout).unwrap_err());

    assert!(error.contains("application/x-unknown"), "{error}");
}

#[test]
fn an_image_for_another_architecture_is_told_with_the_option() {
    let fixture = Fixture::new();
    let layer = Tarball::default().file("file", b"x").bytes();
    let layout = Layout::new(fixture.path("layout"))
        .image("arm64", &[layer])
        .written();

    let error = told(&fixture.import(&layout).unwrap_err());
    assert!(
        error.contains("it is for linux/arm64, not for linux/amd64: --platform"),
        "{error}"
    );

    let platform = "linux/arm64".parse().unwrap();
    let options = ResolveOptions {
        platform,
        ..Default::default()
    };
    let image = fixture.store.import(&layout, &options).unwrap();
    assert_eq!(image.config.architecture, "arm64");
}

#[test]
fn what_is_no_image_is_told_as_what_it_is() {
    let fixture = Fixture::new();
    let path = fixture.path("file");
    let mut qcow2 = vec![0; 4096];
    qcow2[..4].copy_from_slice(b"QFI\xfb");
    for (content, words) in [
        (&b"#!/bin/sh\n"[..], "neither an OCI layout"),
        (&qcow2, "cannot convert the qcow2 image"),
        (b"", "it is empty"),
    ] {
        fs::write(&path, content).unwrap();
        let error = told(&fixture.import(&path).unwrap_err());
        assert!(error.contains(words), "{error}");
    }
    let error = told(&fixture.import("/dev/zero".as_ref()).unwrap_err());
    assert!(error.contains("device or a pipe"), "{error}");
    let unknown = fixture.store.resolve("nosuch", &ResolveOptions::default());
    assert!(told(&unknown.unwrap_err()).contains("vmm image list"));
}

#[test]
fn no_prefix_of_an_image_is_taken_for_one() {
    let fixture = Fixture::new();
    let layer = Tarball::default().directory("a").file("a/b", b"x").bytes();
    let layout = Layout::new(fixture.path("layout"))
        .image("amd64", &[layer])
        .written();
    let manifest = fs::read(layout.join("index.json")).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    for length in 0..manifest.len() {
        fs::write(layout.join("index.json"), &manifest[..length]).unwrap();
        assert!(fixture.import(&layout).is_err(), "{length}");
        assert!(std::time::Instant::now() < deadline);
    }
}

#[test]
fn a_qcow2_image_that_names_another_file_is_refused() {
    let fixture = Fixture::new();
    let (secret, disk) = (fixture.path("secret"), fixture.path("disk.qcow2"));
    fs::write(&secret, vec![7; 1 << 20]).unwrap();
    if !has("qemu-img") {
        return;
    }
    let paths = [&secret, &disk].map(|path| path.display().to_string());
    run(
        "qemu-img",
        &[
            "create", "-q", "-f", "qcow2", "-F", "raw", "-b", &paths[0], &paths[1],
        ],
    );

    let error = told(&fixture.import(&disk).unwrap_err());

    assert!(error.contains("cannot convert the qcow2 image"), "{error}");
    assert_eq!(fixture.leftovers(), [""; 0]);
}
