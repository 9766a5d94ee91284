//! What the guest's `cpuid` answers: KVM's supported features, and our topology.
//!
//! The topology is flat: one package, one thread a core, APIC IDs in order.
//! No feature is offered that KVM does not support.

use std::arch::x86_64::__cpuid;

use kvm_bindings::{CpuId, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, kvm_cpuid_entry2};

/// What the entries of one vCPU depend on.
#[derive(Clone, Copy, Debug)]
pub struct Topology {
    /// This vCPU's APIC ID.
    pub apic_id: u8,
    /// How many vCPUs the machine has.
    pub count: u8,
    /// Whether the local APIC timer takes TSC values.
    pub tsc_deadline: bool,
    /// The TSC's frequency, where KVM tells it.
    pub tsc_khz: Option<u32>,
}

/// ECX of leaf 1: the TSC deadline timer.
const TSC_DEADLINE: u32 = 1 << 24;
/// ECX of leaf 1: a hypervisor is present.
const HYPERVISOR: u32 = 1 << 31;
/// EDX of leaf 1: EBX's count of logical processors is valid.
const HTT: u32 = 1 << 28;
/// ECX of leaf 0x8000_0001: the legacy core count is valid (AMD).
const CMP_LEGACY: u32 = 1 << 1;

/// Turns KVM's `supported` features into what one vCPU answers.
pub fn for_vcpu(supported: &CpuId, topology: Topology) -> CpuId {
    let mut entries: Vec<kvm_cpuid_entry2> = supported
        .as_slice()
        .iter()
        .filter(|entry| !is_replaced(entry.function))
        .copied()
        .collect();
    entries.iter_mut().for_each(|entry| adjust(entry, topology));
    entries.extend(topology_leaves(&entries, topology));
    entries.extend(frequency_leaves(&entries, topology));
    CpuId::from_entries(&entries).expect("fewer entries than KVM itself returned, plus five")
}

/// Leaves that are written anew rather than passed on.
fn is_replaced(function: u32) -> bool {
    matches!(function, 0xb | 0x1f | 0x15 | 0x16 | 0x4000_0010)
}

fn adjust(entry: &mut kvm_cpuid_entry2, topology: Topology) {
    let Topology { apic_id, count, .. } = topology;
    match entry.function {
        0x1 => {
            entry.ecx |= HYPERVISOR;
            set_bit(&mut entry.ecx, TSC_DEADLINE, topology.tsc_deadline);
            set_bit(&mut entry.edx, HTT, count > 1);
            entry.ebx &= 0x0000_ffff;
            entry.ebx |= (u32::from(count) << 16) | (u32::from(apic_id) << 24);
        }
        // Caches: level 1 and 2 belong to a core, level 3 to the package (Intel SDM, leaf 4).
        0x4 | 0x8000_001d => entry.eax = share_cache(entry.eax, count),
        // KVM's own features: no hint of dedicated CPUs, which a VMM cannot promise.
        0x4000_0001 => entry.edx = 0,
        0x8000_0001 => set_bit(&mut entry.ecx, CMP_LEGACY, count > 1 && is_amd()),
        // The core count less one, and the bits of an APIC ID that count cores (AMD).
        0x8000_0008 => entry.ecx = (u32::from(count) - 1) | (id_bits(count) << 12),
        0x8000_001e => {
            entry.eax = apic_id.into();
            entry.ebx = apic_id.into();
            entry.ecx = 0;
        }
        _ => {}
    }
}

/// Sets the field of a cache leaf that says how many threads share it.
fn share_cache(eax: u32, count: u8) -> u32 {
    let level = (eax >> 5) & 0x7;
    let sharers = if level >= 3 { u32::from(count) - 1 } else { 0 };
    let cores = u32::from(count) - 1;
    // Bits 25:14 are the sharers less one; bits 31:26 (Intel only) the cores less one.
    let intel = if is_amd() { 0 } else { cores.min(63) << 26 };
    (eax & 0x3fff) | (sharers << 14) | intel
}

