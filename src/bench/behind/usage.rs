//! Processor time of the host that a run takes, wall and all.
//!
//! What is in it: `vmm run` and its helpers, OCI runtimes too; everything that runs behind the
//! wall; the vCPUs of a machine, which are threads of `vmm run`, and so all that its guest does.
//!
//! What is not: work that the host's kernel does in threads of its own (loop devices, writing
//! back, KVM's), and interrupts that are charged to whoever was running.

use std::fs;

use crate::cgroup::Cgroup;
use crate::run::Registry;
use crate::run::record::Usage;

/// Nanoseconds of all children that this process has waited for. A run that has ended is one of
/// them, with what it had waited for itself.
pub fn of_ended() -> u64 {
    nanoseconds(Usage::of_children())
}

/// Nanoseconds of this process itself: what measuring costs beside what is measured.
pub fn of_ourselves() -> u64 {
    nanoseconds(Usage::of_this_process())
}

fn nanoseconds(usage: Usage) -> u64 {
    (usage.user_us + usage.system_us).saturating_mul(1000)
}

/// A session, whose processes come and go while it stands.
pub struct Standing {
    /// `vmm run`.
    process: u32,
    /// What stands behind its wall, where that is in a group.
    group: Option<Cgroup>,
}

impl Standing {
    /// The session that is the instance `name`, run by `process`.
    pub fn new(name: &str, process: u32) -> Self {
        let group = group_of(name).and_then(|group| Cgroup::open(&group).ok());
        let counts = |group: &Cgroup| group.statistics().cpu.is_some();
        Self {
            process,
            group: group.filter(counts),
        }
    }

    /// Nanoseconds until now; `None` where the kernel does not tell.
    pub fn used(&self) -> Option<u64> {
        let Some(group) = &self.group else {
            return of_tree(self.process);
        };
        let behind = u64::try_from(group.statistics().cpu?.as_nanos()).ok()?;
        Some(of_process(self.process)? + behind)
    }
}

/// What the control groups of the instance `name` are called.
pub fn group_of(name: &str) -> Option<String> {
    let found = Registry::open().and_then(|registry| registry.find(name));
    Some(found.ok()?.state.cgroup)
}

/// All threads that `process` has or had, by its clock of processor time; `None` once it has ended.
fn of_process(process: u32) -> Option<u64> {
    let mut clock: libc::clockid_t = 0;
    let process = libc::pid_t::try_from(process).ok()?;
    // SAFETY: the identifier is written, and nothing else.
    let error = unsafe { libc::clock_getcpuclockid(process, &raw mut clock) };
    if error != 0 {
        return None;
    }
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the time is written, and nothing else.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return None;
    }
    let seconds = u64::try_from(time.tv_sec).ok()?;
    Some(seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).ok()?)
}

/// Nanoseconds of `process` and of all that it has started, and they, as far as they live.
pub fn of_tree(process: u32) -> Option<u64> {
    let all = tree(process).into_iter();
    Some(of_process(process)? + all.skip(1).filter_map(of_process).sum::<u64>())
}

/// `process` and all that it has started, and they.
pub fn tree(process: u32) -> Vec<u32> {
    let mut all = vec![process];
    let mut looked_at = 0;
    while let Some(next) = all.get(looked_at) {
        all.extend(children(*next));
        looked_at += 1;
    }
    all
}

/// The children of all threads of `process`; none where the kernel does not tell.
pub fn children(process: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task"));
    let lists = tasks.into_iter().flatten().flatten().map(|task| {
        let list = fs::read_to_string(task.path().join("children"));
        list.unwrap_or_default()
    });
    let numbers = |list: String| -> Vec<u32> {
        let words = list.split_whitespace();
        words.filter_map(|word| word.parse().ok()).collect()
    };
    lists.flat_map(numbers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// So many rounds of nothing, in a shell.
    fn counting(rounds: &str) -> Command {
        let mut shell = Command::new("/bin/sh");
        let script = format!("i=0; while [ $i -lt {rounds} ]; do i=$((i+1)); done; read line");
        shell.args(["-c", &script]).stdin(Stdio::piped());
        shell
    }

    #[test]
    fn what_has_ended_has_used_something() {
        let before = of_ended();
        let mut child = counting("20000").spawn().unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(of_ended() > before);
    }

    #[test]
    fn a_thread_that_has_ended_is_counted_and_a_process_that_has_is_not() {
        let own = || of_process(std::process::id()).unwrap();
        let begin = own();
        let work = move || while own() < begin + 20_000_000 {};
        std::thread::spawn(work).join().unwrap();
        assert!(own() >= begin + 20_000_000);
        let mut child = counting("1").spawn().unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(of_process(child.id()), None);
    }

    #[test]
    fn what_stands_is_counted_with_what_it_has_started() {
        let mut child = counting("1").spawn().unwrap();
        let used = Standing::new("no-such-instance", child.id()).used();
        let own = of_process(std::process::id()).unwrap();
        let ours = of_tree(std::process::id()).unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(used.is_some_and(|used| used > 0));
        assert!(ours > own, "{ours} {own}");
    }
}
