//! The way into a group for a program that is about to be started: nothing of it ever runs
//! outside.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// The `cgroup.procs` of each hierarchy; none leads nowhere.
#[derive(Clone, Debug, Default)]
pub struct Entrance(Vec<PathBuf>);

impl Entrance {
    pub(super) fn of(procs_paths: Vec<PathBuf>) -> Self {
        Self(procs_paths)
    }

    /// Has the program of `command` begin in the group.
    ///
    /// # Errors
    /// The group has gone, or is not ours.
    pub fn lead(&self, command: &mut Command) -> io::Result<()> {
        let open = |path| File::options().write(true).open(path);
        let doors: Vec<File> = self.0.iter().map(open).collect::<io::Result<_>>()?;
        if doors.is_empty() {
            return Ok(());
        }
        let enter = move || {
            doors.iter().try_for_each(|door| {
                // 0 is whoever writes.
                Ok(rustix::io::write(door, b"0").map(drop)?)
            })
        };
        // SAFETY: between fork and exec it makes system calls and allocates nothing.
        unsafe { command.pre_exec(enter) };
        Ok(())
    }
}
