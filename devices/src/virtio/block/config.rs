//! The configuration space of a block device (virtio 1.2, 5.2.4).

/// What the driver is told about the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The size in sectors of 512 bytes.
    pub capacity: u64,
    /// The unit of transfers, in bytes.
    pub block_size: u32,
    /// The unit that is efficient, in bytes: a power of two times `block_size`.
    pub physical_block_size: u32,
    /// The number of queues.
    pub queues: u16,
    /// Whether writes are cached until a flush.
    pub writeback: bool,
}

/// The most parts of data in one request: a whole ring, less header and status.
pub const SEGMENTS_MAX: u32 = QUEUE_SIZE as u32 - 2;
/// The most descriptors of a queue.
pub const QUEUE_SIZE: u16 = 256;
/// Where the driver switches the cache.
pub const WRITEBACK_OFFSET: u64 = 32;
/// 1 GiB: a hole is punched at once, however long it is.
pub const DISCARD_SECTORS_MAX: u32 = 1 << 21;
/// 32 MiB, written as zeroes where the file system cannot do better.
pub const WRITE_ZEROES_SECTORS_MAX: u32 = 1 << 16;
/// Discards and write-zeroes have one range each.
const RANGES_MAX: u32 = 1;

impl Config {
    /// The bytes as the driver reads them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let sectors_per_block = self.block_size.checked_div(512).unwrap_or(1);
        let mut bytes = Vec::with_capacity(60);
        bytes.extend(self.capacity.to_le_bytes());
        // size_max: not offered, any part may have any size.
        bytes.extend(0u32.to_le_bytes());
        bytes.extend(SEGMENTS_MAX.to_le_bytes());
        // geometry: not offered.
        bytes.extend([0; 4]);
        bytes.extend(self.block_size.to_le_bytes());
        // topology: the exponent, an offset of alignment, and the least and best transfers
        // in blocks; no best one is known.
        bytes.extend([self.physical_block_exponent(), 0]);
        bytes.extend(1u16.to_le_bytes());
        bytes.extend(0u32.to_le_bytes());
        bytes.extend([self.writeback.into(), 0]);
        bytes.extend(self.queues.to_le_bytes());
        bytes.extend(DISCARD_SECTORS_MAX.to_le_bytes());
        bytes.extend(RANGES_MAX.to_le_bytes());
        bytes.extend(sectors_per_block.to_le_bytes());
        bytes.extend(WRITE_ZEROES_SECTORS_MAX.to_le_bytes());
        bytes.extend(RANGES_MAX.to_le_bytes());
        // write_zeroes_may_unmap, and padding.
        bytes.extend([1, 0, 0, 0]);
        bytes
    }

    fn physical_block_exponent(&self) -> u8 {
        let ratio = self.physical_block_size.checked_div(self.block_size);
        let exponent = ratio.and_then(u32::checked_ilog2).unwrap_or(0);
        u8::try_from(exponent).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_where_the_specification_has_them() {
        let config = Config {
            capacity: 0x1234,
            block_size: 512,
            physical_block_size: 4096,
            queues: 4,
            writeback: true,
        };
        let bytes = config.to_bytes();
        assert_eq!(bytes.len(), 60);
        assert_eq!(bytes[0..8], 0x1234u64.to_le_bytes());
        assert_eq!(bytes[20..24], 512u32.to_le_bytes());
        assert_eq!(bytes[24], 3);
        assert_eq!((bytes[32], bytes[34], bytes[56]), (1, 4, 1));
    }
}
