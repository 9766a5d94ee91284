//! The steps of a boot, in their order.

use std::io::{self, Write};
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use devices::serial::{SerialInput, SerialOutput};
use devices::virtio::VirtioDevice;
use devices::virtio::block::{self, Block, BlockOptions};
use devices::virtio::fs::{BackendError, Fs, FsError};
use devices::virtio::rng::Rng;
use vm_memory::{GuestAddress, GuestMemoryError};

use super::Machine;
use super::attach::{Attached, Board, PowerButton};
use super::console::{self, ConsoleError};
use super::counters::Counters;
use super::event_loop::{Deadlines, EventLoop, Source, Supervisor, TAKEN_SIGNALS};
use super::ledger::SharedLedger;
use super::panic_message::Watched;
use super::plan::{self, Plan, Role};
use super::signs::Signs;
use super::stop::Stop;
use super::vcpu_threads::Shared;
use crate::arch::x86_64::acpi::{self, Hardware, VirtioMmio};
use crate::arch::x86_64::cpuid::{self, Topology};
use crate::arch::x86_64::{mptable, msr, registers};
use crate::boot::{self, BootError, Kernel, Parameters};
use crate::config::{Cache, DiskConfig, MachineConfig, SerialTarget, ShareConfig, VcpuCount};
use crate::hypervisor::{Kvm, KvmError, OpenError, Vcpu, Vm};
use crate::memory::{self, Memory, MemoryError};
use crate::signals::SignalFd;
use crate::timeline::Timeline;

