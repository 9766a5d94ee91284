//! What a request amounts to on a certain disk: checked, not yet done.

use std::sync::Arc;

use virtio_bindings::virtio_blk::{VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_OK, VIRTIO_BLK_S_UNSUPP};

use super::config::{DISCARD_SECTORS_MAX, WRITE_ZEROES_SECTORS_MAX};
use super::disk::{Disk, SECTOR_SIZE};
use super::engine::Action;
use super::guest_buffers::GuestBuffers;
use super::request::{Operation, Request, SectorRange};
use super::segments::Segments;
use crate::Memory;

/// How a request ends (virtio 1.2, 5.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was done.
    Ok,
    /// It failed.
    IoError,
    /// The device does not do such things.
    Unsupported,
}

/// What is to be done for a request.
pub enum Plan {
    /// Nothing: it ends here.
    End(Status),
    /// The serial number is stored into the data.
    Identify(Segments),
    /// A job for the engine, which fills `filled` bytes of the data.
    Run {
        /// What to do.
        action: Action,
        /// Where in the file.
        offset: u64,
        /// From where, or to where.
        buffers: GuestBuffers,
        /// How many bytes the driver finds filled.
        filled: u32,
    },
    /// A transfer that O_DIRECT would not take.
    Bounce {
        /// To read or to write.
        action: Action,
        /// Where in the file.
        offset: u64,
        /// From where, or to where.
        data: Segments,
    },
}

/// A disk and how it is used now.
pub struct Planner<'a> {
    /// The disk.
    pub disk: &'a Disk,
    /// Where the data lies.
    pub memory: &'a Arc<Memory>,
    /// Whether every write is to be durable before it is answered.
    pub durable: bool,
}

impl Planner<'_> {
    /// What is to be done for `request`.
    pub fn plan(&self, request: Request) -> Plan {
        self.try_plan(request).unwrap_or_else(Plan::End)
    }

    fn try_plan(&self, request: Request) -> Result<Plan, Status> {
        match request.operation {
            Operation::Read { sector } => self.transfer(Action::Read, sector, request.data),
            Operation::Write { sector } => {
                self.refuse_readonly()?;
                let durable = self.durable;
                self.transfer(Action::Write { durable }, sector, request.data)
            }
            Operation::Flush if self.disk.is_readonly() => Ok(Plan::End(Status::Ok)),
            Operation::Flush => Ok(self.run(Action::Sync, 0)),
            Operation::GetId => Ok(Plan::Identify(request.data)),
            Operation::Discard(range) => {
                let (offset, len) = self.locate(range, DISCARD_SECTORS_MAX)?;
                Ok(self.run(Action::Discard { len }, offset))
            }
            Operation::WriteZeroes { range, unmap } => {
                let (offset, len) = self.locate(range, WRITE_ZEROES_SECTORS_MAX)?;
                Ok(self.run(Action::Zero { len, unmap }, offset))
            }
            Operation::Unsupported => Err(Status::Unsupported),
        }
    }

    fn transfer(&self, action: Action, sector: u64, data: Segments) -> Result<Plan, Status> {
        let len = data.len();
        let offset = self.disk.offset_of(sector, len).ok_or(Status::IoError)?;
        let buffers = GuestBuffers::new(self.memory, data.rest()).ok_or(Status::IoError)?;
        if buffers.is_empty() {
            return Ok(Plan::End(Status::Ok));
        }
        if !buffers.are_aligned(self.disk.blocks().memory as usize) {
            return Ok(Plan::Bounce {
                action,
                offset,
                data,
            });
        }
        let filled = match action {
            Action::Read => u32::try_from(len).map_err(|_| Status::IoError)?,
            _ => 0,
        };
        Ok(Plan::Run {
            action,
            offset,
            buffers,
            filled,
        })
    }

    /// The offset and the length of `range`, which has at most `most` sectors.
    fn locate(&self, range: SectorRange, most: u32) -> Result<(u64, u64), Status> {
        self.refuse_readonly()?;
        if range.count == 0 {
            return Err(Status::Ok);
        }
        if range.count > most {
            return Err(Status::IoError);
        }
        let len = u64::from(range.count).saturating_mul(SECTOR_SIZE);
        let offset = self.disk.offset_of(range.sector, len);
        offset.map(|offset| (offset, len)).ok_or(Status::IoError)
    }

    fn refuse_readonly(&self) -> Result<(), Status> {
        if self.disk.is_readonly() {
            return Err(Status::IoError);
        }
        Ok(())
    }

    fn run(&self, action: Action, offset: u64) -> Plan {
        Plan::Run {
            action,
            offset,
            buffers: GuestBuffers::none(self.memory),
            filled: 0,
        }
    }
}

impl Status {
    /// The byte that the driver reads.
    pub fn to_byte(self) -> u8 {
        let status = match self {
            Self::Ok => VIRTIO_BLK_S_OK,
            Self::IoError => VIRTIO_BLK_S_IOERR,
            Self::Unsupported => VIRTIO_BLK_S_UNSUPP,
        };
        u8::try_from(status).unwrap_or(u8::MAX)
    }
}
