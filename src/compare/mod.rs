//! What a process sees and can reach behind each wall, side by side (docs/compare.md).
//!
//! Each wall is put up by a `vmm run` of its own, as a user would: what is told of a wall is
//! what everybody gets from it.
//!
//! - [`facts`], [`lines`]: pure comparisons, of facts and of printed lines
//! - [`text`]: those as a user reads them
//! - [`workplace`]: what lies on the host for a while: the probe, and what it is to look for
//! - [`behind`]: one command behind one wall, and what it printed

pub mod behind;
pub mod facts;
pub mod lines;
pub mod text;
pub mod workplace;

use std::io;
use std::path::PathBuf;

use wire::Fact;

use crate::run::Wall;
use behind::{Behind, Printed};
use facts::{Comparison, View};
use lines::{Lines, Said};
use workplace::Workplace;

/// What is compared.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The image: a path, or a name in the store.
    pub image: String,
    /// The walls, in the order in which they are shown.
    pub walls: Vec<Wall>,
    /// The kernel of the vm wall; the store's if none is named.
    pub kernel: Option<PathBuf>,
    /// Words added to that kernel's command line.
    pub cmdline: Option<String>,
}

/// Why nothing can be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The host itself cannot be looked at.
    #[error("cannot {doing}")]
    Host {
        /// What we were doing.
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The probe fails where nothing is in its way.
    #[error("the probe fails on this host itself: {0}")]
    Probe(String),
    /// A signal has come.
    #[error("ended by signal {0}")]
    Signal(i32),
}

impl CompareError {
    fn host(doing: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Host { doing, source }
    }
}

/// Compares what a probe finds behind each wall with what the host itself has.
///
/// # Errors
/// The host cannot be looked at. A wall that cannot be had is no error but has its reason.
pub fn facts(wanted: &Wanted) -> Result<Comparison, CompareError> {
    let workplace = Workplace::set_up()?;
    let mut behind = Behind::new(wanted, &workplace)?;
    let host = parse(&behind.host()?).map_err(CompareError::Probe)?;
    let mut views = Vec::new();
    for wall in wanted.walls.clone() {
        let facts = behind.probe(wall)?.and_then(|printed| parse(&printed));
        views.push(View { wall, facts });
    }
    Ok(Comparison::of(&host, &views))
}

/// Compares what `command` prints behind each wall, and how it ends.
///
/// # Errors
/// As with [`facts`].
pub fn lines(wanted: &Wanted, command: &[String]) -> Result<Lines, CompareError> {
    let workplace = Workplace::set_up()?;
    let mut behind = Behind::new(wanted, &workplace)?;
    let mut said = Vec::new();
    for wall in wanted.walls.clone() {
        let printed = behind.command(wall, command)?;
        said.push(Said { wall, printed });
    }
    Ok(Lines::of(said))
}

/// The facts that a probe has printed. A guest could have put any text in its place.
fn parse(printed: &Printed) -> Result<Vec<Fact>, String> {
    match printed.status {
        0 => serde_json::from_str(&printed.output)
            .map_err(|error| format!("the probe printed no facts: {error}")),
        _ => Err(printed.reason()),
    }
}
