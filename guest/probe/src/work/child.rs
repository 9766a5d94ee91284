//! Another process of ours.

use std::io;

use rustix::process::{
    Pid, Signal, WaitOptions, kill_process, set_parent_process_death_signal, waitpid,
};

use super::failure::Failure;

/// A process; it outlives neither this nor ourselves.
pub struct Child(Option<Pid>);

impl Child {
    /// Divides this process in two. The other does `work`, which tells whether it went well.
    ///
    /// It has only this thread, but the C library keeps its heap in order for it.
    pub fn fork(work: impl FnOnce() -> bool) -> Result<Self, Failure> {
        // SAFETY: the child takes no lock but the heap's, and ends without any clean-up.
        match unsafe { libc::fork() } {
            0 => end(work()),
            pid if pid > 0 => Ok(Self(Pid::from_raw(pid))),
            _ => Err(Failure::to("fork")(io::Error::last_os_error())),
        }
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Result<(), Failure> {
        let pid = self.0.take();
        let ended =
            waitpid(pid, WaitOptions::empty()).map_err(Failure::to("wait for a process"))?;
        match ended.map(|(_, status)| (status.exit_status(), status.terminating_signal())) {
            Some((Some(0), _)) => Ok(()),
            Some((_, Some(libc::SIGKILL))) => Err(Failure::Killed),
            _ => Err(Failure::Wrong("the other process failed")),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // One that has ended needs no signal.
            let _ = kill_process(pid, Signal::KILL);
            let _ = waitpid(Some(pid), WaitOptions::empty());
        }
    }
}

/// For a child that waits for us: it ends when we do.
pub fn end_with_parent() -> bool {
    set_parent_process_death_signal(Some(Signal::KILL)).is_ok()
}

fn end(well: bool) -> ! {
    // SAFETY: it does not return, and runs nothing that belongs to the parent.
    unsafe { libc::_exit(i32::from(!well)) }
}
