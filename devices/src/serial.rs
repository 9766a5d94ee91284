//! A 16550 serial port: vm-superio's registers on our bus.

mod input;
mod output;

use std::io::Write;

use vm_superio::Trigger;
use vm_superio::serial::NoEvents;
use vmm_sys_util::eventfd::EventFd;

pub use input::SerialInput;
pub use output::{SerialOutput, SerialPrinter};

use crate::bus::BusDevice;

/// How many bytes of input vm-superio's port holds.
const FIFO_SIZE: usize = 64;
const DATA: u64 = 0;
const IER: u8 = 1;
const IER_RECEIVED_DATA: u8 = 1 << 0;
const LCR: u8 = 3;
const LCR_DIVISOR_LATCH: u8 = 1 << 7;
const MCR: u8 = 4;
const MCR_LOOPBACK: u8 = 1 << 4;

/// A serial port that prints to anything and raises an eventfd.
pub struct Serial {
    port: vm_superio::Serial<Line, NoEvents, Box<dyn Write + Send>>,
    /// Whom to tell that there is room for input.
    waiting: Option<EventFd>,
}

struct Line(EventFd);

impl Trigger for Line {
    type E = std::io::Error;

    fn trigger(&self) -> std::io::Result<()> {
        self.0.write(1)
    }
}

impl Serial {
    /// A port that prints to `out` and interrupts by `interrupt`.
    pub fn new(out: Box<dyn Write + Send>, interrupt: EventFd) -> Self {
        let port = vm_superio::Serial::new(Line(interrupt), out);
        let waiting = None;
        Self { port, waiting }
    }

    /// How many bytes of input the port takes now.
    ///
    /// None, until the driver asks for interrupts by input: before, it tries the port out
    /// and throws away what it finds there.
    pub fn room(&mut self) -> usize {
        if self.is_listening() {
            self.port.fifo_capacity()
        } else {
            0
        }
    }

    /// Writes `event`, once, when all input is read or the driver begins to listen.
    pub fn tell_of_room(&mut self, event: EventFd) {
        self.waiting = Some(event);
    }

    fn is_listening(&mut self) -> bool {
        // These registers can be read without an effect.
        let mut has = |register, bit| self.port.read(register) & bit != 0;
        !has(LCR, LCR_DIVISOR_LATCH) && !has(MCR, MCR_LOOPBACK) && has(IER, IER_RECEIVED_DATA)
    }

    fn check_room(&mut self) {
        let is_empty = self.port.fifo_capacity() == FIFO_SIZE;
        if self.waiting.is_some() && is_empty && self.is_listening() {
            // An eventfd refuses a write only when it is written already.
            let _ = self.waiting.take().map(|event| event.write(1));
        }
    }

    /// Gives the guest input; returns how much of it there was room for.
    pub fn receive(&mut self, input: &[u8]) -> usize {
        // An error is an interrupt that could not be raised twice: it is pending.
        self.port.enqueue_raw_bytes(input).unwrap_or(0)
    }
}

impl BusDevice for Serial {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        data.fill(0);
        if let ([byte], Ok(register)) = (data, u8::try_from(offset)) {
            *byte = self.port.read(register);
        }
        if offset == DATA {
            self.check_room();
        }
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        if let ([byte], Ok(register)) = (data, u8::try_from(offset)) {
            // What cannot be printed is lost, as on a wire that nobody listens to.
            let _ = self.port.write(register, *byte);
        }
        if offset != DATA {
            self.check_room();
        }
    }

    fn register_name(&self, offset: u64) -> &'static str {
        const NAMES: [&str; 8] = [
            "data", "IER", "IIR/FCR", "LCR", "MCR", "LSR", "MSR", "scratch",
        ];
        let index = usize::try_from(offset).unwrap_or(usize::MAX);
        NAMES.get(index).copied().unwrap_or("register")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use vmm_sys_util::eventfd::EFD_NONBLOCK;

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn port() -> (Serial, Screen) {
        let screen = Screen::default();
        let interrupt = EventFd::new(EFD_NONBLOCK).unwrap();
        (Serial::new(Box::new(screen.clone()), interrupt), screen)
    }

    #[test]
    fn what_the_guest_writes_is_printed() {
        let (mut port, screen) = port();
        b"hi".iter().for_each(|byte| port.write(0, &[*byte]));
        assert_eq!(*screen.0.lock().unwrap(), b"hi");
    }

    #[test]
    fn what_is_received_can_be_read() {
        let (mut port, _) = port();
        assert_eq!(port.receive(b"ok"), 2);
        let mut data = [0];
        port.read(0, &mut data);
        assert_eq!(&data, b"o");
    }

    #[test]
    fn input_beyond_the_fifo_is_not_taken() {
        let (mut port, _) = port();
        port.write(IER.into(), &[IER_RECEIVED_DATA]);
        let room = port.room();
        assert_eq!(room, FIFO_SIZE);
        assert!(port.receive(&vec![b'x'; room + 10]) <= room);
    }

    #[test]
    fn a_port_under_test_by_its_driver_takes_no_input() {
        let (mut port, _) = port();
        assert_eq!(port.room(), 0);
        port.write(IER.into(), &[IER_RECEIVED_DATA]);
        port.write(MCR.into(), &[MCR_LOOPBACK]);
        assert_eq!(port.room(), 0);
        port.write(MCR.into(), &[0]);
        assert_eq!(port.room(), FIFO_SIZE);
    }

    #[test]
    fn wide_accesses_do_no_harm() {
        let (mut port, screen) = port();
        port.write(0, b"abcd");
        let mut data = [0xff; 4];
        port.read(0, &mut data);
        assert_eq!((data, screen.0.lock().unwrap().len()), ([0; 4], 0));
    }
}
