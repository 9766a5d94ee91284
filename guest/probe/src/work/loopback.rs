//! Packets that a kernel sends to itself: everything of a network but the wire.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;
use std::time::Duration;

use rustix::io::{Errno, Result, read, write};
use rustix::net::sockopt::{Timeout, set_socket_timeout, set_tcp_nodelay};
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, accept, bind, connect, getsockname, listen, socket_with,
};
use wire::Measured;

use super::affinity::Pinned;
use super::failure::Failure;
use super::latencies::timed;
use super::place::Place;
use super::watch::Watch;

/// How long either side waits for the other before it gives up.
const PATIENCE: Duration = Duration::from_secs(20);
/// What an operation of [`throughput`] sends, in bytes.
const BLOCK: usize = 64 << 10;

/// A byte there and back, both sides on one CPU.
pub fn round_trip(_: &mut Place, operations: u64) -> Outcome {
    let _pinned = Pinned::to_first()?;
    let (ours, theirs) = connected()?;
    with(
        move || while receive(&theirs, &mut [0]).is_ok() && send(&theirs, &[1]).is_ok() {},
        move || {
            timed(operations, |_| {
                let passed = send(&ours, &[1]).and_then(|()| receive(&ours, &mut [0]));
                passed.map_err(Failure::to("pass a byte over TCP"))
            })
        },
    )
}

/// 64 KiB after 64 KiB to another thread, which may run on another CPU, until it has them all.
pub fn throughput(_: &mut Place, operations: u64) -> Outcome {
    let (ours, theirs) = connected()?;
    with(
        move || {
            let mut block = [0; BLOCK];
            let taken = (0..operations).try_for_each(|_| receive(&theirs, &mut block));
            // Who hears nothing tells why.
            let _ = taken.and_then(|()| send(&theirs, &[1]));
        },
        move || {
            let block = [0xa5; BLOCK];
            let watch = Watch::start();
            let sent = (0..operations).try_for_each(|_| send(&ours, &block));
            let heard = sent.and_then(|()| receive(&ours, &mut [0]));
            let measured = watch.stop(operations);
            heard.map_err(Failure::to("send bytes over TCP"))?;
            Ok(Measured {
                bytes: operations * BLOCK as u64,
                ..measured
            })
        },
    )
}

type Outcome = std::result::Result<Measured, Failure>;

/// Sends all of `bytes`.
fn send(side: &OwnedFd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let sent = write(side, bytes)?;
        bytes = bytes.get(sent..).unwrap_or_default();
    }
    Ok(())
}

/// Receives as many bytes as there is room for.
fn receive(side: &OwnedFd, mut room: &mut [u8]) -> Result<()> {
    while !room.is_empty() {
        match read(side, &mut *room)? {
            0 => return Err(Errno::CONNRESET),
            count => room = room.get_mut(count..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// Does `theirs` on a thread of its own while `ours` is done, and waits for both.
fn with(theirs: impl FnOnce() + Send, ours: impl FnOnce() -> Outcome) -> Outcome {
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, theirs);
        thread.map_err(Failure::to("start a thread"))?;
        ours()
    })
}

/// Both ends of a connection.
fn connected() -> std::result::Result<(OwnedFd, OwnedFd), Failure> {
    let (listener, ours) = listen_and_connect().map_err(Failure::to("connect to 127.0.0.1"))?;
    // It waits already: whoever has connected has been heard.
    let theirs = accept(&listener).map_err(Failure::to("accept a connection"))?;
    for side in [&ours, &theirs] {
        prepare(side).map_err(Failure::to("prepare a connection"))?;
    }
    Ok((ours, theirs))
}

/// Sets the interface up first if it is down, and if we may.
fn listen_and_connect() -> Result<(OwnedFd, OwnedFd)> {
    let (listener, ours) = (tcp()?, tcp()?);
    bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    listen(&listener, 1)?;
    let address = getsockname(&listener)?;
    match connect(&ours, &address) {
        Err(Errno::NETUNREACH) => raise().and_then(|()| connect(&ours, &address))?,
        connected => connected?,
    }
    Ok((listener, ours))
}

fn tcp() -> Result<OwnedFd> {
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    // That of connecting is the one of sending: socket(7).
    set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
    Ok(socket)
}

fn prepare(side: &OwnedFd) -> Result<()> {
    set_tcp_nodelay(side, true)?;
    set_socket_timeout(side, Timeout::Send, Some(PATIENCE))?;
    set_socket_timeout(side, Timeout::Recv, Some(PATIENCE))
}

/// `IFF_UP` of `linux/if.h`, in the width that a request has.
const UP: libc::c_short = 0x1;

fn raise() -> Result<()> {
    let socket = tcp()?;
    // SAFETY: zeroes are an `ifreq`: numbers, and a name that is empty.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = UP;
    // SAFETY: netdevice(7): SIOCSIFFLAGS reads an `ifreq` and writes none.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    match result {
        0 => Ok(()),
        _ => Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::PERM)),
    }
}

#[cfg(test)]
mod tests {
    use rustix::thread::{UnshareFlags, unshare_unsafe};

    use super::super::tests::measured;
    use super::*;

    #[test]
    fn bytes_go_to_ourselves_and_back() {
        assert_eq!(measured("loopback-rtt", 3).latencies_ns.len(), 3);
        assert_eq!(measured("loopback-throughput", 3).bytes, 3 * 65536);
    }

    #[test]
    fn an_interface_that_is_down_is_set_up_or_the_reason_is_told() {
        let heard = thread::spawn(|| {
            // SAFETY: this thread has nothing to do with the network that it leaves.
            let left = unsafe { unshare_unsafe(UnshareFlags::NEWNET) };
            left.map(|()| round_trip(&mut Place::below(std::path::Path::new("/nowhere")), 1))
        });
        // Who may not have a network of his own has none that is down.
        if let Ok(heard) = heard.join().unwrap() {
            assert_eq!(heard.unwrap().operations, 1);
        }
    }
}
