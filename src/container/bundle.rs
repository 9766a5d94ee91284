//! The OCI bundle: the configuration that every runtime reads, and the directory that the
//! container sees as `/dev/.vmm`.
//!
//! ```text
//! BUNDLE/config.json    OCI runtime specification 1.0.2
//! BUNDLE/vmm/           /dev/.vmm: init, launch.json, exec-N.json
//! BUNDLE/state/         what the runtime has to remember
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use oci_spec::OciSpecError;
use oci_spec::runtime::{
    Linux, LinuxCpuBuilder, LinuxMemoryBuilder, LinuxPids, LinuxResources, Mount, MountBuilder,
    RootBuilder, Spec,
};

use super::{ContainerSpec, Volume, seccomp};
use crate::cgroup::{Cgroup, Limits};

/// All that does not depend on the container.
const TEMPLATE: &str = include_str!("template.json");

/// The program that is PID 1, as the container sees it.
pub(super) const INIT: &str = "/dev/.vmm/init";

const INSIDE: &str = "/dev/.vmm";
const LAUNCH: &str = "launch.json";

/// What a runtime may keep for itself.
pub(super) fn state(bundle: &Path) -> PathBuf {
    bundle.join("state")
}

/// Where our own engine puts its view of the host together, in its mount namespace alone: there
/// where control groups are to be hidden from it.
pub(super) fn view(bundle: &Path) -> PathBuf {
    state(bundle).join("view")
}

/// Writes the bundle of `spec`, whose processes will be in `cgroup`.
pub(super) fn write(spec: &ContainerSpec, cgroup: &Cgroup) -> io::Result<()> {
    let shown = spec.bundle.join("vmm");
    fs::create_dir_all(&shown)?;
    fs::create_dir_all(state(&spec.bundle))?;
    if cgroup.oci_path().is_none() {
        fs::create_dir(view(&spec.bundle))?;
    }
    // A file to mount the init upon.
    fs::write(shown.join("init"), "")?;
    fs::copy(&spec.launch, shown.join(LAUNCH))?;
    let config = config(spec, cgroup).map_err(io::Error::other)?;
    fs::write(
        spec.bundle.join("config.json"),
        serde_json::to_vec(&config)?,
    )
}

/// Shows one more launch to the container; returns where it sees it.
pub(super) fn add_launch(bundle: &Path, launch: &Path) -> io::Result<String> {
    let shown = bundle.join("vmm");
    let number = fs::read_dir(&shown)?.count();
    let name = format!("exec-{number}.json");
    fs::copy(launch, shown.join(&name))?;
    Ok(format!("{INSIDE}/{name}"))
}

/// Removes what [`write`] has made, and what the runtime has put there.
pub(super) fn remove(bundle: &Path) {
    let _ = fs::remove_dir_all(state(bundle));
    let _ = fs::remove_dir_all(bundle.join("vmm"));
    let _ = fs::remove_file(bundle.join("config.json"));
}

fn config(spec: &ContainerSpec, cgroup: &Cgroup) -> Result<Spec, OciSpecError> {
    let mut config: Spec = serde_json::from_str(TEMPLATE)?;
    let root = RootBuilder::default()
        .path(&spec.root)
        .readonly(spec.read_only);
    config.set_root(Some(root.build()?));
    config.set_hostname(spec.hostname.clone());
    config.set_mounts(Some(mounts(config.mounts().clone(), spec)?));
    let mut linux = config.linux().clone().unwrap_or_default();
    linux.set_seccomp(Some(seccomp::profile()?));
    match cgroup.oci_path() {
        Some(path) => {
            linux.set_cgroups_path(Some(path.to_owned()));
            limit(&mut linux, &spec.limits)?;
        }
        // A runtime is asked for no group: it is put into ours, where there is one.
        None => {
            linux.set_resources(None);
        }
    }
    config.set_linux(Some(linux));
    Ok(config)
}

/// The usual file systems, our own directory, then what the user wants to see.
fn mounts(usual: Option<Vec<Mount>>, spec: &ContainerSpec) -> Result<Vec<Mount>, OciSpecError> {
    let mut mounts = usual.unwrap_or_default();
    mounts.push(bind(
        &spec.bundle.join("vmm"),
        Path::new(INSIDE),
        true,
        true,
    )?);
    mounts.push(bind(&spec.init, Path::new(INIT), true, true)?);
    for Volume {
        source,
        target,
        read_only,
    } in &spec.volumes
    {
        mounts.push(bind(source, target, *read_only, false)?);
    }
    Ok(mounts)
}

fn bind(
    source: &Path,
    target: &Path,
    read_only: bool,
    private: bool,
) -> Result<Mount, OciSpecError> {
    let access = if read_only { "ro" } else { "rw" };
    let mut options = vec!["rbind", access, "nosuid", "nodev"];
    if private {
        options.push("rprivate");
    }
    MountBuilder::default()
        .destination(target)
        .typ("bind")
        .source(source)
        .options(options.into_iter().map(str::to_owned).collect::<Vec<_>>())
        .build()
}

fn limit(linux: &mut Linux, limits: &Limits) -> Result<(), OciSpecError> {
    let mut resources: LinuxResources = linux.resources().clone().unwrap_or_default();
    if let Some(bytes) = limits.memory {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let memory = LinuxMemoryBuilder::default().limit(bytes).swap(bytes);
        resources.set_memory(Some(memory.build()?));
    }
    if let Some((quota, period)) = limits.cpu_quota() {
        let cpu = LinuxCpuBuilder::default().quota(quota).period(period);
        resources.set_cpu(Some(cpu.build()?));
    }
    if let Some(number) = limits.pids {
        let mut pids = LinuxPids::default();
        pids.set_limit(i64::try_from(number).unwrap_or(i64::MAX));
        resources.set_pids(Some(pids));
    }
    linux.set_resources(Some(resources));
    Ok(())
}
