//! Where workloads may make files: a directory that is made when it is first needed.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::failure::Failure;

/// A directory of our own below another; gone with everything in it when this is dropped.
pub struct Place {
    below: PathBuf,
    made: Option<PathBuf>,
}

impl Place {
    /// Nothing is made yet.
    pub fn below(directory: &Path) -> Self {
        Self {
            below: directory.to_owned(),
            made: None,
        }
    }

    /// The directory.
    pub fn directory(&mut self) -> Result<&Path, Failure> {
        if self.made.is_none() {
            let path = self.below.join(name());
            DirBuilder::new()
                .mode(0o700)
                .create(&path)
                .map_err(Failure::to("make a directory for files"))?;
            self.made = Some(path);
        }
        Ok(self.made.as_deref().unwrap_or(&self.below))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(made) = &self.made {
            // Nobody is left to be told.
            let _ = std::fs::remove_dir_all(made);
        }
    }
}

/// A name that nobody else has: processes behind walls have the same numbers.
fn name() -> String {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    format!("vmm-probe-{}-{}", std::process::id(), since.as_nanos())
}
