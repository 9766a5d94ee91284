//! What the host is: its kernel, its processor, its KVM, and what it runs in.

use std::fs;
use std::path::Path;

use serde::Serialize;

/// The host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Host {
    /// The kernel's release.
    pub kernel: String,
    /// The processor.
    pub cpu: Cpu,
    /// KVM's part for this processor, where one is loaded.
    pub backend: Option<Backend>,
    /// The container engine that this process runs under.
    pub container: Option<String>,
}

/// The processor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cpu {
    /// Its vendor, as `cpuid` spells it.
    pub vendor: String,
    /// Its name.
    pub model: String,
    /// How many there are.
    pub count: usize,
    /// Whether it offers VMX or SVM.
    pub virtualization: bool,
    /// The hypervisor under this host, if it is itself a guest.
    pub hypervisor: Option<String>,
}

/// KVM's part for one kind of processor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Backend {
    /// The kernel module: `kvm_intel`, `kvm_amd`, `kvm_pvm` …
    pub module: String,
    /// Whether its guests may be hypervisors; unknown where it does not say.
    pub nested: Option<bool>,
}

/// Looks at this host.
pub fn examine() -> Host {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    Host {
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        cpu: cpu(&read("/proc/cpuinfo"), hypervisor()),
        backend: backend(Path::new("/sys/module")),
        container: container(),
    }
}

fn cpu(cpuinfo: &str, hypervisor: Option<String>) -> Cpu {
    let field = |name: &str| {
        let values = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        let mut values = values.filter(move |(key, _)| key.trim() == name);
        values.next().map_or("", |(_, value)| value.trim())
    };
    let has = |flag: &str| field("flags").split(' ').any(|name| name == flag);
    Cpu {
        vendor: field("vendor_id").to_owned(),
        model: field("model name").to_owned(),
        count: cpuinfo
            .lines()
            .filter(|line| line.starts_with("processor"))
            .count(),
        virtualization: has("vmx") || has("svm"),
        hypervisor: hypervisor.filter(|_| has("hypervisor")),
    }
}

/// The name in the first of the `cpuid` leaves that hypervisors have for themselves.
fn hypervisor() -> Option<String> {
    const HYPERVISOR_LEAF: u32 = 0x4000_0000;
    let leaf = std::arch::x86_64::__cpuid(HYPERVISOR_LEAF);
    let signature: Vec<u8> = [leaf.ebx, leaf.ecx, leaf.edx]
        .into_iter()
        .flat_map(u32::to_le_bytes)
        .collect();
    Some(hypervisor_name(&signature))
}

fn hypervisor_name(signature: &[u8]) -> String {
    match signature {
        b"KVMKVMKVM\0\0\0" => "KVM".to_owned(),
        b"TCGTCGTCGTCG" => "QEMU without KVM".to_owned(),
        b"VMwareVMware" => "VMware".to_owned(),
        b"Microsoft Hv" => "Hyper-V".to_owned(),
        b"XenVMMXenVMM" => "Xen".to_owned(),
        b"VBoxVBoxVBox" => "VirtualBox".to_owned(),
        b"bhyve bhyve " => "bhyve".to_owned(),
        other if other.iter().all(u8::is_ascii_graphic) => {
            String::from_utf8_lossy(other).into_owned()
        }
        _ => "an unknown hypervisor".to_owned(),
    }
}

/// The module in `modules` that serves KVM; `kvm` itself is the part common to all.
fn backend(modules: &Path) -> Option<Backend> {
    let entries = fs::read_dir(modules).ok()?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let module = names.filter(|name| name.starts_with("kvm_")).min()?;
    let nested = fs::read_to_string(modules.join(&module).join("parameters/nested")).ok();
    Some(Backend {
        nested: nested.map(|value| matches!(value.trim(), "Y" | "1")),
        module,
    })
}

fn container() -> Option<String> {
    // systemd's convention: the engine tells its name in the environment of the first process.
    let environment = fs::read("/proc/1/environ").unwrap_or_default();
    if Path::new("/run/.containerenv").exists() {
        return Some("podman".to_owned());
    }
    if Path::new("/.dockerenv").exists() {
        return Some("docker".to_owned());
    }
    environment
        .split(|byte| *byte == 0)
        .find_map(|variable| variable.strip_prefix(b"container="))
        .map(|name| String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPUINFO: &str = "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: A CPU\n\
                           flags\t\t: fpu svm hypervisor\n\nprocessor\t: 1\nflags\t\t: fpu\n";

    #[test]
    fn the_processor_is_read_from_its_first_entry() {
        let cpu = cpu(CPUINFO, Some("Xen".to_owned()));
        assert_eq!((cpu.vendor.as_str(), cpu.count), ("AuthenticAMD", 2));
        assert!(cpu.virtualization);
        assert_eq!(cpu.hypervisor.as_deref(), Some("Xen"));
    }

    #[test]
    fn without_the_hypervisor_bit_no_hypervisor_is_believed() {
        let cpu = cpu("flags : fpu vmxish\n", Some("Xen".to_owned()));
        assert_eq!((cpu.hypervisor, cpu.virtualization), (None, false));
    }

    #[test]
    fn an_unknown_hypervisor_keeps_its_signature() {
        assert_eq!(hypervisor_name(b"NewOneNewOne"), "NewOneNewOne");
        assert_eq!(hypervisor_name(&[0; 12]), "an unknown hypervisor");
    }

    #[test]
    fn the_backend_is_the_module_beside_kvm() {
        let modules = tempfile::tempdir().unwrap();
        let parameters = modules.path().join("kvm_amd/parameters");
        fs::create_dir_all(&parameters).unwrap();
        fs::create_dir_all(modules.path().join("kvm")).unwrap();
        fs::write(parameters.join("nested"), "1\n").unwrap();
        let found = backend(modules.path()).unwrap();
        assert_eq!(found.module, "kvm_amd");
        assert_eq!(found.nested, Some(true));
    }
}
