//! Which images are taken as disks, and who else may have them.

use std::fs::OpenOptions;
use std::io::Write;

use super::*;

#[test]
fn an_image_has_one_writer_or_many_readers() {
    let image = image();
    let open = |readonly| {
        let mut options = options(image.as_path());
        options.readonly = readonly;
        Block::open(&options)
    };
    let readers = [open(true).unwrap(), open(true).unwrap()];
    assert!(matches!(
        open(false),
        Err(OpenError {
            source: DiskError::InUse,
            ..
        })
    ));
    drop(readers);
    let writer = open(false).unwrap();
    let error = open(true).err().unwrap();
    assert!(error.source.to_string().contains("in use by another VM"));
    drop(writer);
    assert!(open(false).is_ok());
}

#[test]
fn what_is_no_disk_is_refused_by_name() {
    let empty = TempFile::new().unwrap();
    let odd = TempFile::new().unwrap();
    odd.as_file().set_len(1000).unwrap();
    let qcow2 = TempFile::new().unwrap();
    qcow2.as_file().write_all(b"QFI\xfb").unwrap();
    qcow2.as_file().set_len(4096).unwrap();
    let problem = |path: &Path| {
        Block::open(&options(path))
            .err()
            .unwrap()
            .source
            .to_string()
    };
    assert!(problem(Path::new("/tmp")).contains("directory"));
    assert!(problem(Path::new("/dev/null")).contains("character device"));
    assert!(problem(Path::new("/nowhere/disk")).contains("No such file"));
    assert!(problem(empty.as_path()).contains("empty"));
    assert!(problem(odd.as_path()).contains("truncate -s %512"));
    assert!(problem(qcow2.as_path()).contains("qemu-img convert"));
}

#[test]
fn a_format_that_only_seems_foreign_can_be_forced_to_be_raw() {
    let image = image();
    let mut file = OpenOptions::new()
        .write(true)
        .open(image.as_path())
        .unwrap();
    file.write_all(b"QFI\xfb").unwrap();
    let mut options = options(image.as_path());
    options.force_raw = true;
    assert!(Block::open(&options).is_ok());
}
