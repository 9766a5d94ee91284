//! One virtual machine as KVM sees it: memory slots, interrupt lines, doorbells, vCPUs.

use std::io;
use std::os::fd::AsRawFd;

use kvm_bindings::{
    KVM_MEM_READONLY, KVM_PIT_SPEAKER_DUMMY, kvm_pit_config, kvm_userspace_memory_region,
};
use kvm_ioctls::{IoEventAddress, VmFd};
use vm_memory::{GuestMemoryBackend, GuestMemoryRegion, MmapRegion};
use vmm_sys_util::eventfd::EventFd;

use super::{KvmError, StatisticsFile, Vcpu};
use crate::memory::{Memory, layout};

/// A virtual machine.
///
/// It keeps every mapping that a memory slot refers to, because KVM reads and writes
/// through the slot for as long as the machine exists.
pub struct Vm {
    fd: VmFd,
    memory: Vec<Memory>,
    slots: u32,
}

impl Vm {
    pub(super) fn new(fd: VmFd) -> Self {
        Self {
            fd,
            memory: Vec::new(),
            slots: 0,
        }
    }

    /// Gives the machine `memory` as its RAM.
    ///
    /// # Errors
    /// KVM refuses a slot.
    pub fn add_ram(&mut self, memory: &Memory) -> Result<(), KvmError> {
        self.memory.push(memory.clone());
        memory.iter().try_for_each(|region| {
            self.set_slot(region.start_addr().0, region.get_mmap().as_ref(), 0)
        })
    }

    /// Gives the machine `memory` to read; writes to it exit as to a device.
    ///
    /// # Errors
    /// KVM refuses the slot.
    pub fn add_readonly(&mut self, memory: &Memory) -> Result<(), KvmError> {
        self.memory.push(memory.clone());
        memory.iter().try_for_each(|region| {
            let mapping = region.get_mmap();
            self.set_slot(region.start_addr().0, &mapping, KVM_MEM_READONLY)
        })
    }

    fn set_slot(&mut self, base: u64, mapping: &MmapRegion, flags: u32) -> Result<(), KvmError> {
        let region = kvm_userspace_memory_region {
            slot: self.slots,
            flags,
            guest_phys_addr: base,
            memory_size: mapping.size() as u64,
            userspace_addr: mapping.as_ptr() as u64,
        };
        self.slots += 1;
        // SAFETY: the mapping has that address and size, and `self.memory` keeps it as long
        // as the machine.
        unsafe { self.fd.set_user_memory_region(region) }
            .map_err(KvmError::when("map guest memory"))
    }

    /// Creates KVM's interrupt controllers: local APICs, I/O APIC and the old PICs.
    ///
    /// # Errors
    /// KVM refuses.
    pub fn create_interrupt_controllers(&self) -> Result<(), KvmError> {
        let tss = usize::try_from(layout::KVM_TSS).unwrap_or(usize::MAX);
        self.fd
            .set_identity_map_address(layout::KVM_IDENTITY_MAP)
            .and_then(|()| self.fd.set_tss_address(tss))
            .map_err(KvmError::when("reserve its own pages"))?;
        self.fd
            .create_irq_chip()
            .map_err(KvmError::when("create the interrupt controllers"))
    }

    /// Creates the old interval timer, for kernels that do not find ACPI.
    ///
    /// # Errors
    /// KVM refuses.
    pub fn create_interval_timer(&self) -> Result<(), KvmError> {
        let config = kvm_pit_config {
            flags: KVM_PIT_SPEAKER_DUMMY,
            ..Default::default()
        };
        self.fd
            .create_pit2(config)
            .map_err(KvmError::when("create the interval timer"))
    }

    /// Wires `event` to interrupt line `gsi`: a write to it is an edge.
    ///
    /// # Errors
    /// KVM refuses.
    pub fn wire_interrupt(&self, event: &EventFd, gsi: u32) -> Result<(), KvmError> {
        self.fd
            .register_irqfd(event, gsi)
            .map_err(KvmError::when("wire an interrupt"))
    }

    /// Wires a doorbell: a guest's 32-bit write of `value` to `address` signals `event`
    /// inside the kernel, without an exit to this process.
    ///
    /// # Errors
    /// KVM refuses.
    pub fn wire_doorbell(&self, event: &EventFd, address: u64, value: u32) -> Result<(), KvmError> {
        let address = IoEventAddress::Mmio(address);
        self.fd
            .register_ioevent(event, &address, value)
            .map_err(KvmError::when("wire a doorbell"))
    }

    /// Creates vCPU `id`, which is also its APIC ID.
    ///
    /// # Errors
    /// KVM refuses, for want of memory or because the ID is too high.
    pub fn create_vcpu(&self, id: u8) -> Result<Vcpu, KvmError> {
        let fd = self
            .fd
            .create_vcpu(id.into())
            .map_err(KvmError::when("create a vCPU"))?;
        Vcpu::new(id, fd)
    }

    /// KVM's counters of this VM.
    ///
    /// # Errors
    /// The host's KVM has none (before Linux 5.14).
    pub fn statistics(&self) -> io::Result<StatisticsFile> {
        StatisticsFile::open(self.fd.as_raw_fd())
    }
}
