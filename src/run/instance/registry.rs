//! The directory of all instances. Whoever holds the lock of one runs it.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::state::{self, State};
use super::{InstanceName, name};
use crate::run::outcome::Outcome;
use crate::run::stale;

/// Why the registry cannot do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The runtime directory cannot be used.
    #[error("cannot use the runtime directory {0}: name another one by VMM_RUNTIME")]
    Directory(PathBuf, #[source] io::Error),
    /// An instance of that name runs, or has ended and is kept.
    #[error("there is an instance {0} already: choose another --name, or `vmm rm {0}`")]
    Taken(InstanceName),
    /// There is none of that name.
    #[error("there is no instance {0}: `vmm ps --all` lists them")]
    Missing(String),
    /// Its name cannot be one.
    #[error(transparent)]
    Name(#[from] name::NameError),
    /// Its files cannot be used.
    #[error("cannot use the files of instance {0}")]
    Files(InstanceName, #[source] io::Error),
}

/// Takes away what an instance has left outside of its directory whose process was killed.
pub type Clear = fn(&State, &Path) -> io::Result<()>;

/// All instances of this user on this host.
#[derive(Clone, Debug)]
pub struct Registry {
    directory: PathBuf,
    clear: Clear,
}

/// An instance that this process runs: the lock is its life.
#[derive(Debug)]
pub struct Entry {
    name: InstanceName,
    directory: PathBuf,
    registry: Registry,
    _lock: File,
}

/// What there is of an instance at this moment.
enum Seen {
    Nothing,
    /// Somebody is just making it, or taking it away.
    Moving,
    There(Box<Found>),
}

/// An instance as another process finds it.
#[derive(Debug)]
pub struct Found {
    /// Its directory.
    pub directory: PathBuf,
    /// What it wrote down.
    pub state: State,
    /// How it ended; `None` while somebody runs it, or if its process was killed.
    pub outcome: Option<Outcome>,
    /// Whether somebody runs it.
    pub is_running: bool,
    /// Whether its time stands still.
    pub is_paused: bool,
}

/// The file whose lock is held by who runs the instance.
const LOCK: &str = "lock";
const STATE: &str = "state.json";
const OUTCOME: &str = "outcome.json";
/// Is there while its time stands still.
const PAUSED: &str = "paused";

impl Registry {
    /// The registry in `$VMM_RUNTIME`, or of root in `/run/vmm`, or of the user's session.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn open() -> Result<Self, RegistryError> {
        Self::at(runtime_directory(), stale::clear)
    }

    /// The registry in `directory`, which is made if it is missing; `clear` is called for an
    /// instance whose process was killed, before its files go.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn at(directory: PathBuf, clear: Clear) -> Result<Self, RegistryError> {
        let instances = directory.join("instances");
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        match builder.create(&instances) {
            Ok(()) => Ok(Self { directory, clear }),
            Err(error) => Err(RegistryError::Directory(instances, error)),
        }
    }

    /// Where channels meet, and whatever else instances share.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes a new instance, run by this process.
    ///
    /// # Errors
    /// The name is taken, or the files cannot be made.
    pub fn create(&self, name: InstanceName) -> Result<Entry, RegistryError> {
        let _making = self.lock()?;
        if !matches!(self.look(&name)?, Seen::Nothing) {
            return Err(RegistryError::Taken(name));
        }
        let directory = self.path(&name);
        match make(&directory) {
            Ok(lock) => Ok(Entry {
                name,
                directory,
                registry: self.clone(),
                _lock: lock,
            }),
            Err(error) => Err(RegistryError::Files(name, error)),
        }
    }

    /// Every instance, in the order of their names. One whose files cannot be used is told, and
    /// left out.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn list(&self) -> Result<Vec<Found>, RegistryError> {
        let _looking = self.lock()?;
        let names = self.names().map_err(|error| self.unusable(error))?;
        let mut all = Vec::new();
        for name in &names {
            match self.look(name) {
                Ok(Seen::There(found)) => all.push(*found),
                Ok(Seen::Nothing | Seen::Moving) => {}
                Err(error) => log::warn!("{}", crate::chain(&error)),
            }
        }
        Ok(all)
    }

    /// The instance called `name`.
    ///
    /// # Errors
    /// There is none.
    pub fn find(&self, name: &str) -> Result<Found, RegistryError> {
        let _looking = self.lock()?;
        match self.look(&name.parse()?)? {
            Seen::There(found) => Ok(*found),
            Seen::Nothing | Seen::Moving => Err(RegistryError::Missing(name.to_owned())),
        }
    }

    /// Waits until the process that runs `found` has ended.
    ///
    /// # Errors
    /// Its files cannot be used.
    pub fn wait_for_end(&self, found: &Found) -> Result<(), RegistryError> {
        let lock = File::open(found.directory.join(LOCK)).and_then(|lock| lock.lock_shared());
        match lock {
            // It took them away itself.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(RegistryError::Files(found.state.name.clone(), error))
            }
            _ => Ok(()),
        }
    }

    /// Forgets an instance that has ended.
    ///
    /// # Errors
    /// Its files cannot be removed.
    pub fn forget(&self, found: &Found) -> Result<(), RegistryError> {
        let _forgetting = self.lock()?;
        let name = &found.state.name;
        remove(&found.directory).map_err(|error| RegistryError::Files(name.clone(), error))
    }

    /// One that was killed leaves files without an outcome: it is cleared away here.
    fn look(&self, name: &InstanceName) -> Result<Seen, RegistryError> {
        let directory = self.path(name);
        let files = |error| RegistryError::Files(name.clone(), error);
        let is_running = match File::open(directory.join(LOCK)) {
            Ok(lock) => is_held(&lock).map_err(files)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(files(error)),
        };
        let state = state::read(&directory.join(STATE)).ok();
        let outcome = state::read(&directory.join(OUTCOME)).ok();
        let is_paused = is_running && directory.join(PAUSED).exists();
        match state {
            Some(state) if is_running || outcome.is_some() => Ok(Seen::There(Box::new(Found {
                directory,
                state,
                outcome,
                is_running,
                is_paused,
            }))),
            None if is_running => Ok(Seen::Moving),
            state => {
                if let Some(state) = state {
                    (self.clear)(&state, &directory).map_err(files)?;
                }
                remove(&directory).map_err(files)?;
                Ok(Seen::Nothing)
            }
        }
    }

    fn names(&self) -> io::Result<Vec<InstanceName>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.directory.join("instances"))? {
            names.extend(
                entry?
                    .file_name()
                    .to_str()
                    .and_then(|name| name.parse().ok()),
            );
        }
        names.sort_by(|a: &InstanceName, b| a.as_str().cmp(b.as_str()));
        Ok(names)
    }

    /// One process at a time makes, lists or clears.
    fn lock(&self) -> Result<File, RegistryError> {
        let lock = File::create(self.directory.join("instances.lock"));
        lock.and_then(|file| file.lock().map(|()| file))
            .map_err(|error| self.unusable(error))
    }

    fn path(&self, name: &InstanceName) -> PathBuf {
        self.directory.join("instances").join(name.as_str())
    }

    fn unusable(&self, error: io::Error) -> RegistryError {
        RegistryError::Directory(self.directory.clone(), error)
    }
}

