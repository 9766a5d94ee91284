//! The machine that a configuration describes: addresses, interrupts, command line.
//!
//! Pure: it opens nothing, so a dry run needs no KVM. What is built is built from this.

use std::fmt;

use serde::Serialize;

use crate::config::{ConsoleTarget, MachineConfig, SerialTarget};
use crate::memory::layout::{self, Range};

/// What a virtio device of the machine is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The console, hvc0.
    Console,
    /// The disk with this place in the configuration.
    Disk(usize),
    /// The directory with this place in the configuration.
    Share(usize),
    /// The source of random bytes.
    Entropy,
}

/// A virtio-mmio device with its place in the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// What it is for.
    pub role: Role,
    /// Its name, as the exit ledger prints it.
    pub name: String,
    /// The guest-physical address of its registers.
    pub base: u64,
    /// Its interrupt.
    pub gsi: u32,
}

/// A machine before anything of it exists.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// RAM, in bytes, as guest-physical ranges.
    pub ram: Vec<Range>,
    /// How many vCPUs.
    pub vcpus: u8,
    /// Its virtio devices.
    #[serde(skip)]
    pub virtio: Vec<Slot>,
    /// Whether it has a COM1.
    #[serde(skip)]
    pub serial: bool,
    /// Whether ACPI tables describe it.
    pub acpi: bool,
    /// The complete kernel command line.
    pub command_line: String,
}

/// Any device of the machine, as a dry run prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Its name, as the exit ledger prints it.
    pub name: String,
    /// How the guest reaches it.
    pub bus: &'static str,
    /// Its first address or port.
    pub base: u64,
    /// Its interrupt, if it has one.
    pub interrupt: Option<u32>,
    #[serde(skip)]
    role: Option<Role>,
}

impl Device {
    /// Which disk of the configuration it is, if it is one.
    pub fn disk(&self) -> Option<usize> {
        match self.role {
            Some(Role::Disk(index)) => Some(index),
            _ => None,
        }
    }

    fn at_ports(name: &str, ports: Range, interrupt: Option<u32>) -> Self {
        Self {
            name: name.to_owned(),
            bus: "port",
            base: ports.base,
            interrupt,
            role: None,
        }
    }
}

impl From<&Slot> for Device {
    fn from(slot: &Slot) -> Self {
        Self {
            name: slot.name.clone(),
            bus: "virtio-mmio",
            base: slot.base,
            interrupt: Some(slot.gsi),
            role: Some(slot.role),
        }
    }
}

/// There is no interrupt left for a device.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{disks} disks and shares are too many: this machine has room for {room}")]
pub struct TooManyDisks {
    disks: usize,
    room: usize,
}

impl Plan {
    /// The machine that `config` describes.
    ///
    /// # Errors
    /// More devices than there are interrupts.
    pub fn of(config: &MachineConfig) -> Result<Self, TooManyDisks> {
        let virtio = slots(config)?;
        Ok(Self {
            ram: layout::ram(config.memory.bytes()),
            vcpus: config.vcpus.get(),
            serial: config.serial != SerialTarget::Off,
            acpi: config.acpi,
            command_line: command_line(config, &virtio),
            virtio,
        })
    }

    /// Every device, those on the port bus last.
    pub fn devices(&self) -> Vec<Device> {
        let serial = Device::at_ports("serial", layout::COM1, Some(layout::COM1_GSI));
        let ports = [
            Device::at_ports("i8042", layout::I8042, None),
            Device::at_ports("cmos", layout::CMOS, None),
            Device::at_ports("pvpanic", layout::PVPANIC, None),
            Device::at_ports("power", layout::POWER, None),
            Device::at_ports("events", layout::EVENTS, Some(layout::EVENTS_GSI)),
        ];
        let virtio = self.virtio.iter().map(Device::from);
        virtio
            .chain(self.serial.then_some(serial))
            .chain(ports)
            .collect()
    }
}

/// The console comes first, so that it prints before the disks are probed.
fn slots(config: &MachineConfig) -> Result<Vec<Slot>, TooManyDisks> {
    let has_console = config.console != ConsoleTarget::Off || !config.ports.is_empty();
    let console = has_console.then_some(Role::Console);
    let disks = (0..config.disks.len()).map(Role::Disk);
    let shares = (0..config.shares.len()).map(Role::Share);
    let roles: Vec<Role> = console
        .into_iter()
        .chain(disks)
        .chain(shares)
        .chain([Role::Entropy])
        .collect();
    if let Some(excess) = roles.len().checked_sub(layout::DEVICE_GSIS.len() + 1) {
        let disks = config.disks.len() + config.shares.len();
        let room = disks - 1 - excess;
        return Err(TooManyDisks { disks, room });
    }
    let places = (0..).map(|index| layout::VIRTIO_MMIO.base + index * layout::VIRTIO_MMIO_SLOT);
    let slots = roles.into_iter().zip(places).zip(layout::DEVICE_GSIS);
    Ok(slots
        .map(|((role, base), gsi)| Slot {
            role,
            name: role.to_string(),
            base,
            gsi,
        })
        .collect())
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Console => write!(f, "console"),
            Self::Disk(index) => write!(f, "disk{index}"),
            Self::Share(index) => write!(f, "share{index}"),
            Self::Entropy => write!(f, "rng"),
        }
    }
}