/// Why a machine cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is no KVM to build it on.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// KVM refuses a request.
    #[error(transparent)]
    Kvm(#[from] KvmError),
    /// Guest memory cannot be had.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The kernel cannot be booted.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// A device lacks what it is for.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The host has no file descriptor left, or the like.
    #[error("cannot get a file descriptor from the host: raise the limit (ulimit -n)")]
    Host(#[source] io::Error),
    /// It starts no thread.
    #[error("cannot start a thread: raise the limit (ulimit -u), or free memory of the host")]
    Thread(#[source] io::Error),
    /// The event loop cannot be made.
    #[error("cannot make the event loop")]
    EventLoop(#[source] event_manager::Error),
}

/// Why a device cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// A console has no host's end.
    #[error(transparent)]
    Console(#[from] ConsoleError),
    /// A disk cannot be opened.
    #[error(transparent)]
    Disk(#[from] block::OpenError),
    /// A directory has nobody who serves it.
    #[error("cannot share {0} with the guest")]
    Share(PathBuf, #[source] FsError),
    /// The host has no file descriptor left.
    #[error("cannot keep the connection to the process that serves a directory")]
    Connection(#[source] io::Error),
}

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
        // KVM waits rather than works while it makes a machine, whatever is in its memory.
        let (kernel, chassis) = at_once(
            || load(&memory, config, plan),
            || Chassis::build(&kvm, &memory, config, plan, timeline),
        )?;
        let (chassis, kernel) = (chassis?, kernel?);
        timeline.mark("vmm: rest of the kernel in memory");
        for vcpu in &chassis.vcpus {
            registers::set_up(vcpu, kernel.entry)?;
        }
        Ok(Self {
            counters: Arc::new(Counters::of(&chassis.vm, &chassis.vcpus)),
            _vm: chassis.vm,
            vcpus: chassis.vcpus,
            events: event_loop(
                config,
                &chassis.signs,
                chassis.button,
                chassis.devices.sources,
            )?,
            shared: Arc::new(Shared {
                buses: chassis.devices.buses,
                stop: chassis.signs.stop,
                end: AtomicBool::new(false),
                gate: Arc::default(),
                ledger: config.stats.then(SharedLedger::default),
                memory,
            }),
            broken: chassis.devices.broken,
            timeline: timeline.clone(),
        })
    }
}

/// What both give, of which the first has a thread of its own.
fn at_once<A: Send, B>(
    first: impl FnOnce() -> A + Send,
    second: impl FnOnce() -> B,
) -> Result<(A, B), BuildError> {
    thread::scope(|scope| {
        let named = thread::Builder::new().name("loader".to_owned());
        let first = named
            .spawn_scoped(scope, first)
            .map_err(BuildError::Thread)?;
        let second = second();
        let first = first.join().unwrap_or_else(|panic| resume_unwind(panic));
        Ok((first, second))
    })
}

/// A machine with nothing to run.
struct Chassis {
    vm: Vm,
    vcpus: Vec<Vcpu>,
    devices: Attached,
    button: PowerButton,
    signs: Signs,
}

impl Chassis {
    fn build(
        kvm: &Kvm,
        memory: &Memory,
        config: &MachineConfig,
        plan: &Plan,
        timeline: &Arc<Timeline>,
    ) -> Result<Self, BuildError> {
        let registers = memory::register_pages(plan.virtio.len())?;
        let vm = create_vm(kvm, memory, &registers, plan)?;
        timeline.mark("vmm: virtual machine");
        let signs = Signs::new(timeline.clone()).map_err(BuildError::Host)?;
        let board = Board::new(&vm, memory, registers, &signs);
        let (devices, button) = attach_devices(board, config, plan, &signs)?;
        timeline.mark("vmm: devices");
        let vcpus = create_vcpus(kvm, &vm, plan.vcpus)?;
        timeline.mark("vmm: vCPUs");
        Ok(Self {
            vm,
            vcpus,
            devices,
            button,
            signs,
        })
    }
}

/// Shared with the processes that serve the guest's directories, where it has such.
fn guest_memory(config: &MachineConfig) -> Result<Memory, MemoryError> {
    let bytes = config.memory.bytes();
    match config.shares.is_empty() {
        true => memory::allocate(bytes),
        false => memory::allocate_shared(bytes),
    }
}

/// A kernel without ACPI may want the old timer; any other finds a better one.
fn create_vm(kvm: &Kvm, memory: &Memory, registers: &Memory, plan: &Plan) -> Result<Vm, KvmError> {
    let mut vm = kvm.create_vm()?;
    vm.add_ram(memory)?;
    vm.add_readonly(registers)?;
    vm.create_interrupt_controllers()?;
    if !plan.acpi {
        vm.create_interval_timer()?;
    }
    Ok(vm)
}

fn attach_devices(
    mut board: Board<'_>,
    config: &MachineConfig,
    plan: &Plan,
    signs: &Signs,
) -> Result<(Attached, PowerButton), BuildError> {
    board.attach_chipset();
    let button = board.attach_power_button()?;
    if plan.serial {
        attach_serial(&mut board, &config.serial, signs)?;
    }
    for slot in &plan.virtio {
        board.attach_virtio(slot, virtio_device(slot.role, config, signs)?)?;
    }
    Ok((board.finish(), button))
}

fn attach_serial(
    board: &mut Board<'_>,
    target: &SerialTarget,
    signs: &Signs,
) -> Result<(), BuildError> {
    let output: Box<dyn Write + Send> =
        match console::serial_output(target).map_err(DeviceError::from)? {
            None => Box::new(io::sink()),
            Some(output) => {
                let (output, printer) = SerialOutput::to(output).map_err(BuildError::Host)?;
                board.add_source(printer);
                Box::new(output)
            }
        };
    let port = board.attach_serial(Box::new(Watched::new(output, signs.panic.clone())))?;
    if *target == SerialTarget::Stdio {
        let input = console::standard_input(signs)
            .map_err(|error| DeviceError::from(ConsoleError::Stdio(error)))?;
        board.add_source(SerialInput::new(port, input).map_err(BuildError::Host)?);
    }
    Ok(())
}

fn virtio_device(
    role: Role,
    config: &MachineConfig,
    signs: &Signs,
) -> Result<Box<dyn VirtioDevice>, DeviceError> {
    Ok(match role {
        Role::Console => Box::new(console::console(&config.console, &config.ports, signs)?),
        Role::Disk(index) => Box::new(disk(&config.disks[index], config.vcpus)?),
        Role::Share(index) => Box::new(share(&config.shares[index], signs)?),
        Role::Entropy => Box::new(Rng::default()),
    })
}

/// A directory whose server goes takes the machine with it: its programs would wait for ever.
fn share(config: &ShareConfig, signs: &Signs) -> Result<Fs, DeviceError> {
    let socket = config.socket.try_clone().map_err(DeviceError::Connection)?;
    let stop = signs.stop.clone();
    let directory = config.directory.display().to_string();
    let listener = Box::new(move |error: BackendError| {
        let cause = crate::chain(&error);
        let problem = format!("the process that serves {directory} is of no use: {cause}");
        stop.stop(Stop::Host(problem));
    });
    Fs::new(&config.tag, socket, listener)
        .map_err(|error| DeviceError::Share(config.directory.clone(), error))
}

/// Opens a disk with a queue for each vCPU.
fn disk(config: &DiskConfig, vcpus: VcpuCount) -> Result<Block, block::OpenError> {
    Block::open(&BlockOptions {
        path: config.path.clone(),
        readonly: config.readonly,
        serial: config.serial.clone(),
        direct: config.cache == Cache::Direct,
        force_raw: config.raw,
        queues: vcpus.get().into(),
    })
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

fn create_vcpus(kvm: &Kvm, vm: &Vm, count: u8) -> Result<Vec<Vcpu>, KvmError> {
    let supported = kvm.supported_cpuid()?;
    let create = |apic_id| {
        let vcpu = vm.create_vcpu(apic_id)?;
        let topology = Topology {
            apic_id,
            count,
            tsc_deadline: kvm.has_tsc_deadline_timer(),
            tsc_khz: vcpu.tsc_khz(),
        };
        vcpu.set_cpuid(&cpuid::for_vcpu(&supported, topology))?;
        msr::set_up(&vcpu)?;
        Ok(vcpu)
    };
    (0..count).map(create).collect()
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
