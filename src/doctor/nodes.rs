//! Device nodes that some features of a machine are built on.

use std::fs::File;
use std::io;

use serde::Serialize;

/// A device node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its path.
    pub path: &'static str,
    /// Whether this process can open it.
    pub state: State,
}

/// Whether a node can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It opens for reading and writing.
    Usable,
    /// It may not be opened.
    Forbidden,
    /// There is none, or nothing behind it.
    Absent,
}

/// Network interfaces, and virtio devices that the host's kernel serves.
const NODES: [&str; 3] = ["/dev/net/tun", "/dev/vhost-net", "/dev/vhost-vsock"];

/// Tries each of them.
pub fn examine() -> Vec<Node> {
    NODES
        .map(|path| Node {
            path,
            state: state(File::options().read(true).write(true).open(path).err()),
        })
        .to_vec()
}

fn state(failure: Option<io::Error>) -> State {
    match failure {
        None => State::Usable,
        Some(error) if error.kind() == io::ErrorKind::PermissionDenied => State::Forbidden,
        Some(_) => State::Absent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_without_a_driver_is_absent() {
        let failure = io::Error::from_raw_os_error(libc::ENODEV);
        assert_eq!(state(Some(failure)), State::Absent);
    }

    #[test]
    fn a_node_of_somebody_else_is_forbidden() {
        let failure = io::Error::from_raw_os_error(libc::EACCES);
        assert_eq!(state(Some(failure)), State::Forbidden);
    }
}
