//! A connected stream socket, whose other end another thread of this process has.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use rustix::event::PollFlags;
use rustix::io::ioctl_fionread;

use super::Endpoint;
use crate::host_io::readiness;
use crate::virtio::HostFd;

/// One end of a pair of sockets. When the other end is closed, and all that it has sent is
/// read, the port counts as closed.
pub struct Stream {
    socket: UnixStream,
    has_gone: bool,
}

impl Stream {
    /// Serves the port by `socket`.
    ///
    /// # Errors
    /// It cannot be made not to block.
    pub fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            has_gone: false,
        })
    }
}

impl Endpoint for Stream {
    fn host_fds(&self) -> Vec<HostFd> {
        vec![HostFd::both(&self.socket)]
    }

    fn update(&mut self) {
        let hung_up = readiness(self.socket.as_fd(), PollFlags::empty()).contains(PollFlags::HUP);
        self.has_gone = hung_up && ioctl_fionread(&self.socket).is_ok_and(|unread| unread == 0);
    }

    fn read(&mut self, buffer: &mut [u8]) -> usize {
        // An error is that nothing is there, or nobody.
        self.socket.read(buffer).unwrap_or(0)
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        match self.socket.write(bytes) {
            Ok(count) => count,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                0
            }
            // Nobody is there to take it.
            Err(_) => bytes.len(),
        }
    }

    fn is_connected(&self) -> bool {
        !self.has_gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Stream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Stream::new(ours).unwrap(), theirs)
    }

    #[test]
    fn what_is_not_read_is_not_taken() {
        let (mut stream, mut other) = pair();
        let bytes = vec![7; 64 << 10];
        let mut taken = 0;
        while let count @ 1.. = stream.write(&bytes) {
            taken += count;
        }
        let mut read = vec![0; taken];
        other.read_exact(&mut read).unwrap();
        assert!(read.iter().all(|byte| *byte == 7));
        assert!(stream.write(&bytes) > 0, "there is room again");
    }

    #[test]
    fn an_end_that_is_closed_counts_only_once_all_is_read() {
        let (mut stream, mut other) = pair();
        other.write_all(b"last").unwrap();
        drop(other);
        stream.update();
        assert!(stream.is_connected());
        assert_eq!(stream.read(&mut [0; 16]), 4);
        stream.update();
        assert!(!stream.is_connected());
    }

    #[test]
    fn output_to_nobody_is_discarded() {
        let (mut stream, other) = pair();
        drop(other);
        assert_eq!(stream.write(b"lost"), 4);
    }
}
