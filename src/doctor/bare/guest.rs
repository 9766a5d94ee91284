//! One bare guest: built, run until it ends or its time is over, and looked at.

use std::io;
use std::time::{Duration, Instant};

use kvm_bindings::{CpuId, kvm_regs, kvm_sregs};
use vm_memory::{Bytes, GuestAddress, GuestMemoryError};

use super::{MMIO_DONE, Ring, port, tables};
use crate::arch::x86_64::{registers, segment};
use crate::hypervisor::{Alarm, Exit, InternalError, Kvm, KvmError, Vcpu, Vm};
use crate::memory::{self, Memory, MemoryError, layout};

/// Room for the tables, and from 1 MiB on for the code.
const MEMORY: u64 = 2 << 20;

/// Why a bare guest cannot be built or run.
#[derive(Debug, thiserror::Error)]
pub enum BareError {
    /// It gets no memory.
    #[error("cannot get memory for a bare guest")]
    Memory(#[from] MemoryError),
    /// Its code is too long for its memory.
    #[error("the code of a bare guest does not fit into its memory")]
    Load(#[from] GuestMemoryError),
    /// KVM refuses.
    #[error(transparent)]
    Kvm(#[from] KvmError),
    /// Its time cannot be limited.
    #[error("cannot limit the time of a bare guest")]
    Alarm(#[source] io::Error),
}

/// How a bare guest ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It wrote this byte to [`port::DONE`] or [`MMIO_DONE`].
    Done(u8),
    /// It halted.
    Halt,
    /// It met the exception of this vector.
    Fault(u8),
    /// It met an exception that its handlers could not be told of.
    TripleFault,
    /// KVM could not go on.
    InternalError(InternalError),
    /// The hardware, or KVM, refused to enter it.
    Refused(String),
    /// Its time was over.
    Expired,
}

/// A virtual machine with one vCPU that is about to run a few bytes of code.
///
/// The code begins with RDI at a zeroed page and with a stack; FPU, SSE and, where KVM has
/// it, XSAVE are enabled.
pub struct BareGuest {
    vcpu: Vcpu,
    memory: Memory,
    vm: Vm,
    cpuid: CpuId,
}

impl BareGuest {
    /// A guest in a virtual machine of its own, without interrupt controllers.
    ///
    /// # Errors
    /// KVM or the host has no room for it.
    pub fn new(kvm: &Kvm, ring: Ring, code: &[u8]) -> Result<Self, BareError> {
        Self::in_vm(kvm, kvm.create_vm()?, ring, code)
    }

    /// A guest in `vm`, which has neither RAM nor vCPUs yet, but what else the caller gave it.
    ///
    /// # Errors
    /// KVM or the host has no room for it.
    pub fn in_vm(kvm: &Kvm, mut vm: Vm, ring: Ring, code: &[u8]) -> Result<Self, BareError> {
        let (memory, cpuid) = (memory::allocate(MEMORY)?, kvm.supported_cpuid()?);
        let gdt_limit = load(&memory, code)?;
        vm.add_ram(&memory)?;
        let vcpu = vm.create_vcpu(0)?;
        set_up(&vcpu, &cpuid, ring, gdt_limit)?;
        Ok(Self {
            vcpu,
            memory,
            vm,
            cpuid,
        })
    }

    /// Begins anew with other code, on a vCPU that nothing has happened to. That is cheaper
    /// than another guest: to end a virtual machine, KVM waits for the whole host.
    ///
    /// # Errors
    /// KVM has no further vCPU.
    pub fn replace_code(&mut self, ring: Ring, code: &[u8]) -> Result<(), BareError> {
        let gdt_limit = load(&self.memory, code)?;
        self.vcpu = self.vm.create_vcpu(self.vcpu.id().saturating_add(1))?;
        set_up(&self.vcpu, &self.cpuid, ring, gdt_limit)?;
        Ok(())
    }

    /// Runs it until it ends or `limit` is over. What it asks of devices goes to `serve`.
    ///
    /// Blocks the kick signal in this thread.
    ///
    /// # Errors
    /// KVM refuses to run it, or the host has no timer.
    pub fn run(
        &mut self,
        limit: Duration,
        mut serve: impl FnMut(Exit<'_>),
    ) -> Result<Ending, BareError> {
        let begin = Instant::now();
        let _alarm = Alarm::after(limit).map_err(BareError::Alarm)?;
        loop {
            match self.vcpu.run()? {
                Exit::Interrupted if begin.elapsed() >= limit => return Ok(Ending::Expired),
                Exit::Interrupted => {}
                Exit::PortWrite(port::DONE, data) => return Ok(Ending::Done(first(data))),
                Exit::MmioWrite(MMIO_DONE, data) => return Ok(Ending::Done(first(data))),
                Exit::PortWrite(port::FAULT, data) => return Ok(Ending::Fault(first(data))),
                Exit::Halt => return Ok(Ending::Halt),
                Exit::Shutdown => return Ok(Ending::TripleFault),
                Exit::InternalError(error) => return Ok(Ending::InternalError(error)),
                Exit::FailedEntry(reason) => return Ok(Ending::Refused(format!("{reason:#x}"))),
                Exit::SystemEvent(kind) => return Ok(Ending::Refused(format!("event {kind}"))),
                Exit::Unexpected(exit) => return Ok(Ending::Refused(exit)),
                served => serve(served),
            }
        }
    }

    /// Its registers, to see how far it came.
    ///
    /// # Errors
    /// KVM does not tell them.
    pub fn registers(&self) -> Result<kvm_regs, KvmError> {
        self.vcpu.registers()
    }

    /// Its memory.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Its virtual machine, to be run by somebody else.
    pub fn into_parts(self) -> (Vm, Memory, Vcpu) {
        (self.vm, self.memory, self.vcpu)
    }
}

/// Fills the memory; returns the limit of the GDT.
fn load(memory: &Memory, code: &[u8]) -> Result<u16, GuestMemoryError> {
    const PAGE: usize = 0x1000;
    memory.write_slice(&[0; PAGE], GuestAddress(layout::BARE_SCRATCH))?;
    memory.write_slice(code, GuestAddress(layout::HIGH_RAM_START))?;
    tables::write(memory)
}

fn set_up(vcpu: &Vcpu, cpuid: &CpuId, ring: Ring, gdt_limit: u16) -> Result<(), KvmError> {
    vcpu.set_cpuid(cpuid)?;
    let mut special = vcpu.special_registers()?;
    enter(&mut special, ring, gdt_limit);
    set_special_registers(vcpu, special)?;
    vcpu.set_registers(&general())
}

fn first(data: &[u8]) -> u8 {
    data.first().copied().unwrap_or(0)
}

fn general() -> kvm_regs {
    const RESERVED: u64 = 1 << 1;
    kvm_regs {
        rip: layout::HIGH_RAM_START,
        rsp: layout::BARE_STACK,
        rdi: layout::BARE_SCRATCH,
        rflags: RESERVED,
        ..Default::default()
    }
}

/// Control bits beside those of long mode, as Linux sets them.
const CR0_MP_NE_WP: u64 = 1 << 1 | 1 << 5 | 1 << 16;
const CR4_OSFXSR_OSXMMEXCPT: u64 = 1 << 9 | 1 << 10;
const CR4_OSXSAVE: u64 = 1 << 18;
const EFER_SCE: u64 = 1;

fn enter(special: &mut kvm_sregs, ring: Ring, gdt_limit: u16) {
    registers::load_segments(special, tables::segments(ring));
    special.tr = segment::task(layout::BARE_TASK);
    special.gdt.limit = gdt_limit;
    special.idt = tables::idt();
    registers::enable_long_mode(special);
    special.cr0 |= CR0_MP_NE_WP;
    special.cr4 |= CR4_OSFXSR_OSXMMEXCPT | CR4_OSXSAVE;
    special.efer |= EFER_SCE;
}

/// A KVM that does not offer XSAVE refuses the bit that enables it.
fn set_special_registers(vcpu: &Vcpu, special: kvm_sregs) -> Result<(), KvmError> {
    vcpu.set_special_registers(&special).or_else(|_| {
        vcpu.set_special_registers(&kvm_sregs {
            cr4: special.cr4 & !CR4_OSXSAVE,
            ..special
        })
    })
}
