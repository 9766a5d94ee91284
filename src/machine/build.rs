//! The steps of a boot, in their order.

use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use vm_memory::{GuestAddress, GuestMemoryError};

use super::Machine;
use super::attach::{PowerButton, Source};
use super::chassis::Chassis;
use super::counters::Counters;
use super::error::BuildError;
use super::event_loop::{Deadlines, EventLoop, Supervisor, TAKEN_SIGNALS};
use super::ledger::SharedLedger;
use super::plan::{self, Plan};
use super::signs::Signs;
use super::vcpu_threads::Shared;
use crate::arch::x86_64::acpi::{self, Hardware, VirtioMmio};
use crate::arch::x86_64::{mptable, registers};
use crate::boot::{self, BootError, Kernel, Parameters};
use crate::config::MachineConfig;
use crate::hypervisor::Kvm;
use crate::memory::{self, Memory, MemoryError};
use crate::signals::SignalFd;
use crate::timeline::Timeline;

impl Machine {
    /// Builds the machine of `plan`, up to the kernel's first instruction.
    ///
    /// # Errors
    /// Any step fails; what was made until then is gone again.
    pub fn build(
        config: &MachineConfig,
        plan: &Plan,
        timeline: &Arc<Timeline>,
    ) -> Result<Self, BuildError> {
        let kvm = Kvm::open(&config.kvm)?;
        let memory = guest_memory(config)?;
        timeline.mark("vmm: memory");
        // KVM sleeps for most of the milliseconds in which it makes a machine, and reads nothing of
        // its memory.
        let (kernel, chassis) = at_once(
            || load(&memory, config, plan),
            || Chassis::build(&kvm, &memory, config, plan, timeline),
        )?;
        let Chassis {
            vm,
            vcpus,
            devices,
            button,
            signs,
        } = chassis;
        timeline.mark("vmm: rest of the kernel in memory");
        for vcpu in &vcpus {
            registers::set_up(vcpu, kernel.entry)?;
        }
        Ok(Self {
            counters: Arc::new(Counters::of(&vm, &vcpus)),
            _vm: vm,
            vcpus,
            events: event_loop(config, &signs, button, devices.sources)?,
            shared: Arc::new(Shared {
                buses: devices.buses,
                stop: signs.stop,
                end: AtomicBool::new(false),
                gate: Arc::default(),
                ledger: config.stats.then(SharedLedger::default),
                memory,
            }),
            broken: devices.broken,
            timeline: timeline.clone(),
        })
    }
}

/// Does `beside` in a thread of its own, and `here` meanwhile in this one.
fn at_once<A: Send, B>(
    beside: impl FnOnce() -> Result<A, BootError> + Send,
    here: impl FnOnce() -> Result<B, BuildError>,
) -> Result<(A, B), BuildError> {
    thread::scope(|scope| {
        let named = thread::Builder::new().name("loader".to_owned());
        let beside = named
            .spawn_scoped(scope, beside)
            .map_err(BuildError::Thread)?;
        let here = here()?;
        let beside = beside.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        Ok((beside, here))
    })
}

/// Shared with the processes that serve the guest's directories, where it has such.
fn guest_memory(config: &MachineConfig) -> Result<Memory, MemoryError> {
    let bytes = config.memory.bytes();
    match config.shares.is_empty() {
        true => memory::allocate(bytes),
        false => memory::allocate_shared(bytes),
    }
}

/// Loads kernel and initrd, and writes everything that the kernel reads before it runs.
fn load(memory: &Memory, config: &MachineConfig, plan: &Plan) -> Result<Kernel, BootError> {
    let path = &config.kernel;
    let kernel = boot::kernel::load(memory, path, config.protocol)
        .map_err(|source| BootError::Kernel(path.clone(), source))?;
    let load_initrd = |path: &PathBuf| {
        boot::initrd::load(memory, path, kernel.end)
            .map_err(|source| BootError::Initrd(path.clone(), source))
    };
    let parameters = Parameters {
        command_line: &plan.command_line,
        initrd: config.initrd.as_ref().map(load_initrd).transpose()?,
        rsdp: describe_hardware(memory, plan)?,
    };
    boot::write_parameters(memory, &kernel, &parameters)?;
    registers::write_tables(memory, kernel.entry)?;
    Ok(kernel)
}

/// By ACPI tables, or by an MP table for a kernel that has the rest on its command line.
///
/// The MP table is there in any case: a kernel that does not find one maps and searches
/// 64 KiB in steps of 16 bytes, which costs a page table update for each.
fn describe_hardware(
    memory: &Memory,
    plan: &Plan,
) -> Result<Option<GuestAddress>, GuestMemoryError> {
    mptable::write(memory, plan.vcpus)?;
    if !plan.acpi {
        return Ok(None);
    }
    let hardware = Hardware {
        vcpus: plan.vcpus,
        virtio: plan.virtio.iter().map(virtio_mmio).collect(),
        serial: plan.serial,
    };
    acpi::write(memory, &hardware).map(Some)
}

fn virtio_mmio(slot: &plan::Slot) -> VirtioMmio {
    VirtioMmio {
        base: u32::try_from(slot.base).expect("the layout has virtio-mmio below 4 GiB"),
        gsi: slot.gsi,
    }
}

fn event_loop(
    config: &MachineConfig,
    signs: &Signs,
    button: PowerButton,
    sources: Vec<Source>,
) -> Result<EventLoop, BuildError> {
    let deadlines = Deadlines {
        boot: config.boot_timeout,
        grace: config.grace,
    };
    let signals = SignalFd::new(if config.takes_signals {
        &TAKEN_SIGNALS
    } else {
        &[]
    });
    let mut events = EventLoop::new(signs.stop.clone())?;
    events.add(Box::new(Supervisor::new(
        signs,
        button,
        signals.map_err(BuildError::Host)?,
        deadlines,
    )?));
    for source in sources {
        events.add(source);
    }
    Ok(events)
}
