//! What a guest shows of how it goes: that its kernel has come up, panicked or ended.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::panic_message::PanicMessage;
use super::stop::StopCell;
use crate::timeline::Timeline;

/// The signs of one guest, shared by all that may see one.
#[derive(Clone)]
pub struct Signs {
    /// Why the machine is to stop, once there is a reason.
    pub stop: Arc<StopCell>,
    /// The last words of the kernel.
    pub panic: PanicMessage,
    /// Whether the kernel has come up.
    pub booted: Booted,
}

impl Signs {
    /// No sign yet; when the kernel comes up is marked in `timeline`.
    ///
    /// # Errors
    /// The host has no file descriptor left.
    pub fn new(timeline: Arc<Timeline>) -> io::Result<Self> {
        Ok(Self {
            stop: Arc::new(StopCell::new()?),
            panic: PanicMessage::default(),
            booted: Booted {
                reached: Arc::default(),
                timeline,
            },
        })
    }
}

/// Whether the kernel has come up: its first driver has taken its first device.
#[derive(Clone)]
pub struct Booted {
    reached: Arc<AtomicBool>,
    timeline: Arc<Timeline>,
}

impl Booted {
    /// Notes that a driver has taken a device.
    pub fn set(&self) {
        if !self.reached.swap(true, Ordering::Relaxed) {
            self.timeline.mark("guest: kernel to its first driver");
        }
    }

    /// Whether one has.
    pub fn get(&self) -> bool {
        self.reached.load(Ordering::Relaxed)
    }
}
