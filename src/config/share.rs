//! A directory of the host in a machine.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

/// A directory of the host that another process serves, by vhost-user.
#[derive(Clone, Debug)]
pub struct ShareConfig {
    /// What the guest mounts it by.
    pub tag: String,
    /// Where it is on the host.
    pub directory: PathBuf,
    /// The way to that process.
    pub socket: Arc<UnixStream>,
}