impl Entry {
    /// Its name.
    pub fn name(&self) -> &InstanceName {
        &self.name
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The directory of its registry.
    pub fn runtime(&self) -> &Path {
        self.registry.directory()
    }

    /// A file of its own.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Writes down what others may know of it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn describe(&self, state: &State) -> Result<(), RegistryError> {
        state::write(&self.file(STATE), state).map_err(|error| self.unusable(error))
    }

    /// Leaves its files behind with the outcome, for `vmm logs` and `vmm ps`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(self, outcome: &Outcome) -> Result<(), RegistryError> {
        state::write(&self.file(OUTCOME), outcome).map_err(|error| self.unusable(error))
    }

    /// Notes for others whether its time stands still.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note_paused(&self, paused: bool) -> io::Result<()> {
        match paused {
            true => File::create(self.file(PAUSED)).map(drop),
            false => fs::remove_file(self.file(PAUSED)),
        }
    }

    /// Takes its files away.
    ///
    /// # Errors
    /// They cannot be removed.
    pub fn remove(self) -> Result<(), RegistryError> {
        let _removing = self.registry.lock()?;
        remove(&self.directory).map_err(|error| self.unusable(error))
    }

    fn unusable(&self, error: io::Error) -> RegistryError {
        RegistryError::Files(self.name.clone(), error)
    }
}

