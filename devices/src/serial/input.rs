//! Carries host input to a serial port. What the port has no room for stays in the host file.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use event_manager::{EventOps, EventSet, Events, MutEventSubscriber};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use super::{FIFO_SIZE, Serial};
use crate::host_io::HostInput;

/// The event side of a serial port's input.
pub struct SerialInput {
    port: Arc<Mutex<Serial>>,
    input: HostInput,
    room: EventFd,
}

impl SerialInput {
    /// Gives `port` what comes from `input`.
    ///
    /// # Errors
    /// The host has no file descriptor left.
    pub fn new(port: Arc<Mutex<Serial>>, input: HostInput) -> io::Result<Self> {
        let room = EventFd::new(EFD_NONBLOCK)?;
        Ok(Self { port, input, room })
    }

    /// Moves input until the port has no room, or there is none.
    fn transfer(&mut self) -> io::Result<()> {
        let mut port = self.port.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = [0; FIFO_SIZE];
        loop {
            let room = port.room();
            if room == 0 {
                port.tell_of_room(self.room.try_clone()?);
                return Ok(());
            }
            let count = self.input.read(buffer.get_mut(..room).unwrap_or_default());
            if count == 0 {
                return Ok(());
            }
            // There is room for all of it: the lock is held since that was asked.
            port.receive(buffer.get(..count).unwrap_or_default());
        }
    }
}

impl MutEventSubscriber for SerialInput {
    fn init(&mut self, ops: &mut EventOps) {
        let set = EventSet::IN | EventSet::READ_HANG_UP | EventSet::EDGE_TRIGGERED;
        // A regular file cannot be watched: it is read whenever there is room.
        let _ = ops.add(Events::new(&self.input, set));
        if let Err(error) = ops.add(Events::new(&self.room, EventSet::IN)) {
            log::error!("the serial port gets no input: {error}");
        }
        // Lets the port tell us when its driver begins to listen.
        let _ = self.room.write(1);
    }

    fn process(&mut self, _events: Events, _ops: &mut EventOps) {
        // Empty unless it was what woke us.
        let _ = self.room.read();
        if let Err(error) = self.transfer() {
            log::error!("the serial port gets no input: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::BusDevice;
    use event_manager::{EventManager, SubscriberOps};
    use std::io::Write;

    const LISTEN: (u64, u8) = (1, 1);

    struct Machine {
        port: Arc<Mutex<Serial>>,
        events: EventManager<SerialInput>,
        keyboard: io::PipeWriter,
    }

    impl Machine {
        fn new() -> Self {
            let (reader, keyboard) = io::pipe().unwrap();
            let interrupt = EventFd::new(EFD_NONBLOCK).unwrap();
            let port = Serial::new(Box::new(io::sink()), interrupt);
            let port = Arc::new(Mutex::new(port));
            let input = SerialInput::new(port.clone(), HostInput::new(reader.into())).unwrap();
            let mut events = EventManager::new().unwrap();
            events.add_subscriber(input);
            Self {
                port,
                events,
                keyboard,
            }
        }

        fn serve_events(&mut self) {
            while self.events.run_with_timeout(0).unwrap() > 0 {}
        }

        fn listen(&self) {
            let (register, bit) = LISTEN;
            self.port.lock().unwrap().write(register, &[bit]);
        }

        /// Reads as an interrupt handler does: while the line status says that there is data.
        fn read_all(&self) -> Vec<u8> {
            let mut port = self.port.lock().unwrap();
            let mut register = |offset| {
                let mut data = [0];
                port.read(offset, &mut data);
                data[0]
            };
            std::iter::from_fn(|| (register(5) & 1 != 0).then(|| register(0))).collect()
        }
    }

    #[test]
    fn what_is_typed_reaches_the_guest() {
        let mut machine = Machine::new();
        machine.listen();
        machine.keyboard.write_all(b"root\r").unwrap();
        machine.serve_events();
        assert_eq!(machine.read_all(), b"root\r");
    }

    #[test]
    fn input_waits_until_the_driver_listens() {
        let mut machine = Machine::new();
        machine.keyboard.write_all(b"early").unwrap();
        machine.serve_events();
        assert_eq!(machine.read_all(), b"");
        machine.listen();
        machine.serve_events();
        assert_eq!(machine.read_all(), b"early");
    }

    #[test]
    fn input_beyond_the_fifo_waits_for_room() {
        let mut machine = Machine::new();
        machine.listen();
        let text: Vec<u8> = (0..=255).cycle().take(1000).collect();
        machine.keyboard.write_all(&text).unwrap();
        let mut read = Vec::new();
        for _ in 0..=text.len().div_ceil(FIFO_SIZE) {
            machine.serve_events();
            read.extend(machine.read_all());
        }
        assert_eq!(read, text);
    }

    #[test]
    fn after_the_end_of_the_input_nothing_happens() {
        let mut machine = Machine::new();
        machine.listen();
        drop(std::mem::replace(
            &mut machine.keyboard,
            io::pipe().unwrap().1,
        ));
        machine.serve_events();
        assert_eq!(machine.events.run_with_timeout(0).unwrap(), 0);
    }
}
