//! What is done about an exit: a free function of the exit and the buses.

use devices::bus::Bus;

use super::ledger::Cause;
use crate::hypervisor::{Exit, InternalError};

/// The two buses of a PC.
#[derive(Default)]
pub struct Buses {
    /// Port I/O.
    pub port: Bus,
    /// Memory-mapped I/O.
    pub mmio: Bus,
}

/// What a vCPU does after an exit.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Enter the guest again.
    Run,
    /// Stop the machine for this fault.
    Fault(Fault),
}

/// An exit after which a vCPU cannot go on.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// A triple fault.
    Triple,
    /// KVM cannot go on.
    Internal(InternalError),
    /// The hardware refuses.
    FailedEntry(u64),
    /// An exit that this machine does not know.
    Unexpected(String),
}

/// Serves `exit` by the device that it is for.
pub fn handle(exit: Exit<'_>, buses: &Buses) -> Next {
    match exit {
        Exit::PortRead(port, data) => buses.port.read(port.into(), data),
        Exit::PortWrite(port, data) => buses.port.write(port.into(), data),
        Exit::MmioRead(address, data) => buses.mmio.read(address, data),
        Exit::MmioWrite(address, data) => buses.mmio.write(address, data),
        Exit::Interrupted | Exit::Halt => {}
        Exit::Shutdown => return Next::Fault(Fault::Triple),
        Exit::SystemEvent(kind) => {
            return Next::Fault(Fault::Unexpected(format!("system event {kind}")));
        }
        Exit::InternalError(error) => return Next::Fault(Fault::Internal(error)),
        Exit::FailedEntry(reason) => return Next::Fault(Fault::FailedEntry(reason)),
        Exit::Unexpected(exit) => return Next::Fault(Fault::Unexpected(exit)),
    }
    Next::Run
}

/// Names the device and the register behind a cause.
pub fn name(cause: Cause, buses: &Buses) -> (String, String) {
    let on_bus = |bus: &Bus, address: u64, verb: &str| match bus.find(address) {
        Some((slot, offset)) => (
            slot.name().to_owned(),
            format!("{verb} {}", slot.register_name(offset)),
        ),
        None => ("no device".to_owned(), format!("{verb} {address:#x}")),
    };
    match cause {
        Cause::PortRead(port) => on_bus(&buses.port, port.into(), "read"),
        Cause::PortWrite(port) => on_bus(&buses.port, port.into(), "write"),
        Cause::MmioRead(address) => on_bus(&buses.mmio, address, "read"),
        Cause::MmioWrite(address) => on_bus(&buses.mmio, address, "write"),
        Cause::Interrupted => ("host".to_owned(), "signal".to_owned()),
        Cause::Other => ("vcpu".to_owned(), "stop".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_where_nothing_is_answers_with_ones_and_goes_on() {
        let mut data = [0; 4];
        let next = handle(Exit::MmioRead(0xd000_0000, &mut data), &Buses::default());
        assert_eq!((next, data), (Next::Run, [0xff; 4]));
    }

    #[test]
    fn a_shutdown_is_a_triple_fault() {
        let next = handle(Exit::Shutdown, &Buses::default());
        assert_eq!(next, Next::Fault(Fault::Triple));
    }

    #[test]
    fn an_address_without_a_device_is_named_by_itself() {
        let names = name(Cause::PortRead(0x80), &Buses::default());
        assert_eq!(names, ("no device".into(), "read 0x80".into()));
    }
}
