//! What the user wants becomes a machine, and what its guest makes of itself.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wire::{Channel, Limits, PORT_NAME, Setup};

use super::initrd;
use super::modules;
use super::relay::Connections;
use super::volumes::Volumes;
use crate::config::{
    Cache, CommandLine, ConsoleTarget, DiskConfig, MachineConfig, MemorySize, OnReboot, PortConfig,
    Protocol, SerialTarget, VcpuCount,
};
use crate::kernel::{Kernel, Kernels};
use crate::root::{Keep, Keeps};
use crate::run::channel::ChannelName;
use crate::run::running::KERNEL;
use crate::run::{Behind, tree};

/// What cannot be had of all that a machine needs.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The serial numbers of the disks.
const BASE: &str = "base";
const KEEP: &str = "keep";

/// How long a kernel may take to its first driver, on the slowest host that we know: one
/// that emulates its processor.
const BOOT_TIMEOUT: Duration = Duration::from_secs(180);
/// What a guest gets where nobody limits it.
const DEFAULT_MEMORY: u64 = 512 << 20;

/// A machine with its guest.
pub struct Spec {
    /// The guest's kernel.
    pub kernel: Kernel,
    /// Words for it.
    pub cmdline: String,
    /// The image's base.
    pub base: PathBuf,
    /// The file system on it.
    pub base_format: &'static str,
    /// An ext4 that keeps what is written.
    pub keep: Option<PathBuf>,
    /// What the guest makes of itself, but for the disks.
    pub setup: Setup,
    /// What the machine has of its volumes.
    pub volumes: Volumes,
    /// The machine's memory.
    pub memory: MemorySize,
    /// Its vCPUs.
    pub vcpus: VcpuCount,
    /// What its programs can connect to.
    pub connections: Connections,
    /// Where its kernel's messages go.
    pub log: Option<PathBuf>,
}

impl Spec {
    /// What `behind` asks for, and the keep that must be held as long as the machine runs.
    ///
    /// # Errors
    /// There is no kernel, or the keep cannot be used.
    pub fn of(behind: &Behind<'_>) -> Result<(Self, Option<Keep>), Failure> {
        let request = behind.request;
        let store = behind.store.directory();
        let keeps = Keeps::of_store(store);
        let open = |name| keeps.open(name, tree::record(behind));
        let keep = request.keep.as_ref().map(open).transpose()?;
        let hostname = request.hostname.clone();
        let kernel = Kernels::of_store(store).find(request.kernel.as_deref())?;
        let volumes = Volumes::of(behind, &kernel)?;
        let spec = Self {
            kernel,
            cmdline: request.cmdline.clone(),
            base: behind.image.base.path.clone(),
            base_format: behind.image.base.format.name(),
            keep: keep.as_ref().map(Keep::image_for_guest).transpose()?,
            setup: Setup {
                hostname: Some(hostname.unwrap_or_else(|| request.name.to_string())),
                read_only: request.read_only,
                limits: Limits {
                    memory: request.limits.memory,
                    pids: request.limits.pids,
                },
                volumes: volumes.mounts(&request.volumes),
                channels: channels(&request.channels),
                ..Default::default()
            },
            volumes,
            memory: memory_for(request.limits.memory)?,
            vcpus: vcpus_for(request.limits.cpus)?,
            connections: connections(behind),
            log: Some(behind.entry.directory().join(KERNEL)),
        };
        Ok((spec, keep))
    }

