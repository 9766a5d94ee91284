//! One virtual CPU: its registers, and running it.

use std::io;
use std::os::fd::AsRawFd;

use kvm_bindings::{
    CpuId, KVM_MAX_CPUID_ENTRIES, KVMIO, Msrs, kvm_lapic_state, kvm_mp_state, kvm_regs, kvm_sregs,
};
use kvm_ioctls::{VcpuExit, VcpuFd};
use vmm_sys_util::ioctl::ioctl_with_ref;
use vmm_sys_util::ioctl_iow_nr;

use super::{Exit, InternalError, KvmError, StatisticsFile, kick, kick_signal};

/// `struct kvm_signal_mask` with the kernel's 64-bit signal set behind it.
#[repr(C)]
struct SignalMask {
    len: u32,
    set: [u8; 8],
}

ioctl_iow_nr!(KVM_SET_SIGNAL_MASK, KVMIO, 0x8b, u32);

/// A virtual CPU.
pub struct Vcpu {
    id: u8,
    fd: VcpuFd,
}

impl Vcpu {
    pub(super) fn new(id: u8, fd: VcpuFd) -> Result<Self, KvmError> {
        let vcpu = Self { id, fd };
        vcpu.accept_kicks_only_in_guest()?;
        Ok(vcpu)
    }

    /// Its number, which is also its APIC ID.
    pub fn id(&self) -> u8 {
        self.id
    }

    /// Lets signals through only during `KVM_RUN`.
    ///
    /// The thread itself blocks the kick, so one that comes between a look at a flag and
    /// `KVM_RUN` stays pending and ends the run at once: no kick is ever lost.
    fn accept_kicks_only_in_guest(&self) -> Result<(), KvmError> {
        let kick = u64::from(kick_signal().unsigned_abs()) - 1;
        let mask = SignalMask {
            len: 8,
            set: (!(1u64 << kick)).to_ne_bytes(),
        };
        // SAFETY: KVM reads `len` and then that many bytes, all inside of `mask`.
        let result = unsafe { ioctl_with_ref(&self.fd, KVM_SET_SIGNAL_MASK(), &mask) };
        match result {
            0 => Ok(()),
            _ => Err(KvmError::when("set a signal mask")(
                kvm_ioctls::Error::last(),
            )),
        }
    }

