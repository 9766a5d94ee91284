//! Processes and threads that do nothing: what it costs that there are any.

use std::process::{Command, Stdio};
use std::thread;

use wire::Measured;

use super::child::Child;
use super::failure::Failure;
use super::latencies::timed;
use super::place::Place;

/// Ourselves, who do `nothing` if asked; a test is not ourselves.
const PROGRAM: &str = match cfg!(test) {
    true => "/bin/true",
    false => "/proc/self/exe",
};

/// A process made by copying our page tables, and waited for.
pub fn fork_wait(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    timed(operations, |_| Child::fork(|| true)?.wait())
}

/// A program started and waited for.
pub fn exec_wait(_: &mut Place, operations: u64) -> Result<Measured, Failure> {
    let mut program = Command::new(PROGRAM);
    program.arg("nothing").stdin(Stdio::null());
    timed(operations, |_| {
        let status = program.status().map_err(Failure::to("start a program"))?;
        match status.success() {
            true => Ok(()),
            false => Err(Failure::Wrong("the program failed")),
        }
    })
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
