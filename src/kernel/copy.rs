//! Files of a kernel come into the store: as another name of the same file where one file
//! system has both, else as a copy.

use std::fs;
use std::io;
use std::path::Path;

/// Makes `to` the same as the file `from`.
pub(super) fn file(from: &Path, to: &Path) -> io::Result<()> {
    // A link to a link would be as short-lived as what it leads to.
    let from = fs::canonicalize(from)?;
    match fs::hard_link(&from, to) {
        Ok(()) => Ok(()),
        Err(_) => fs::copy(&from, to).map(|_| ()),
    }
}

/// Makes `to` the same as the directory `from`: its files and directories, and no links, which
/// lead out of it (`build`, `source`).
pub(super) fn directory(from: &Path, to: &Path) -> io::Result<()> {
    let mut waiting = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = waiting.pop() {
        fs::create_dir_all(&to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let inside = to.join(entry.file_name());
            if kind.is_dir() {
                waiting.push((entry.path(), inside));
            } else if kind.is_file() {
                file(&entry.path(), &inside)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, symlink};

    #[test]
    fn files_are_shared_and_links_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("kernel/fs")).unwrap();
        fs::write(from.join("kernel/fs/ext4.ko"), "module").unwrap();
        symlink("/usr/src", from.join("build")).unwrap();
        directory(&from, &to).unwrap();
        let inode = |root: &Path| fs::metadata(root.join("kernel/fs/ext4.ko")).unwrap().ino();
        assert_eq!(inode(&from), inode(&to));
        assert!(!to.join("build").exists());
    }

    #[test]
    fn a_file_is_what_a_link_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("real"), "kernel").unwrap();
        symlink("real", path("link")).unwrap();
        file(&path("link"), &path("copy")).unwrap();
        fs::remove_file(path("real")).unwrap();
        assert_eq!(fs::read(path("copy")).unwrap(), b"kernel");
    }
}
