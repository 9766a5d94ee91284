//! The system calls of some processes and of all that they start, counted one by one.
//!
//! Every call stops its thread twice, which takes far longer than the call: what is counted
//! here is never timed. All of it runs in a thread of its own, whose end lets go of every
//! thread that it traces (ptrace(2)).

use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::ptrace::{self, Stopped, Tid};

/// How often each system call was made, by its number.
pub type Calls = BTreeMap<u64, u64>;

/// What is watched, by a thread that does nothing else.
struct Trace<'a> {
    /// Our own child: its end is for who has started it.
    child: Tid,
    is_over: &'a AtomicBool,
    calls: Calls,
}

/// Counts the system calls of `processes`, of which `child` is ours, from before `start` is
/// done until one of `ends` becomes readable.
///
/// # Errors
/// They cannot be traced (no right to, or somebody else does), `child` has ended, or `limit`
/// has passed.
pub fn during(
    processes: &[Tid],
    child: Tid,
    limit: Duration,
    ends: [BorrowedFd<'_>; 2],
    start: impl FnOnce() -> io::Result<()>,
) -> io::Result<Calls> {
    let is_over = AtomicBool::new(false);
    let (seized, is_seized) = channel();
    thread::scope(|scope| {
        let tracing = scope.spawn(|| Trace::run(processes, child, &is_over, seized));
        // It has a reason of its own where it does not come to this.
        let waited = match is_seized.recv() {
            Ok(()) => start().and_then(|()| wait(ends, limit)),
            Err(_) => Ok(()),
        };
        is_over.store(true, Ordering::SeqCst);
        wake(child);
        let traced = tracing.join();
        let panicked = |_| Err(io::Error::other("the thread that traces panicked"));
        traced
            .unwrap_or_else(panicked)
            .and_then(|calls| waited.map(|()| calls))
    })
}

/// Makes `child` stop before a signal that means nothing to it: a tracer hears of it even so.
fn wake(child: Tid) {
    // SAFETY: a child that nobody has waited for is still the same process.
    unsafe { libc::kill(child, libc::SIGCHLD) };
}

fn wait(ends: [BorrowedFd<'_>; 2], limit: Duration) -> io::Result<()> {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut polled = ends.map(|end| PollFd::from_borrowed_fd(end, PollFlags::IN));
        match poll(&mut polled, Some(&left)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

impl<'a> Trace<'a> {
    fn run(
        processes: &[Tid],
        child: Tid,
        is_over: &'a AtomicBool,
        seized: Sender<()>,
    ) -> io::Result<Calls> {
        for process in processes {
            for tid in threads_of(*process)? {
                let taken = ptrace::seize(tid).and_then(|()| ptrace::interrupt(tid));
                taken.or_else(|error| match has_ended(*process, tid) {
                    true => Ok(()),
                    false => gone_is_fine(error),
                })?;
            }
        }
        let mut trace = Self {
            child,
            is_over,
            calls: Calls::new(),
        };
        // Nobody waits for it who has not got an error.
        let _ = seized.send(());
        while trace.serve_next()? {}
        Ok(trace.calls)
    }

    /// Serves the next stop; whether there is more to come.
    fn serve_next(&mut self) -> io::Result<bool> {
        let (tid, stopped) = ptrace::wait()?;
        if self.is_over.load(Ordering::SeqCst) {
            return Ok(false);
        }
        if (tid, stopped) == (self.child, Stopped::Ended) {
            return Err(io::Error::other("what was watched has ended"));
        }
        let served = ptrace::take(tid).and_then(|stopped| self.serve(tid, stopped));
        served.or_else(gone_is_fine)?;
        Ok(true)
    }

    fn serve(&mut self, tid: Tid, stopped: Stopped) -> io::Result<()> {
        match stopped {
            Stopped::Ended => Ok(()),
            Stopped::Group => ptrace::listen(tid),
            Stopped::Signal(signal) => ptrace::go_on(tid, signal),
            Stopped::Event => ptrace::go_on(tid, 0),
            Stopped::Call => {
                if let Some(number) = ptrace::entered(tid)? {
                    *self.calls.entry(number).or_default() += 1;
                }
                ptrace::go_on(tid, 0)
            }
        }
    }
}

fn threads_of(process: Tid) -> io::Result<Vec<Tid>> {
    let entries = match std::fs::read_dir(format!("/proc/{process}/task")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter_map(|name| name.parse().ok()).collect())
}

/// Whether the thread has ended, and nobody has waited for it: to trace it is not permitted then.
fn has_ended(process: Tid, tid: Tid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/task/{tid}/stat"));
    // After the name, which may be anything: proc(5).
    let state = stat.as_ref().ok().and_then(|stat| stat.rsplit_once(") "));
    state.is_some_and(|(_, state)| state.starts_with(['Z', 'X']))
}

/// A thread can be killed at any time, also while it is stopped.
fn gone_is_fine(error: io::Error) -> io::Result<()> {
    match has_gone(&error) {
        true => Ok(()),
        false => Err(error),
    }
}

fn has_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ECHILD))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::process::{Child, Command, Stdio};

    /// A shell that waits for a line, runs `script`, and says that it is done.
    fn shell(script: &str) -> Child {
        let script = format!("read line; {script}; echo done; read line");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped());
        shell.spawn().unwrap()
    }

    fn count(script: &str) -> Calls {
        let mut child = shell(script);
        let mut input = child.stdin.take().unwrap();
        let output = child.stdout.take().unwrap();
        let pid = Tid::try_from(child.id()).unwrap();
        let limit = Duration::from_secs(60);
        let start = || input.write_all(b"go\n");
        let calls = during(&[pid], pid, limit, [output.as_fd(); 2], start).unwrap();
        input.write_all(b"end\n").unwrap();
        assert!(child.wait().unwrap().success());
        calls
    }

    fn of(calls: &Calls, number: i64) -> u64 {
        calls.get(&number.unsigned_abs()).copied().unwrap_or(0)
    }

    #[test]
    fn each_call_is_counted() {
        let once = count("cd /");
        let five = count("cd /; cd /tmp; cd /; cd /tmp; cd /");
        assert_eq!(of(&once, libc::SYS_chdir), 1);
        assert_eq!(of(&five, libc::SYS_chdir), 5);
    }

    #[test]
    fn those_of_children_are_counted_too() {
        let calls = count("sh -c 'cd /; cd /tmp'; (cd /)");
        assert_eq!(of(&calls, libc::SYS_chdir), 3);
        assert!(of(&calls, libc::SYS_execve) >= 1, "{calls:?}");
    }

    #[test]
    fn a_signal_is_still_delivered() {
        let calls = count("trap 'cd /' USR1; kill -USR1 $$");
        assert_eq!(of(&calls, libc::SYS_chdir), 1);
    }

    #[test]
    fn one_that_has_ended_and_was_not_waited_for_is_in_nobodys_way() {
        let mut ended = Command::new("true").stdout(Stdio::piped()).spawn().unwrap();
        let mut end = Vec::new();
        // Its output has an end when it has ended, or just before.
        ended.stdout.take().unwrap().read_to_end(&mut end).unwrap();
        let zombie = Tid::try_from(ended.id()).unwrap();
        while !has_ended(zombie, zombie) {
            thread::yield_now();
        }
        let mut child = shell("cd /");
        let mut input = child.stdin.take().unwrap();
        let output = child.stdout.take().unwrap();
        let pid = Tid::try_from(child.id()).unwrap();
        let limit = Duration::from_secs(60);
        let start = || input.write_all(b"go\n");
        let calls = during(&[zombie, pid], pid, limit, [output.as_fd(); 2], start).unwrap();
        assert_eq!(of(&calls, libc::SYS_chdir), 1);
        drop(input);
        child.wait().unwrap();
        ended.wait().unwrap();
    }

    #[test]
    fn it_does_not_wait_for_ever() {
        let mut child = shell("sleep 1000");
        let (_input, output) = (child.stdin.take(), child.stdout.take().unwrap());
        let pid = Tid::try_from(child.id()).unwrap();
        let limit = Duration::from_millis(1);
        let counted = during(&[pid], pid, limit, [output.as_fd(); 2], || Ok(()));
        assert_eq!(counted.unwrap_err().kind(), io::ErrorKind::TimedOut);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
