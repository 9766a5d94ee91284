//! What lies on the host while something is measured: the probe, an image with nothing in it,
//! and files of single runs.

use std::cell::Cell;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::claim::{self, Claim};
use crate::guest::{self, PROBE};
use crate::image::{ImageError, Store};
use crate::root::Keeps;
use crate::run::{Registry, RegistryError};

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
    /// No place for records.
    #[error("cannot use {0}, where records are")]
    Records(PathBuf, #[source] io::Error),
}

/// Files of ours in two places, and keeps; gone when this is dropped.
pub struct Workplace {
    claim: Claim,
    directory: PathBuf,
    places: Places,
    /// How many names were given.
    names: Cell<u32>,
}

/// Where something of a bench can be.
struct Places {
    /// The runtime directory: memory.
    runtime: PathBuf,
    /// Where the records are: on a disk.
    records: PathBuf,
    keeps: Keeps,
}

impl Workplace {
    /// Puts everything where it belongs, and clears away what benches have left that were killed.
    ///
    /// # Errors
    /// There is no place for it.
    pub fn set_up() -> Result<Self, WorkplaceError> {
        let registry = Registry::open()?;
        // What vmm run has left of those that were killed is cleared away by looking.
        registry.list()?;
        let store = Store::open_default()?;
        let places = Places {
            runtime: registry.directory().to_owned(),
            records: records(store.directory()),
            keeps: Keeps::of_store(store.directory()),
        };
        let claim = places.claim();
        let claim =
            claim.map_err(|error| WorkplaceError::Records(places.records.clone(), error))?;
        let workplace = Self {
            directory: places.runtime.join(claim.name("place")),
            claim,
            places,
            names: Cell::new(0),
        };
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

    /// What the next instance of this bench is called, and its keep; `word` is for readers.
    pub fn next_name(&self, word: &str) -> String {
        self.names.set(self.names.get() + 1);
        self.claim.name(&format!("{}-{word}", self.names.get()))
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

    /// A disk for guests: on a disk of the host, since files of the runtime directory are memory.
    pub fn disk(&self) -> PathBuf {
        self.places.records.join(self.claim.name("disk.img"))
    }

    /// Forgets the keep `name`, if there is one.
    pub(super) fn remove_keep(&self, name: &str) {
        if let Ok(name) = name.parse() {
            // What is in use, by a run that could not be ended, is cleared away by a later bench.
            let _ = self.places.keeps.remove(&name);
        }
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        if self.places.clear(&self.claim.name("")) {
            self.claim.give_up();
        }
    }
}

/// Where the store `directory` has the records of benches.
pub fn records(directory: &Path) -> PathBuf {
    directory.join("benches")
}

impl Places {
    /// Names that nobody has, after those of benches that were killed.
    fn claim(&self) -> io::Result<Claim> {
        fs::create_dir_all(&self.records)?;
        claim::of_the_dead(&self.records, |stem| self.clear(stem))?;
        Claim::draw(&self.records)
    }

    /// Removes what has a name that begins with `stem`; whether all of it has gone. A keep may
    /// be in use by a run that could not be ended: a later bench removes it.
    fn clear(&self, stem: &str) -> bool {
        let is_ours = |name: &str| name.starts_with(stem);
        let keeps = self.keeps.list().unwrap_or_default().into_iter();
        let keeps = keeps.filter(|keep| is_ours(keep.name.as_str()));
        let files = [&self.runtime, &self.records].map(|directory| {
            let entries = fs::read_dir(directory).into_iter().flatten().flatten();
            entries.filter(|entry| entry.file_name().to_str().is_some_and(is_ours))
        });
        let files = files.into_iter().flatten();
        let stay = files.filter(|file| remove(&file.path()).is_err()).count()
            + keeps
                .filter(|keep| self.keeps.remove(&keep.name).is_err())
                .count();
        stay == 0
    }
}

/// Removes a file, or a directory with all that is in it.
fn remove(path: &Path) -> io::Result<()> {
    match path.symlink_metadata()?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}
