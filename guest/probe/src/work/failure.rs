//! Why a workload cannot be done here.

use std::error::Error;
use std::io;

/// What came between.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nothing is called that.
    #[error("there is no workload {0:?}")]
    Unknown(String),
    /// Nobody would wait for so many.
    #[error("{workload} is done 1 to {most} times at once, not {ordered} times")]
    Operations {
        workload: &'static str,
        most: u64,
        ordered: u64,
    },
    /// The kernel said no.
    #[error("cannot {doing}")]
    Refused {
        doing: &'static str,
        source: io::Error,
    },
    /// It would be killed for it.
    #[error(
        "it needs {needed} MiB of memory and {available} MiB are available: \
         give more behind this wall (--memory)"
    )]
    Memory { needed: u64, available: u64 },
    /// It was killed for it.
    #[error(
        "it was killed, most likely because it needs more memory than there is: \
         give more behind this wall (--memory)"
    )]
    Killed,
    /// There is nobody to talk to.
    #[error("it needs two CPUs and may use one: give more behind this wall (--cpus)")]
    OneCpu,
    /// Something that it is about is not here.
    #[error("{0}")]
    NotHere(&'static str),
    /// What came of it is not what must come of it.
    #[error("{0}: nothing was measured")]
    Wrong(&'static str),
}

impl Failure {
    /// For `map_err`: we were `doing` something.
    pub fn to<E: Into<io::Error>>(doing: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Refused {
            doing,
            source: source.into(),
        }
    }

    /// All of it in a line.
    pub fn sentence(&self) -> String {
        match self.source() {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        }
    }
}
