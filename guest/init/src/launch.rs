//! A command becomes a process: found, dressed, and told from one that cannot be started.

use std::ffi::CString;
use std::fs;
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, getuid};
use wire::Launch;

use crate::child::{self, Report, Step};
use crate::sys;
use crate::user::{Database, Identity, UserError};

/// Where a program is looked up if the environment does not say.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The streams of a command, and which of them is a terminal of its own.
pub enum Streams {
    /// Those of this process.
    Inherited,
    /// Standard input, output and error.
    Pipes([OwnedFd; 3]),
    /// All three are this terminal.
    Terminal(OwnedFd),
}

/// Why a command cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// There is nothing to start.
    #[error("no command given, and the image names none")]
    Empty,
    /// A word cannot be handed to a program.
    #[error("a NUL byte in {0:?}")]
    Nul(String),
    /// Nobody to run as.
    #[error(transparent)]
    User(#[from] UserError),
    /// Nobody but root is there.
    #[error(
        "cannot become the command's user: an ordinary user runs this, whose user namespace has no such user or group: it takes ranges in /etc/subuid and /etc/subgid, and newuidmap (package uidmap), or root"
    )]
    NoSuchId(#[source] io::Error),
    /// Nowhere to start in.
    #[error("cannot enter the working directory {0}")]
    Workdir(String, #[source] io::Error),
    /// There is no such program.
    #[error("cannot find the program '{0}', or the interpreter that it names")]
    NotFound(String),
    /// It is there, and is no program, or not for this user.
    #[error("cannot execute '{0}'")]
    NotExecutable(String, #[source] io::Error),
    /// The system refuses a step.
    #[error("cannot {0}")]
    System(&'static str, #[source] io::Error),
}

impl LaunchError {
    /// The exit status that tells of it (docs/contract.md).
    pub fn status(&self) -> u8 {
        match self {
            Self::NotFound(_) => 127,
            Self::NotExecutable(..) => 126,
            _ => crate::FAILURE,
        }
    }
}

/// A command with all that its process needs, made before there is one.
pub struct Prepared {
    /// Where the program may be, in this order.
    pub candidates: Vec<CString>,
    /// Its arguments.
    pub argv: Vec<CString>,
    /// Its environment.
    pub env: Vec<CString>,
    /// Where it starts.
    pub workdir: CString,
    /// Who it becomes; `None` to stay as we are.
    pub identity: Option<Identity>,
}

/// Starts the command of `launch` on `streams`; `cgroup` is the `cgroup.procs` of the group
/// that it belongs to.
///
/// # Errors
/// It cannot be started; nothing runs.
pub fn spawn(
    launch: &Launch,
    streams: Streams,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<Pid, LaunchError> {
    let prepared = Prepared::new(launch)?;
    let program = launch.argv.first().cloned().unwrap_or_default();
    let workdir = launch.workdir.clone().unwrap_or_default();
    let system = |what| move |error| LaunchError::System(what, error);
    let (reader, writer) = io::pipe().map_err(system("make a pipe"))?;
    let Some(pid) = sys::fork().map_err(system("start a process"))? else {
        drop(reader);
        child::run(&prepared, streams, cgroup, writer)
    };
    drop(writer);
    match read_report(reader) {
        None => Ok(pid),
        Some((step, error)) => {
            // It has said why it is about to end.
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
            Err(explain(step, error, program, workdir))
        }
    }
}

impl Prepared {
    fn new(launch: &Launch) -> Result<Self, LaunchError> {
        let program = launch.argv.first().ok_or(LaunchError::Empty)?;
        let users = Database::read(Path::new("/"));
        let identity = launch
            .user
            .as_deref()
            .map(|user| users.find(user))
            .transpose()?;
        let mut env = launch.env.clone();
        if value_of(&env, "HOME").is_none() {
            let home = identity.as_ref().map(|identity| identity.home.as_str());
            let home = home.unwrap_or_else(|| users.home_of(getuid().as_raw()));
            env.push(("HOME".to_owned(), home.to_owned()));
        }
        let workdir = launch.workdir.as_deref().unwrap_or("/");
        // One that cannot be made is told when it cannot be entered.
        let _ = fs::create_dir_all(workdir);
        Ok(Self {
            candidates: candidates(program, value_of(&env, "PATH").unwrap_or(DEFAULT_PATH))?,
            argv: launch
                .argv
                .iter()
                .map(|word| c_string(word))
                .collect::<Result<_, _>>()?,
            env: env
                .iter()
                .map(|(name, value)| c_string(&format!("{name}={value}")))
                .collect::<Result<_, _>>()?,
            workdir: c_string(workdir)?,
            identity,
        })
    }
}

/// Where a program may be: a name with a slash is a place, any other is looked up.
fn candidates(program: &str, path: &str) -> Result<Vec<CString>, LaunchError> {
    if program.contains('/') || program.is_empty() {
        return Ok(vec![c_string(program)?]);
    }
    path.split(':')
        .map(|directory| if directory.is_empty() { "." } else { directory })
        .map(|directory| c_string(&format!("{directory}/{program}")))
        .collect()
}

fn value_of<'a>(env: &'a [(String, String)], name: &str) -> Option<&'a str> {
    // Of two, the last one counts for most programs.
    let found = env.iter().rev().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

fn c_string(word: &str) -> Result<CString, LaunchError> {
    CString::new(word).map_err(|_| LaunchError::Nul(word.to_owned()))
}

/// What the child says of its failure; nothing if it has become the command.
fn read_report(mut reader: impl Read) -> Option<(Step, io::Error)> {
    let mut report = Report::default();
    reader.read_exact(&mut report).ok()?;
    child::parse(report)
}

fn explain(step: Step, error: io::Error, program: String, workdir: String) -> LaunchError {
    match step {
        Step::Workdir => LaunchError::Workdir(workdir, error),
        Step::Exec if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => {
            LaunchError::NotFound(program)
        }
        Step::Exec => LaunchError::NotExecutable(program, error),
        Step::User if stands_in_user_namespace() => LaunchError::NoSuchId(error),
        step => LaunchError::System(step.name(), error),
    }
}

/// user_namespaces(7): the map of the host is that of everybody, as himself.
fn stands_in_user_namespace() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    !map.is_empty() && !map.split_whitespace().eq(["0", "0", "4294967295"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(candidates: &[CString]) -> Vec<&str> {
        candidates.iter().map(|c| c.to_str().unwrap()).collect()
    }

    #[test]
    fn a_name_is_looked_up_and_a_place_is_not() {
        let found = candidates("sh", "/bin::/usr/bin").unwrap();
        assert_eq!(words(&found), ["/bin/sh", "./sh", "/usr/bin/sh"]);
        assert_eq!(words(&candidates("./sh", "/bin").unwrap()), ["./sh"]);
    }

    #[test]
    fn home_is_added_only_where_it_is_missing() {
        let env_of = |env: &[(&str, &str)]| {
            let env = env.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
            let launch = Launch {
                argv: vec!["true".into()],
                env: env.collect(),
                ..Default::default()
            };
            let env = Prepared::new(&launch).unwrap().env;
            env.into_iter()
                .map(|word| word.into_string().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(env_of(&[("HOME", "/here")]), ["HOME=/here"]);
        assert!(env_of(&[])[0].starts_with("HOME=/"));
    }

    #[test]
    fn a_nul_byte_is_refused() {
        let launch = Launch {
            argv: vec!["a\0b".into()],
            ..Default::default()
        };
        assert!(matches!(Prepared::new(&launch), Err(LaunchError::Nul(_))));
    }
}
