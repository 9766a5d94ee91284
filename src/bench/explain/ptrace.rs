//! The requests of ptrace(2) that watching system calls takes, and what a stop was for.
//!
//! Whoever seizes a thread traces it: every request about it comes from that thread of ours.

use std::io;
use std::mem::MaybeUninit;

/// A thread of another process, by its number.
pub type Tid = libc::pid_t;

/// Why a traced thread has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It enters or leaves a system call.
    Call,
    /// A signal is to be delivered.
    Signal(i32),
    /// It was interrupted, has begun, has executed a program, or has started a thread or process,
    /// which is traced as well.
    Event,
    /// It stands still until SIGCONT comes.
    Group,
    /// It has ended.
    Ended,
}

const OPTIONS: libc::c_int = libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACEEXEC;
/// `PTRACE_EVENT_STOP` of linux/ptrace.h.
const EVENT_STOP: i32 = 128;
/// `PTRACE_SYSCALL_INFO_ENTRY` of linux/ptrace.h.
const ENTRY: u8 = 1;

/// Traces `tid` from now on, without stopping it.
pub fn seize(tid: Tid) -> io::Result<()> {
    request(libc::PTRACE_SEIZE, tid, 0, OPTIONS as usize)
}

/// Stops it soon.
pub fn interrupt(tid: Tid) -> io::Result<()> {
    request(libc::PTRACE_INTERRUPT, tid, 0, 0)
}

/// Lets one that has stopped go on until its next system call, with `signal` if it is not 0.
pub fn go_on(tid: Tid, signal: i32) -> io::Result<()> {
    request(libc::PTRACE_SYSCALL, tid, 0, signal.unsigned_abs() as usize)
}

/// Lets one that stands still do so, as if it was not traced.
pub fn listen(tid: Tid) -> io::Result<()> {
    request(libc::PTRACE_LISTEN, tid, 0, 0)
}

/// The number of the system call that `tid` enters; `None` where it leaves one.
pub fn entered(tid: Tid) -> io::Result<Option<u64>> {
    let mut info = MaybeUninit::<libc::ptrace_syscall_info>::zeroed();
    let size = size_of_val(&info);
    request(
        libc::PTRACE_GET_SYSCALL_INFO,
        tid,
        size,
        info.as_mut_ptr().addr(),
    )?;
    // SAFETY: all zeros is a valid one, and so is what the kernel has written over it.
    let info = unsafe { info.assume_init() };
    // SAFETY: every field of the union is made of integers.
    let entry = unsafe { info.u.entry };
    Ok((info.op == ENTRY).then_some(entry.nr))
}

/// Waits until a thread that this one traces stops or ends, and says which and why; what it
/// says stays to be said again until it is [`take`]n.
pub fn wait() -> io::Result<(Tid, Stopped)> {
    wait_for(libc::P_ALL, 0, libc::WNOWAIT | libc::__WNOTHREAD)
}

/// Takes what [`wait`] has said of `tid`.
pub fn take(tid: Tid) -> io::Result<Stopped> {
    wait_for(libc::P_PID, tid.unsigned_abs(), 0).map(|(_, stopped)| stopped)
}

fn wait_for(kind: libc::idtype_t, id: libc::id_t, more: libc::c_int) -> io::Result<(Tid, Stopped)> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WSTOPPED | libc::WEXITED | libc::__WALL | more;
    // SAFETY: `info` is a valid place for the answer.
    if unsafe { libc::waitid(kind, id, info.as_mut_ptr(), options) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all zeros is a valid one, and so is what the kernel has written over it.
    let info = unsafe { info.assume_init() };
    // SAFETY: waitid has filled in this field.
    let tid = unsafe { info.si_pid() };
    // SAFETY: waitid has filled in this field.
    let status = unsafe { info.si_status() };
    Ok(match info.si_code {
        libc::CLD_TRAPPED | libc::CLD_STOPPED => (tid, reason(status)),
        _ => (tid, Stopped::Ended),
    })
}

/// What the status of a stop says: the signal, and above it the event (ptrace(2)).
fn reason(status: i32) -> Stopped {
    let (signal, event) = (status & 0xff, status >> 8);
    match (signal, event) {
        (signal, 0) if signal == libc::SIGTRAP | 0x80 => Stopped::Call,
        (signal, 0) => Stopped::Signal(signal),
        (libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU, EVENT_STOP) => {
            Stopped::Group
        }
        _ => Stopped::Event,
    }
}

fn request(what: libc::c_uint, tid: Tid, address: usize, data: usize) -> io::Result<()> {
    // SAFETY: `data` is a number, or the address of a place that is large enough for the answer.
    match unsafe { libc::ptrace(what, tid, address, data) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_tells_what_it_was_for() {
        assert_eq!(reason(libc::SIGTRAP | 0x80), Stopped::Call);
        assert_eq!(reason(libc::SIGUSR1), Stopped::Signal(libc::SIGUSR1));
        let event = |event: i32, signal: i32| reason(event << 8 | signal);
        assert_eq!(
            event(libc::PTRACE_EVENT_EXEC, libc::SIGTRAP),
            Stopped::Event
        );
        assert_eq!(event(EVENT_STOP, libc::SIGTRAP), Stopped::Event);
        assert_eq!(event(EVENT_STOP, libc::SIGSTOP), Stopped::Group);
    }
}
