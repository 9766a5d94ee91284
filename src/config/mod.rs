//! What was typed, or stands in a file, becomes a machine that can be built.
//!
//! [`settings`] is each option once, for flags and file alike; [`MachineConfig`] is what
//! they mean, checked. Nothing here opens a device or touches KVM.

pub mod console;
pub mod cpu_list;
pub mod disk;
pub mod settings;
pub mod share;
pub mod size;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use console::{ConsoleTarget, PortConfig, SerialTarget};
pub use cpu_list::CpuList;
pub use disk::{Cache, DiskConfig};
pub use settings::{OnReboot, Protocol, Settings};
pub use share::ShareConfig;
pub use size::{MemorySize, VcpuCount, parse_bytes};

/// A whole machine, as the user wants it.
#[derive(Clone, Debug)]
pub struct MachineConfig {
    /// The kernel to boot.
    pub kernel: PathBuf,
    /// Its initial RAM disk.
    pub initrd: Option<PathBuf>,
    /// How to enter it.
    pub protocol: Protocol,
    /// The kernel command line that the user gave.
    pub cmdline: CommandLine,
    /// Guest memory.
    pub memory: MemorySize,
    /// Virtual CPUs.
    pub vcpus: VcpuCount,
    /// Disks in the order of their names: vda, vdb …
    pub disks: Vec<DiskConfig>,
    /// Whether the first disk is the root file system.
    pub has_rootfs: bool,
    /// Where the virtio console goes.
    pub console: ConsoleTarget,
    /// Ports of the same device, for programs of the guest.
    pub ports: Vec<PortConfig>,
    /// Directories of the host, each served by another process.
    pub shares: Vec<ShareConfig>,
    /// Where the serial port goes.
    pub serial: SerialTarget,
    /// Whether the guest is told of its hardware by ACPI, or by the command line.
    pub acpi: bool,
    /// What a reboot does.
    pub on_reboot: OnReboot,
    /// How long the guest may take until a driver of its has taken a device.
    pub boot_timeout: Option<Duration>,
    /// Whether SIGTERM and the like press the power button; else they are somebody else's.
    pub takes_signals: bool,
    /// How long the guest may take to power off after SIGTERM.
    pub grace: Duration,
    /// The file for the timeline.
    pub timeline: Option<PathBuf>,
    /// Whether to print the exit ledger at the end.
    pub stats: bool,
    /// The KVM device.
    pub kvm: PathBuf,
}

/// The user's part of the kernel command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// The text.
    pub text: String,
    /// Whether it stands alone or is added to ours.
    pub replaces: bool,
}

/// Why settings do not make a machine.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is nothing to boot.
    #[error("no kernel given: use --kernel PATH (a bzImage or an ELF vmlinux)")]
    NoKernel,
    /// Two outputs want the terminal.
    #[error("--console and --serial both want stdio: send one of them to file=PATH or off")]
    StdioTwice,
    /// The option only makes sense with another.
    #[error("{0} needs {1}")]
    Needs(&'static str, &'static str),
    /// The configuration file cannot be read.
    #[error("cannot read configuration file {0}")]
    Read(PathBuf, #[source] std::io::Error),
    /// The configuration file has a wrong line.
    #[error("cannot understand configuration file {path}: {problem}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser says, with line and column.
        problem: String,
    },
}

impl MachineConfig {
    /// Checks `settings`, after those of its `--config` file have filled what was not given.
    ///
    /// # Errors
    /// The file cannot be used, or the settings do not make a machine.
    pub fn from_settings(flags: Settings) -> Result<Self, ConfigError> {
        let settings = match flags.config.clone() {
            Some(path) => flags.or(read_file(&path)?),
            None => flags,
        };
        let (console, serial) = outputs(&settings)?;
        if settings.readonly && settings.rootfs.is_none() {
            return Err(ConfigError::Needs("--readonly", "--rootfs"));
        }
        Ok(Self {
            kernel: settings.kernel.clone().ok_or(ConfigError::NoKernel)?,
            has_rootfs: settings.rootfs.is_some(),
            disks: disks(&settings),
            cmdline: CommandLine {
                text: settings.cmdline.unwrap_or_default(),
                replaces: settings.cmdline_only,
            },
            initrd: settings.initrd,
            protocol: settings.boot_protocol.unwrap_or_default(),
            memory: settings.memory.unwrap_or_default(),
            vcpus: settings.cpus.unwrap_or_default(),
            console,
            ports: Vec::new(),
            shares: Vec::new(),
            serial,
            acpi: !settings.no_acpi,
            on_reboot: settings.on_reboot.unwrap_or_default(),
            boot_timeout: settings.boot_timeout.map(Duration::from_secs),
            takes_signals: true,
            grace: Duration::from_secs(settings.grace.unwrap_or(DEFAULT_GRACE_SECONDS)),
            timeline: settings.timeline,
            stats: settings.stats,
            kvm: settings.kvm.unwrap_or_else(|| "/dev/kvm".into()),
        })
    }
}

