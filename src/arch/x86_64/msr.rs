//! Model specific registers that a kernel expects firmware to have set.

use kvm_bindings::{Msrs, kvm_msr_entry};

use crate::hypervisor::{KvmError, Vcpu};

/// IA32_MISC_ENABLE, and its bit for fast string operations (Intel SDM, volume 4).
const MISC_ENABLE: (u32, u64) = (0x1a0, 1);
/// IA32_MTRR_DEF_TYPE: ranges enabled, memory is write-back by default.
const MTRR_DEF_TYPE: (u32, u64) = (0x2ff, 1 << 11 | 6);

/// Sets the registers; one that KVM does not know is told and left alone.
///
/// # Errors
/// KVM refuses to set any.
pub fn set_up(vcpu: &Vcpu) -> Result<(), KvmError> {
    for (index, data) in [MISC_ENABLE, MTRR_DEF_TYPE] {
        let entry = kvm_msr_entry {
            index,
            data,
            ..Default::default()
        };
        let one = Msrs::from_entries(&[entry]).expect("one entry fits");
        if vcpu.set_msrs(&one)? == 0 {
            log::debug!("KVM does not take model specific register {index:#x}");
        }
    }
    Ok(())
}
