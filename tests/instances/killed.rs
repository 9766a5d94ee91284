//! What is left where a process was killed that should have cleared up.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::fixture::{eventually, run_detached, unused_name};
use crate::skip::skip;
use crate::wall::{Wall, finish};
use crate::{Promise, promises};

pub const PROMISES: &[Promise] = promises![
    a_command_ends_with_its_vmm_even_if_nobody_looks,
    whoever_looks_next_clears_what_a_killed_vmm_has_left,
    one_that_was_paused_when_it_was_killed_is_cleared_as_well,
    a_name_of_one_that_was_killed_is_free,
    one_of_the_same_name_elsewhere_is_another,
    collecting_takes_what_was_extracted_along,
];

/// A store and a runtime directory that no other test uses: the loop device of a base is shared
/// by all that run it.
struct Alone<'a> {
    wall: &'a Wall,
    folder: tempfile::TempDir,
}

impl<'a> Alone<'a> {
    fn new(wall: &'a Wall) -> Self {
        let folder = wall.directory();
        Self { wall, folder }
    }

    fn here(&self, mut command: Command) -> Command {
        let path = |name| self.folder.path().join(name);
        command.env("VMM_STORE", path("store"));
        command.env("VMM_RUNTIME", path("run"));
        command
    }

    fn start(&self, name: &str, script: &str) {
        let ended = finish(self.here(run_detached(self.wall, name, &[], script)), b"");
        assert_eq!(ended.status, 0, "{ended:?}");
        eventually("it is ready", || {
            self.vmm(&["logs", name]).contains("ready\n")
        });
    }

    fn vmm(&self, words: &[&str]) -> String {
        let mut command = self.wall.vmm();
        command.args(words);
        finish(self.here(command), b"").text()
    }

    /// Kills the process that runs the only instance.
    fn kill(&self) {
        let pid = i32::try_from(self.pid()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }

    fn pid(&self) -> u32 {
        let rows: serde_json::Value = serde_json::from_str(&self.vmm(&["ps", "--json"])).unwrap();
        u32::try_from(rows[0]["pid"].as_u64().unwrap()).unwrap()
    }

    /// The processes of the only instance, which is called `name`: those of its control group, or
    /// of its user namespace, but not the one that runs it.
    fn processes(&self, name: &str) -> Vec<u32> {
        match self.wall.is_rootless() {
            true => processes_beside(self.pid()),
            false => processes(name),
        }
    }

    /// Whoever lists instances finds nothing of `name`, whose processes `members` were.
    fn clears(&self, name: &str, members: &[u32]) {
        eventually("it is not listed", || {
            !self.vmm(&["ps", "--all"]).contains(name)
        });
        assert_eq!(groups(name), Vec::<PathBuf>::new());
        have_ended(members);
    }
}

fn have_ended(members: &[u32]) {
    eventually("no process is left", || {
        members.iter().all(|pid| !runs(*pid))
    });
}

fn a_command_ends_with_its_vmm_even_if_nobody_looks(wall: &Wall) {
    let (alone, name) = (Alone::new(wall), unused_name(wall));
    alone.start(&name, "echo ready; exec sleep 1000");
    let members = alone.processes(&name);
    assert!(wall.is("vm") || members.len() >= 2, "{members:?}");
    alone.kill();
    have_ended(&members);
    alone.clears(&name, &members);
}

fn whoever_looks_next_clears_what_a_killed_vmm_has_left(wall: &Wall) {
    let (alone, name) = (Alone::new(wall), unused_name(wall));
    // An orphan as well: its parent cannot take it along.
    alone.start(&name, "(sleep 1000 &); echo ready; exec sleep 1000");
    let members = alone.processes(&name);
    assert!(wall.is("vm") || members.len() >= 3, "{members:?}");
    alone.kill();
    alone.clears(&name, &members);
    let store = alone.folder.path().join("store");
    eventually("no loop device is left", || loops(&store).is_empty());
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(store.to_str().unwrap()), "{mounts}");
    let left = fs::read_dir(alone.folder.path().join("run/instances")).unwrap();
    assert_eq!(left.count(), 0);
}

