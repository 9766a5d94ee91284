//! What a container is to be.

use std::path::PathBuf;

use crate::cgroup::Limits;

/// What a container is to be; every path is one of the host.
#[derive(Clone, Debug)]
pub struct ContainerSpec {
    /// Its name: letters, digits, "-", "_" and "." only.
    pub id: String,
    /// The tree that it sees as `/`, mounted by others.
    pub root: PathBuf,
    /// An empty directory for the bundle, and for what the runtime has to remember.
    pub bundle: PathBuf,
    /// Our init, linked statically.
    pub init: PathBuf,
    /// What the init launches.
    pub launch: PathBuf,
    /// How much of the host it may use.
    pub limits: Limits,
    /// Directories and files of the host that it sees.
    pub volumes: Vec<Volume>,
    /// Its host's name.
    pub hostname: Option<String>,
    /// Whether it may not write to its tree.
    pub read_only: bool,
}

/// A directory or file of the host, seen in the container.
#[derive(Clone, Debug)]
pub struct Volume {
    /// Where it is on the host.
    pub source: PathBuf,
    /// Where the container sees it.
    pub target: PathBuf,
    /// Whether it may only be read there.
    pub read_only: bool,
}

/// Who builds the walls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Runtime {
    /// We.
    #[default]
    Own,
    /// A program with the command line of runc.
    Path(PathBuf),
}
