//! Images that other tools make are read, and they read ours.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fixture::{Fixture, has, run, told};
use crate::tarball::Tarball;

/// A root with what tools like to get wrong.
fn root(at: &Path) {
    fs::create_dir_all(at.join("usr/bin")).unwrap();
    fs::create_dir_all(at.join("etc")).unwrap();
    std::os::unix::fs::symlink("usr/bin", at.join("bin")).unwrap();
    fs::write(at.join("usr/bin/tool"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(at.join("usr/bin/tool"), fs::Permissions::from_mode(0o4755)).unwrap();
    fs::hard_link(at.join("usr/bin/tool"), at.join("usr/bin/same")).unwrap();
    fs::write(at.join("etc/removed"), "soon").unwrap();
    fs::write(at.join("etc/kept"), vec![7; 100_000]).unwrap();
}

/// An OCI layout made by umoci in two layers; the upper one removes a file.
fn umoci(fixture: &Fixture) -> Option<PathBuf> {
    has("umoci").then(|| {
        let layout = fixture.path("umoci");
        let image = format!("{}:tag", layout.display());
        let from = fixture.path("from");
        root(&from);
        run(
            "umoci",
            &["init", "--layout", &layout.display().to_string()],
        );
        run("umoci", &["new", "--image", &image]);
        run(
            "umoci",
            &[
                "insert",
                "--image",
                &image,
                &from.display().to_string(),
                "/",
            ],
        );
        run(
            "umoci",
            &["insert", "--image", &image, "--whiteout", "/etc/removed"],
        );
        run(
            "umoci",
            &["config", "--image", &image, "--config.env", "A=b c"],
        );
        run(
            "umoci",
            &[
                "config",
                "--image",
                &image,
                "--config.entrypoint",
                "/bin/tool",
            ],
        );
        layout
    })
}

fn check(out: &Path) {
    assert_eq!(
        fs::read_link(out.join("bin")).unwrap(),
        Path::new("usr/bin")
    );
    assert!(!out.join("etc/removed").exists());
    assert_eq!(fs::read(out.join("etc/kept")).unwrap(), vec![7; 100_000]);
}

#[test]
fn an_image_of_umoci_is_imported_with_its_configuration() {
    let fixture = Fixture::new();
    let Some(layout) = umoci(&fixture) else {
        return;
    };

    let image = fixture.import(&layout).unwrap();

    check(&fixture.extracted(&image));
    assert_eq!(
        image.config.env.last().unwrap(),
        &("A".to_owned(), "b c".to_owned())
    );
    assert_eq!(image.config.entrypoint, ["/bin/tool"]);
}

#[test]
fn each_format_that_skopeo_writes_is_the_same_base() {
    let fixture = Fixture::new();
    let Some(layout) = umoci(&fixture).filter(|_| has("skopeo")) else {
        return;
    };
    let image = fixture.import(&layout).unwrap();
    let from = format!("oci:{}:tag", layout.display());
    let archive = fixture.path("copy.tar");
    for (to, tag) in [("docker-archive", ":name:tag"), ("oci-archive", ":tag")] {
        let to = format!("{to}:{}{tag}", archive.display());
        run("skopeo", &["copy", "-q", &from, &to]);
        let copy = fixture.import(&archive).unwrap();
        assert_eq!(copy.base.digest, image.base.digest, "{to}");
        assert_eq!(copy.config, image.config, "{to}");
        fs::remove_file(&archive).unwrap();
    }
    let zstd = format!("oci:{}:tag", fixture.path("zstd").display());
    let packed = ["--dest-compress-format", "zstd", "--dest-compress"];
    run(
        "skopeo",
        &[&["copy", "-q"], &packed[..], &[&from, &zstd]].concat(),
    );
    assert_eq!(
        fixture.import(&fixture.path("zstd")).unwrap().base.digest,
        image.base.digest
    );
}

#[test]
fn an_image_of_buildah_is_imported() {
    if !has("buildah") {
        return;
    }
    let fixture = Fixture::new();
    root(&fixture.path("from"));
    let file = "FROM scratch\nCOPY from/ /\nENV A=b\nWORKDIR /srv\nUSER 1000:1000\nCMD [\"x\"]\n";
    fs::write(fixture.path("Containerfile"), file).unwrap();
    let (here, layout) = (fixture.path("."), fixture.path("built"));
    let storage = ["root", "runroot"].map(|name| fixture.path(name).display().to_string());
    let buildah = |arguments: &[&str]| {
        let options = [
            "--storage-driver",
            "vfs",
            "--root",
            &storage[0],
            "--runroot",
            &storage[1],
        ];
        run("buildah", &[&options[..], arguments].concat())
    };
    let here = here.display().to_string();
    buildah(&[
        "bud",
        "-q",
        "--isolation",
        "chroot",
        "--layers",
        "-t",
        "built",
        &here,
    ]);
    buildah(&[
        "push",
        "-q",
        "built",
        &format!("oci:{}:latest", layout.display()),
    ]);

    let image = fixture.import(&layout).unwrap();

    let out = fixture.extracted(&image);
    assert_eq!(fs::read(out.join("etc/kept")).unwrap(), vec![7; 100_000]);
    assert_eq!(image.config.user.as_deref(), Some("1000:1000"));
    assert_eq!(image.config.workdir.as_deref(), Some("/srv"));
    assert_eq!(image.config.cmd, ["x"]);
}

#[test]
fn an_export_is_the_same_base_when_it_comes_back() {
    let fixture = Fixture::new();
    root(&fixture.path("from"));
    let image = fixture.import(&fixture.path("from")).unwrap();
    let (one, two) = (fixture.path("one.tar"), fixture.path("two.tar"));

    fixture.store.export(&image, &one).unwrap();
    fixture.store.export(&image, &two).unwrap();

    assert!(fs::read(&one).unwrap() == fs::read(&two).unwrap());
    let again = fixture.import(&one).unwrap();
    assert_eq!(again.base.digest, image.base.digest);
    assert_eq!(again.config, image.config);
    let there = fixture.store.export(&image, &one).unwrap_err();
    assert!(told(&there).contains("exists"), "{}", told(&there));
    if has("skopeo") && has("umoci") {
        let archive = format!("oci-archive:{}", one.display());
        let copied = format!("oci:{}:x", fixture.path("copied").display());
        run("skopeo", &["copy", "-q", &archive, &copied]);
        run(
            "umoci",
            &[
                "unpack",
                "--image",
                &copied["oci:".len()..],
                &fixture.path("bundle").display().to_string(),
            ],
        );
        let tool = fs::metadata(fixture.path("bundle/rootfs/usr/bin/tool")).unwrap();
        assert_eq!((tool.nlink(), tool.mode() & 0o7777), (2, 0o4755));
    }
}

#[test]
fn an_image_grows_by_a_layer() {
    let fixture = Fixture::new();
    let Some(layout) = umoci(&fixture) else {
        return;
    };
    let parent = fixture.import(&layout).unwrap();
    let layer = Tarball::default()
        .file("etc/.wh.kept", b"")
        .file("bin/new", b"n")
        .bytes();

    let grown = fixture
        .store
        .add_layer(
            &parent,
            &layer[..],
            parent.config.clone(),
            &Default::default(),
        )
        .unwrap();

    let out = fixture.extracted(&grown);
    assert!(!out.join("etc/kept").exists());
    assert_eq!(fs::read(out.join("usr/bin/new")).unwrap(), b"n");
    assert_ne!(grown.digest, parent.digest);
}

#[test]
fn a_disk_image_is_its_own_base() {
    let fixture = Fixture::new();
    for (tool, format) in [
        ("mkfs.erofs", "erofs"),
        ("mksquashfs", "squashfs"),
        ("mke2fs", "ext4"),
    ] {
        if !has(tool) {
            continue;
        }
        let disk = fixture.path(format);
        let (to, from) = (disk.display().to_string(), fixture.path("from"));
        root(&fixture.path(&format!("from-{format}")));
        fs::rename(fixture.path(&format!("from-{format}")), &from).unwrap();
        let from = from.display().to_string();
        let made = match tool {
            "mkfs.erofs" => Command::new(tool).args([&to, &from]).output(),
            "mksquashfs" => Command::new(tool).args([&from, &to]).output(),
            _ => Command::new(tool)
                .args(["-t", "ext4", "-d", &from, &to, "8M"])
                .output(),
        };
        assert!(made.unwrap().status.success());

        let image = fixture.import(&disk).unwrap();

        assert_eq!(image.base.format.name(), format);
        assert!(fs::read(&image.base.path).unwrap() == fs::read(&disk).unwrap());
        let export = fixture
            .store
            .export(&image, &fixture.path("no.tar"))
            .unwrap_err();
        assert!(told(&export).contains("is a disk image"));
        fs::remove_dir_all(from).unwrap();
    }
}

#[test]
fn the_disk_in_a_qcow2_image_is_the_base() {
    if !has("mke2fs") || !has("qemu-img") {
        return;
    }
    let fixture = Fixture::new();
    root(&fixture.path("from"));
    let paths = ["from", "disk.ext4", "disk.qcow2"].map(|name| fixture.path(name));
    let [from, raw, qcow2] = paths.each_ref().map(|path| path.display().to_string());
    run("mke2fs", &["-q", "-t", "ext4", "-d", &from, &raw, "32M"]);
    run(
        "qemu-img",
        &["convert", "-c", "-f", "raw", "-O", "qcow2", &raw, &qcow2],
    );

    let image = fixture.import(&paths[2]).unwrap();

    assert_eq!(
        image.base.digest,
        fixture.import(&paths[1]).unwrap().base.digest
    );
}
