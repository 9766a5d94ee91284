//! The loopback interface, which is down in a fresh network.

use std::os::fd::AsRawFd;

use rustix::net::{AddressFamily, SocketType, socket};

/// Raises it; in a kernel without a network there is none.
pub fn raise_loopback() {
    let Ok(socket) = socket(AddressFamily::INET, SocketType::DGRAM, None) else {
        return;
    };
    // SAFETY: all-zero integers and arrays are a valid value of this structure.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = UP_AND_RUNNING;
    // SAFETY: the request is an `ifreq`, as this ioctl expects, and outlives the call.
    unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
}

/// `IFF_UP | IFF_RUNNING` of `linux/if.h`, in the width that a request has.
const UP_AND_RUNNING: libc::c_short = 0x1 | 0x40;
