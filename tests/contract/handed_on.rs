//! What an ordinary user may limit: a control group that root hands on to him is his.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Promise;
use crate::skip::skip;
use crate::user::User;
use crate::wall::{Wall, finish};

pub const PROMISES: &[Promise] = &[
    (16, "memory_is_limited_in_a_group_handed_on", memory),
    (16, "a_detached_run_is_limited_there_as_well", detached),
    (18, "processes_are_limited_in_a_group_handed_on", pids),
];

/// What of it the user writes.
const OF_THE_USER: [&str; 3] = ["", "cgroup.procs", "cgroup.subtree_control"];

/// The controllers of version 2 that make a difference here.
const CONTROLLERS: &str = "+memory +pids +cpu";

/// Enters the groups whose `cgroup.procs` precede `--`, and becomes what follows.
const ENTER: &str =
    "while [ \"$1\" != -- ]; do echo $$ >\"$1\" || exit 1; shift; done; shift; exec \"$@\"";

fn memory(wall: &Wall) {
    let mut command = wall.run(&["--memory", "64M"]);
    command.args(["tail", "-c", "100000000", "/dev/zero"]);
    let group = HandedOn::to(wall);
    let ended = finish(group.around(&command), b"");
    assert_eq!(ended.status, 123, "{ended:?}");
    group.assert_empty();
}

/// Its caller stands in the group beside it, until it runs.
fn detached(wall: &Wall) {
    let name = format!("handed-on-{}-{}", std::process::id(), wall.column());
    let mut command = wall.run(&["--detach", "--name", &name, "--memory", "64M"]);
    command.args(["sleep", "1000"]);
    let group = HandedOn::to(wall);
    let ended = finish(group.around(&command), b"");
    let mut remove = wall.vmm();
    remove.args(["rm", "--force", &name]);
    let removed = finish(remove, b"");
    assert_eq!(
        (ended.status, removed.status),
        (0, 0),
        "{ended:?} {removed:?}"
    );
    group.assert_empty();
}

fn pids(wall: &Wall) {
    let script = "i=0; while [ $i -lt 40 ]; do sleep 1 & i=$((i+1)); done; wait; echo all";
    let mut command = wall.run(&["--pids", "20"]);
    command.args(["sh", "-c", script]);
    let group = HandedOn::to(wall);
    let ended = finish(group.around(&command), b"");
    assert!(ended.errors.contains("can't fork"), "{ended:?}");
    group.assert_empty();
}

/// A group in each hierarchy that limits something, and its user.
struct HandedOn(Vec<PathBuf>, User);

impl HandedOn {
    /// One for whoever puts `wall` up.
    fn to(wall: &Wall) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let is_root = rustix::process::getuid().is_root();
        let Some(user) = wall.user().filter(|_| is_root) else {
            skip("only root hands a control group on, to an ordinary user");
        };
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("vmm-test-{}-{count}", std::process::id());
        let groups: Vec<PathBuf> = tops().iter().map(|top| top.join(&name)).collect();
        for group in &groups {
            fs::create_dir(group).unwrap();
            let files = OF_THE_USER.map(|file| group.join(file));
            let there = files.iter().filter(|file| file.exists());
            there.for_each(|file| user.own(file));
        }
        Self(groups, user)
    }

    /// `command`, begun in the groups.
    fn around(&self, command: &Command) -> Command {
        let mut outer = Command::new("sh");
        outer.args(["-c", ENTER, "sh"]);
        outer.args(self.0.iter().map(|group| group.join("cgroup.procs")));
        outer.arg("--").args(self.1.become_words());
        outer.arg(command.get_program()).args(command.get_args());
        let set = command.get_envs();
        outer.envs(set.filter_map(|(name, value)| Some((name, value?))));
        outer
    }

    /// No group of an instance is left.
    fn assert_empty(&self) {
        for group in &self.0 {
            let ours = fs::read_dir(group.join("vmm")).unwrap();
            let left: Vec<PathBuf> = ours.map(|entry| entry.unwrap().path()).collect();
            assert!(left.iter().all(|path| !path.is_dir()), "{left:?}");
        }
    }
}

impl Drop for HandedOn {
    fn drop(&mut self) {
        for group in &self.0 {
            for below in ["vmm", "supervisors", ""] {
                let _ = fs::remove_dir(group.join(below));
            }
        }
    }
}

/// The hierarchies of version 1 that limit or freeze, or the one of version 2.
fn tops() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let tops = mounts.lines().filter_map(|mount| {
        let fields: Vec<&str> = mount.split(' ').collect();
        let path = Path::new(fields[1]);
        let is_meant = match fields[2] {
            "cgroup" => fields[3]
                .split(',')
                .any(|option| ["memory", "pids", "cpu", "cpuacct", "freezer"].contains(&option)),
            "cgroup2" => fs::write(path.join("cgroup.subtree_control"), CONTROLLERS).is_ok(),
            _ => false,
        };
        is_meant.then(|| path.to_owned())
    });
    tops.collect()
}
