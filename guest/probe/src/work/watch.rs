//! How long something took, and what it used. What is prepared comes before it is started.

use std::time::{Duration, Instant};

use wire::{Measured, Used};

/// Runs from when it is made.
pub struct Watch {
    used: Used,
    began: Instant,
}

impl Watch {
    /// Starts now.
    pub fn start() -> Self {
        let used = used();
        Self {
            used,
            began: Instant::now(),
        }
    }

    /// How long it has run.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Stops now, after `operations`.
    pub fn stop(&self, operations: u64) -> Measured {
        self.stop_at(self.elapsed(), operations)
    }

    /// Stopped when it had run for `elapsed`; what was used until now is counted.
    pub fn stop_at(&self, elapsed: Duration, operations: u64) -> Measured {
        Measured {
            operations,
            elapsed_ns: nanoseconds(elapsed),
            used: difference(used(), self.used),
            ..Measured::default()
        }
    }
}

/// What was measured in two stretches.
pub fn sum(first: &Measured, second: &Measured) -> Measured {
    Measured {
        operations: first.operations + second.operations,
        elapsed_ns: first.elapsed_ns + second.elapsed_ns,
        used: total(first.used, second.used),
        ..Measured::default()
    }
}

/// 585 years at most.
pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What this process and the children that it has waited for have used since they began.
fn used() -> Used {
    total(usage(libc::RUSAGE_SELF), usage(libc::RUSAGE_CHILDREN))
}

fn total(a: Used, b: Used) -> Used {
    Used {
        user_us: a.user_us + b.user_us,
        system_us: a.system_us + b.system_us,
        minor_faults: a.minor_faults + b.minor_faults,
        major_faults: a.major_faults + b.major_faults,
        voluntary_switches: a.voluntary_switches + b.voluntary_switches,
        involuntary_switches: a.involuntary_switches + b.involuntary_switches,
    }
}

fn usage(whose: libc::c_int) -> Used {
    // SAFETY: all-zero numbers are a valid value of this structure.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: it writes an `rusage`, and fails for no `whose` of ours.
    unsafe { libc::getrusage(whose, &raw mut usage) };
    Used {
        user_us: microseconds(usage.ru_utime),
        system_us: microseconds(usage.ru_stime),
        minor_faults: usage.ru_minflt.cast_unsigned(),
        major_faults: usage.ru_majflt.cast_unsigned(),
        voluntary_switches: usage.ru_nvcsw.cast_unsigned(),
        involuntary_switches: usage.ru_nivcsw.cast_unsigned(),
    }
}

fn microseconds(time: libc::timeval) -> u64 {
    time.tv_sec.cast_unsigned() * 1_000_000 + time.tv_usec.cast_unsigned()
}

fn difference(now: Used, then: Used) -> Used {
    Used {
        user_us: now.user_us.saturating_sub(then.user_us),
        system_us: now.system_us.saturating_sub(then.system_us),
        minor_faults: now.minor_faults.saturating_sub(then.minor_faults),
        major_faults: now.major_faults.saturating_sub(then.major_faults),
        voluntary_switches: now
            .voluntary_switches
            .saturating_sub(then.voluntary_switches),
        involuntary_switches: now
            .involuntary_switches
            .saturating_sub(then.involuntary_switches),
    }
}
