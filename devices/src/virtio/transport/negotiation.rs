//! The device status field as a state machine (virtio 1.2, 2.1 and 3.1.1).
//!
//! Pure: it has no memory, no queue and no device.

use virtio_bindings::virtio_config::{
    VIRTIO_CONFIG_S_ACKNOWLEDGE, VIRTIO_CONFIG_S_DRIVER, VIRTIO_CONFIG_S_DRIVER_OK,
    VIRTIO_CONFIG_S_FAILED, VIRTIO_CONFIG_S_FEATURES_OK, VIRTIO_CONFIG_S_NEEDS_RESET,
    VIRTIO_F_VERSION_1,
};

pub const ACKNOWLEDGE: u32 = VIRTIO_CONFIG_S_ACKNOWLEDGE;
pub const DRIVER: u32 = ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;
pub const FEATURES_OK: u32 = DRIVER | VIRTIO_CONFIG_S_FEATURES_OK;
pub const DRIVER_OK: u32 = FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK;
const NEEDS_RESET: u32 = VIRTIO_CONFIG_S_NEEDS_RESET;
const FAILED: u32 = VIRTIO_CONFIG_S_FAILED;

/// The steps of a driver in their order; each may only follow the one before.
const STEPS: [(u32, u32); 4] = [
    (0, ACKNOWLEDGE),
    (ACKNOWLEDGE, DRIVER),
    (DRIVER, FEATURES_OK),
    (FEATURES_OK, DRIVER_OK),
];

/// What a write to the status register amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// Nothing changes, or a step is noted.
    None,
    /// The driver resets the device.
    Reset,
    /// The driver is done: the device gets its queues.
    Activate,
}

/// The status and the features of one device.
#[derive(Debug)]
pub struct Negotiation {
    device_features: u64,
    driver_features: u64,
    status: u32,
}

impl Negotiation {
    /// A device after reset that offers `device_features`.
    pub fn new(device_features: u64) -> Self {
        Self {
            device_features,
            driver_features: 0,
            status: 0,
        }
    }

    /// The status register.
    pub fn status(&self) -> u32 {
        self.status
    }

    /// What the driver has accepted, or is about to.
    pub fn driver_features(&self) -> u64 {
        self.driver_features
    }

    /// Whether the driver may choose features now.
    pub fn may_choose_features(&self) -> bool {
        self.status == DRIVER
    }

    /// Whether the driver may set queues up now.
    pub fn may_configure_queues(&self) -> bool {
        self.status == FEATURES_OK
    }

    /// Whether the device works for the driver.
    pub fn is_active(&self) -> bool {
        self.status == DRIVER_OK
    }

    /// Sets the half of the driver's features that `select` names.
    pub fn choose_features(&mut self, select: u32, half: u32) {
        if !self.may_choose_features() {
            return;
        }
        let [low, high] = halves(self.driver_features);
        self.driver_features = match select {
            0 => join(half, high),
            1 => join(low, half),
            _ => self.driver_features,
        };
    }

    /// The half of the device's features that `select` names.
    pub fn offered_half(&self, select: u32) -> u32 {
        let halves = halves(self.device_features);
        usize::try_from(select)
            .ok()
            .and_then(|select| halves.get(select).copied())
            .unwrap_or(0)
    }

    /// Takes the driver's write of `value` to the status register.
    ///
    /// A step out of order is ignored, as is FEATURES_OK with features that the device
    /// does not have: the driver reads the register back and sees that (virtio 1.2, 3.1.1).
    pub fn write_status(&mut self, value: u32) -> Transition {
        if value == 0 {
            *self = Self::new(self.device_features);
            return Transition::Reset;
        }
        if value & FAILED != 0 {
            self.status |= FAILED;
            return Transition::None;
        }
        if !STEPS.contains(&(self.status, value)) {
            return Transition::None;
        }
        if value == FEATURES_OK && !self.features_are_acceptable() {
            return Transition::None;
        }
        self.status = value;
        match value {
            DRIVER_OK => Transition::Activate,
            _ => Transition::None,
        }
    }

    /// The device cannot go on until the driver resets it.
    pub fn set_needs_reset(&mut self) {
        self.status |= NEEDS_RESET;
    }

    fn features_are_acceptable(&self) -> bool {
        let only_offered = self.driver_features & !self.device_features == 0;
        only_offered && self.driver_features & (1 << VIRTIO_F_VERSION_1) != 0
    }
}

fn halves(features: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = features.to_le_bytes();
    [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes)
}

fn join(low: u32, high: u32) -> u64 {
    u64::from(low) | (u64::from(high) << 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION_1: u64 = 1 << VIRTIO_F_VERSION_1;

    fn at(steps: &[u32]) -> Negotiation {
        let mut negotiation = Negotiation::new(VERSION_1 | 0b101);
        for step in steps {
            negotiation.write_status(*step);
            negotiation.choose_features(1, 1);
        }
        negotiation
    }

    #[test]
    fn the_last_step_activates() {
        let mut negotiation = at(&[ACKNOWLEDGE, DRIVER, FEATURES_OK]);
        assert_eq!(negotiation.write_status(DRIVER_OK), Transition::Activate);
        assert!(negotiation.is_active());
    }

    #[test]
    fn a_step_out_of_order_is_ignored() {
        let mut negotiation = at(&[ACKNOWLEDGE]);
        assert_eq!(negotiation.write_status(DRIVER_OK), Transition::None);
        assert_eq!(negotiation.status(), ACKNOWLEDGE);
    }

    #[test]
    fn features_that_were_not_offered_are_not_accepted() {
        let mut negotiation = at(&[ACKNOWLEDGE, DRIVER]);
        negotiation.choose_features(0, 0b010);
        negotiation.write_status(FEATURES_OK);
        assert_eq!(negotiation.status(), DRIVER);
    }

    #[test]
    fn a_legacy_driver_is_not_accepted() {
        let mut negotiation = at(&[ACKNOWLEDGE, DRIVER]);
        negotiation.choose_features(1, 0);
        negotiation.write_status(FEATURES_OK);
        assert_eq!(negotiation.status(), DRIVER);
    }

    #[test]
    fn features_are_settled_once_accepted() {
        let mut negotiation = at(&[ACKNOWLEDGE, DRIVER, FEATURES_OK]);
        negotiation.choose_features(0, 0b100);
        assert_eq!(negotiation.driver_features(), VERSION_1);
    }

    #[test]
    fn a_reset_forgets_everything() {
        let mut negotiation = at(&[ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK]);
        assert_eq!(negotiation.write_status(0), Transition::Reset);
        assert_eq!(
            (negotiation.status(), negotiation.driver_features()),
            (0, 0)
        );
    }

    #[test]
    fn a_broken_device_stays_so_until_reset() {
        let mut negotiation = at(&[ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK]);
        negotiation.set_needs_reset();
        negotiation.write_status(DRIVER_OK);
        assert!(!negotiation.is_active());
        negotiation.write_status(0);
        assert_eq!(negotiation.status(), 0);
    }
}
