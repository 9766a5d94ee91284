//! All that is told of a run that has ended (`--json FILE`).

use std::path::PathBuf;

use serde::Serialize;

use super::outcome::Outcome;
use super::request::{Request, Volume};
use super::running::Showing;
use super::wall::Wall;
use crate::cgroup::Limits;
use crate::image::Image;
use crate::timeline::{Span, Timeline};

/// A run, for other programs to read.
#[derive(Debug, Serialize)]
pub struct Record {
    /// Of this format.
    pub version: u32,
    /// The wall that was there.
    pub wall: Wall,
    /// The image, as it was named.
    pub image: String,
    /// The digest of the image.
    pub image_digest: String,
    /// The digest of the base file that it ran from.
    pub base_digest: String,
    /// The release of the kernel that it ran on.
    pub kernel: String,
    /// What it might use.
    pub limits: Limits,
    /// The directories of the host that it saw.
    pub volumes: Vec<ShownVolume>,
    /// How it ended.
    pub outcome: Outcome,
    /// The exit status of `vmm run`.
    pub exit_status: u8,
    /// When the timeline begins, in nanoseconds of the host's monotonic clock.
    pub begun_ns: u64,
    /// What took how long.
    pub timeline: Vec<Span>,
    /// What our process and those that it has waited for have used.
    pub usage: Usage,
}

/// A directory of the host, as a command saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownVolume {
    /// Where it is on the host.
    pub source: PathBuf,
    /// Where the command saw it.
    pub target: String,
    /// Whether it could only be read.
    pub read_only: bool,
    /// By which means.
    pub by: Showing,
}

impl ShownVolume {
    fn of(volume: &Volume, by: Showing) -> Self {
        Self {
            source: volume.source.clone(),
            target: volume.target.clone(),
            read_only: volume.read_only || by == Showing::Copy,
            by,
        }
    }
}

/// Resources, as the host counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Processor time in user space, in microseconds.
    pub user_us: u64,
    /// Processor time in the kernel, in microseconds.
    pub system_us: u64,
    /// The most memory that any one process had, in bytes.
    pub max_rss: u64,
}

impl Record {
    /// The record of what `request` has become.
    pub fn of(
        request: &Request,
        image: &Image,
        outcome: Outcome,
        (kernel, showing): (String, Showing),
        timeline: &Timeline,
    ) -> Self {
        let volumes = request.volumes.iter();
        Self {
            version: 1,
            wall: request.wall,
            image: request.image.clone(),
            image_digest: image.digest.to_string(),
            base_digest: image.base.digest.to_string(),
            kernel,
            limits: request.limits,
            volumes: volumes.map(|one| ShownVolume::of(one, showing)).collect(),
            outcome,
            exit_status: outcome.exit_status(),
            begun_ns: u64::try_from(timeline.begun().as_nanos()).unwrap_or(u64::MAX),
            timeline: timeline.spans(),
            usage: Usage::now(),
        }
    }
}

impl Usage {
    /// What this process and its children have used until now.
    pub fn now() -> Self {
        let (own, children) = (of(libc::RUSAGE_SELF), of(libc::RUSAGE_CHILDREN));
        Self {
            user_us: own.user_us + children.user_us,
            system_us: own.system_us + children.system_us,
            max_rss: own.max_rss.max(children.max_rss),
        }
    }

    /// What this process itself has used until now.
    pub fn of_this_process() -> Self {
        of(libc::RUSAGE_SELF)
    }

    /// What the children of this process that it has waited for have used, and theirs.
    pub fn of_children() -> Self {
        of(libc::RUSAGE_CHILDREN)
    }
}

fn of(who: i32) -> Usage {
    // SAFETY: all zeros is a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a valid place for the answer.
    unsafe { libc::getrusage(who, &raw mut usage) };
    let micros =
        |time: libc::timeval| time.tv_sec.unsigned_abs() * 1_000_000 + time.tv_usec.unsigned_abs();
    Usage {
        user_us: micros(usage.ru_utime),
        system_us: micros(usage.ru_stime),
        max_rss: usage.ru_maxrss.unsigned_abs() << 10,
    }
}
