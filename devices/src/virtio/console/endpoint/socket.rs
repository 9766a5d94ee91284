//! A Unix socket that one client at a time connects to.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{PollFlags, Timespec};
use rustix::io::ioctl_fionread;

use super::Endpoint;
use crate::host_io::readiness;
use crate::virtio::HostFd;

/// Why no client could ever connect.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// There is something at the path that is not ours to replace.
    #[error("{} exists and is no socket: choose another path, or remove it", .0.display())]
    Occupied(PathBuf),
    /// Another process listens at the path.
    #[error("another process listens at {}: choose another path", .0.display())]
    InUse(PathBuf),
    /// The system refuses.
    #[error("cannot listen at {}", path.display())]
    Listen {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A listening socket, and the client that has connected to it.
///
/// Further clients wait until the one before has gone. While there is none, output is
/// discarded.
pub struct Socket {
    listener: UnixListener,
    client: Option<UnixStream>,
    /// Holds the listener and the client, so that one file stands for both.
    watch: OwnedFd,
    path: PathBuf,
    identity: (u64, u64),
}

impl Socket {
    /// Listens at `path`, in the place of a socket that nobody listens at any more.
    ///
    /// # Errors
    /// Something else is at `path`, or it cannot be made.
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        make_room(path)?;
        Self::listen(path).map_err(|source| SocketError::Listen {
            path: path.to_owned(),
            source,
        })
    }

    fn listen(path: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        let watch = epoll::create(CreateFlags::CLOEXEC)?;
        add(&watch, &listener, EventFlags::IN)?;
        Ok(Self {
            listener,
            client: None,
            watch,
            path: path.to_owned(),
            identity: identity(&fs::symlink_metadata(path)?),
        })
    }

    fn accept(&self) -> Option<UnixStream> {
        let (client, _) = self.listener.accept().ok()?;
        let interest = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP;
        let watched = client
            .set_nonblocking(true)
            .and_then(|()| add(&self.watch, &client, interest));
        match watched {
            Ok(()) => Some(client),
            Err(error) => {
                log::warn!("a client of {} is refused: {error}", self.path.display());
                None
            }
        }
    }

    /// Forgets which of the two was ready: both are asked anyway.
    fn clear_watch(&self) {
        let mut events = Vec::with_capacity(2);
        let now = Timespec::default();
        let _ = epoll::wait(
            &self.watch,
            rustix::buffer::spare_capacity(&mut events),
            Some(&now),
        );
    }
}

impl Endpoint for Socket {
    fn host_fds(&self) -> Vec<HostFd> {
        vec![HostFd::both(&self.watch)]
    }

    fn update(&mut self) {
        self.clear_watch();
        match &self.client {
            Some(client) if has_gone(client) => self.client = None,
            Some(_) => {}
            None => self.client = self.accept(),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> usize {
        let client = self.client.as_mut();
        // Zero is also the end of what a client sends: it may go on listening.
        client
            .and_then(|client| client.read(buffer).ok())
            .unwrap_or(0)
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        let Some(client) = &mut self.client else {
            return bytes.len();
        };
        match client.write(bytes) {
            Ok(count) => count,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                0
            }
            // It does not listen any more: what it has sent is still read.
            Err(_) => bytes.len(),
        }
    }

    fn is_connected(&self) -> bool {
        self.client.is_some()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Somebody may have put another file there in the meantime.
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| identity(&metadata) == self.identity);
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes a socket that nobody listens at.
fn make_room(path: &Path) -> Result<(), SocketError> {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        // If it is there but cannot be looked at, listening says why.
        return Ok(());
    };
    if !metadata.file_type().is_socket() {
        return Err(SocketError::Occupied(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(|source| SocketError::Listen {
                path: path.to_owned(),
                source,
            }),
        _ => Err(SocketError::InUse(path.to_owned())),
    }
}

/// Whether both directions are closed and all that was sent has been read.
fn has_gone(client: &UnixStream) -> bool {
    let hung_up = readiness(client.as_fd(), PollFlags::empty()).contains(PollFlags::HUP);
    hung_up && ioctl_fionread(client).is_ok_and(|unread| unread == 0)
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn add(watch: &OwnedFd, file: &impl AsFd, interest: EventFlags) -> io::Result<()> {
    let data = EventData::new_u64(0);
    Ok(epoll::add(watch, file, data, interest | EventFlags::ET)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmm_sys_util::tempdir::TempDir;

    fn folder() -> (PathBuf, TempDir) {
        let folder = TempDir::new().unwrap();
        (folder.as_path().join("socket"), folder)
    }

    #[test]
    fn a_file_at_the_path_is_not_replaced() {
        let (path, _folder) = folder();
        fs::write(&path, "precious").unwrap();
        assert!(matches!(Socket::bind(&path), Err(SocketError::Occupied(_))));
        assert_eq!(fs::read_to_string(path).unwrap(), "precious");
    }

    #[test]
    fn a_socket_that_nobody_listens_at_is_replaced() {
        let (path, _folder) = folder();
        drop(UnixListener::bind(&path).unwrap());
        let _socket = Socket::bind(&path).unwrap();
        assert!(UnixStream::connect(path).is_ok());
    }

    #[test]
    fn a_socket_that_somebody_listens_at_is_refused_and_still_works() {
        let (path, _folder) = folder();
        let _other = Socket::bind(&path).unwrap();
        assert!(matches!(Socket::bind(&path), Err(SocketError::InUse(_))));
        assert!(UnixStream::connect(path).is_ok());
    }

    #[test]
    fn the_socket_goes_with_its_endpoint() {
        let (path, _folder) = folder();
        drop(Socket::bind(&path).unwrap());
        assert!(!path.exists());
    }

    #[test]
    fn what_another_has_put_there_stays() {
        let (path, _folder) = folder();
        let socket = Socket::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "theirs").unwrap();
        drop(socket);
        assert_eq!(fs::read_to_string(path).unwrap(), "theirs");
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let error = Socket::bind(Path::new("/nowhere/socket")).err().unwrap();
        assert_eq!(error.to_string(), "cannot listen at /nowhere/socket");
    }
}
