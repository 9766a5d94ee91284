//! The signal that makes a thread leave the guest.

use std::io;
use std::mem::{MaybeUninit, zeroed};
use std::ptr::null_mut;
use std::time::Duration;

use crate::signals;

/// The kick: blocked wherever it could be delivered, and let through only in `KVM_RUN`.
pub const KICK_SIGNAL: i32 = libc::SIGUSR1;

/// A kick of this thread at a time to come; dropped, it comes no more.
pub struct Alarm {
    timer: libc::timer_t,
    kick: libc::sigset_t,
}

impl Alarm {
    /// Kicks this thread once, `delay` from now; blocks kicks in it, as every vCPU thread does.
    ///
    /// # Errors
    /// The host has no timer left.
    pub fn after(delay: Duration) -> io::Result<Self> {
        let alarm = Self {
            kick: signals::block(&[KICK_SIGNAL]),
            timer: create_timer()?,
        };
        alarm.set(delay)?;
        Ok(alarm)
    }

    fn set(&self, delay: Duration) -> io::Result<()> {
        let once = libc::itimerspec {
            it_interval: timespec(Duration::ZERO),
            // A time of nothing would disarm the timer.
            it_value: timespec(delay.max(Duration::from_nanos(1))),
        };
        // SAFETY: the timer is this value's own; the old setting is not asked for.
        check(unsafe { libc::timer_settime(self.timer, 0, &raw const once, null_mut()) })
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // SAFETY: the timer is this value's own, and this is its last use.
        unsafe { libc::timer_delete(self.timer) };
        forget_pending(&self.kick);
    }
}

fn create_timer() -> io::Result<libc::timer_t> {
    // SAFETY: all-zero integers and a null pointer are a valid value of this structure.
    let mut event: libc::sigevent = unsafe { zeroed() };
    event.sigev_notify = libc::SIGEV_THREAD_ID;
    event.sigev_signo = KICK_SIGNAL;
    // Not `libc::gettid`: the standard library names it weakly, so that in a static binary
    // the linker takes it for missing and leaves null in its place.
    event.sigev_notify_thread_id = rustix::thread::gettid().as_raw_nonzero().get();
    let mut timer = MaybeUninit::uninit();
    let clock = libc::CLOCK_MONOTONIC;
    // SAFETY: both pointers are to values of this function's.
    check(unsafe { libc::timer_create(clock, &raw mut event, timer.as_mut_ptr()) })?;
    // SAFETY: the call has succeeded, so it has written the timer.
    Ok(unsafe { timer.assume_init() })
}

/// Forgets a kick that has come: it is still pending, since only `KVM_RUN` let it through.
///
/// Blocks kicks in this thread, as every vCPU thread does.
pub(super) fn forget() {
    forget_pending(&signals::block(&[KICK_SIGNAL]));
}

/// The next guest of this thread must not be stopped by a kick of the one before.
fn forget_pending(kick: &libc::sigset_t) {
    let at_once = timespec(Duration::ZERO);
    // SAFETY: the set and the time live as long as the call; what was pending is not asked for.
    unsafe { libc::sigtimedwait(kick, null_mut(), &raw const at_once) };
}

fn timespec(time: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

fn check(result: i32) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn wait_for_kick(limit: Duration) -> i32 {
        let (kick, limit) = (signals::block(&[KICK_SIGNAL]), timespec(limit));
        // SAFETY: the set and the time are this function's; what was pending is not asked for.
        unsafe { libc::sigtimedwait(&raw const kick, null_mut(), &raw const limit) }
    }

    #[test]
    fn an_alarm_kicks_its_own_thread() {
        let _alarm = Alarm::after(Duration::from_millis(1)).unwrap();
        assert_eq!(wait_for_kick(Duration::from_secs(10)), KICK_SIGNAL);
    }

    fn is_pending() -> bool {
        let mut pending = signals::block(&[]);
        // SAFETY: `pending` is a signal set of this function's, which the call overwrites.
        unsafe { libc::sigpending(&raw mut pending) };
        // SAFETY: the set is initialized, and the signal's number is valid.
        unsafe { libc::sigismember(&raw const pending, KICK_SIGNAL) == 1 }
    }

    #[test]
    fn a_dropped_alarm_leaves_no_kick_behind() {
        let alarm = Alarm::after(Duration::ZERO).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while !is_pending() {
            assert!(Instant::now() < deadline, "the alarm does not go off");
        }
        drop(alarm);
        assert!(!is_pending());
    }
}
