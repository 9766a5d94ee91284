//! Connections on their way from one process of ours to another.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// What goes along with a connection: nothing can be sent without a byte.
const BYTE: &[u8] = b"c";

/// Sends `connection` by `way`, which does not block.
///
/// # Errors
/// There is no room now, or nobody at the other end.
pub fn send(way: &UnixStream, connection: &UnixStream) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let files = [connection.as_fd()];
    ancillary.push(SendAncillaryMessage::ScmRights(&files));
    sendmsg(
        way,
        &[IoSlice::new(BYTE)],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

/// The next connection that has come by `way`, which does not block; `None` where nobody is
/// at the other end any more.
///
/// # Errors
/// There is none now, or no file descriptor left for it.
pub fn receive(way: &UnixStream) -> io::Result<Option<UnixStream>> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        way,
        &mut [IoSliceMut::new(&mut byte)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let files = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    match files {
        Some(file) => Ok(Some(file.into())),
        // The kernel drops what it cannot give a number to.
        None => Err(io::Error::other("a connection was lost on its way")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn a_connection_arrives_with_what_was_said_by_it() {
        let (here, there) = UnixStream::pair().unwrap();
        let (mut program, connection) = UnixStream::pair().unwrap();
        program.write_all(b"said").unwrap();
        drop(program);
        send(&here, &connection).unwrap();
        drop(connection);
        let mut text = String::new();
        let mut received = receive(&there).unwrap().unwrap();
        received.read_to_string(&mut text).unwrap();
        assert_eq!(text, "said");
    }

    #[test]
    fn an_end_is_no_connection() {
        let (here, there) = UnixStream::pair().unwrap();
        drop(here);
        assert!(receive(&there).unwrap().is_none());
    }
}
