//! What an instance has left on the host whose process was killed before it could clear it away.
//!
//! Mounts, loop devices and machines end with the process that has made them; processes behind
//! a wall of the host's kernel may not, and control groups never do.

use std::io;
use std::path::Path;

use super::Wall;
use super::channel;
use super::container::BUNDLE;
use super::instance::State;
use super::tree::MARK;
use crate::cgroup::Cgroup;
use crate::container;
use crate::root;

/// Ends what still runs of the instance of `state`, and takes away what else is left of it
/// outside of its `directory`.
///
/// # Errors
/// Something stays.
pub fn clear(state: &State, directory: &Path) -> io::Result<()> {
    // It lies among the instances of the runtime directory.
    if let Some(runtime) = directory.ancestors().nth(2) {
        for channel in &state.channels {
            channel::clear(runtime, channel)?;
        }
    }
    if let Some(mark) = root::read_mark(&directory.join(MARK)) {
        mark.end_all()?;
    }
    let cgroup = state.cgroup.as_str();
    match state.wall {
        Wall::Container => {
            container::clean(cgroup, &directory.join(BUNDLE)).map_err(io::Error::other)
        }
        Wall::Process | Wall::Vm => Cgroup::open(cgroup)
            .and_then(|cgroup| cgroup.remove())
            .map_err(io::Error::other),
    }
}
