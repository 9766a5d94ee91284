//! A virtiofsd: the process that serves one directory of the host to a machine.
//!
//! It is no part of vmm, and it reads what a hostile guest writes. So it gets nothing but the
//! directory and the guest's memory: it shuts itself into namespaces whose root is that
//! directory, without the rights to leave or to make devices, and what may only be read is
//! read-only before it starts. It ends with us, whatever ends us.

mod program;

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, set_parent_process_death_signal};

pub use program::Program;

use crate::chain;
use crate::root::namespace::{self, NamespaceError};
use crate::run::request::Volume;

/// How long one may take to end whose connection is closed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a directory is not served.
#[derive(Debug, thiserror::Error)]
pub enum VirtiofsdError {
    /// Nothing to serve.
    #[error("cannot show {0}: it is no directory of the host")]
    Directory(PathBuf, #[source] io::Error),
    /// The way to it cannot be made.
    #[error("cannot make a socket for virtiofsd in {0}")]
    Socket(PathBuf, #[source] io::Error),
    /// It does not start.
    #[error("cannot start {program}{said}")]
    Start {
        /// Which one.
        program: PathBuf,
        /// What it had to say.
        said: String,
        /// Why.
        source: io::Error,
    },
}

/// A virtiofsd at work, which ends when this is dropped.
#[derive(Debug)]
pub struct Virtiofsd {
    child: Child,
    directory: PathBuf,
    connection: Arc<UnixStream>,
    log: PathBuf,
}

impl Virtiofsd {
    /// Has `program` serve the directory of `volume`; what it says goes to `log`.
    ///
    /// # Errors
    /// There is no such directory, or it does not start.
    pub fn start(program: &Program, volume: &Volume, log: PathBuf) -> Result<Self, VirtiofsdError> {
        let source = directory(&volume.source)
            .map_err(|error| VirtiofsdError::Directory(volume.source.clone(), error))?;
        let (connection, listener) = connected(&log.with_extension("sock"))
            .map_err(|error| VirtiofsdError::Socket(log.clone(), error))?;
        let failed = |error| VirtiofsdError::Start {
            program: program.path().to_owned(),
            said: last_line(&log).map_or_else(String::new, |line| format!(" ({line})")),
            source: error,
        };
        let mut command = program.serve(&source, listener.as_raw_fd());
        let output = File::create(&log).map_err(failed)?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output);
        confine(&mut command, listener, volume.read_only.then_some(source));
        let child = command.spawn().map_err(failed)?;
        Ok(Self {
            child,
            directory: volume.source.clone(),
            connection: Arc::new(connection),
            log,
        })
    }

    /// What it serves.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The way to it, for the device of a machine.
    pub fn connection(&self) -> Arc<UnixStream> {
        self.connection.clone()
    }

    /// What it has said last, if anything.
    pub fn said(&self) -> Option<String> {
        last_line(&self.log)
    }

    /// Waits until it has ended; whether it has.
    fn ends_in_time(&self) -> bool {
        let time = Timespec::try_from(PATIENCE).unwrap_or_default();
        pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty())
            .and_then(|pidfd| poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&time)))
            .is_ok_and(|ready| ready > 0)
    }
}

impl Drop for Virtiofsd {
    fn drop(&mut self) {
        // Nobody speaks to it any more: it writes what it has begun, and ends.
        let _ = self.connection.shutdown(std::net::Shutdown::Both);
        if !self.ends_in_time() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn directory(path: &Path) -> io::Result<PathBuf> {
    let path = fs::canonicalize(path)?;
    match path.is_dir() {
        true => Ok(path),
        false => Err(io::ErrorKind::NotADirectory.into()),
    }
}

/// A connection to a listener that nobody else can reach: it has a name for a moment only, in
/// a directory of ours.
fn connected(path: &Path) -> io::Result<(UnixStream, UnixListener)> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // The path of a socket is short; that of a directory need not be.
    let directory = File::open(directory)?;
    let short = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string());
    let listener = UnixListener::bind(short.join(name))?;
    let connection = UnixStream::connect(short.join(name));
    fs::remove_file(path)?;
    Ok((connection?, listener))
}

/// Has `command` start where only `read_only` differs from the host, with `listener`, and end
/// with us.
fn confine(command: &mut Command, listener: UnixListener, read_only: Option<PathBuf>) {
    let enter = move || {
        // It is told on standard error, as the error alone is a number.
        prepare(read_only.as_deref()).inspect_err(|error| eprintln!("{}", chain(error)))?;
        set_parent_process_death_signal(Some(Signal::KILL))?;
        Ok(fcntl_setfd(&listener, FdFlags::empty())?)
    };
    // SAFETY: the closure makes system calls, and allocates at most: this process has one thread.
    unsafe { command.pre_exec(enter) };
}

/// A mount namespace of its own, in a user namespace where only that gives the rights.
fn prepare(read_only: Option<&Path>) -> io::Result<()> {
    let namespace = namespace::unshare_mounts().map_err(told)?;
    read_only.map_or(Ok(()), |directory| namespace.protect(directory))
}

/// The error as it passes from a child to its parent: a number.
fn told(error: NamespaceError) -> io::Error {
    eprintln!("{}", chain(&error));
    let errno = |error: &dyn std::error::Error| {
        let source = error.source()?.downcast_ref::<io::Error>()?;
        source.raw_os_error()
    };
    io::Error::from_raw_os_error(errno(&error).unwrap_or(libc::EPERM))
}

fn last_line(log: &Path) -> Option<String> {
    let said = fs::read(log).ok()?;
    let said = String::from_utf8_lossy(&said);
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.next_back().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_directory_is_told_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["missing", "file"] {
            fs::write(folder.path().join("file"), "").unwrap();
            let path = folder.path().join(name);
            assert!(directory(&path).is_err(), "{name}");
        }
        assert!(directory(folder.path()).is_ok());
    }

    #[test]
    fn nobody_finds_the_socket_by_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("d".repeat(120));
        fs::create_dir(&deep).unwrap();
        let (_connection, listener) = connected(&deep.join("share.sock")).unwrap();
        assert_eq!(fs::read_dir(&deep).unwrap().count(), 0);
        assert!(listener.accept().is_ok());
    }
}
