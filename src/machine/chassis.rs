//! A machine without a program: KVM's part of it, its vCPUs and its devices.

use std::io::{self, Write};
use std::sync::Arc;

use devices::serial::{SerialInput, SerialOutput};
use devices::virtio::VirtioDevice;
use devices::virtio::block::{self, Block, BlockOptions};
use devices::virtio::fs::{BackendError, Fs};
use devices::virtio::rng::Rng;

use super::attach::{Attached, Board, PowerButton};
use super::console::{self, ConsoleError};
use super::error::{BuildError, DeviceError};
use super::panic_message::Watched;
use super::plan::{Plan, Role};
use super::signs::Signs;
use super::stop::Stop;
use crate::arch::x86_64::cpuid::{self, Topology};
use crate::arch::x86_64::msr;
use crate::config::{Cache, DiskConfig, MachineConfig, SerialTarget, ShareConfig, VcpuCount};
use crate::hypervisor::{Kvm, KvmError, Vcpu, Vm};
use crate::memory::{self, Memory};
use crate::timeline::Timeline;

/// A machine with nothing to run.
pub struct Chassis {
    /// The machine as KVM knows it.
    pub vm: Vm,
    /// Its vCPUs, which do not know yet where to begin.
    pub vcpus: Vec<Vcpu>,
    /// Its devices, in their places.
    pub devices: Attached,
    /// Its power button.
    pub button: PowerButton,
    /// How its parts tell each other what has happened.
    pub signs: Signs,
}

impl Chassis {
    /// Builds what `plan` says around `memory`.
    ///
    /// # Errors
    /// KVM refuses something, or a device lacks what it is for.
    pub fn build(
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
