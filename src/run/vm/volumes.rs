//! Directories of the host in a machine: served live where that can be done, else as copies.

use std::path::PathBuf;

use wire::Share;

use super::modules;
use super::spec::Failure;
use super::virtiofsd::{Program, Virtiofsd};
use crate::config::ShareConfig;
use crate::image;
use crate::kernel::Kernel;
use crate::output::say;
use crate::run::Behind;
use crate::run::request::Volume;
use crate::run::running::Showing;

/// The guest's driver.
const VIRTIO_FS: &str = "virtiofs";
/// What copies are.
const COPY: &str = "erofs";

/// What a machine has of its volumes, in their order.
#[derive(Debug)]
pub enum Volumes {
    /// A process for each, which serves the directory itself.
    Served(Vec<Virtiofsd>),
    /// A file for each, a file system that can only be read.
    Copied(Vec<PathBuf>),
}

impl Volumes {
    /// Those of `behind`, whose guest has `kernel`: served if host and guest can do it.
    ///
    /// # Errors
    /// There is no such directory, or it cannot be served or copied.
    pub fn of(behind: &Behind<'_>, kernel: &Kernel) -> Result<Self, Failure> {
        if behind.request.volumes.is_empty() {
            return Ok(Self::Copied(Vec::new()));
        }
        let Some(program) = Program::find() else {
            return copied(behind, "there is no virtiofsd on this host");
        };
        match modules::has(kernel, VIRTIO_FS)? {
            true => served(behind, &program),
            false => copied(behind, "the guest's kernel has no virtiofs"),
        }
    }

    /// The file system that the guest mounts.
    pub fn file_system(&self) -> Option<&'static str> {
        match self {
            Self::Served(_) => Some(VIRTIO_FS),
            Self::Copied(files) => (!files.is_empty()).then_some(COPY),
        }
    }

    /// How they are shown, for the record.
    pub fn showing(&self) -> Showing {
        match self {
            Self::Served(_) => Showing::VirtioFs,
            Self::Copied(_) => Showing::Copy,
        }
    }

    /// What the guest mounts where, for `volumes`.
    pub fn mounts(&self, volumes: &[Volume]) -> Vec<wire::Volume> {
        let mount = |(number, volume): (usize, &Volume)| {
            let (share, read_only) = match self {
                Self::Served(_) => (Share::Directory(name(number)), volume.read_only),
                Self::Copied(_) => (Share::Disk(name(number)), true),
            };
            wire::Volume {
                share,
                target: volume.target.clone(),
                read_only,
            }
        };
        volumes.iter().enumerate().map(mount).collect()
    }

    /// The files that are disks of the machine, with their serial numbers.
    pub fn disks(&self) -> Vec<(PathBuf, String)> {
        match self {
            Self::Served(_) => Vec::new(),
            Self::Copied(files) => (0..)
                .map(name)
                .zip(files)
                .map(|(n, f)| (f.clone(), n))
                .collect(),
        }
    }

    /// The directories that the machine has served.
    pub fn shares(&self) -> Vec<ShareConfig> {
        let Self::Served(servers) = self else {
            return Vec::new();
        };
        let share = |(number, server): (usize, &Virtiofsd)| ShareConfig {
            tag: name(number),
            directory: server.directory().to_owned(),
            socket: server.connection(),
        };
        servers.iter().enumerate().map(share).collect()
    }

    /// `error` with what a server has said before, which may well be its cause.
    pub fn explain(&self, error: Failure) -> Failure {
        let Self::Served(servers) = self else {
            return error;
        };
        match servers.iter().find_map(Virtiofsd::said) {
            Some(line) => format!("virtiofsd says: {line}: {}", crate::chain(&*error)).into(),
            None => error,
        }
    }
}

/// The serial number of a disk, or the tag of a directory.
fn name(number: usize) -> String {
    format!("volume{number}")
}

fn served(behind: &Behind<'_>, program: &Program) -> Result<Volumes, Failure> {
    let serve = |(number, volume): (usize, &Volume)| {
        let log = format!("virtiofsd{number}.log");
        Virtiofsd::start(program, volume, behind.entry.directory().join(log))
    };
    let volumes = behind.request.volumes.iter().enumerate();
    let servers: Result<_, _> = volumes.map(serve).collect();
    Ok(Volumes::Served(servers?))
}

/// So a guest gets nothing else of the host's files, whatever its kernel asks for.
fn copied(behind: &Behind<'_>, reason: &str) -> Result<Volumes, Failure> {
    let copy = |(number, volume): (usize, &Volume)| {
        let file = behind.entry.directory().join(name(number));
        image::snapshot(&volume.source, &file, behind.request.resolve.max_size)?;
        if !volume.read_only {
            say(format_args!(
                "vmm: the machine gets a read-only copy of {}, because {reason}: what is written \
                 there does not come back",
                volume.source.display()
            ));
        }
        Ok(file)
    };
    let volumes = behind.request.volumes.iter().enumerate();
    let files: Result<_, Failure> = volumes.map(copy).collect();
    Ok(Volumes::Copied(files?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_a_disk_of_its_own_and_only_read() {
        let volumes = ["/a:/data", "/b:/other:ro"].map(|text| text.parse().unwrap());
        let copies = Volumes::Copied(vec!["copy0".into(), "copy1".into()]);
        let serials = ["volume0", "volume1"].map(str::to_owned);
        let mounts = copies.mounts(&volumes);
        assert!(mounts.iter().all(|mount| mount.read_only));
        let shares: Vec<_> = mounts.into_iter().map(|mount| mount.share).collect();
        assert_eq!(shares, serials.clone().map(Share::Disk));
        let disks: Vec<_> = copies.disks().into_iter().map(|(_, name)| name).collect();
        assert_eq!(disks, serials);
        assert_eq!(copies.file_system(), Some("erofs"));
    }

    #[test]
    fn a_machine_without_volumes_needs_no_file_system_for_them() {
        assert_eq!(Volumes::Copied(Vec::new()).file_system(), None);
    }
}
