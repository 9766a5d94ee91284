//! A directory of the host as a read-only disk: what is in it now, for whom cannot be shown the
//! directory itself.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::error::{ImageError, SourceError};
use super::source;
use super::{ResolveOptions, erofs};

/// Writes what is in `directory` to the new file `to`, as EROFS: owners, modes and times as they
/// are. No link is followed, and other file systems that are mounted in it are left out. A failure
/// leaves no file.
///
/// # Errors
/// It cannot be read, is larger than `max_size` bytes, or changes meanwhile; or `to` is there
/// already or takes no more.
pub fn snapshot(directory: &Path, to: &Path, max_size: u64) -> Result<(), ImageError> {
    let failed = |source| ImageError::Import {
        path: directory.to_owned(),
        source,
    };
    let options = ResolveOptions {
        max_size,
        ..Default::default()
    };
    let tree = source::tree_of(directory, &options).map_err(failed)?;
    let writing = || SourceError::io(format!("cannot write its snapshot {}", to.display()));
    let file = create(to).map_err(writing()).map_err(failed)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let written = erofs::write(&tree, &mut out).and_then(|()| out.flush());
    written.map_err(writing()).map_err(|error| {
        let _ = std::fs::remove_file(to);
        failed(error)
    })
}

/// It holds whatever its owner alone may read.
fn create(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = File::options();
    options.write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tree::{Kind, NodeId, Tree};
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::sync::Arc;

    const ROOMY: u64 = 1 << 20;

    fn read(path: &Path) -> Tree {
        erofs::read(&Arc::new(File::open(path).unwrap())).unwrap()
    }

    #[test]
    fn a_directory_is_read_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (directory, disk) = (folder.path().join("volume"), folder.path().join("vol0"));
        fs::create_dir(&directory).unwrap();
        fs::write(folder.path().join("secret"), "s").unwrap();
        fs::write(directory.join("data"), "from the host").unwrap();
        fs::set_permissions(directory.join("data"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink("../secret", directory.join("link")).unwrap();
        snapshot(&directory, &disk, ROOMY).unwrap();
        let tree = read(&disk);
        let node = |name: &[u8]| tree.node(tree.child(NodeId::ROOT, name).unwrap());
        let data = node(b"data");
        assert!(
            matches!(&data.kind, Kind::File(content) if content.read().unwrap() == b"from the host")
        );
        let owner = fs::metadata(directory.join("data")).unwrap();
        let wanted = (0o640, owner.uid(), owner.gid());
        let metadata = &data.metadata;
        assert_eq!((metadata.mode, metadata.uid, metadata.gid), wanted);
        assert!(matches!(&node(b"link").kind, Kind::Symlink(target) if target == b"../secret"));
    }

    #[test]
    fn what_is_too_large_leaves_no_disk() {
        let folder = tempfile::tempdir().unwrap();
        let (directory, disk) = (folder.path().join("volume"), folder.path().join("vol0"));
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("data"), [0; 4097]).unwrap();
        assert!(snapshot(&directory, &disk, 4096).is_err());
        assert!(!disk.exists());
    }

    #[test]
    fn a_file_that_is_there_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("vol0");
        fs::write(&disk, "mine").unwrap();
        assert!(snapshot(folder.path(), &disk, ROOMY).is_err());
        assert_eq!(fs::read(&disk).unwrap(), b"mine");
    }

    #[test]
    fn a_directory_that_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        let error = snapshot(&missing, &folder.path().join("vol0"), ROOMY).unwrap_err();
        assert!(error.to_string().contains("missing"), "{error}");
    }
}
