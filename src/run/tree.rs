//! The image as a directory of this host: what the process and the container wall run in.

use std::fs;
use std::path::Path;

use super::{Behind, Request, RunError};
use crate::root::namespace::{self, MountNamespace};
use crate::root::{self, Keeps, Lower, Mark, Root, Upper, UpperError, Workbench};

/// The mark of an instance, in its directory.
pub(super) const MARK: &str = "mark";

/// What a command may write where nothing is kept: tmpfs takes 0 for all that memory has.
const UPPER_SIZE: u64 = 0;

/// The merged tree, with what holds it up.
pub struct Tree {
    /// The tree.
    pub root: Root,
    /// What the processes of the run are found by, where a user namespace stands around them.
    pub mark: Option<Mark>,
    // Dropped last: it hides the mounts.
    _workbench: Workbench,
}

/// Mounts the tree of the image, in a mount namespace of this process.
///
/// # Errors
/// The host does not let us, or the keep cannot be used.
pub fn mount(behind: &Behind<'_>) -> Result<Tree, RunError> {
    let wall = behind.request.wall;
    let namespace = namespace::unshare_mounts().map_err(|error| RunError::wall(wall, error))?;
    build(behind, &namespace).map_err(|error| RunError::Wall(wall, error))
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn build(behind: &Behind<'_>, namespace: &MountNamespace) -> Result<Tree, Failure> {
    let store = behind.store.directory();
    let workbench = Workbench::set_up(namespace, store)?;
    let mark = workbench.mark().cloned();
    if let Some(mark) = &mark {
        fs::write(behind.entry.file(MARK), mark.as_str())?;
        refuse(behind.request)?;
    }
    let lower = Lower::mount(&workbench, &behind.image.base)?;
    let upper = upper(behind, store, &workbench)?;
    Ok(Tree {
        root: Root::mount(&workbench, lower, upper)?,
        mark,
        _workbench: workbench,
    })
}

/// What the host's root alone can do, said before anything is extracted.
fn refuse(request: &Request) -> Result<(), UpperError> {
    match &request.keep {
        Some(name) => Err(UpperError::Rootless(name.clone())),
        None => Ok(()),
    }
}

fn upper(behind: &Behind<'_>, store: &Path, workbench: &Workbench) -> Result<Upper, Failure> {
    let Some(name) = &behind.request.keep else {
        return Ok(Upper::memory(workbench, UPPER_SIZE)?);
    };
    let keep = Keeps::of_store(store).open(name, record(behind))?;
    Ok(Upper::keep(workbench, keep)?)
}

/// What a keep remembers of the run that made it.
pub fn record(behind: &Behind<'_>) -> root::Record {
    root::Record {
        image: behind.request.image.clone(),
        base: behind.image.base.clone(),
        config: behind.image.config.clone(),
        size: root::DEFAULT_SIZE,
    }
}
