//! Why a machine stops, and how the threads agree on one reason.

use std::fmt;
use std::sync::Mutex;

use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use crate::hypervisor::InternalError;

/// Why a machine stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The guest powered off.
    PowerOff,
    /// The guest reset the machine.
    Reboot,
    /// The user asked for it (Ctrl-a x).
    Escape,
    /// Whoever runs the machine asked for it.
    Asked,
    /// The guest's kernel panicked; with its message where the console showed it.
    Panic(Option<String>),
    /// A vCPU met a fault while it was telling of a fault that it met while telling of one.
    TripleFault(Box<Crash>),
    /// KVM could not go on.
    Internal(InternalError, Box<Crash>),
    /// The hardware refused to enter the guest.
    FailedEntry(u64, Box<Crash>),
    /// No driver of the guest took a device in time.
    BootTimeout,
    /// The guest ended with this device broken by a bad ring, and not reset.
    BrokenDevice(String),
    /// The guest did not power off within the grace time after this signal.
    Killed(i32),
    /// A thread of ours could not go on.
    Host(String),
}

/// Where a vCPU was when it failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crash {
    /// The vCPU.
    pub vcpu: u8,
    /// Its registers, as text.
    pub registers: String,
    /// The bytes at its instruction pointer, where they can be read.
    pub code: Vec<u8>,
}

impl Stop {
    /// The exit status of the process, as documented in the README.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::PowerOff | Self::Reboot | Self::Escape | Self::Asked => 0,
            Self::Host(_) => 1,
            Self::Panic(_) => 10,
            Self::TripleFault(_) => 11,
            Self::Internal(..) | Self::FailedEntry(..) => 12,
            Self::BootTimeout => 13,
            Self::BrokenDevice(_) => 14,
            // As a shell tells of a command that a signal ended.
            Self::Killed(signal) => u8::try_from(128 + signal).unwrap_or(255),
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PowerOff => write!(f, "the guest powered off"),
            Self::Reboot => write!(f, "the guest rebooted"),
            Self::Escape => write!(f, "ended by Ctrl-a x"),
            Self::Asked => write!(f, "ended from outside"),
            Self::Panic(Some(message)) => write!(f, "the guest's kernel panicked: {message}"),
            Self::Panic(None) => write!(f, "the guest's kernel panicked"),
            Self::TripleFault(crash) => write!(
                f,
                "triple fault on vCPU {}: the guest's kernel broke before it could say why\n{crash}",
                crash.vcpu
            ),
            Self::Internal(error, crash) => write!(f, "{}\n{crash}", explain(error, crash)),
            Self::FailedEntry(reason, crash) => write!(
                f,
                "the hardware refuses to run vCPU {} (reason {reason:#x})\n{crash}",
                crash.vcpu
            ),
            Self::BootTimeout => write!(
                f,
                "no driver of the guest has taken a device in time (--boot-timeout): \
                 look at its messages with --serial stdio --cmdline 'console=ttyS0 loglevel=7'"
            ),
            Self::BrokenDevice(name) => write!(
                f,
                "the guest's driver broke the rings of {name} and did not reset it: what it \
                 wrote last may be lost"
            ),
            Self::Killed(signal) => write!(
                f,
                "stopped hard after signal {signal}: the guest did not power off within the grace \
                 time (--grace)"
            ),
            Self::Host(problem) => write!(f, "{problem}"),
        }
    }
}

fn explain(error: &InternalError, crash: &Crash) -> String {
    if error.is_emulation_failure() {
        return format!(
            "KVM cannot emulate an instruction on vCPU {}: it knows no such one, or the guest ran \
             into a place without memory",
            crash.vcpu
        );
    }
    format!(
        "KVM internal error {} on vCPU {}: a fault of the host's KVM or of its hardware",
        error.suberror, crash.vcpu
    )
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.registers)?;
        if self.code.is_empty() {
            return Ok(());
        }
        write!(f, "\n  code at rip:")?;
        self.code
            .iter()
            .try_for_each(|byte| write!(f, " {byte:02x}"))
    }
}

/// The first reason to stop, told by any thread, heard by the event loop.
pub struct StopCell {
    first: Mutex<Option<Stop>>,
    event: EventFd,
}

impl StopCell {
    /// A cell in which nothing has been told.
    ///
    /// # Errors
    /// The host has no file descriptor left.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            first: Mutex::new(None),
            event: EventFd::new(EFD_NONBLOCK)?,
        })
    }

    /// Tells a reason; only the first one counts.
    pub fn stop(&self, reason: Stop) {
        self.lock().get_or_insert(reason);
        // A full counter means that it is heard already.
        let _ = self.event.write(1);
    }

    /// The reason, once there is one.
    pub fn reason(&self) -> Option<Stop> {
        self.lock().clone()
    }

    /// Becomes readable with the first reason.
    pub fn event(&self) -> &EventFd {
        &self.event
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Stop>> {
        self.first
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_counts() {
        let cell = StopCell::new().unwrap();
        cell.stop(Stop::Panic(None));
        cell.stop(Stop::Reboot);
        assert_eq!(cell.reason(), Some(Stop::Panic(None)));
        assert!(cell.event().read().is_ok());
    }

    #[test]
    fn every_failure_has_its_own_status() {
        let crash = Box::<Crash>::default;
        let failures = [
            Stop::Host(String::new()),
            Stop::Panic(None),
            Stop::TripleFault(crash()),
            Stop::Internal(InternalError::default(), crash()),
            Stop::BootTimeout,
            Stop::BrokenDevice(String::new()),
            Stop::Killed(15),
        ];
        assert_eq!(
            failures.map(|stop| stop.exit_status()),
            [1, 10, 11, 12, 13, 14, 143]
        );
    }

    #[test]
    fn an_emulation_failure_shows_the_bytes_at_rip() {
        let error = InternalError {
            suberror: 1,
            instruction: vec![],
        };
        let crash = Crash {
            code: vec![0x0f, 0xc7],
            ..Default::default()
        };
        let text = Stop::Internal(error, Box::new(crash)).to_string();
        assert!(text.ends_with("code at rip: 0f c7"));
    }
}
