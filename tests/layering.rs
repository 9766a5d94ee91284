//! The order of the modules: each uses those of lower layers only, never its neighbours.

#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

#[path = "layering/rooms.rs"]
mod rooms;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The layers, lowest first. A module may use the layers above its own line.
const LAYERS: [&[&str]; 15] = [
    &[
        "guest",
        "name",
        "output",
        "pidfd",
        "signals",
        "timeline",
        "user_namespaces",
    ],
    &["chain"],
    &["cgroup", "config", "image", "memory", "terminal"],
    &["kernel", "root"],
    &["hypervisor"],
    &["arch"],
    &["boot"],
    &["container", "diagnostics", "doctor", "machine"],
    &["cause"],
    &["run"],
    &["bench", "compare"],
    &["report"],
    &["cli"],
    &["commands"],
    &["main", "lib"],
];

#[test]
fn every_module_has_a_layer() {
    let known: BTreeSet<&str> = LAYERS.concat().into_iter().collect();
    let unknown: Vec<String> = modules()
        .into_iter()
        .filter(|m| !known.contains(m.as_str()))
        .collect();
    assert_eq!(unknown, Vec::<String>::new(), "add these to LAYERS");
}

#[test]
fn a_module_uses_lower_layers_only() {
    let upward: Vec<String> = sources(Path::new("src"))
        .iter()
        .flat_map(|path| upward_edges(path))
        .collect();
    assert!(
        upward.is_empty(),
        "these point up or sideways:\n{}",
        upward.join("\n")
    );
}

#[test]
fn rooms_of_a_module_use_each_other_in_one_direction() {
    for module in [
        "bench",
        "container",
        "doctor",
        "hypervisor",
        "image",
        "machine",
        "report",
        "root",
    ] {
        let uses = rooms::uses(module);
        let circles: Vec<&String> = uses
            .keys()
            .filter(|room| rooms::below(&uses, room).contains(*room))
            .collect();
        assert!(circles.is_empty(), "in {module}: {circles:?} of {uses:#?}");
    }
}

#[test]
fn the_devices_know_no_kvm() {
    let manifest = fs::read_to_string("devices/Cargo.toml").unwrap();
    assert!(
        !manifest.contains("kvm"),
        "devices/Cargo.toml names a KVM crate"
    );
}

#[test]
fn only_the_hypervisor_module_names_kvm_ioctls() {
    let named: Vec<PathBuf> = sources(Path::new("src"))
        .into_iter()
        .filter(|path| module_of(path) != "hypervisor")
        .filter(|path| fs::read_to_string(path).unwrap().contains("kvm_ioctls::"))
        .collect();
    assert_eq!(named, Vec::<PathBuf>::new());
}

#[test]
fn a_made_up_edge_is_seen() {
    let line = "use crate::machine::{Machine, Plan};";
    assert_eq!(used_module(line).as_deref(), Some("machine"));
    assert!(layer_of("machine") > layer_of("config"));
}

fn upward_edges(path: &Path) -> Vec<String> {
    let module = module_of(path);
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .filter_map(used_module)
        .filter(|used| *used != module && layer_of(used) >= layer_of(&module))
        .map(|used| format!("{}: {module} uses {used}", path.display()))
        .collect()
}

/// The module that `line` names by `crate::`; the crate's own re-exports count as `lib`'s.
fn used_module(line: &str) -> Option<String> {
    let code = line.split("//").next()?;
    let (_, path) = code.split_once("crate::")?;
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    Some(path[..end].to_owned())
}

fn layer_of(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|layer| layer.contains(&module))
        .unwrap_or_else(|| panic!("{module} has no layer"))
}

fn modules() -> BTreeSet<String> {
    sources(Path::new("src"))
        .iter()
        .map(|path| module_of(path))
        .collect()
}

/// The top-level module that a source file belongs to.
fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix("src").unwrap();
    let first = inside.components().next().unwrap();
    Path::new(first.as_os_str())
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    let inside = paths
        .iter()
        .filter(|path| path.is_dir())
        .flat_map(|path| sources(path));
    let here = paths
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .cloned();
    here.chain(inside).collect()
}
