//! What a new process does until it is the command, and how it tells that it could not.

use std::io::{self, PipeWriter, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;
use rustix::process::{Gid, Signal, Uid, ioctl_tiocsctty, setsid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

use crate::launch::{Prepared, Streams};
use crate::sys;
use crate::user::Identity;

/// The steps that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Taking the streams.
    Streams,
    /// Taking the terminal.
    Terminal,
    /// Joining the cgroup.
    Cgroup,
    /// Entering the working directory.
    Workdir,
    /// Becoming the user.
    User,
    /// Becoming the program.
    Exec,
}

const STEPS: [Step; 6] = [
    Step::Streams,
    Step::Terminal,
    Step::Cgroup,
    Step::Workdir,
    Step::User,
    Step::Exec,
];

impl Step {
    /// What cannot be done, as an error says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Streams => "set up the command's streams",
            Self::Terminal => "give the command its terminal",
            Self::Cgroup => "put the command into its cgroup",
            Self::Workdir => "enter the working directory",
            Self::User => "become the command's user",
            Self::Exec => "execute the command",
        }
    }
}

/// The step that failed, and the number of the error.
pub type Report = [u8; 5];

/// What a child says of its failure.
pub fn parse(report: Report) -> Option<(Step, io::Error)> {
    let [step, a, b, c, d] = report;
    let step = STEPS.get(usize::from(step))?;
    let error = io::Error::from_raw_os_error(i32::from_ne_bytes([a, b, c, d]));
    Some((*step, error))
}

/// Becomes the command, or says over `report` why not, and ends.
pub fn run(
    prepared: &Prepared,
    streams: Streams,
    cgroup: Option<BorrowedFd<'_>>,
    mut report: PipeWriter,
) -> ! {
    let (step, error) = match dress(prepared, streams, cgroup) {
        Ok(()) => (Step::Exec, execute(prepared)),
        Err(failure) => failure,
    };
    let [a, b, c, d] = error.raw_os_error().to_ne_bytes();
    let _ = report.write_all(&[step as u8, a, b, c, d]);
    sys::exit_now(crate::FAILURE)
}

/// All steps but the last.
fn dress(
    prepared: &Prepared,
    streams: Streams,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<(), (Step, Errno)> {
    let at = |step| move |error| (step, error);
    take(streams)?;
    if let Some(procs) = cgroup {
        // 0 is whoever writes.
        rustix::io::write(procs, b"0").map_err(at(Step::Cgroup))?;
    }
    rustix::process::chdir(&prepared.workdir).map_err(at(Step::Workdir))?;
    if let Some(identity) = &prepared.identity {
        become_user(identity).map_err(at(Step::User))?;
    }
    // If we are killed, so is the command; a kernel clears this for a set-user-ID program.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    Ok(())
}

/// Without a terminal of its own a command is in a session without any: what is typed at
/// ours signals us, and we forward it.
fn take(streams: Streams) -> Result<(), (Step, Errno)> {
    match streams {
        Streams::Inherited => new_session(),
        Streams::Pipes([input, output, error]) => {
            new_session()?;
            let moved = dup2_stdin(input)
                .and_then(|()| dup2_stdout(output))
                .and_then(|()| dup2_stderr(error));
            moved.map_err(|error| (Step::Streams, error))
        }
        Streams::Terminal(terminal) => {
            new_session()?;
            let moved = dup2_stdin(&terminal)
                .and_then(|()| dup2_stdout(&terminal))
                .and_then(|()| dup2_stderr(&terminal));
            moved.map_err(|error| (Step::Streams, error))?;
            ioctl_tiocsctty(terminal.as_fd()).map_err(|error| (Step::Terminal, error))
        }
    }
}

fn new_session() -> Result<(), (Step, Errno)> {
    setsid().map(drop).map_err(|error| (Step::Terminal, error))
}

/// The groups first: afterwards we may not.
fn become_user(identity: &Identity) -> Result<(), Errno> {
    let is_us = rustix::process::getuid().as_raw() == identity.uid
        && rustix::process::getgid().as_raw() == identity.gid;
    let groups: Vec<Gid> = identity
        .groups
        .iter()
        .map(|gid| Gid::from_raw(*gid))
        .collect();
    match set_thread_groups(&groups) {
        // Who is not root has the groups that he has, and stays who he is.
        Err(Errno::PERM) if is_us => return Ok(()),
        result => result?,
    }
    set_thread_gid(Gid::from_raw(identity.gid))?;
    set_thread_uid(Uid::from_raw(identity.uid))
}

/// Tries every place; returns why none will do. A place where the program is, but not for
/// us, counts for more than one where it is not.
fn execute(prepared: &Prepared) -> Errno {
    sys::restore_signals();
    sys::close_on_exec_from_3();
    let mut worst = Errno::NOENT;
    for candidate in &prepared.candidates {
        match sys::execve(candidate, &prepared.argv, &prepared.env) {
            Errno::NOENT | Errno::NOTDIR => {}
            Errno::ACCESS => worst = Errno::ACCESS,
            error => return error,
        }
    }
    worst
}
