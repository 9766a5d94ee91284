//! Where the commands of one instance connect: a directory with a socket for each channel.
//!
//! It is shown to them as `/run/vmm/channels`; for a guest with a kernel of its own, our half of
//! the port connects in their stead.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, listen, socket_with,
};

use super::{ChannelName, address};

/// Its name in the directory of an instance.
const DIRECTORY: &str = "channels";

/// How many can wait at a door to be let in; who connects then waits to be able to wait.
const BACKLOG: i32 = 16;

/// The sockets of one instance.
#[derive(Clone, Debug)]
pub struct Doors {
    path: PathBuf,
    directory: Arc<File>,
}

impl Doors {
    /// Makes the directory, in that of the instance.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make(instance: &Path) -> io::Result<Self> {
        let path = instance.join(DIRECTORY);
        // Whatever user a command becomes.
        DirBuilder::new().mode(0o755).create(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        let directory = Arc::new(File::open(&path)?);
        Ok(Self { path, directory })
    }

    /// What is shown.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the door of channel `name`: who connects waits until he is let in.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn open(&self, name: &ChannelName) -> io::Result<UnixListener> {
        let listener = UnixListener::bind(address(&self.directory, name.as_str()))?;
        listen(&listener, BACKLOG)?;
        fs::set_permissions(self.path.join(name.as_str()), Permissions::from_mode(0o666))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    /// Connects to channel `name`, and never waits.
    ///
    /// # Errors
    /// Too many wait already.
    pub fn enter(&self, name: &ChannelName) -> io::Result<UnixStream> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        let address = address(&self.directory, name.as_str());
        connect(&socket, &SocketAddrUnix::new(address)?)?;
        Ok(socket.into())
    }

    /// Takes the sockets away.
    pub fn remove(&self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_enters_is_let_in_whatever_the_directory_is_called() {
        let instance = tempfile::tempdir().unwrap();
        let deep = instance.path().join("d".repeat(120));
        fs::create_dir(&deep).unwrap();
        let doors = Doors::make(&deep).unwrap();
        let name: ChannelName = "db".parse().unwrap();
        let listener = doors.open(&name).unwrap();
        let _connection = doors.enter(&name).unwrap();
        assert!(listener.accept().is_ok());
        let mode = doors.path().join("db").metadata().unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o666);
    }

    #[test]
    fn a_door_that_too_many_wait_at_is_an_error_and_no_wait() {
        let instance = tempfile::tempdir().unwrap();
        let doors = Doors::make(instance.path()).unwrap();
        let name: ChannelName = "db".parse().unwrap();
        let _listener = doors.open(&name).unwrap();
        let mut waiting = Vec::new();
        let error = loop {
            match doors.enter(&name) {
                Ok(connection) => waiting.push(connection),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
