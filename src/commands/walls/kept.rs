//! A keep and its base, mounted for a command that reads them.

use super::Failure;
use crate::image::Store;
use crate::root::namespace::unshare_mounts;
use crate::root::{KeepName, Keeps, Lower, Record, Upper, Workbench};

/// Both layers; nobody else uses the keep until this is dropped.
pub(super) struct Kept {
    // Dropped in this order.
    pub(super) upper: Upper,
    pub(super) lower: Lower,
    pub(super) workbench: Workbench,
    pub(super) record: Record,
}

impl Kept {
    /// Mounts those of the keep `name`.
    pub(super) fn mount(store: &Store, name: &KeepName) -> Result<Self, Failure> {
        let (keep, record) = Keeps::of_store(store.directory()).existing(name)?;
        let namespace = unshare_mounts()?;
        let workbench = Workbench::set_up(&namespace, store.directory())?;
        let lower = Lower::mount(&workbench, &record.base)?;
        let upper = Upper::keep(&workbench, keep)?;
        Ok(Self {
            upper,
            lower,
            workbench,
            record,
        })
    }
}