    /// The machine, its end of the port being `port`; what must stay open until it is built;
    /// and what must stay as long as it runs.
    ///
    /// # Errors
    /// There is no memory for its initrd, or a module of its kernel is missing.
    pub fn machine(self, port: UnixStream) -> Result<(MachineConfig, File, Volumes), Failure> {
        let mut file_systems = vec![self.base_format];
        file_systems.extend(self.volumes.file_system());
        file_systems.extend(self.keep.as_ref().map(|_| "ext4"));
        let modules = modules::of(&self.kernel, &file_systems)?;
        let setup = Setup {
            base: BASE.to_owned(),
            keep: self.keep.as_ref().map(|_| KEEP.to_owned()),
            ..self.setup
        };
        let initrd = initrd::make(&setup, &modules)?;
        let keep = self.keep.map(|path| disk(path, KEEP, false));
        let copies = self.volumes.disks().into_iter();
        let copies = copies.map(|(path, serial)| disk(path, &serial, true));
        let config = MachineConfig {
            kernel: self.kernel.image,
            initrd: Some(format!("/proc/self/fd/{}", initrd.as_raw_fd()).into()),
            protocol: Protocol::default(),
            cmdline: CommandLine {
                text: self.cmdline,
                replaces: false,
            },
            memory: self.memory,
            vcpus: self.vcpus,
            disks: [disk(self.base, BASE, true)]
                .into_iter()
                .chain(keep)
                .chain(copies)
                .collect(),
            has_rootfs: false,
            console: self.log.map_or(ConsoleTarget::Off, ConsoleTarget::File),
            ports: vec![PortConfig {
                name: PORT_NAME.to_owned(),
                socket: Arc::new(port),
            }],
            shares: self.volumes.shares(),
            serial: SerialTarget::Off,
            acpi: true,
            on_reboot: OnReboot::default(),
            boot_timeout: Some(BOOT_TIMEOUT),
            takes_signals: false,
            grace: Duration::ZERO,
            timeline: None,
            stats: false,
            kvm: "/dev/kvm".into(),
        };
        Ok((config, initrd, self.volumes))
    }
}

fn connections(behind: &Behind<'_>) -> Connections {
    match behind.doors {
        Some(doors) => Connections::new(doors.clone(), behind.request.channels.clone()),
        None => Connections::default(),
    }
}

fn channels(names: &[ChannelName]) -> Vec<Channel> {
    let channel = |name: &ChannelName| Channel {
        name: name.to_string(),
    };
    names.iter().map(channel).collect()
}

fn disk(path: PathBuf, serial: &str, readonly: bool) -> DiskConfig {
    DiskConfig {
        path,
        readonly,
        serial: Some(serial.to_owned()),
        cache: Cache::Writeback,
        // What a guest has written at its beginning makes no other format of it.
        raw: true,
    }
}

/// What a command may use, and beside it what a kernel takes for itself: its own size, and of
/// all memory a part for the descriptions of its pages (64 bytes for 4096) and as much again for
/// what else grows with it.
fn memory_for(limit: Option<u64>) -> Result<MemorySize, Failure> {
    const KERNEL: u64 = 96 << 20;
    let bytes = match limit {
        Some(limit) => limit.saturating_add(limit / 32).saturating_add(KERNEL),
        None => DEFAULT_MEMORY,
    };
    Ok(format!("{}M", bytes.div_ceil(1 << 20)).parse()?)
}

/// Whole ones: a part of a processor was refused before.
fn vcpus_for(limit: Option<f64>) -> Result<VcpuCount, Failure> {
    Ok(format!("{}", limit.unwrap_or(1.0)).parse()?)
}

/// A pair of sockets: the host's end and the machine's.
///
/// # Errors
/// The host has no file descriptor left.
pub fn port_pair() -> io::Result<(UnixStream, UnixStream)> {
    UnixStream::pair()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_memory_leaves_room_for_the_kernel() {
        let bytes = |limit| memory_for(limit).unwrap().bytes();
        assert_eq!(bytes(None), DEFAULT_MEMORY);
        assert!(bytes(Some(256 << 20)) >= (256 + 96) << 20);
    }

    #[test]
    fn a_processor_is_a_vcpu() {
        let count = |limit| vcpus_for(limit).unwrap().get();
        assert_eq!([count(None), count(Some(1.0)), count(Some(3.0))], [1, 1, 3]);
    }
}
