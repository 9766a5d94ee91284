//! What accounts for a cost, counted in a pass of its own that is never timed.
//!
//! - [`ptrace`], [`calls`]: the system calls of the host that a workload reaches
//! - [`counted`]: what was counted, for one operation
//! - [`sentence`]: which mechanism that makes accountable

pub mod calls;
pub mod counted;
pub mod ptrace;
pub mod sentence;
