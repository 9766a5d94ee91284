//! Each option once: as a flag with its help, and as a key of the configuration file.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use serde::Deserialize;

use super::{ConsoleTarget, DiskConfig, MemorySize, SerialTarget, VcpuCount};

/// What a machine may be told; what is left out has a default.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// Linux kernel to boot: a bzImage or an uncompressed ELF vmlinux
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, help_heading = "Kernel")]
    pub kernel: Option<PathBuf>,

    /// Initial RAM disk for the kernel
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, help_heading = "Kernel")]
    pub initrd: Option<PathBuf>,

    /// Kernel command line, added to ours (later words win)
    ///
    /// Ours is: quiet, the end after a panic, no PCI, the console, and the root disk;
    /// --dry-run prints it. To see every boot message, use --cmdline loglevel=7.
    #[arg(long, value_name = "TEXT", help_heading = "Kernel")]
    pub cmdline: Option<String>,

    /// Use --cmdline alone, without ours
    #[arg(long, requires = "cmdline", help_heading = "Kernel")]
    pub cmdline_only: bool,

    /// How to enter the kernel
    #[arg(long, value_name = "PROTOCOL", help_heading = "Kernel")]
    pub boot_protocol: Option<Protocol>,

    /// Describe the hardware on the command line instead of by ACPI, for kernels without it
    #[arg(long, help_heading = "Kernel")]
    pub no_acpi: bool,

    /// Guest memory, with suffix K, M or G [default: 512M]
    #[arg(long, value_name = "SIZE", help_heading = "Machine")]
    pub memory: Option<MemorySize>,

    /// Virtual CPUs, 1 to 64 [default: 1]
    #[arg(long, value_name = "N", help_heading = "Machine")]
    pub cpus: Option<VcpuCount>,

    /// Disk image or block device with the root file system; /dev/vda in the guest
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, help_heading = "Disks")]
    pub rootfs: Option<PathBuf>,

    /// Attach and mount the root file system read-only
    #[arg(long, help_heading = "Disks")]
    pub readonly: bool,

    /// Attach another disk; may be repeated
    ///
    /// Keys, separated by commas: path=PATH (needed), readonly, serial=TEXT (at most 20
    /// bytes), cache=writeback|direct, format=raw (take the image as raw whatever its
    /// first bytes look like).
    #[arg(long, value_name = "path=PATH[,KEY…]", help_heading = "Disks")]
    pub disk: Vec<DiskConfig>,

    /// Virtio console (hvc0): stdio, file=PATH, socket=PATH, pty or off [default: stdio]
    ///
    /// On a terminal, Ctrl-a x ends the machine and Ctrl-a h lists the other keys.
    #[arg(long, value_name = "TARGET", help_heading = "Input and output")]
    pub console: Option<ConsoleTarget>,

    /// Serial port (ttyS0): stdio, file=PATH or off [default: off, which boots faster]
    ///
    /// Each byte on it is an exit from the guest. With it on, the kernel's earliest
    /// messages (before the virtio console is found) are printed there.
    #[arg(long, value_name = "TARGET", help_heading = "Input and output")]
    pub serial: Option<SerialTarget>,

    /// What the machine does when the guest reboots [default: exit]
    #[arg(long, value_name = "ACTION", help_heading = "Life")]
    pub on_reboot: Option<OnReboot>,

    /// Give up if no driver of the guest has taken a device after this many seconds
    #[arg(long, value_name = "SECONDS", help_heading = "Life")]
    pub boot_timeout: Option<u64>,

    /// Seconds a guest gets to power off after SIGTERM, before a hard stop [default: 10]
    #[arg(long, value_name = "SECONDS", help_heading = "Life")]
    pub grace: Option<u64>,

    /// Write named spans from process start to power-off into FILE, as JSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Insight")]
    pub timeline: Option<PathBuf>,

    /// Print at the end why the guest was left, how often, and how long it took
    #[arg(long, help_heading = "Insight")]
    pub stats: bool,

    /// Read settings from FILE, TOML or JSON with the names of these options; flags win
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// KVM device
    #[arg(long, value_name = "PATH", hide = true)]
    pub kvm: Option<PathBuf>,
}

impl Settings {
    /// Fills what was not given from `file`.
    pub fn or(self, file: Self) -> Self {
        Self {
            kernel: self.kernel.or(file.kernel),
            initrd: self.initrd.or(file.initrd),
            cmdline_only: self.cmdline_only || (self.cmdline.is_none() && file.cmdline_only),
            cmdline: self.cmdline.or(file.cmdline),
            boot_protocol: self.boot_protocol.or(file.boot_protocol),
            no_acpi: self.no_acpi || file.no_acpi,
            memory: self.memory.or(file.memory),
            cpus: self.cpus.or(file.cpus),
            rootfs: self.rootfs.or(file.rootfs),
            readonly: self.readonly || file.readonly,
            disk: if self.disk.is_empty() {
                file.disk
            } else {
                self.disk
            },
            console: self.console.or(file.console),
            serial: self.serial.or(file.serial),
            on_reboot: self.on_reboot.or(file.on_reboot),
            boot_timeout: self.boot_timeout.or(file.boot_timeout),
            grace: self.grace.or(file.grace),
            timeline: self.timeline.or(file.timeline),
            stats: self.stats || file.stats,
            config: self.config,
            kvm: self.kvm.or(file.kvm),
        }
    }
}

/// What a reboot of the guest does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnReboot {
    /// The process ends with status 0
    #[default]
    Exit,
    /// The machine is built anew and boots again
    Restart,
}

/// Which boot protocol enters the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Linux's 64-bit protocol, or PVH where the ELF's own entry is not for it
    #[default]
    Auto,
    /// Linux's 64-bit protocol: startup_64 with the zero page
    Linux64,
    /// PVH: the 32-bit entry that a note in the ELF tells
    Pvh,
}
