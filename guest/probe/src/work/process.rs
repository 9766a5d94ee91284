//! Processes and threads that do nothing: what it costs that there are any.

use std::ffi::CStr;
use std::ptr::null;
use std::thread;

use wire::Measured;

use super::child::Child;
use super::failure::Failure;
use super::latencies::timed;
use super::place::Place;

/// Ourselves, who do `nothing` if asked; a test is not ourselves.
const PROGRAM: &CStr = match cfg!(test) {
    true => c"/bin/true",
    false => c"/proc/self/exe",
};

/// A process made by copying our page tables, and waited for.
pub fn fork_wait(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    timed(operations, |_| Child::fork(|| true)?.wait())
}

/// A process that becomes a program, and is waited for.
pub fn exec_wait(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    timed(operations, |_| Child::fork(become_program)?.wait())
}

/// Returns only to say that it cannot be.
fn become_program() -> bool {
    let argv = [PROGRAM.as_ptr(), c"nothing".as_ptr(), null()];
    let environment = [null()];
    // SAFETY: both end with a null, and what they point to is never gone.
    unsafe { libc::execve(PROGRAM.as_ptr(), argv.as_ptr(), environment.as_ptr()) };
    false
}

/// A thread started and waited for.
pub fn thread(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    timed(operations, |_| {
        let thread = thread::Builder::new().spawn(|| ());
        let thread = thread.map_err(Failure::to("start a thread"))?;
        thread.join().map_err(|_| Failure::Wrong("a thread failed"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::measured;

    #[test]
    fn each_process_and_thread_has_its_time() {
        for workload in ["fork-wait", "exec-wait", "thread"] {
            assert_eq!(measured(workload, 2).latencies_ns.len(), 2, "{workload}");
        }
    }
}