fn command_line(config: &MachineConfig, virtio: &[Slot]) -> String {
    let user = config.cmdline.text.as_str();
    if config.cmdline.replaces {
        return user.to_owned();
    }
    let mut words = ours(config);
    if !config.acpi {
        words.push("acpi=off".to_owned());
        words.extend(virtio.iter().map(by_command_line));
    }
    words.extend((!user.is_empty()).then(|| user.to_owned()));
    words.join(" ")
}

/// Few words of the kernel's; a panic ends the machine rather than hangs it; no search for
/// PCI, which is not there and costs 80 exits not to be found.
fn ours(config: &MachineConfig) -> Vec<String> {
    let mut words = vec!["quiet", "panic=-1", "pci=off"];
    match config.serial {
        SerialTarget::Off => words.push("8250.nr_uarts=0"),
        _ => words.push("console=ttyS0"),
    }
    if config.console != ConsoleTarget::Off {
        words.push("console=hvc0");
    }
    if config.has_rootfs {
        let readonly = config.disks.first().is_some_and(|disk| disk.readonly);
        words.extend(["root=/dev/vda", if readonly { "ro" } else { "rw" }]);
    }
    words.into_iter().map(str::to_owned).collect()
}

/// How the kernel's `virtio_mmio.device` parameter wants a device described.
fn by_command_line(slot: &Slot) -> String {
    let size_kib = layout::VIRTIO_MMIO_SLOT >> 10;
    format!(
        "virtio_mmio.device={size_kib}K@{:#x}:{}",
        slot.base, slot.gsi
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn plan(settings: Settings) -> Result<Plan, TooManyDisks> {
        let settings = Settings {
            kernel: Some("vmlinux".into()),
            ..settings
        };
        Plan::of(&MachineConfig::from_settings(settings).unwrap())
    }

    fn disks(count: usize) -> Settings {
        Settings {
            disk: vec!["path=data.img".parse().unwrap(); count],
            ..Default::default()
        }
    }

    #[test]
    fn devices_have_neighbouring_pages_and_their_own_interrupts() {
        let virtio = plan(disks(2)).unwrap().virtio;
        let names: Vec<_> = virtio.iter().map(|slot| slot.name.as_str()).collect();
        assert_eq!(names, ["console", "disk0", "disk1", "rng"]);
        assert_eq!(virtio[1].base - virtio[0].base, layout::VIRTIO_MMIO_SLOT);
        assert_ne!(virtio[0].gsi, virtio[1].gsi);
    }

    #[test]
    fn sixteen_disks_fit_and_one_more_is_refused_by_number() {
        assert_eq!(plan(disks(16)).unwrap().virtio.len(), 18);
        let error = plan(disks(17)).unwrap_err();
        assert!(error.to_string().contains("room for 16"), "{error}");
    }

    #[test]
    fn a_read_only_root_is_mounted_so() {
        let settings = Settings {
            rootfs: Some("root.img".into()),
            readonly: true,
            ..Default::default()
        };
        let line = plan(settings).unwrap().command_line;
        assert!(line.ends_with("root=/dev/vda ro"), "{line}");
    }

    #[test]
    fn without_acpi_the_command_line_tells_of_every_device() {
        let settings = Settings {
            no_acpi: true,
            ..disks(1)
        };
        let line = plan(settings).unwrap().command_line;
        assert!(
            line.contains("virtio_mmio.device=4K@0xd0001000:6"),
            "{line}"
        );
    }

    #[test]
    fn the_user_s_words_come_last_or_stand_alone() {
        let with = |cmdline_only| Settings {
            cmdline: Some("loglevel=7".into()),
            cmdline_only,
            ..Default::default()
        };
        let line = plan(with(false)).unwrap().command_line;
        assert!(
            line.starts_with("quiet ") && line.ends_with(" loglevel=7"),
            "{line}"
        );
        assert_eq!(plan(with(true)).unwrap().command_line, "loglevel=7");
    }
}