fn one_that_was_paused_when_it_was_killed_is_cleared_as_well(wall: &Wall) {
    if wall.is_rootless() {
        skip("an ordinary user's has no control group in which it could be paused");
    }
    let (alone, name) = (Alone::new(wall), unused_name(wall));
    alone.start(&name, "echo ready; while :; do sleep 0.05; done");
    let members = alone.processes(&name);
    alone.vmm(&["pause", &name]);
    alone.kill();
    alone.clears(&name, &members);
}

fn a_name_of_one_that_was_killed_is_free(wall: &Wall) {
    let (alone, name) = (Alone::new(wall), unused_name(wall));
    alone.start(&name, "echo ready; exec sleep 1000");
    alone.kill();
    eventually("its lock is gone", || {
        let ended = finish(
            alone.here(run_detached(wall, &name, &[], "echo ready")),
            b"",
        );
        ended.status == 0
    });
    eventually("the second has printed", || {
        alone.vmm(&["logs", &name]) == "ready\n"
    });
    alone.vmm(&["rm", "--force", &name]);
}

fn one_of_the_same_name_elsewhere_is_another(wall: &Wall) {
    let (here, elsewhere, name) = (Alone::new(wall), Alone::new(wall), unused_name(wall));
    here.start(&name, "echo ready; exec sleep 1000");
    elsewhere.start(&name, "echo ready; exec sleep 1000");
    here.kill();
    eventually("it is not listed", || {
        !here.vmm(&["ps", "--all"]).contains(&name)
    });
    let script = ["exec", &name, "--", "echo", "here"];
    assert_eq!(elsewhere.vmm(&script), "here\n");
    assert!(wall.is("vm") || !elsewhere.processes(&name).is_empty());
    elsewhere.vmm(&["rm", "--force", &name]);
    assert_eq!(groups(&name), Vec::<PathBuf>::new());
}

/// A file of another user is what only the user namespace can remove.
fn collecting_takes_what_was_extracted_along(wall: &Wall) {
    let (alone, name) = (Alone::new(wall), unused_name(wall));
    alone.start(&name, "echo ready");
    alone.vmm(&["rm", "--force", &name]);
    let trees = || {
        let entries = fs::read_dir(alone.folder.path().join("store/trees"));
        let names = entries
            .into_iter()
            .flatten()
            .map(|one| one.unwrap().file_name());
        names.filter(|name| name != "lock").count()
    };
    assert_eq!(trees(), usize::from(wall.is_rootless()));
    alone.vmm(&["image", "gc"]);
    assert_eq!(trees(), 0);
}

/// The directories of the control groups of all instances called `name`.
pub fn groups(name: &str) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let parents = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (path, kind) = (words.next()?, words.next()?);
        kind.starts_with("cgroup")
            .then(|| Path::new(path).join("vmm"))
    });
    let groups = parents.flat_map(|parent| fs::read_dir(parent).into_iter().flatten());
    let paths = groups.map(|group| group.unwrap().path());
    // Behind the name is what no other has.
    let is_of = |path: &PathBuf| {
        let group = path.file_name().unwrap().to_str().unwrap();
        group.rsplit_once('-').is_some_and(|(of, _)| of == name)
    };
    paths.filter(is_of).collect()
}

/// The processes in that control group.
fn processes(name: &str) -> Vec<u32> {
    let lists = groups(name)
        .into_iter()
        .map(|group| group.join("cgroup.procs"));
    let text: String = lists
        .filter_map(|list| fs::read_to_string(list).ok())
        .collect();
    let mut pids: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// The other processes in the user namespace of `pid`.
fn processes_beside(pid: u32) -> Vec<u32> {
    let namespace = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/user")).ok();
    let entries = fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let theirs = namespace(pid);
    pids.filter(|other| *other != pid && namespace(*other) == theirs)
        .collect()
}

/// Whether that process is there, and no zombie that waits for its parent.
fn runs(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let state = status.lines().find_map(|line| line.strip_prefix("State:"));
    state.is_some_and(|state| !state.trim_start().starts_with(['Z', 'X']))
}

/// The files in `store` that loop devices show.
fn loops(store: &Path) -> Vec<String> {
    let devices = fs::read_dir("/sys/block").unwrap().filter_map(Result::ok);
    let files = devices
        .filter_map(|device| fs::read_to_string(device.path().join("loop/backing_file")).ok());
    files
        .filter(|file| file.starts_with(store.to_str().unwrap()))
        .collect()
}
