//! The CPU features that KVM offers to guests, as far as the probes depend on them.

use kvm_bindings::{CpuId, kvm_cpuid_entry2};

use crate::hypervisor::{Kvm, KvmError};

/// A feature that an instruction depends on (Intel SDM, `CPUID`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// None: every x86-64 processor has it.
    Always,
    /// `cmpxchg16b`.
    Cmpxchg16b,
    /// `xsave` and its kin.
    Xsave,
    /// `stac`, `clac`.
    Smap,
    /// `invpcid`.
    Invpcid,
    /// `syscall`, `sysret`.
    Syscall,
    /// `rdtscp`.
    Rdtscp,
}

/// The features of one KVM.
pub struct Features(CpuId);

impl Features {
    /// Asks KVM.
    ///
    /// # Errors
    /// It does not answer.
    pub fn of(kvm: &Kvm) -> Result<Self, KvmError> {
        Ok(Self(kvm.supported_cpuid()?))
    }

    /// Whether guests have `feature`.
    pub fn have(&self, feature: Feature) -> bool {
        match feature {
            Feature::Always => true,
            Feature::Cmpxchg16b => self.leaf(1).ecx >> 13 & 1 == 1,
            Feature::Xsave => self.leaf(1).ecx >> 26 & 1 == 1,
            Feature::Smap => self.leaf(7).ebx >> 20 & 1 == 1,
            Feature::Invpcid => self.leaf(7).ebx >> 10 & 1 == 1,
            Feature::Syscall => self.leaf(0x8000_0001).edx >> 11 & 1 == 1,
            Feature::Rdtscp => self.leaf(0x8000_0001).edx >> 27 & 1 == 1,
        }
    }

    /// The first entry of a leaf; one without any feature where there is none.
    fn leaf(&self, function: u32) -> kvm_cpuid_entry2 {
        let mut entries = self.0.as_slice().iter();
        let entry = entries.find(|entry| entry.function == function && entry.index == 0);
        entry.copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_is_the_bit_that_the_manual_names() {
        let basic = kvm_cpuid_entry2 {
            function: 1,
            ecx: 1 << 13,
            ..Default::default()
        };
        let features = Features(CpuId::from_entries(&[basic]).unwrap());
        assert!(features.have(Feature::Cmpxchg16b) && !features.have(Feature::Xsave));
    }

    #[test]
    fn a_leaf_that_is_missing_has_no_features() {
        let features = Features(CpuId::from_entries(&[]).unwrap());
        assert!(!features.have(Feature::Rdtscp) && features.have(Feature::Always));
    }
}
