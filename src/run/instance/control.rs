//! What one instance is told by other commands: a socket in its directory, a JSON message
//! and the answer to it, and with `exec` the three standard streams.
//!
//! A connection is one request. After `Exec` it lives as long as the command: signals and
//! sizes go in, the outcome comes out.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind,
    connect, listen, recvmsg, sendmsg, socket_with,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wire::{Launch, WindowSize};

use crate::run::outcome::Outcome;
use crate::run::running::Streams;

/// What an instance can be asked.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// To pass a signal on to its command.
    Signal(i32),
    /// To end its command at once.
    Kill,
    /// To stop its time.
    Pause,
    /// To let it go on.
    Resume,
    /// What was counted of it.
    Counters,
    /// To run another command; three file descriptors come with it.
    Exec(Launch),
    /// That the terminal of that command has another size.
    Resize(WindowSize),
}

/// What it answers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It is done.
    Done,
    /// It cannot be done, and why.
    Failed(String),
    /// What was counted of it until now.
    Counters(Vec<(String, u64)>),
    /// How the command that was asked for ended.
    Ended(Outcome),
}

/// The socket's name in the directory of an instance.
const SOCKET: &str = "control.sock";
/// A command with its environment has room in it.
const MAX_MESSAGE: usize = 128 << 10;
const STREAMS: usize = 3;

/// Where an instance waits for requests.
pub struct Listener(OwnedFd);

/// One request, and the way back to who made it.
pub struct Connection(OwnedFd);

impl Listener {
    /// Listens in `directory`.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn bind(directory: &Path) -> io::Result<Self> {
        let socket = socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
        let here = File::open(directory)?;
        bind(&socket, &address(&here)?)?;
        listen(&socket, 16)?;
        Ok(Self(socket))
    }

    /// The next who has connected.
    ///
    /// # Errors
    /// There is none (`WouldBlock`), or the host has no file descriptor left.
    pub fn accept(&self) -> io::Result<Connection> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        Ok(Connection(accept_with(&self.0, flags)?))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Connection {
    /// Connects to the instance of `directory`.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let socket = socket(SocketFlags::CLOEXEC)?;
        let here = File::open(directory)?;
        connect(&socket, &address(&here)?)?;
        Ok(Self(socket))
    }

    /// Says `message`, with `files` beside it.
    ///
    /// # Errors
    /// The other side has gone, or the message is too long.
    pub fn send<T: Serialize>(&self, message: &T, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = serde_json::to_vec(message)?;
        if bytes.len() > MAX_MESSAGE {
            return Err(io::Error::other("the command is too long to be passed on"));
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(STREAMS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(files));
        }
        sendmsg(
            &self.0,
            &[IoSlice::new(&bytes)],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        )?;
        Ok(())
    }

    /// Waits for a message and what comes with it; `None` where the other side has gone.
    ///
    /// # Errors
    /// It is none of ours; or, on the side of the instance, there is none yet.
    pub fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let mut bytes = vec![0; MAX_MESSAGE];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(STREAMS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let message = recvmsg(
            &self.0,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )?;
        if message.bytes == 0 {
            return Ok(None);
        }
        let mut files = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                files.extend(received);
            }
        }
        let value = serde_json::from_slice(bytes.get(..message.bytes).unwrap_or_default())?;
        Ok(Some((value, files)))
    }
}

/// The three streams that came with an `Exec`.
///
/// # Errors
/// They are not three.
pub fn streams(files: Vec<OwnedFd>) -> io::Result<Streams> {
    match <[OwnedFd; STREAMS]>::try_from(files) {
        Ok([input, output, errors]) => Ok(Streams {
            input,
            output,
            errors,
        }),
        Err(files) => Err(io::Error::other(format!(
            "{} file descriptors came instead of three",
            files.len()
        ))),
    }
}

/// Messages keep their limits, and an end is noticed.
fn socket(flags: SocketFlags) -> io::Result<OwnedFd> {
    let family = AddressFamily::UNIX;
    Ok(socket_with(family, SocketType::SEQPACKET, flags, None)?)
}

/// An address has room for 107 bytes; this way a directory may have any name.
fn address(directory: &File) -> io::Result<SocketAddrUnix> {
    let path = format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd());
    Ok(SocketAddrUnix::new(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (tempfile::TempDir, Connection, Connection) {
        let directory = tempfile::tempdir().unwrap();
        let listener = Listener::bind(directory.path()).unwrap();
        let client = Connection::open(directory.path()).unwrap();
        let server = listener.accept().unwrap();
        (directory, client, server)
    }

    #[test]
    fn a_request_and_its_files_arrive() {
        let (_directory, client, server) = pair();
        let request = Request::Exec(Launch::default());
        let input = io::stdin();
        let files = [input.as_fd(); STREAMS];
        client.send(&request, &files).unwrap();
        let (received, files) = server.receive::<Request>().unwrap().unwrap();
        assert_eq!(received, request);
        assert!(streams(files).is_ok());
    }

    #[test]
    fn who_has_gone_is_noticed() {
        let (_directory, client, server) = pair();
        drop(client);
        assert!(server.receive::<Request>().unwrap().is_none());
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        let (_directory, client, server) = pair();
        client.send(&"nonsense", &[]).unwrap();
        assert!(server.receive::<Request>().is_err());
    }

    #[test]
    fn streams_are_three() {
        assert!(streams(Vec::new()).is_err());
    }
}
