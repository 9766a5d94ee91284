//! The command lines of one target. It starts nothing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use super::Shared;
use crate::run::{Registry, Wall};

/// Where every wall shows the probe.
const PLACE: &str = "/run/vmm-probe";
/// How long a command has to end in that was asked to, in seconds.
const GRACE: &str = "2";
/// Longer names of targets are cut: names of instances have an end.
const LONGEST: usize = 30;

/// And those of channels.
const LONGEST_CHANNEL: usize = 32;

/// A wall, and what puts it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The wall.
    pub wall: Wall,
    /// The OCI runtime; ours if none is named.
    pub runtime: Option<PathBuf>,
}

/// Makes the command lines of one target.
pub struct Launcher {
    choice: Choice,
    /// What its session is called, and the session's keep.
    name: String,
    shared: Rc<Shared>,
}

impl Launcher {
    /// That of the target `name`.
    pub fn new(name: &str, choice: Choice, shared: Rc<Shared>) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let word: String = name.chars().map(plain).take(LONGEST).collect();
        Self {
            choice,
            name: shared.workplace.next_name(&word),
            shared,
        }
    }

    /// What it shares with others.
    pub fn shared(&self) -> &Rc<Shared> {
        &self.shared
    }

    /// The instance that a session becomes.
    pub fn instance(&self) -> &str {
        &self.name
    }

    /// A probe that stands, with files of its own; with a channel to its peer, if it has one.
    pub fn session(&self, has_peer: bool) -> Command {
        let mut command = self.run();
        command.args(["--name", &self.name, "--keep", &self.name]);
        if has_peer {
            command.args(["--channel", &self.channel()]);
        }
        // Every image has this directory.
        self.add_probe(&mut command, &["serve", "--directory", "/"]);
        command
    }

    /// The instance at the other end of the session's channel.
    pub fn peer(&self) -> String {
        format!("{}-peer", self.name)
    }

    /// A probe that stands there, with no file of its own.
    pub fn peer_session(&self) -> Command {
        let mut command = self.run();
        command.args(["--name", &self.peer(), "--channel", &self.channel()]);
        self.add_probe(&mut command, &["serve", "--directory", "/", "--peer"]);
        command
    }

    /// Names of channels are narrower than those of instances.
    fn channel(&self) -> String {
        let name = self.name.to_ascii_lowercase();
        name.chars().take(LONGEST_CHANNEL).collect()
    }

    /// A probe that stands as the instance `name`, with no file of its own.
    pub fn idle(&self, name: &str) -> Command {
        let mut command = self.run();
        command.args(["--name", name]);
        self.add_probe(&mut command, &["serve", "--directory", "/"]);
        command
    }

    /// A probe that marks its beginning and its end; what took how long goes to `record`.
    pub fn mark(&self, record: &Path) -> Command {
        let mut command = self.run();
        command.arg("--json").arg(record);
        self.add_probe(&mut command, &["mark"]);
        command
    }

    /// A tool of the image: the first of `words`, with the rest. Its files are on a disk, and
    /// stay for the next.
    pub fn tool(&self, words: &[&str]) -> Command {
        let (program, arguments) = words.split_first().unwrap_or((&"true", &[]));
        let mut command = self.run();
        command.args(["--keep", &self.tool_keep()]);
        command.args(["--user", "0:0", "--workdir", "/", "--entrypoint", program]);
        command.arg(&self.shared.conditions.image).arg("--");
        command.args(arguments);
        command
    }

    /// That of the session is in use by it.
    fn tool_keep(&self) -> String {
        format!("{}-tool", self.name)
    }

    /// The user's own command.
    pub fn command(&self, record: &Path) -> Command {
        let conditions = &self.shared.conditions;
        let mut command = self.run();
        command.arg("--json").arg(record);
        command.arg(&conditions.image).arg("--");
        command.args(&conditions.command);
        command
    }

    /// Takes away what runs of this target have left.
    pub fn clean_up(&self) {
        // To look is to clear away what was killed.
        let _ = Registry::open().and_then(|registry| registry.list());
        for keep in [&self.name, &self.tool_keep()] {
            self.shared.workplace.remove_keep(keep);
        }
    }

    fn run(&self) -> Command {
        let conditions = &self.shared.conditions;
        // The link leads to this program even when its file has been replaced.
        let mut command = Command::new("/proc/self/exe");
        command.args(["run", "--wall", self.choice.wall.name()]);
        if let Some(memory) = conditions.memory {
            command.args(["--memory", &memory.to_string()]);
        }
        command.args(["--cpus", &conditions.cpus.to_string()]);
        command.args(["--grace", GRACE]);
        if let Some(runtime) = &self.choice.runtime {
            command.arg("--runtime").arg(runtime);
        }
        if let (Wall::Vm, Some(kernel)) = (self.choice.wall, &conditions.kernel) {
            command.arg("--kernel").arg(kernel);
            command.arg("--cmdline").arg(&conditions.cmdline);
        }
        command
    }

    fn add_probe(&self, command: &mut Command, words: &[&str]) {
        let directory = self.shared.workplace.probe_directory();
        let volume = format!("{}:{PLACE}:ro", directory.display());
        command.args(["--volume", &volume, "--user", "0:0", "--workdir", "/"]);
        command.args(["--entrypoint", &format!("{PLACE}/probe")]);
        command.arg(&self.shared.conditions.image).arg("--");
        command.args(words);
    }
}
