//! What the user wants run, checked.

use std::path::PathBuf;

use super::channel::ChannelName;
use super::command::Wishes;
use super::instance::InstanceName;
use super::supervise::Times;
use super::wall::{CPU_FRACTION, Refusal, Wall, refuse};
use crate::cgroup::Limits;
use crate::image::ResolveOptions;
use crate::root::KeepName;

/// A command behind a wall.
#[derive(Clone, Debug)]
pub struct Request {
    /// The wall.
    pub wall: Wall,
    /// The image: a path, or a name in the store.
    pub image: String,
    /// How it is looked up.
    pub resolve: ResolveOptions,
    /// The command.
    pub wishes: Wishes,
    /// What the instance is called.
    pub name: InstanceName,
    /// What its host is called; the instance's name if nobody says.
    pub hostname: Option<String>,
    /// What it may use.
    pub limits: Limits,
    /// Whether its root can only be read.
    pub read_only: bool,
    /// Where its changes are kept; they are gone with it otherwise.
    pub keep: Option<KeepName>,
    /// Directories of the host that it sees.
    pub volumes: Vec<Volume>,
    /// Channels that it has an end of.
    pub channels: Vec<ChannelName>,
    /// How long it may take.
    pub times: Times,
    /// Whether it runs without a terminal or caller of its own.
    pub detached: bool,
    /// The OCI runtime that runs it; ours if none is named.
    pub runtime: Option<PathBuf>,
    /// The kernel of its machine; the store's if none is named.
    pub kernel: Option<PathBuf>,
    /// Words for that kernel.
    pub cmdline: String,
}

/// A directory of the host, shown to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Where it is on the host.
    pub source: PathBuf,
    /// Where the command sees it: an absolute path.
    pub target: String,
    /// Whether the command can only read it.
    pub read_only: bool,
}

/// Why a text is no volume.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no volume: use SRC:DST or SRC:DST:ro, with DST an absolute path below /")]
pub struct VolumeError(String);

impl std::str::FromStr for Volume {
    type Err = VolumeError;

    fn from_str(text: &str) -> Result<Self, VolumeError> {
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, read_only) = match parts.as_slice() {
            [source, target] => (source, target, false),
            [source, target, "ro"] => (source, target, true),
            [source, target, "rw"] => (source, target, false),
            _ => return Err(VolumeError(text.to_owned())),
        };
        let is_plain = |part: &str| part != "..";
        let below_root = target.trim_matches('/').split('/').all(is_plain)
            && target.starts_with('/')
            && !target.trim_matches('/').is_empty();
        if source.is_empty() || !below_root {
            return Err(VolumeError(text.to_owned()));
        }
        Ok(Self {
            source: source.into(),
            target: (*target).to_owned(),
            read_only,
        })
    }
}

impl Request {
    /// Whether its wall can keep all that it asks for.
    ///
    /// # Errors
    /// It cannot keep one.
    pub fn check(self) -> Result<Self, Refusal> {
        let asked = [
            ("--hostname", self.hostname.is_some()),
            ("--runtime", self.runtime.is_some()),
            ("--kernel", self.kernel.is_some()),
            (CPU_FRACTION, self.limits.cpus.is_some_and(is_fraction)),
        ];
        let asked: Vec<_> = asked.into_iter().filter(|(_, is)| *is).collect();
        let options: Vec<_> = asked.into_iter().map(|(option, _)| option).collect();
        match refuse(self.wall, &options) {
            Some(refusal) => Err(refusal),
            None => Ok(self),
        }
    }
}

fn is_fraction(number: f64) -> bool {
    number.fract() != 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_has_a_source_and_a_target() {
        let volume: Volume = "data:/srv/data:ro".parse().unwrap();
        let wanted = Volume {
            source: "data".into(),
            target: "/srv/data".into(),
            read_only: true,
        };
        assert_eq!(volume, wanted);
    }

    #[test]
    fn a_volume_is_mounted_below_the_root_and_nowhere_else() {
        for text in ["a", "a:b", ":/b", "a:/", "a:/b/../..", "a:/b:rx"] {
            assert!(text.parse::<Volume>().is_err(), "{text}");
        }
    }
}