fn runtime_directory() -> PathBuf {
    if let Some(directory) = std::env::var_os("VMM_RUNTIME") {
        return directory.into();
    }
    if rustix::process::geteuid().is_root() {
        return "/run/vmm".into();
    }
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(directory) => Path::new(&directory).join("vmm"),
        None => format!("/tmp/vmm-{}", rustix::process::geteuid().as_raw()).into(),
    }
}

fn make(directory: &Path) -> io::Result<File> {
    DirBuilder::new().mode(0o700).create(directory)?;
    let lock = File::create(directory.join(LOCK))?;
    lock.lock()?;
    Ok(lock)
}

/// What is not there is gone, too.
fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn is_held(lock: &File) -> io::Result<bool> {
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::wall::Wall;

    fn registry(directory: &tempfile::TempDir) -> Registry {
        // What the test looks at afterwards.
        let clear: Clear =
            |state, directory| fs::write(directory.join("../../cleared"), state.name.as_str());
        Registry::at(directory.path().join("run"), clear).unwrap()
    }

    fn make_one(registry: &Registry, name: &str) -> Entry {
        let entry = registry.create(name.parse().unwrap()).unwrap();
        let state = State {
            name: entry.name().clone(),
            cgroup: entry.name().cgroup(),
            wall: Wall::Vm,
            image: "hw1".into(),
            digest: "sha256:0".into(),
            launch: wire::Launch::default(),
            pid: std::process::id(),
            started: 0,
            detached: true,
            channels: Vec::new(),
        };
        entry.describe(&state).unwrap();
        entry
    }

    #[test]
    fn one_that_runs_is_found_as_that() {
        let directory = tempfile::tempdir().unwrap();
        let registry = registry(&directory);
        let _entry = make_one(&registry, "a");
        let found = registry.find("a").unwrap();
        assert!(found.is_running && found.outcome.is_none());
    }

    #[test]
    fn a_name_is_taken_while_it_runs_and_while_it_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let registry = registry(&directory);
        let entry = make_one(&registry, "a");
        let again = || registry.create("a".parse().unwrap()).unwrap_err();
        assert!(matches!(again(), RegistryError::Taken(_)));
        entry.keep(&Outcome::of(3)).unwrap();
        assert!(matches!(again(), RegistryError::Taken(_)));
        let found = registry.find("a").unwrap();
        assert_eq!(
            (found.is_running, found.outcome),
            (false, Some(Outcome::of(3)))
        );
    }

    #[test]
    fn one_whose_process_was_killed_is_cleared_away() {
        let directory = tempfile::tempdir().unwrap();
        let registry = registry(&directory);
        drop(make_one(&registry, "a"));
        assert!(registry.list().unwrap().is_empty());
        let cleared = directory.path().join("run/cleared");
        assert_eq!(fs::read_to_string(cleared).unwrap(), "a");
        assert!(registry.create("a".parse().unwrap()).is_ok());
    }

    #[test]
    fn one_that_was_made_this_moment_has_its_name_and_is_not_listed() {
        let directory = tempfile::tempdir().unwrap();
        let registry = registry(&directory);
        let _entry = registry.create("a".parse().unwrap()).unwrap();
        assert!(registry.list().unwrap().is_empty());
        let again = registry.create("a".parse().unwrap());
        assert!(matches!(again, Err(RegistryError::Taken(_))));
    }

    #[test]
    fn one_that_cannot_be_cleared_stays_and_is_no_other_s_trouble() {
        let directory = tempfile::tempdir().unwrap();
        let mut registry = registry(&directory);
        registry.clear = |_, _| Err(io::ErrorKind::ResourceBusy.into());
        drop(make_one(&registry, "a"));
        let _other = make_one(&registry, "b");
        assert_eq!(registry.list().unwrap().len(), 1);
        assert!(registry.create("a".parse().unwrap()).is_err());
    }

    #[test]
    fn one_that_was_never_there_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let error = registry(&directory).find("b").unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no instance b: `vmm ps --all` lists them"
        );
    }
}
