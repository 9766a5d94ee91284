//! The image as a directory of this host: what the process and the container wall run in.

use std::path::Path;

use super::{Behind, RunError};
use crate::root::namespace::{self, MountNamespace};
use crate::root::{self, Keeps, Lower, Root, Upper, Workbench};

/// What a command may write where nothing is kept: tmpfs takes 0 for all that memory has.
const UPPER_SIZE: u64 = 0;

/// The merged tree, with what holds it up.
pub struct Tree {
    /// The tree.
    pub root: Root,
    /// Whether a user namespace stands around this process now.
    pub is_rootless: bool,
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
    let lower = Lower::mount(&workbench, &behind.image.base)?;
    let upper = upper(behind, store, &workbench)?;
    Ok(Tree {
        root: Root::mount(&workbench, lower, upper)?,
        is_rootless: namespace.is_rootless(),
        _workbench: workbench,
    })
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
