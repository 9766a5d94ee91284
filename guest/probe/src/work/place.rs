//! Where workloads may make files: a directory that is made when it is first needed.

use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::failure::Failure;

/// A directory of our own below another; gone with everything in it when this is dropped.
pub struct Place {
    below: PathBuf,
    made: Option<Fresh>,
    data: Option<File>,
}

/// How large [`Place::data`] is, in bytes.
pub const DATA: u64 = 64 << 20;
/// How much of it is written at once, in bytes.
const PIECE: usize = 1 << 20;

impl Place {
    /// Nothing is made yet.
    pub fn below(directory: &Path) -> Self {
        Self {
            below: directory.to_owned(),
            made: None,
            data: None,
        }
    }

    /// The directory.
    fn directory(&mut self) -> Result<&Path, Failure> {
        let made = match self.made.take() {
            Some(made) => made,
            None => Fresh::below(&self.below)?,
        };
        Ok(&self.made.insert(made).0)
    }

    /// An empty directory.
    pub fn fresh(&mut self) -> Result<Fresh, Failure> {
        Fresh::below(self.directory()?)
    }

    /// An empty file that has no name, and is gone when it is closed.
    pub fn file(&mut self) -> Result<File, Failure> {
        let path = self.directory()?.join("file");
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(Failure::to("make a file"))?;
        fs::remove_file(&path).map_err(Failure::to("remove a file"))?;
        Ok(file)
    }

    /// A file of [`DATA`] bytes that are on their disk. It is made once: it is no matter what is
    /// in it.
    pub fn data(&mut self) -> Result<&File, Failure> {
        let data = match self.data.take() {
            Some(data) => data,
            None => filled(self.file()?)?,
        };
        Ok(self.data.insert(data))
    }
}

fn filled(mut file: File) -> Result<File, Failure> {
    let piece = vec![0xa5; PIECE];
    for _ in 0..DATA / PIECE as u64 {
        let written = file.write_all(&piece);
        written.map_err(Failure::to("write 64 MiB of a file"))?;
    }
    file.sync_all()
        .map_err(Failure::to("have a file on its disk"))?;
    Ok(file)
}

/// A directory that was not there before; gone with everything in it when this is dropped.
pub struct Fresh(PathBuf);

impl Fresh {
    fn below(directory: &Path) -> Result<Self, Failure> {
        let path = directory.join(name());
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(Failure::to("make a directory for files"))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A name that nobody else has: processes behind walls have the same numbers.
fn name() -> String {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    format!("vmm-probe-{}-{}", std::process::id(), since.as_nanos())
}
