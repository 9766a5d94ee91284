//! The vCPU threads: each runs one vCPU until the machine stops.

use std::io;
use std::os::unix::thread::JoinHandleExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::exit_handler::{self, Buses, Fault, Next};
use super::gate::{Entry, Gate};
use super::ledger::{Cause, Ledger, SharedLedger};
use super::stop::{Crash, Stop, StopCell};
use crate::hypervisor::{KvmError, Vcpu, kick_signal};
use crate::memory::Memory;

/// What every vCPU thread shares with the others and with the event loop.
pub struct Shared {
    /// The devices.
    pub buses: Buses,
    /// Where a reason to stop is told.
    pub stop: Arc<StopCell>,
    /// Set when the threads are to end.
    pub end: AtomicBool,
    /// What they pass on their way into the guest.
    pub gate: Arc<Gate>,
    /// Where exits are counted, if the user wants to know.
    pub ledger: Option<SharedLedger>,
    /// For reading the code around a fault.
    pub memory: Memory,
}

/// Running vCPUs; they end and are waited for when this is dropped.
pub struct VcpuThreads {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Vcpu>>,
}

impl VcpuThreads {
    /// Starts a thread for each of `vcpus`.
    ///
    /// # Errors
    /// The host refuses a thread; those already started end.
    pub fn start(vcpus: Vec<Vcpu>, shared: Arc<Shared>) -> io::Result<Self> {
        let mut running = Self {
            shared,
            threads: Vec::with_capacity(vcpus.len()),
        };
        for vcpu in vcpus {
            let shared = running.shared.clone();
            let thread = thread::Builder::new()
                .name(format!("vcpu{}", vcpu.id()))
                .stack_size(256 << 10)
                .spawn(move || run(vcpu, &shared))?;
            running.threads.push(thread);
        }
        Ok(running)
    }

    /// Ends all threads.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.end.store(true, Ordering::SeqCst);
        self.shared.gate.remove();
        self.threads.iter().for_each(kick);
        for thread in self.threads.drain(..) {
            // What it panicked of has been told by its own thread.
            let _ = thread.join();
        }
    }
}

impl Drop for VcpuThreads {
    fn drop(&mut self) {
        self.end();
    }
}

fn kick(thread: &JoinHandle<Vcpu>) {
    if thread.is_finished() {
        return;
    }
    // SAFETY: the handle has not been joined, so the thread's ID is still its own.
    unsafe { libc::pthread_kill(thread.as_pthread_t(), kick_signal()) };
}

fn run(mut vcpu: Vcpu, shared: &Shared) -> Vcpu {
    let mut ledger = Ledger::default();
    let gate = shared.gate.enter();
    let result = match &shared.ledger {
        Some(_) => run_counted(&mut vcpu, shared, &gate, &mut ledger),
        None => run_plain(&mut vcpu, shared, &gate),
    };
    drop(gate);
    if let Some(sum) = &shared.ledger {
        sum.add(ledger);
    }
    match result {
        Ok(None) => {}
        Ok(Some(fault)) => shared.stop.stop(reason(fault, &vcpu, &shared.memory)),
        Err(error) => shared.stop.stop(Stop::Host(crate::chain(&error))),
    }
    vcpu
}

/// The hot loop; `None` means that the machine stops.
fn run_plain(
    vcpu: &mut Vcpu,
    shared: &Shared,
    gate: &Entry<'_>,
) -> Result<Option<Fault>, KvmError> {
    loop {
        gate.pass();
        if shared.end.load(Ordering::SeqCst) {
            return Ok(None);
        }
        if let Next::Fault(fault) = exit_handler::handle(vcpu.run()?, &shared.buses) {
            return Ok(Some(fault));
        }
    }
}

fn run_counted(
    vcpu: &mut Vcpu,
    shared: &Shared,
    gate: &Entry<'_>,
    ledger: &mut Ledger,
) -> Result<Option<Fault>, KvmError> {
    loop {
        gate.pass();
        if shared.end.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let exit = vcpu.run()?;
        let (cause, begin) = (Cause::of(&exit), Instant::now());
        let next = exit_handler::handle(exit, &shared.buses);
        ledger.record(cause, begin.elapsed());
        if let Next::Fault(fault) = next {
            return Ok(Some(fault));
        }
    }
}

fn reason(fault: Fault, vcpu: &Vcpu, memory: &Memory) -> Stop {
    let crash = Box::new(crash(vcpu, memory));
    match fault {
        Fault::Triple => Stop::TripleFault(crash),
        Fault::FailedEntry(reason) => Stop::FailedEntry(reason, crash),
        Fault::Unexpected(exit) => Stop::Host(format!("an exit that nobody asked for: {exit}")),
        Fault::Internal(error) => {
            let code = match error.instruction.as_slice() {
                [] => crash.code.clone(),
                instruction => instruction.to_vec(),
            };
            let crash = Crash { code, ..*crash };
            Stop::Internal(error, Box::new(crash))
        }
    }
}

fn crash(vcpu: &Vcpu, memory: &Memory) -> Crash {
    use vm_memory::{Bytes, GuestAddress};
    const CODE_BYTES: usize = 16;
    let Ok(registers) = vcpu.registers() else {
        return Crash::default();
    };
    let mut code = vec![0; CODE_BYTES];
    let read = vcpu
        .translate(registers.rip)
        .and_then(|place| memory.read(&mut code, GuestAddress(place)).ok());
    code.truncate(read.unwrap_or(0));
    Crash {
        vcpu: vcpu.id(),
        registers: describe(vcpu, &registers),
        code,
    }
}

fn describe(vcpu: &Vcpu, registers: &kvm_bindings::kvm_regs) -> String {
    let r = registers;
    let mut text = format!(
        "  rip {:016x} rsp {:016x} rflags {:08x}\n  \
         rax {:016x} rbx {:016x} rcx {:016x}\n  \
         rdx {:016x} rsi {:016x} rdi {:016x}",
        r.rip, r.rsp, r.rflags, r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi
    );
    if let Ok(special) = vcpu.special_registers() {
        text += &format!(
            "\n  cr0 {:x} cr2 {:x} cr3 {:x} cr4 {:x} efer {:x}",
            special.cr0, special.cr2, special.cr3, special.cr4, special.efer
        );
    }
    text
}
