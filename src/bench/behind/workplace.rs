//! What lies on the host while walls are measured: the probe, an image with nothing in it, and
//! files of single runs.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::guest::{self, PROBE};
use crate::image::{ImageError, Store};
use crate::root::Keeps;
use crate::run::{Registry, RegistryError};

/// How everything of a bench is called, with the process in its name.
const PREFIX: &str = "bench";

/// Why there is no place.
#[derive(Debug, thiserror::Error)]
pub enum WorkplaceError {
    /// No place for instances.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// No place for keeps.
    #[error(transparent)]
    Store(#[from] ImageError),
    /// A file cannot be made.
    #[error("cannot put the probe into {0}")]
    Write(PathBuf, #[source] io::Error),
}

/// A directory of ours; gone when this is dropped.
pub struct Workplace {
    directory: PathBuf,
    keeps: Keeps,
}

impl Workplace {
    /// Puts everything where it belongs, and clears away what benches have left that were killed.
    ///
    /// # Errors
    /// There is no place for it.
    pub fn set_up() -> Result<Self, WorkplaceError> {
        let registry = Registry::open()?;
        let keeps = Keeps::of_store(Store::open_default()?.directory());
        clear_left_over(registry.directory(), &keeps);
        // What vmm run has left of those is cleared away by looking.
        registry.list()?;
        let directory = registry.directory().join(name("place"));
        let workplace = Self { directory, keeps };
        let written = workplace.fill();
        written.map_err(|error| WorkplaceError::Write(workplace.directory.clone(), error))?;
        Ok(workplace)
    }

    fn fill(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.mode(0o755).create(&self.directory)?;
        builder.create(self.probe_directory())?;
        builder.create(self.empty_image())?;
        // Of the same age each time, it is the same image each time.
        File::open(self.empty_image())?.set_modified(UNIX_EPOCH)?;
        guest::write(PROBE, &self.probe_directory().join("probe"))
    }

    /// A directory with the probe and nothing else.
    pub fn probe_directory(&self) -> PathBuf {
        self.directory.join("probe")
    }

    /// A directory with nothing in it, which is an image.
    pub fn empty_image(&self) -> PathBuf {
        self.directory.join("empty")
    }

    /// Where a VMM reads what it is to boot.
    pub fn guest(&self) -> PathBuf {
        self.directory.join("guest.json")
    }

    /// Where a single run tells what took how long.
    pub fn record(&self) -> PathBuf {
        self.directory.join("record.json")
    }

    /// Forgets the keep `name`, if there is one.
    pub(super) fn remove_keep(&self, name: &str) {
        if let Ok(name) = name.parse() {
            // What is in use, by a run that could not be ended, is cleared away by a later bench.
            let _ = self.keeps.remove(&name);
        }
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // A later bench clears it away if it stays.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// What instance, keep and files are called that this process has for `what`.
pub(super) fn name(what: &str) -> String {
    format!("{PREFIX}-{}-{what}", std::process::id())
}

/// The process in a name of [`name`].
fn process_of(name: &str) -> Option<u32> {
    let (process, _) = name
        .strip_prefix(PREFIX)?
        .strip_prefix('-')?
        .split_once('-')?;
    process.parse().ok()
}

/// Whether it is the name of something of a bench whose process has gone.
fn is_left_over(name: &str) -> bool {
    process_of(name).is_some_and(|process| !Path::new("/proc").join(process.to_string()).exists())
}

fn clear_left_over(runtime: &Path, keeps: &Keeps) {
    let directories = fs::read_dir(runtime).into_iter().flatten().flatten();
    for entry in directories {
        if entry.file_name().to_str().is_some_and(is_left_over) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    for keep in keeps.list().unwrap_or_default() {
        if is_left_over(keep.name.as_str()) {
            let _ = keeps.remove(&keep.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_bench_has_left_is_known_by_its_name() {
        assert!(!is_left_over(&name("vm")));
        // No process has this number: PID_MAX_LIMIT is 2^22.
        assert!(is_left_over("bench-4194305-vm"));
        for other in [
            "bench-vm",
            "bench-1x-vm",
            "work",
            "bench-4194305",
            "my-bench-4194305-x",
        ] {
            assert!(!is_left_over(other), "{other}");
        }
    }
}
