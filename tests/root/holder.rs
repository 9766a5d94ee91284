//! Another run, in a process of its own, which holds a root for as long as it is wanted.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use super::host::{Stage, mounts_below};

/// Tells a process to hold a root: of the stage in this directory.
const HOLD: &str = "VMM_TEST_HOLD";

/// Names the keep that it writes into; memory without it.
const KEEP: &str = "VMM_TEST_KEEP";

/// The process.
pub struct Holder {
    child: Child,
    device: String,
    root: PathBuf,
    // Closed by drop, which ends the process.
    _stdin: Option<ChildStdin>,
}

impl Holder {
    /// Starts one, and waits until it has its root.
    pub fn start(stage: &Stage) -> Self {
        Self::of(spawn(&mut command(stage)))
    }

    /// Starts several at once, and waits until all have theirs.
    pub fn start_many(stage: &Stage, count: usize) -> Vec<Self> {
        let children: Vec<Child> = (0..count).map(|_| spawn(&mut command(stage))).collect();
        children.into_iter().map(Self::of).collect()
    }

    /// One that writes into a keep.
    pub fn with_keep(stage: &Stage, name: &str) -> Self {
        Self::of(spawn(command(stage).env(KEEP, name)))
    }

    fn of(mut child: Child) -> Self {
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let device = said.next().expect("it ended without a root").unwrap();
        let root = PathBuf::from(said.next().unwrap().unwrap());
        Self {
            _stdin: child.stdin.take(),
            child,
            device,
            root,
        }
    }

    /// The device number of its base.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A file of its tree, as others reach it.
    pub fn inside(&self, file: &str) -> PathBuf {
        let root = self.root.strip_prefix("/").unwrap();
        let process = Path::new("/proc").join(self.child.id().to_string());
        process.join("root").join(root).join(file)
    }

    /// Kills it as nothing can be handled.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self._stdin.take());
        let _ = self.child.wait();
    }
}

fn command(stage: &Stage) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env(HOLD, stage.store.path());
    command
}

fn spawn(command: &mut Command) -> Child {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    piped.spawn().unwrap()
}

/// What a process does that was started as a holder; false where it was not.
pub fn hold_if_told() -> bool {
    let Some(store) = env::var_os(HOLD) else {
        return false;
    };
    let stage = Stage::found_in(Path::new(&store));
    let workbench = stage.workbench();
    let root = match env::var(KEEP) {
        Ok(name) => stage.kept_root(&workbench, &name),
        Err(_) => stage.root(&workbench),
    };
    let mounts = mounts_below(Path::new(&store));
    let lower = mounts.iter().find(|(_, at)| at.ends_with("lower"));
    println!("{}", lower.unwrap().0);
    println!("{}", root.path().display());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    true
}
