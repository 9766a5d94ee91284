//! `/dev/kvm`: opening it, and what it can do.

use std::fs::File;
use std::io;
use std::os::fd::IntoRawFd;
use std::path::Path;

use kvm_bindings::{CpuId, KVM_API_VERSION, KVM_MAX_CPUID_ENTRIES};
use kvm_ioctls::Cap;

use super::{KvmError, Vm};

/// Why `/dev/kvm` cannot be used; each says what helps.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such device.
    #[error(
        "there is no {0}: load the module (modprobe kvm_intel or kvm_amd), switch virtualization \
         on in the firmware, or run on a host that has it; `vmm doctor` tells more"
    )]
    Missing(String),
    /// It may not be opened.
    #[error("no permission to open {0}: join its group (usermod -aG kvm $USER, then log in again)")]
    Forbidden(String),
    /// Any other failure to open it.
    #[error("cannot open {0}")]
    Open(String, #[source] io::Error),
    /// It is not KVM, or one from before 2007.
    #[error("{path} speaks KVM API version {version}, not {KVM_API_VERSION}")]
    Version {
        /// The device.
        path: String,
        /// The version it says.
        version: i32,
    },
    /// A capability that every KVM of the last ten years has is not there.
    #[error("this KVM lacks {0:?}: a newer host kernel is needed")]
    Lacks(Cap),
}

/// What the machine is built on; all are older than Linux 4.10.
const NEEDED: [Cap; 9] = [
    Cap::Irqchip,
    Cap::Irqfd,
    Cap::Ioeventfd,
    Cap::UserMemory,
    Cap::ReadonlyMem,
    Cap::ExtCpuid,
    Cap::SetTssAddr,
    Cap::MpState,
    Cap::ImmediateExit,
];

/// An open `/dev/kvm` of the right version with all that is needed.
pub struct Kvm {
    fd: kvm_ioctls::Kvm,
}

impl Kvm {
    /// Opens `path`, usually `/dev/kvm`.
    ///
    /// # Errors
    /// It is missing, forbidden, or not the KVM that is needed.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let name = path.display().to_string();
        let file = File::options()
            .read(true)
            .write(true)
            .open(path)
            .map_err(|error| open_error(name.clone(), error))?;
        // SAFETY: the file was just opened, and its only owner hands it over.
        let fd = unsafe { std::os::fd::FromRawFd::from_raw_fd(file.into_raw_fd()) };
        let kvm = Self { fd };
        kvm.check(name)?;
        Ok(kvm)
    }

    fn check(&self, path: String) -> Result<(), OpenError> {
        let version = self.fd.get_api_version();
        if u32::try_from(version) != Ok(KVM_API_VERSION) {
            return Err(OpenError::Version { path, version });
        }
        match NEEDED
            .into_iter()
            .find(|cap| !self.fd.check_extension(*cap))
        {
            Some(missing) => Err(OpenError::Lacks(missing)),
            None => Ok(()),
        }
    }

    /// Creates an empty virtual machine.
    ///
    /// # Errors
    /// KVM refuses, for want of memory or because another hypervisor has the hardware.
    pub fn create_vm(&self) -> Result<Vm, KvmError> {
        let fd = loop {
            // A signal may interrupt the creation; it leaves nothing behind and can be repeated.
            match self.fd.create_vm() {
                Err(error) if error.errno() == libc::EINTR => continue,
                result => break result.map_err(KvmError::when("create a virtual machine"))?,
            }
        };
        Ok(Vm::new(fd))
    }

    /// The CPU features that KVM can give a guest on this host.
    ///
    /// # Errors
    /// KVM does not answer.
    pub fn supported_cpuid(&self) -> Result<CpuId, KvmError> {
        self.fd
            .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
            .map_err(KvmError::when("list the CPU features it supports"))
    }

    /// The most vCPUs that one machine may have.
    pub fn max_vcpus(&self) -> usize {
        self.fd.get_max_vcpus()
    }

    /// Whether the local APIC timer can be told a TSC value.
    pub fn has_tsc_deadline_timer(&self) -> bool {
        self.fd.check_extension(Cap::TscDeadlineTimer)
    }
}

fn open_error(path: String, error: io::Error) -> OpenError {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => OpenError::Missing(path),
        Some(libc::EACCES | libc::EPERM) => OpenError::Forbidden(path),
        _ => OpenError::Open(path, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_device_names_the_remedy() {
        let error = Kvm::open(Path::new("/nonexistent/kvm")).err().unwrap();
        assert!(error.to_string().contains("modprobe"));
    }

    #[test]
    fn a_file_that_is_not_kvm_is_refused() {
        let error = Kvm::open(Path::new("/dev/null")).err().unwrap();
        assert!(matches!(error, OpenError::Version { .. }));
    }
}
