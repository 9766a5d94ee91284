//! What is written down about an instance, for other commands to read.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use wire::Launch;

use super::InstanceName;
use crate::image::Image;
use crate::run::channel::ChannelName;
use crate::run::request::Request;
use crate::run::wall::Wall;

/// An instance as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Its name.
    pub name: InstanceName,
    /// Its control groups, below `vmm`.
    pub cgroup: String,
    /// What it runs behind.
    pub wall: Wall,
    /// The image, as it was named.
    pub image: String,
    /// The digest of the base.
    pub digest: String,
    /// The command: what `vmm exec` starts gets its environment.
    pub launch: Launch,
    /// The process that runs it.
    pub pid: u32,
    /// When it was started, in seconds since 1970.
    pub started: u64,
    /// Whether it runs without a terminal or caller of its own.
    pub detached: bool,
    /// The channels that it has an end of.
    pub channels: Vec<ChannelName>,
}

impl State {
    /// What others may know of what `request` becomes.
    pub fn of(request: &Request, image: &Image, launch: &Launch) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            name: request.name.clone(),
            cgroup: request.name.cgroup(),
            wall: request.wall,
            image: request.image.clone(),
            digest: image.base.digest.to_string(),
            launch: launch.clone(),
            pid: std::process::id(),
            started: now.unwrap_or_default().as_secs(),
            detached: request.detached,
            channels: request.channels.clone(),
        }
    }
}

/// Writes `value` as the file at `path`: whole, or not at all.
///
/// # Errors
/// It cannot be written.
pub fn write<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let partial = path.with_extension("partial");
    let mut file = File::create(&partial)?;
    serde_json::to_writer_pretty(&mut file, value)?;
    writeln!(file)?;
    fs::rename(&partial, path)
}

/// Reads what [`write`] has written.
///
/// # Errors
/// It is not there, or is something else.
pub fn read<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}
