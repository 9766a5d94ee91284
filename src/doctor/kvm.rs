//! Whether `/dev/kvm` can be used, and if not, exactly what helps.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::Serialize;

use super::host::Host;
use crate::hypervisor::{Kvm, OpenError};

/// The device.
pub const DEVICE: &str = "/dev/kvm";

/// Why there is no KVM to use, and what helps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    /// What was found.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

impl Obstacle {
    pub(super) fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }
}

/// Who may open a device node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Permissions {
    mode: u32,
    group: String,
}

/// Opens the device, or says what is in the way on `host`.
///
/// # Errors
/// The obstacle.
pub fn open(host: &Host) -> Result<Kvm, Obstacle> {
    Kvm::open(Path::new(DEVICE)).map_err(|error| match error {
        OpenError::Missing(_) => missing(host),
        OpenError::Forbidden(_) => forbidden(&permissions(DEVICE), host.container.as_deref()),
        other => Obstacle::new(crate::chain(&other), "use a newer kernel on the host"),
    })
}

fn missing(host: &Host) -> Obstacle {
    let problem = format!("there is no {DEVICE}");
    if host.backend.is_some() {
        // KVM runs, so the node is hidden from us, and not missing on the host.
        return Obstacle::new(problem, expose(host.container.as_deref()));
    }
    let module = match host.cpu.vendor.as_str() {
        "AuthenticAMD" | "HygonGenuine" => "kvm_amd",
        _ => "kvm_intel",
    };
    if host.cpu.virtualization {
        return Obstacle::new(
            problem,
            format!("load the module: sudo modprobe {module} (its last words are in dmesg)"),
        );
    }
    Obstacle::new(
        format!("{problem}, and the processor offers no virtualization"),
        absent_virtualization(host, module),
    )
}

fn absent_virtualization(host: &Host, module: &str) -> String {
    match &host.cpu.hypervisor {
        Some(outer) => format!(
            "this machine is itself a guest (of {outer}): switch nested virtualization on in the \
             outer hypervisor ({module}.nested=1 and CPU model `host` where that is KVM), or use \
             scripts/kvm-host, which needs none"
        ),
        None => "switch virtualization on in the firmware (BIOS: Intel VT-x, AMD SVM), or use \
                 scripts/kvm-host, which needs none"
            .to_owned(),
    }
}

fn expose(container: Option<&str>) -> String {
    match container {
        Some(engine) => format!(
            "pass the device into this container ({engine}): {} --device {DEVICE}",
            if engine == "podman" {
                "podman run"
            } else {
                "docker run"
            }
        ),
        None => format!("make the node: sudo mknod {DEVICE} c 10 232"),
    }
}

fn forbidden(permissions: &Permissions, container: Option<&str>) -> Obstacle {
    const GROUP_MAY_USE: u32 = 0o060;
    let Permissions { mode, group } = permissions;
    let problem = format!("no permission to open {DEVICE} (mode {mode:o}, group {group})");
    if rustix::process::geteuid().is_root() {
        // Root is stopped by a device cgroup or a security module, never by the mode.
        return Obstacle::new(problem, expose(container.or(Some("docker"))));
    }
    if mode & GROUP_MAY_USE == GROUP_MAY_USE && group != "root" {
        return Obstacle::new(
            problem,
            format!("join the group: sudo usermod -aG {group} $USER, then log in again"),
        );
    }
    Obstacle::new(
        problem,
        format!("let yourself in: sudo setfacl -m u:$USER:rw {DEVICE}"),
    )
}

fn permissions(device: &str) -> Permissions {
    let Ok(metadata) = fs::metadata(device) else {
        return Permissions::default();
    };
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    Permissions {
        mode: metadata.mode() & 0o777,
        group: group_name(&groups, metadata.gid()),
    }
}

/// The name of group `id` in the text of `/etc/group`; its number where it has none.
fn group_name(groups: &str, id: u32) -> String {
    let id = id.to_string();
    let name = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    name.unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::host::{Backend, Cpu};

    fn host(backend: bool, virtualization: bool, hypervisor: Option<&str>) -> Host {
        Host {
            backend: backend.then(Backend::default),
            cpu: Cpu {
                vendor: "AuthenticAMD".to_owned(),
                virtualization,
                hypervisor: hypervisor.map(str::to_owned),
                ..Default::default()
            },
            ..Default::default()
        }
    }

    #[test]
    fn a_processor_that_can_needs_its_module() {
        assert!(
            missing(&host(false, true, None))
                .remedy
                .contains("modprobe kvm_amd")
        );
    }

    #[test]
    fn a_guest_without_virtualization_needs_it_from_outside() {
        let remedy = missing(&host(false, false, Some("VMware"))).remedy;
        assert!(remedy.contains("guest (of VMware)") && remedy.contains("kvm_amd.nested=1"));
    }

    #[test]
    fn bare_metal_without_virtualization_needs_its_firmware() {
        assert!(missing(&host(false, false, None)).remedy.contains("BIOS"));
    }

    #[test]
    fn a_running_kvm_without_a_node_is_hidden_by_a_container() {
        let host = Host {
            container: Some("podman".to_owned()),
            ..host(true, true, None)
        };
        assert!(
            missing(&host)
                .remedy
                .ends_with("podman run --device /dev/kvm")
        );
    }

    #[test]
    fn a_group_has_its_name_from_the_table_or_keeps_its_number() {
        let groups = "root:x:0:\nkvm:x:104:me\n";
        assert_eq!(group_name(groups, 104), "kvm");
        assert_eq!(group_name(groups, 7), "7");
    }
}
