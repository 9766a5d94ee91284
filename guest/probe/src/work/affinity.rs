//! On which CPU a thread runs.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::failure::Failure;

/// This thread on one CPU, and every thread and process that it starts; until this is dropped.
pub struct Pinned {
    before: CpuSet,
}

impl Pinned {
    /// On the CPU of this number.
    pub fn to(cpu: usize) -> Result<Self, Failure> {
        let before = allowed()?;
        let mut only = CpuSet::new();
        only.set(cpu);
        sched_setaffinity(None, &only).map_err(Failure::to("stay on one CPU"))?;
        Ok(Self { before })
    }

    /// On whichever CPU comes first.
    pub fn to_first() -> Result<Self, Failure> {
        Self::to(cpus()?.first().copied().unwrap_or_default())
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // It was allowed before.
        let _ = sched_setaffinity(None, &self.before);
    }
}

/// The numbers of the CPUs that this thread may run on.
pub fn cpus() -> Result<Vec<usize>, Failure> {
    let allowed = allowed()?;
    let known = 0..CpuSet::MAX_CPU;
    Ok(known.filter(|cpu| allowed.is_set(*cpu)).collect())
}

fn allowed() -> Result<CpuSet, Failure> {
    sched_getaffinity(None).map_err(Failure::to("tell which CPUs there are"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_may_go_elsewhere_again_afterwards() {
        let before = cpus().unwrap();
        let pinned = Pinned::to(before[0]).unwrap();
        assert_eq!(cpus().unwrap(), &before[..1]);
        drop(pinned);
        assert_eq!(cpus().unwrap(), before);
    }
}
