//! `vmm commit NAME TAG`

use std::process::ExitCode;

use super::Failure;
use super::kept::Kept;
use crate::image::{Name, ResolveOptions, Store};
use crate::output;
use crate::root::{KeepName, Root};

/// Makes an image of the keep `name`, which is run as the image below it, and calls it `tag`.
pub(super) fn run(name: &KeepName, tag: &Name, replace: bool) -> Result<ExitCode, Failure> {
    let store = Store::open_default()?;
    let kept = Kept::mount(&store, name)?;
    let root = Root::mount(&kept.workbench, kept.lower, kept.upper)?;
    let options = ResolveOptions::default();
    let image = store.import_tree(root.path(), kept.record.config, &options)?;
    store.tag(&image, tag, replace)?;
    output::print(format_args!("{tag}  {}\n", image.digest))?;
    Ok(ExitCode::SUCCESS)
}
