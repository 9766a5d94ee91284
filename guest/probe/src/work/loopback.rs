//! Packets that a kernel sends to itself: everything of a network but the wire.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
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
pub fn round_trip(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let _pinned = Pinned::to_first()?;
    let (mut ours, mut theirs) = connected()?;
    with(
        move || while theirs.read_exact(&mut [0]).is_ok() && theirs.write_all(&[1]).is_ok() {},
        move || {
            timed(operations, |_| {
                let passed = ours
                    .write_all(&[1])
                    .and_then(|()| ours.read_exact(&mut [0]));
                passed.map_err(Failure::to("pass a byte over TCP"))
            })
        },
    )
}

/// 64 KiB after 64 KiB to another thread, which may run on another CPU, until it has them all.
pub fn throughput(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let (mut ours, mut theirs) = connected()?;
    with(
        move || {
            let mut block = [0; BLOCK];
            let taken = (0..operations).try_for_each(|_| theirs.read_exact(&mut block));
            // Who hears nothing tells why.
            let _ = taken.and_then(|()| theirs.write_all(&[1]));
        },
        move || {
            let block = [0xa5; BLOCK];
            let watch = Watch::start();
            let sent = (0..operations).try_for_each(|_| ours.write_all(&block));
            let heard = sent.and_then(|()| ours.read_exact(&mut [0]));
            let measured = watch.stop(operations);
            heard.map_err(Failure::to("send bytes over TCP"))?;
            Ok(Measured {
                bytes: operations * BLOCK as u64,
                ..measured
            })
        },
    )
}

/// Does `theirs` on a thread of its own while `ours` is done, and waits for both.
fn with(
    theirs: impl FnOnce() + Send,
    ours: impl FnOnce() -> Result<Measured, Failure>,
) -> Result<Measured, Failure> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, theirs);
        thread.map_err(Failure::to("start a thread"))?;
        ours()
    })
}

/// Both ends of a connection.
fn connected() -> Result<(TcpStream, TcpStream), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listener = listener.map_err(Failure::to("listen on 127.0.0.1"))?;
    let address = listener.local_addr();
    let ours = connect(address.map_err(Failure::to("tell where we listen"))?)?;
    // It waits already: whoever has connected has been heard.
    let theirs = listener.accept();
    let (theirs, _) = theirs.map_err(Failure::to("accept a connection"))?;
    for side in [&ours, &theirs] {
        prepare(side).map_err(Failure::to("prepare a connection"))?;
    }
    Ok((ours, theirs))
}

fn prepare(side: &TcpStream) -> io::Result<()> {
    side.set_nodelay(true)?;
    side.set_read_timeout(Some(PATIENCE))?;
    side.set_write_timeout(Some(PATIENCE))
}

/// Sets the interface up first if it is down, and if we may.
fn connect(address: SocketAddr) -> Result<TcpStream, Failure> {
    let mut connection = TcpStream::connect_timeout(&address, PATIENCE);
    let unreachable = |error: &io::Error| error.kind() == io::ErrorKind::NetworkUnreachable;
    if connection.as_ref().is_err_and(unreachable) {
        raise().map_err(Failure::to("set the interface lo up"))?;
        connection = TcpStream::connect_timeout(&address, PATIENCE);
    }
    connection.map_err(Failure::to("connect to 127.0.0.1"))
}

/// `IFF_UP` of `linux/if.h`, in the width that a request has.
const UP: libc::c_short = 0x1;

fn raise() -> io::Result<()> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
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
        _ => Err(io::Error::last_os_error()),
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
