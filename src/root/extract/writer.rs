//! Makes the files of a tree in a new directory.
//!
//! Every name is one that is made here and was not there before, so that no path of a hostile
//! base leads out of the directory.

use std::collections::HashMap;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{ExtractError, failed};

/// What a directory of this user cannot hold, counted; nothing of it where nobody counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Omitted {
    devices: u64,
    owners: u64,
}
