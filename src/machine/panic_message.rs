//! The last words of a guest's kernel, as they pass by on a console.
//!
//! A kernel without pvpanic tells of a panic only there, then resets the machine as a
//! reboot would. A guest can forge the words; all it gets is another exit status.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// What the kernel prints before the reason (kernel/panic.c).
const PREFIX: &str = "Kernel panic - not syncing: ";
/// Longer lines are not the kernel's: what exceeds this is not kept.
const MAX_LINE: usize = 512;

/// The reason of a panic once a console has shown it, shared by all consoles.
#[derive(Clone, Default)]
pub struct PanicMessage(Arc<Mutex<Watch>>);

#[derive(Default)]
struct Watch {
    line: Vec<u8>,
    message: Option<String>,
}

impl PanicMessage {
    /// The reason, if one was shown.
    pub fn get(&self) -> Option<String> {
        let watch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The reset may come before the end of the line.
        watch.message.clone().or_else(|| reason(&watch.line))
    }

    /// Looks at what a console prints, in pieces of any size.
    pub fn watch(&self, bytes: &[u8]) {
        let mut watch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            watch.add(piece);
        }
    }
}

impl Watch {
    fn add(&mut self, piece: &[u8]) {
        let room = MAX_LINE.saturating_sub(self.line.len());
        self.line.extend(piece.iter().take(room));
        if piece.ends_with(b"\n") {
            self.message = self.message.take().or_else(|| reason(&self.line));
            self.line.clear();
        }
    }
}

fn reason(line: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(line);
    let (_, reason) = line.split_once(PREFIX)?;
    // Only printable text reaches the user's terminal from here.
    Some(
        reason
            .trim_end()
            .chars()
            .filter(|c| !c.is_control())
            .collect(),
    )
}

/// An output that is watched for a panic.
pub struct Watched<W> {
    out: W,
    message: PanicMessage,
}

impl<W> Watched<W> {
    /// Watches what is written to `out`.
    pub fn new(out: W, message: PanicMessage) -> Self {
        Self { out, message }
    }
}

impl<W: Write> Write for Watched<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.message.watch(bytes.get(..count).unwrap_or(bytes));
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_found_in_pieces() {
        let message = PanicMessage::default();
        for piece in [
            "[    1.0] Kernel pa",
            "nic - not syncing: VFS: no ro",
            "ot\r\nCPU: 0",
        ] {
            message.watch(piece.as_bytes());
        }
        assert_eq!(message.get().as_deref(), Some("VFS: no root"));
    }

    #[test]
    fn the_first_reason_is_kept() {
        let message = PanicMessage::default();
        message.watch(b"Kernel panic - not syncing: first\n");
        message.watch(b"---[ end Kernel panic - not syncing: first ]---\n");
        assert_eq!(message.get().as_deref(), Some("first"));
    }

    #[test]
    fn a_line_without_end_costs_bounded_memory() {
        let message = PanicMessage::default();
        message.watch(&[b'x'; 1 << 20]);
        assert!(message.0.lock().unwrap().line.len() <= MAX_LINE);
        assert_eq!(message.get(), None);
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let message = PanicMessage::default();
        message.watch(b"Kernel panic - not syncing: a\x1b[2Jb\n");
        assert_eq!(message.get().as_deref(), Some("a[2Jb"));
    }
}
