//! The way to the host: a port of the virtio console.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
use wire::{Frame, PORT_NAME};

use crate::Failure;

const PORTS: &str = "/sys/class/virtio-ports";
/// The host names its ports by messages, which a slow machine may take its time for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often we look where the kernel does not tell of changes.
const INTERVAL: Duration = Duration::from_millis(1);

/// Opens the port as soon as it is there.
pub fn open() -> Result<File, Failure> {
    let path = wait_for_port()
        .ok_or("there is no port to the host: has the kernel a driver (CONFIG_VIRTIO_CONSOLE)?")?;
    let file = File::options().read(true).write(true).open(&path);
    Ok(file.map_err(|error| format!("cannot open the port {}: {error}", path.display()))?)
}

/// Says `frame` and waits until the host takes it.
pub fn say(port: &mut File, frame: &Frame<'_>) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes)?;
    Ok(port.write_all(&bytes)?)
}

fn wait_for_port() -> Option<PathBuf> {
    if let Some(port) = find_port() {
        return Some(port);
    }
    let changes = listen_for_changes();
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        // What came before we listened is found by this.
        if let Some(port) = find_port() {
            return Some(port);
        }
        wait(changes.as_ref().ok());
    }
    None
}

fn find_port() -> Option<PathBuf> {
    let ports = fs::read_dir(PORTS).ok()?.filter_map(Result::ok);
    let has_name = |path: &Path| {
        fs::read_to_string(path.join("name")).is_ok_and(|name| name.trim_end() == PORT_NAME)
    };
    let mut named = ports.filter(|port| has_name(&port.path()));
    Some(Path::new("/dev").join(named.next()?.file_name()))
}

/// A socket that the kernel tells of new devices by.
fn listen_for_changes() -> io::Result<std::os::fd::OwnedFd> {
    const FROM_KERNEL: u32 = 1;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (family, kind) = (AddressFamily::NETLINK, SocketType::DGRAM);
    let socket = socket_with(family, kind, flags, Some(KOBJECT_UEVENT))?;
    bind(&socket, &SocketAddrNetlink::new(0, FROM_KERNEL))?;
    Ok(socket)
}

fn wait(changes: Option<&std::os::fd::OwnedFd>) {
    let Some(changes) = changes else {
        return std::thread::sleep(INTERVAL);
    };
    let second = Timespec {
        tv_sec: 1,
        tv_nsec: 0,
    };
    let _ = poll(&mut [PollFd::new(changes, PollFlags::IN)], Some(&second));
    // Which device it is about does not matter: we look for ours.
    let mut message = [0; 4096];
    while rustix::io::read(changes, &mut message).is_ok_and(|count| count > 0) {}
}
