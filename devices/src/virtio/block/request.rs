//! A chain of descriptors becomes a request (virtio 1.2, 5.2.6). It knows no file and no queue.

use virtio_bindings::virtio_blk::{
    VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_T_GET_ID, VIRTIO_BLK_T_IN,
    VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP,
};
use vm_memory::GuestAddress;

use super::guest_buffers::MAX_PARTS;
use super::segments::{Segment, Segments};
use crate::Memory;
use crate::virtio::Chain;

/// A range of the disk, in sectors of 512 bytes; it need not be on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectorRange {
    /// The first sector.
    pub sector: u64,
    /// How many there are.
    pub count: u32,
}

/// What the driver asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Fill the data from the disk.
    Read {
        /// The first sector.
        sector: u64,
    },
    /// Store the data on the disk.
    Write {
        /// The first sector.
        sector: u64,
    },
    /// Make durable what was written.
    Flush,
    /// Fill the data with the serial number.
    GetId,
    /// Forget what a range holds.
    Discard(SectorRange),
    /// Let a range read as zeroes.
    WriteZeroes {
        /// The range.
        range: SectorRange,
        /// Whether it need not stay allocated.
        unmap: bool,
    },
    /// Something that this device does not do.
    Unsupported,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked for.
    pub operation: Operation,
    /// The data to store, or the room for data to fill.
    pub data: Segments,
    /// Where the status byte goes.
    pub status: GuestAddress,
}

/// A chain that is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where its status byte goes, if it has room for one.
    pub status: Option<GuestAddress>,
}

const HEADER_SIZE: usize = 16;

impl Request {
    /// Takes a chain apart, however its driver has cut it (virtio 1.2, 2.7.4.3).
    ///
    /// # Errors
    /// It lacks a header or room for a status, or its parts are out of order.
    pub fn parse(memory: &Memory, chain: Chain<'_>) -> Result<Self, Malformed> {
        let mut parts = Parts::of(chain);
        let status = parts
            .writable
            .take_last_byte()
            .ok_or(Malformed { status: None })?;
        let malformed = Malformed {
            status: Some(status),
        };
        if !parts.in_order {
            return Err(malformed);
        }
        let header = parts.take_header(memory).ok_or(malformed)?;
        let operation = parts.operation(memory, header).ok_or(malformed)?;
        let data = match operation {
            Operation::Read { .. } | Operation::GetId => parts.writable,
            _ => parts.readable,
        };
        Ok(Self {
            operation,
            data,
            status,
        })
    }
}

struct Parts {
    readable: Segments,
    writable: Segments,
    in_order: bool,
}

impl Parts {
    fn of(chain: Chain<'_>) -> Self {
        let mut parts = Self {
            readable: Segments::default(),
            writable: Segments::default(),
            in_order: true,
        };
        let longest = MAX_PARTS.saturating_add(1);
        let mut count: usize = 0;
        for descriptor in chain.take(longest).filter(|part| part.len() > 0) {
            count = count.saturating_add(1);
            let segment = Segment {
                address: descriptor.addr(),
                len: descriptor.len(),
            };
            if descriptor.is_write_only() {
                parts.writable.push(segment);
            } else {
                parts.in_order &= parts.writable.is_empty();
                parts.readable.push(segment);
            }
        }
        if count == longest {
            // Its end, where the status belongs, is not looked for.
            parts.writable = Segments::default();
        }
        parts
    }

    fn take_header(&mut self, memory: &Memory) -> Option<Header> {
        let bytes: [u8; HEADER_SIZE] = self.take_readable(memory)?;
        let [a, b, c, d, _, _, _, _, sector @ ..] = bytes;
        Some(Header {
            kind: u32::from_le_bytes([a, b, c, d]),
            sector: u64::from_le_bytes(sector),
        })
    }

    /// The first `N` readable bytes.
    fn take_readable<const N: usize>(&mut self, memory: &Memory) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.readable.read(memory, &mut bytes)?;
        Some(bytes)
    }

    fn operation(&mut self, memory: &Memory, header: Header) -> Option<Operation> {
        let sector = header.sector;
        Some(match header.kind {
            VIRTIO_BLK_T_IN => Operation::Read { sector },
            VIRTIO_BLK_T_OUT => Operation::Write { sector },
            VIRTIO_BLK_T_FLUSH => Operation::Flush,
            VIRTIO_BLK_T_GET_ID => Operation::GetId,
            VIRTIO_BLK_T_DISCARD => match self.take_range(memory)? {
                (range, 0) => Operation::Discard(range),
                _ => Operation::Unsupported,
            },
            VIRTIO_BLK_T_WRITE_ZEROES => match self.take_range(memory)? {
                (range, 0) => Operation::WriteZeroes {
                    range,
                    unmap: false,
                },
                (range, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP) => {
                    Operation::WriteZeroes { range, unmap: true }
                }
                _ => Operation::Unsupported,
            },
            _ => Operation::Unsupported,
        })
    }

    /// The one range of a discard or write-zeroes request, and its flags.
    fn take_range(&mut self, memory: &Memory) -> Option<(SectorRange, u32)> {
        let sector = self.take_readable(memory).map(u64::from_le_bytes)?;
        let count = self.take_readable(memory).map(u32::from_le_bytes)?;
        let flags = self.take_readable(memory).map(u32::from_le_bytes)?;
        // The configuration space says that one range is the most.
        let is_last = self.readable.is_empty();
        is_last.then_some((SectorRange { sector, count }, flags))
    }
}

#[derive(Clone, Copy)]
struct Header {
    kind: u32,
    sector: u64,
}
