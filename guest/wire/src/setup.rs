//! What a guest makes of itself before its first command. Only behind the vm wall: a
//! container's engine does the same from the outside.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where a guest has the sockets of its channels.
pub const CHANNEL_DIRECTORY: &str = "/run/vmm/channels";

/// How many connections an instance may have at a channel; who comes after them waits.
pub const MAX_CONNECTIONS: usize = 16;
/// How long the end of a command waits for what it has said to a channel to be taken.
pub const LINGER: Duration = Duration::from_secs(3);

/// What a guest is to make of itself.
///
/// Disks are named by their virtio serial numbers, which the host gives them: the order in
/// which a kernel finds them is nobody's promise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Setup {
    /// The serial number of the disk with the base of the root; it is only read.
    pub base: String,
    /// That of the disk with `upper/` and `work/`, which keeps what is written. Without it,
    /// that is in memory and gone with the guest.
    pub keep: Option<String>,
    /// The guest's host name.
    pub hostname: Option<String>,
    /// Whether the root can only be read, except for volumes, /tmp, /run and /dev/shm.
    pub read_only: bool,
    /// What else is mounted, in this order.
    pub volumes: Vec<Volume>,
    /// What all commands together may use.
    pub limits: Limits,
    /// Streams to other instances, each a socket in [`CHANNEL_DIRECTORY`].
    pub channels: Vec<Channel>,
}

/// A file system that is mounted somewhere below the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// What it is of.
    pub share: Share,
    /// Where it is mounted; made if it is missing.
    pub target: String,
    /// Whether it can only be read.
    pub read_only: bool,
}

/// What a volume comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// A directory of the host by virtio-fs, under this tag.
    Directory(String),
    /// A disk with this serial number.
    Disk(String),
}

/// Limits of the cgroup that all commands are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

/// A stream to another instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Its name, which is that of its socket as well: no path.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setup_survives_its_json() {
        let setup = Setup {
            base: "base".into(),
            keep: Some("keep".into()),
            volumes: vec![Volume {
                share: Share::Directory("vol0".into()),
                target: "/data".into(),
                read_only: true,
            }],
            limits: Limits {
                memory: Some(1 << 28),
                pids: None,
            },
            ..Default::default()
        };
        let json = serde_json::to_vec(&setup).unwrap();
        assert_eq!(serde_json::from_slice::<Setup>(&json).unwrap(), setup);
    }
}