    /// Runs the guest until it needs something.
    ///
    /// # Errors
    /// KVM refuses to run it at all.
    pub fn run(&mut self) -> Result<Exit<'_>, KvmError> {
        // The borrow of an exit's data lasts as long as the exit, so the one exit whose
        // data lies elsewhere is looked at first, through the raw reason.
        let run: *mut kvm_bindings::kvm_run = self.fd.get_kvm_run();
        match self.fd.run() {
            Ok(VcpuExit::IoIn(port, data)) => Ok(Exit::PortRead(port, data)),
            Ok(VcpuExit::IoOut(port, data)) => Ok(Exit::PortWrite(port, data)),
            Ok(VcpuExit::MmioRead(address, data)) => Ok(Exit::MmioRead(address, data)),
            Ok(VcpuExit::MmioWrite(address, data)) => Ok(Exit::MmioWrite(address, data)),
            Ok(VcpuExit::Hlt) => Ok(Exit::Halt),
            Ok(VcpuExit::Shutdown) => Ok(Exit::Shutdown),
            Ok(VcpuExit::Intr) => Ok(Exit::Interrupted),
            Ok(VcpuExit::SystemEvent(kind, _)) => Ok(Exit::SystemEvent(kind)),
            Ok(VcpuExit::FailEntry(reason, _)) => Ok(Exit::FailedEntry(reason)),
            Ok(VcpuExit::InternalError) => {
                // SAFETY: `run` points to this vCPU's mapping, which lives as long as `self.fd`,
                // and the exit just matched borrows nothing of it.
                let run = unsafe { &*run };
                Ok(Exit::InternalError(InternalError::from_run(run)))
            }
            Ok(other) => Ok(Exit::Unexpected(format!("{other:?}"))),
            Err(error) if matches!(error.errno(), libc::EINTR | libc::EAGAIN) => {
                // Whoever kicks has said before what it is about.
                kick::forget();
                Ok(Exit::Interrupted)
            }
            Err(source) => Err(KvmError::when("run a vCPU")(source)),
        }
    }

    /// Sets what the guest's `cpuid` instruction answers.
    ///
    /// # Errors
    /// KVM refuses.
    pub fn set_cpuid(&self, cpuid: &CpuId) -> Result<(), KvmError> {
        self.fd
            .set_cpuid2(cpuid)
            .map_err(KvmError::when("set the CPU features"))
    }

    /// What the guest's `cpuid` instruction answers.
    ///
    /// # Errors
    /// KVM refuses.
    pub fn cpuid(&self) -> Result<CpuId, KvmError> {
        self.fd
            .get_cpuid2(KVM_MAX_CPUID_ENTRIES)
            .map_err(KvmError::when("read the CPU features"))
    }

    /// Sets model specific registers; returns how many KVM took, in their order.
    ///
    /// # Errors
    /// KVM refuses them all.
    pub fn set_msrs(&self, msrs: &Msrs) -> Result<usize, KvmError> {
        self.fd
            .set_msrs(msrs)
            .map_err(KvmError::when("set model specific registers"))
    }

    /// The general registers.
    ///
    /// # Errors
    /// KVM refuses.
    pub fn registers(&self) -> Result<kvm_regs, KvmError> {
        self.fd.get_regs().map_err(KvmError::when("read registers"))
    }

    /// Sets the general registers.
    ///
    /// # Errors
    /// KVM refuses.
    pub fn set_registers(&self, registers: &kvm_regs) -> Result<(), KvmError> {
        self.fd
            .set_regs(registers)
            .map_err(KvmError::when("set registers"))
    }

    /// The segment and control registers.
    ///
    /// # Errors
    /// KVM refuses.
    pub fn special_registers(&self) -> Result<kvm_sregs, KvmError> {
        self.fd
            .get_sregs()
            .map_err(KvmError::when("read segment and control registers"))
    }

    /// Sets the segment and control registers.
    ///
    /// # Errors
    /// KVM refuses.
    pub fn set_special_registers(&self, registers: &kvm_sregs) -> Result<(), KvmError> {
        self.fd
            .set_sregs(registers)
            .map_err(KvmError::when("set segment and control registers"))
    }

    /// The local APIC's registers.
    ///
    /// # Errors
    /// KVM refuses.
    pub fn local_apic(&self) -> Result<kvm_lapic_state, KvmError> {
        self.fd
            .get_lapic()
            .map_err(KvmError::when("read the local APIC"))
    }

    /// Sets the local APIC's registers.
    ///
    /// # Errors
    /// KVM refuses.
    pub fn set_local_apic(&self, state: &kvm_lapic_state) -> Result<(), KvmError> {
        self.fd
            .set_lapic(state)
            .map_err(KvmError::when("set the local APIC"))
    }

    /// Whether it runs, halts or waits to be started (KVM API, `KVM_SET_MP_STATE`).
    ///
    /// # Errors
    /// KVM refuses.
    pub fn set_mp_state(&self, state: u32) -> Result<(), KvmError> {
        self.fd
            .set_mp_state(kvm_mp_state { mp_state: state })
            .map_err(KvmError::when("set a vCPU's run state"))
    }

    /// Translates a guest virtual address, as the guest's page tables have it now.
    pub fn translate(&self, address: u64) -> Option<u64> {
        let translation = self.fd.translate_gva(address).ok()?;
        (translation.valid != 0).then_some(translation.physical_address)
    }

    /// The guest's TSC frequency in kHz, where KVM tells.
    pub fn tsc_khz(&self) -> Option<u32> {
        self.fd.get_tsc_khz().ok().filter(|khz| *khz > 0)
    }

    /// KVM's counters of this vCPU.
    ///
    /// # Errors
    /// The host's KVM has none (before Linux 5.14).
    pub fn statistics(&self) -> io::Result<StatisticsFile> {
        StatisticsFile::open(self.fd.as_raw_fd())
    }
}
