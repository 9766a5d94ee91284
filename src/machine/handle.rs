//! What other threads can do to a running machine.

use std::sync::{Arc, Weak};

use super::counters::Counters;
use super::gate::Gate;
use super::stop::{Stop, StopCell};
use crate::hypervisor::Statistic;

/// A hold on a machine while another thread runs it; it outlives the machine harmlessly.
#[derive(Clone)]
pub struct Handle {
    pub(super) stop: Arc<StopCell>,
    pub(super) gate: Arc<Gate>,
    pub(super) counters: Weak<Counters>,
}

impl Handle {
    /// Ends the machine at once, as by pulling its plug.
    pub fn stop(&self) {
        self.stop.stop(Stop::Asked);
    }

    /// Holds all vCPUs; returns once none is in the guest. What the guest's devices have
    /// begun is finished.
    pub fn pause(&self) {
        self.gate.close();
    }

    /// Lets them go on.
    pub fn resume(&self) {
        self.gate.open();
    }

    /// KVM's own counters as they stand; none where the host has none, or the machine has gone.
    pub fn counters(&self) -> Vec<Statistic> {
        let counters = self.counters.upgrade();
        counters.map(|counters| counters.read()).unwrap_or_default()
    }
}
