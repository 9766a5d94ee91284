//! The gate before the guest: every vCPU thread passes it on its way in, or waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::hypervisor::kick_signal;

/// Open at first.
#[derive(Default)]
pub struct Gate {
    /// The same as in the state, for a look without a lock.
    closed: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    closed: bool,
    removed: bool,
    waiting: usize,
    threads: Vec<libc::pthread_t>,
}

/// A vCPU thread that passes the gate; no more once this is dropped.
pub struct Entry<'a>(&'a Gate);

impl Gate {
    /// Adds this thread to those that are kicked out of the guest when the gate is closed.
    pub fn enter(&self) -> Entry<'_> {
        // SAFETY: it only tells who we are.
        let us = unsafe { libc::pthread_self() };
        self.lock().threads.push(us);
        Entry(self)
    }

    /// Closes it; returns once no thread is in the guest.
    pub fn close(&self) {
        let mut state = self.lock();
        if state.removed {
            return;
        }
        state.closed = true;
        self.closed.store(true, Ordering::SeqCst);
        for thread in &state.threads {
            // SAFETY: a thread leaves the list, which is locked, before it ends.
            unsafe { libc::pthread_kill(*thread, kick_signal()) };
        }
        let is_moving = |state: &mut State| state.closed && state.waiting < state.threads.len();
        let all_wait = self.changed.wait_while(state, is_moving);
        drop(all_wait.unwrap_or_else(PoisonError::into_inner));
    }

    /// Opens it again.
    pub fn open(&self) {
        self.lock().closed = false;
        self.closed.store(false, Ordering::SeqCst);
        self.changed.notify_all();
    }

    /// Opens it for good: the machine ends, and nothing may hold a thread up any more.
    pub fn remove(&self) {
        self.lock().removed = true;
        self.open();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry<'_> {
    /// Waits while the gate is closed.
    pub fn pass(&self) {
        if !self.0.closed.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.0.lock();
        state.waiting += 1;
        self.0.changed.notify_all();
        let opened = self.0.changed.wait_while(state, |state| state.closed);
        opened.unwrap_or_else(PoisonError::into_inner).waiting -= 1;
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        // SAFETY: it only tells who we are.
        let us = unsafe { libc::pthread_self() };
        self.0.lock().threads.retain(|thread| *thread != us);
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals;
    use std::sync::atomic::AtomicU64;
    use std::thread;

    #[test]
    fn nobody_passes_a_closed_gate() {
        signals::block(&[kick_signal()]);
        let (gate, passed, end) = (Gate::default(), AtomicU64::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let entry = gate.enter();
                    while !end.load(Ordering::SeqCst) {
                        entry.pass();
                        passed.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            while passed.load(Ordering::SeqCst) < 100 {}
            gate.close();
            let before = passed.load(Ordering::SeqCst);
            thread::yield_now();
            assert_eq!(passed.load(Ordering::SeqCst), before);
            gate.open();
            while passed.load(Ordering::SeqCst) == before {}
            end.store(true, Ordering::SeqCst);
        });
    }

    #[test]
    fn a_gate_that_is_removed_cannot_be_closed() {
        let gate = Gate::default();
        let entry = gate.enter();
        gate.remove();
        gate.close();
        entry.pass();
    }
}
