//! The files of an EROFS, written into a new directory.
//!
//! Every name is one that is made here and was not there before, so that no path of a hostile
//! base leads out of the directory; a directory is entered once, so that none holds itself.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::image::{Image, ImageError, Inode};
use super::{ExtractError, Omitted, failed};
use crate::image::tree::MAX_NODES;

/// Writes the files of the image at `from` into the new directory `to`.
pub(super) fn extract(from: &Path, to: &Path) -> Result<Omitted, ExtractError> {
    let file = File::open(from).map_err(|source| failed(from, source))?;
    let open = || -> Result<_, ImageError> {
        let image = Image::open(file)?;
        let room = image.length()?;
        Ok((image, room))
    };
    let (image, room) = open().map_err(|error| read_failed(from, error))?;
    let mut extraction = Extraction {
        from,
        entered: HashSet::new(),
        linked: HashMap::new(),
        room,
        omitted: Omitted::default(),
        made: 0,
        image,
    };
    extraction.node(extraction.image.root, to)?;
    Ok(extraction.omitted)
}

struct Extraction<'a> {
    from: &'a Path,
    image: Image,
    /// The directories that were entered.
    entered: HashSet<u64>,
    /// The first path of each file that has several.
    linked: HashMap<u64, PathBuf>,
    /// The bytes that may still come: nothing is compressed, so as many as the image has.
    room: u64,
    omitted: Omitted,
    /// Names that were made.
    made: usize,
}

impl Extraction<'_> {
    fn node(&mut self, number: u64, at: &Path) -> Result<(), ExtractError> {
        self.made += 1;
        if self.made > MAX_NODES {
            return Err(ExtractError::Damaged("it has more files than any image"));
        }
        let inode = self.read(|image| image.inode(number))?;
        match FileType::from_raw_mode(inode.mode.into()) {
            FileType::Directory => return self.directory(number, &inode, at),
            _ if self.is_link(number, &inode, at)? => return Ok(()),
            FileType::RegularFile => self.file(&inode, at)?,
            FileType::Symlink => {
                let target = self.read(|image| image.bytes(&inode))?;
                symlink(OsStr::from_bytes(&target), at).map_err(|source| failed(at, source))?;
            }
            kind @ (FileType::Fifo | FileType::Socket) => {
                let made = mknodat(CWD, at, kind, Mode::from_raw_mode(0o600), 0);
                made.map_err(|errno| failed(at, errno.into()))?;
            }
            FileType::CharacterDevice | FileType::BlockDevice => {
                self.omitted.devices += 1;
                return Ok(());
            }
            FileType::Unknown => return Err(ExtractError::Damaged("a file is of no known kind")),
        }
        self.dress(&inode, at)
    }

    fn directory(&mut self, number: u64, inode: &Inode, at: &Path) -> Result<(), ExtractError> {
        if !self.entered.insert(number) {
            return Err(ExtractError::Damaged("a directory is in itself"));
        }
        fs::create_dir(at).map_err(|source| failed(at, source))?;
        for (name, number) in self.read(|image| image.entries(inode))? {
            self.node(number, &at.join(OsStr::from_bytes(&name)))?;
        }
        self.dress(inode, at)
    }

    fn file(&mut self, inode: &Inode, at: &Path) -> Result<(), ExtractError> {
        self.room = self
            .room
            .checked_sub(inode.size)
            .ok_or(ExtractError::Damaged("its files are larger than it is"))?;
        let mut file = File::create_new(at).map_err(|source| failed(at, source))?;
        self.read(|image| image.copy(inode, &mut file))?;
        let Some(mtime) = inode.mtime else {
            return Ok(());
        };
        let times = UNIX_EPOCH
            .checked_add(Duration::from_secs(mtime))
            .map(|time| FileTimes::new().set_modified(time));
        let set = times.map_or(Ok(()), |times| file.set_times(times));
        set.map_err(|source| failed(at, source))
    }

    /// Whether `at` is another name of a file that is there, which it then has got.
    fn is_link(&mut self, number: u64, inode: &Inode, at: &Path) -> Result<bool, ExtractError> {
        if inode.links < 2 {
            return Ok(false);
        }
        if let Some(first) = self.linked.get(&number) {
            fs::hard_link(first, at).map_err(|source| failed(at, source))?;
            return Ok(true);
        }
        self.linked.insert(number, at.to_owned());
        Ok(false)
    }

    /// Owner before mode, as a change of owner takes set-uid away.
    fn dress(&mut self, inode: &Inode, at: &Path) -> Result<(), ExtractError> {
        match lchown(at, Some(inode.uid), Some(inode.gid)) {
            Ok(()) => {}
            Err(error) if is_of_no_one(&error) => self.omitted.owners += 1,
            Err(source) => return Err(failed(at, source)),
        }
        if FileType::from_raw_mode(inode.mode.into()) == FileType::Symlink {
            return Ok(());
        }
        let mode = Permissions::from_mode(u32::from(inode.mode) & 0o7777);
        fs::set_permissions(at, mode).map_err(|source| failed(at, source))
    }

    fn read<T>(
        &self,
        what: impl FnOnce(&Image) -> Result<T, ImageError>,
    ) -> Result<T, ExtractError> {
        what(&self.image).map_err(|error| read_failed(self.from, error))
    }
}

