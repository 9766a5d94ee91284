//! Pieces of guest memory in a row, used from front to back.

use vm_memory::{Bytes, GuestAddress};

use crate::Memory;

/// A piece of guest memory that the driver named; it need not be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it begins.
    pub address: GuestAddress,
    /// How many bytes it has.
    pub len: u32,
}

/// The data of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segments {
    parts: Vec<Segment>,
    first: usize,
}

impl Segments {
    /// Adds a piece behind the others.
    pub fn push(&mut self, segment: Segment) {
        self.parts.push(segment);
    }

    /// The pieces that are left.
    pub fn rest(&self) -> &[Segment] {
        self.parts.get(self.first..).unwrap_or_default()
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    /// How many bytes are left.
    pub fn len(&self) -> u64 {
        let add = |sum: u64, segment: &Segment| sum.saturating_add(segment.len.into());
        self.rest().iter().fold(0, add)
    }

    /// Fills `bytes` from the front; `None` if there is less, or it is not in memory.
    pub fn read(&mut self, memory: &Memory, bytes: &mut [u8]) -> Option<()> {
        let mut done = 0;
        while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let (address, len) = self.take(rest.len())?;
            memory.read_slice(rest.get_mut(..len)?, address).ok()?;
            done = done.checked_add(len)?;
        }
        Some(())
    }

    /// Stores `bytes` at the front; `None` if there is less room, or it is not in memory.
    pub fn write(&mut self, memory: &Memory, bytes: &[u8]) -> Option<()> {
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            let (address, len) = self.take(rest.len())?;
            memory.write_slice(rest.get(..len)?, address).ok()?;
            done = done.checked_add(len)?;
        }
        Some(())
    }

    /// Takes the last byte.
    pub fn take_last_byte(&mut self) -> Option<GuestAddress> {
        let last = self.parts.last_mut()?;
        last.len = last.len.checked_sub(1)?;
        let address = last.address.0.checked_add(last.len.into())?;
        if last.len == 0 {
            self.parts.pop();
        }
        Some(GuestAddress(address))
    }

    /// Takes at most `len` bytes of the first piece.
    fn take(&mut self, len: usize) -> Option<(GuestAddress, usize)> {
        let segment = self.parts.get_mut(self.first)?;
        let address = segment.address;
        let taken = segment.len.min(u32::try_from(len).unwrap_or(u32::MAX));
        segment.len = segment.len.checked_sub(taken)?;
        if segment.len == 0 {
            self.first = self.first.saturating_add(1);
        } else {
            segment.address = GuestAddress(address.0.checked_add(taken.into())?);
        }
        Some((address, usize::try_from(taken).ok()?))
    }
}
