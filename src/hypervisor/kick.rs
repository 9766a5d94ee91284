//! The signal that makes a thread leave the guest.

use std::io;
use std::mem::{MaybeUninit, zeroed};
use std::ptr::null_mut;
use std::time::Duration;

use crate::signals;

/// The kick: blocked wherever it could be delivered, and let through only in `KVM_RUN`.
///
/// A real-time signal: the named ones are the user's, for the command behind the wall.
pub fn kick_signal() -> i32 {
    libc::SIGRTMIN()
}

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
            kick: signals::block(&[kick_signal()]),
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
    event.sigev_signo = kick_signal();
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

/// Forgets the kicks that have come: they are still pending, since only `KVM_RUN` let them through.
///
/// Blocks kicks in this thread, as every vCPU thread does.
pub(super) fn forget() {
    forget_pending(&signals::block(&[kick_signal()]));
}

/// The next guest of this thread must not be stopped by a kick of the one before.
fn forget_pending(kick: &libc::sigset_t) {
    // signal(7): real-time signals queue up, each is taken by itself.
    while take_pending(kick) {}
}

fn take_pending(kick: &libc::sigset_t) -> bool {
    let at_once = timespec(Duration::ZERO);
    // SAFETY: the set and the time live as long as the call; what was pending is not asked for.
    unsafe { libc::sigtimedwait(kick, null_mut(), &raw const at_once) > 0 }
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
        let (kick, limit) = (signals::block(&[kick_signal()]), timespec(limit));
        // SAFETY: the set and the time are this function's; what was pending is not asked for.
        unsafe { libc::sigtimedwait(&raw const kick, null_mut(), &raw const limit) }
    }

    #[test]
    fn an_alarm_kicks_its_own_thread() {
        let _alarm = Alarm::after(Duration::from_millis(1)).unwrap();
        assert_eq!(wait_for_kick(Duration::from_secs(10)), kick_signal());
    }

    fn is_pending() -> bool {
        let mut pending = signals::block(&[]);
        // SAFETY: `pending` is a signal set of this function's, which the call overwrites.
        unsafe { libc::sigpending(&raw mut pending) };
        // SAFETY: the set is initialized, and the signal's number is valid.
        unsafe { libc::sigismember(&raw const pending, kick_signal()) == 1 }
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

    #[test]
    fn kicks_that_have_queued_up_are_all_forgotten() {
        signals::block(&[kick_signal()]);
        for _ in 0..3 {
            // SAFETY: the signal goes to this thread, which has blocked it.
            unsafe { libc::raise(kick_signal()) };
        }
        forget();
        assert!(!is_pending());
    }

    #[test]
    fn a_signal_for_the_command_is_not_taken_for_a_kick() {
        let passed_on = signals::SignalFd::new(&signals::PASSED_ON).unwrap();
        for signal in signals::PASSED_ON {
            // SAFETY: the signal goes to this thread, which has blocked it.
            unsafe { libc::raise(signal) };
            forget();
            assert_eq!(passed_on.take(), Some(signal));
        }
    }
}