/// How long a guest gets to power off after SIGTERM, as documented in `--help`.
const DEFAULT_GRACE_SECONDS: u64 = 10;

fn outputs(settings: &Settings) -> Result<(ConsoleTarget, SerialTarget), ConfigError> {
    let serial = settings.serial.clone().unwrap_or(SerialTarget::Off);
    let console = match (&settings.console, &serial) {
        (Some(ConsoleTarget::Stdio), SerialTarget::Stdio) => return Err(ConfigError::StdioTwice),
        (Some(console), _) => console.clone(),
        (None, SerialTarget::Stdio) => ConsoleTarget::Off,
        (None, _) => ConsoleTarget::Stdio,
    };
    Ok((console, serial))
}

fn disks(settings: &Settings) -> Vec<DiskConfig> {
    let rootfs = settings.rootfs.iter().map(|path| DiskConfig {
        readonly: settings.readonly,
        ..DiskConfig::at(path)
    });
    rootfs.chain(settings.disk.iter().cloned()).collect()
}

fn read_file(path: &Path) -> Result<Settings, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read(path.to_owned(), source))?;
    let parsed = if text.trim_start().starts_with('{') {
        serde_json::from_str(&text).map_err(|error| error.to_string())
    } else {
        toml::from_str(&text).map_err(|error| error.to_string().trim_end().to_owned())
    };
    parsed.map_err(|problem| ConfigError::Parse {
        path: path.to_owned(),
        problem,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            kernel: Some("vmlinux".into()),
            ..Default::default()
        }
    }

    #[test]
    fn a_kernel_alone_makes_a_machine() {
        let config = MachineConfig::from_settings(settings()).unwrap();
        assert_eq!(config.memory.bytes(), 512 << 20);
        assert_eq!(
            (config.vcpus.get(), config.console),
            (1, ConsoleTarget::Stdio)
        );
    }

    #[test]
    fn no_kernel_is_told_with_the_option() {
        let error = MachineConfig::from_settings(Settings::default()).unwrap_err();
        assert!(error.to_string().contains("--kernel PATH"));
    }

    #[test]
    fn the_root_file_system_is_the_first_disk() {
        let config = MachineConfig::from_settings(Settings {
            rootfs: Some("root.img".into()),
            disk: vec!["path=data.img".parse().unwrap()],
            readonly: true,
            ..settings()
        });
        let disks = config.unwrap().disks;
        assert_eq!(disks[0].path, PathBuf::from("root.img"));
        assert_eq!((disks[0].readonly, disks[1].readonly), (true, false));
    }

    #[test]
    fn a_serial_port_on_stdio_takes_it_from_the_console() {
        let config = MachineConfig::from_settings(Settings {
            serial: Some(SerialTarget::Stdio),
            ..settings()
        });
        assert_eq!(config.unwrap().console, ConsoleTarget::Off);
    }

    #[test]
    fn flags_win_over_the_file() {
        let file: Settings = toml::from_str("memory = '1G'\ncpus = 4\nstats = true").unwrap();
        let flags = Settings {
            memory: Some("64M".parse().unwrap()),
            ..settings()
        };
        let config = MachineConfig::from_settings(flags.or(file)).unwrap();
        assert_eq!((config.memory.bytes(), config.vcpus.get()), (64 << 20, 4));
        assert!(config.stats);
    }

    #[test]
    fn an_unknown_key_in_the_file_is_an_error() {
        assert!(toml::from_str::<Settings>("memroy = '1G'").is_err());
    }
}
