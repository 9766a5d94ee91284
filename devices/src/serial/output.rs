//! Takes what a serial port prints to the host file, so that no vCPU waits for its reader.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use event_manager::{EventOps, EventSet, Events, MutEventSubscriber};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use crate::host_io::HostOutput;

/// How many bytes wait for a reader at most; a boot prints a quarter of that.
const LIMIT: usize = 256 * 1024;

/// The port's side: all is taken at once, by whichever vCPU prints.
///
/// A 16550 cannot wait: what its reader leaves for too long is lost, and that is logged.
pub struct SerialOutput {
    line: Arc<Line>,
    told: bool,
}

/// The event side.
pub struct SerialPrinter {
    line: Arc<Line>,
    output: HostOutput,
}

struct Line {
    waiting: Mutex<VecDeque<u8>>,
    event: EventFd,
}

impl Line {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<u8>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SerialOutput {
    /// Both sides of a line to `output`.
    ///
    /// # Errors
    /// The host has no file descriptor left.
    pub fn to(output: HostOutput) -> io::Result<(Self, SerialPrinter)> {
        let line = Arc::new(Line {
            waiting: Mutex::default(),
            event: EventFd::new(EFD_NONBLOCK)?,
        });
        let printer = SerialPrinter {
            line: line.clone(),
            output,
        };
        Ok((Self { line, told: false }, printer))
    }
}

impl Write for SerialOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut waiting = self.line.waiting();
        let (was_empty, room) = (waiting.is_empty(), LIMIT.saturating_sub(waiting.len()));
        waiting.extend(bytes.iter().take(room));
        drop(waiting);
        if was_empty {
            // An eventfd refuses a write only when it is written already.
            let _ = self.line.event.write(1);
        }
        if bytes.len() > room && !std::mem::replace(&mut self.told, true) {
            log::warn!("the guest's serial output is lost: nobody reads it");
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SerialPrinter {
    /// Prints what the host file takes now.
    fn transfer(&mut self) {
        let mut waiting = self.line.waiting();
        let count = self.output.write(waiting.make_contiguous());
        waiting.drain(..count);
    }
}

impl MutEventSubscriber for SerialPrinter {
    fn init(&mut self, ops: &mut EventOps) {
        let room = EventSet::OUT | EventSet::EDGE_TRIGGERED;
        // A regular file cannot be watched: it always has room.
        let _ = ops.add(Events::new(&self.output, room));
        if let Err(error) = ops.add(Events::new(&self.line.event, EventSet::IN)) {
            log::error!("the serial port's output is not seen: {error}");
        }
    }

    fn process(&mut self, _events: Events, _ops: &mut EventOps) {
        // Empty unless it was what woke us.
        let _ = self.line.event.read();
        self.transfer();
    }
}

/// The last words are worth the most.
impl Drop for SerialPrinter {
    fn drop(&mut self) {
        self.transfer();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_manager::{EventManager, SubscriberOps};
    use std::io::Read;

    struct Machine {
        port: SerialOutput,
        events: EventManager<SerialPrinter>,
        screen: io::PipeReader,
    }

    impl Machine {
        fn new() -> Self {
            let (screen, writer) = io::pipe().unwrap();
            let (port, printer) = SerialOutput::to(HostOutput::new(writer.into())).unwrap();
            let mut events = EventManager::new().unwrap();
            events.add_subscriber(printer);
            Self {
                port,
                events,
                screen,
            }
        }

        fn serve_events(&mut self) {
            while self.events.run_with_timeout(0).unwrap() > 0 {}
        }
    }

    #[test]
    fn what_is_printed_reaches_the_host() {
        let mut machine = Machine::new();
        machine.port.write_all(b"login: ").unwrap();
        machine.serve_events();
        let mut seen = [0; 7];
        machine.screen.read_exact(&mut seen).unwrap();
        assert_eq!(&seen, b"login: ");
    }

    #[test]
    fn a_reader_that_waits_stops_nobody_and_misses_nothing_within_the_limit() {
        let mut machine = Machine::new();
        let text: Vec<u8> = (0..=255).cycle().take(LIMIT).collect();
        machine.port.write_all(&text).unwrap();
        let mut seen = vec![0; text.len()];
        for chunk in seen.chunks_mut(4096) {
            machine.serve_events();
            machine.screen.read_exact(chunk).unwrap();
        }
        assert_eq!(seen, text);
    }

    #[test]
    fn what_nobody_reads_is_lost_beyond_the_limit() {
        let mut machine = Machine::new();
        machine.port.write_all(&vec![7; 10 * LIMIT]).unwrap();
        assert_eq!(machine.port.line.waiting().len(), LIMIT);
    }

    #[test]
    fn the_last_words_are_printed_at_the_end() {
        let mut machine = Machine::new();
        machine.port.write_all(b"panic").unwrap();
        drop(machine.events);
        let mut seen = String::new();
        machine.screen.read_to_string(&mut seen).unwrap();
        assert_eq!(seen, "panic");
    }
}