/// user_namespaces(7): an owner who does not exist is invalid; another's is not permitted.
fn is_of_no_one(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EPERM))
}

fn read_failed(from: &Path, error: ImageError) -> ExtractError {
    match error {
        ImageError::Io(source) => failed(from, source),
        ImageError::Damaged(how) => ExtractError::Damaged(how),
        ImageError::Compressed => ExtractError::Compressed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{ImageConfig, ResolveOptions, Store};

    /// A folder with the base of a tree that has a bit of everything.
    fn folder_with_base() -> (tempfile::TempDir, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::write(tree.join("a/text"), "text").unwrap();
        fs::write(tree.join("large"), vec![7; 9000]).unwrap();
        fs::hard_link(tree.join("large"), tree.join("a/b/same")).unwrap();
        symlink("/etc/passwd", tree.join("link")).unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let (config, options) = (ImageConfig::of_host(), ResolveOptions::default());
        let image = store.import_tree(&tree, config, &options).unwrap();
        let bytes = fs::read(image.base.path).unwrap();
        (folder, bytes)
    }

    /// Extracts `bytes` into a new directory, which is gone again afterwards.
    fn try_extract(folder: &Path, bytes: &[u8]) -> Result<Omitted, ExtractError> {
        let (from, to) = (folder.join("base"), folder.join("inside/to"));
        fs::create_dir_all(folder.join("inside")).unwrap();
        fs::write(&from, bytes).unwrap();
        let result = extract(&from, &to);
        let left = fs::read_dir(folder.join("inside")).unwrap().count();
        assert!(left <= 1, "something was made beside the directory");
        fs::remove_dir_all(folder.join("inside")).unwrap();
        result
    }

    #[test]
    fn a_base_is_extracted_as_it_was_made() {
        let (folder, bytes) = folder_with_base();
        let (from, to) = (folder.path().join("base"), folder.path().join("to"));
        fs::write(&from, bytes).unwrap();
        extract(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("a/text")).unwrap(), "text");
        assert_eq!(fs::read(to.join("a/b/same")).unwrap(), vec![7; 9000]);
        assert_eq!(
            fs::read_link(to.join("link")).unwrap(),
            Path::new("/etc/passwd")
        );
    }

    #[test]
    fn a_base_that_ends_too_early_is_refused() {
        let (folder, bytes) = folder_with_base();
        for length in (0..bytes.len() - 4096).step_by(512) {
            assert!(
                try_extract(folder.path(), &bytes[..length]).is_err(),
                "{length}"
            );
        }
    }

    #[test]
    fn no_spoilt_byte_leads_out_or_astray() {
        let (folder, bytes) = folder_with_base();
        let spoilt = |at: usize, value: u8| {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            bytes
        };
        // All but the holes and the bytes of the large file.
        for at in (1024..bytes.len()).filter(|at| ![0, 7].contains(&bytes[*at])) {
            for value in [b'/', 0xff] {
                let _ = try_extract(folder.path(), &spoilt(at, value));
            }
        }
    }
}