/// Leaf 0xb: the levels of the topology, thread and core (Intel SDM; AMD APM).
fn topology_leaves(entries: &[kvm_cpuid_entry2], topology: Topology) -> Vec<kvm_cpuid_entry2> {
    if !has_leaf(entries, 0xb) {
        return Vec::new();
    }
    const THREAD: u32 = 1 << 8;
    const CORE: u32 = 2 << 8;
    let level = |index, kind, shift, processors| kvm_cpuid_entry2 {
        function: 0xb,
        index,
        flags: KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
        eax: shift,
        ebx: processors,
        ecx: index | kind,
        edx: topology.apic_id.into(),
        ..Default::default()
    };
    vec![
        level(0, THREAD, 0, 1),
        level(1, CORE, id_bits(topology.count), topology.count.into()),
        level(2, 0, 0, 0),
    ]
}

/// The TSC's frequency, so that a guest need not measure it: leaf 0x15 (Intel SDM) as
/// crystal and ratio. (A Linux guest has it from kvmclock before it looks here.)
fn frequency_leaves(entries: &[kvm_cpuid_entry2], topology: Topology) -> Vec<kvm_cpuid_entry2> {
    let Some(khz) = topology.tsc_khz else {
        return Vec::new();
    };
    if !has_leaf(entries, 0x15) || is_amd() {
        return Vec::new();
    }
    vec![kvm_cpuid_entry2 {
        function: 0x15,
        // A crystal of 1 MHz times the frequency in kHz over 1000 keeps it in 32 bits.
        eax: 1000,
        ebx: khz,
        ecx: 1_000_000,
        ..Default::default()
    }]
}

fn has_leaf(entries: &[kvm_cpuid_entry2], function: u32) -> bool {
    entries
        .iter()
        .any(|entry| entry.function == function & 0x8000_0000 && entry.eax >= function)
}

/// The bits that number `count` processors.
fn id_bits(count: u8) -> u32 {
    u32::from(count).next_power_of_two().trailing_zeros()
}

fn set_bit(register: &mut u32, bit: u32, on: bool) {
    if on {
        *register |= bit;
    } else {
        *register &= !bit;
    }
}

/// Whether the host's CPU, which the guest sees the name of, is AMD's.
fn is_amd() -> bool {
    let vendor = __cpuid(0);
    [vendor.ebx, vendor.edx, vendor.ecx] == [*b"Auth", *b"enti", *b"cAMD"].map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(function: u32) -> kvm_cpuid_entry2 {
        kvm_cpuid_entry2 {
            function,
            eax: 0x8000_001f,
            ..Default::default()
        }
    }

    fn vcpu(apic_id: u8, count: u8) -> Vec<kvm_cpuid_entry2> {
        let supported = CpuId::from_entries(&[
            kvm_cpuid_entry2 {
                eax: 0x1f,
                ..entry(0)
            },
            entry(1),
            entry(0xb),
            entry(0x8000_0000),
            entry(0x8000_0008),
        ]);
        let topology = Topology {
            apic_id,
            count,
            tsc_deadline: true,
            tsc_khz: Some(2_000_000),
        };
        for_vcpu(&supported.unwrap(), topology).as_slice().to_vec()
    }

    fn leaf(entries: &[kvm_cpuid_entry2], function: u32, index: u32) -> kvm_cpuid_entry2 {
        let wanted = |entry: &&kvm_cpuid_entry2| entry.function == function && entry.index == index;
        *entries.iter().find(wanted).unwrap()
    }

    #[test]
    fn each_vcpu_answers_with_its_own_apic_id() {
        let entries = vcpu(3, 4);
        assert_eq!(leaf(&entries, 1, 0).ebx >> 24, 3);
        assert_eq!(leaf(&entries, 0xb, 1).edx, 3);
    }

    #[test]
    fn the_core_level_counts_every_vcpu() {
        let core = leaf(&vcpu(0, 6), 0xb, 1);
        assert_eq!((core.eax, core.ebx), (3, 6));
        assert_eq!(leaf(&vcpu(0, 6), 0x8000_0008, 0).ecx, 5 | 3 << 12);
    }

    #[test]
    fn one_vcpu_has_no_siblings() {
        let entries = vcpu(0, 1);
        assert_eq!(leaf(&entries, 1, 0).edx & HTT, 0);
        assert_eq!(leaf(&entries, 0xb, 1).eax, 0);
    }

    #[test]
    fn the_guest_learns_that_it_is_one() {
        let ecx = leaf(&vcpu(0, 1), 1, 0).ecx;
        assert_eq!(ecx & (HYPERVISOR | TSC_DEADLINE), HYPERVISOR | TSC_DEADLINE);
    }
}
