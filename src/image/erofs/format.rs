//! What the writer and every reader share of the format: numbers, fields, the entries of
//! directories. Named as in the kernel's `fs/erofs/erofs_fs.h`.

/// Where the superblock is.
pub const SUPERBLOCK: u64 = 1024;
/// What it begins with, `EROFS_SUPER_MAGIC_V1`.
pub const MAGIC: u32 = 0xe0f5_e1e2;
/// Inodes begin at multiples of this; their number is which one (`EROFS_SLOTSIZE`).
pub const SLOT: u64 = 32;
/// The size of `struct erofs_inode_compact`.
pub const COMPACT_INODE: u64 = 32;
/// The size of `struct erofs_inode_extended`.
pub const EXTENDED_INODE: u64 = 64;

/// The bit of `i_format` of an extended inode; the data's layout follows it.
pub const EXTENDED: u16 = 1;
/// `EROFS_INODE_FLAT_PLAIN`: all bytes are in consecutive blocks.
pub const FLAT_PLAIN: u16 = 0;
/// `EROFS_INODE_FLAT_INLINE`: those that fill no block follow the inode.
pub const FLAT_INLINE: u16 = 2;

/// The size of `struct erofs_dirent`.
const DIRENT: usize = 12;

/// The bytes are too few, or say what cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

/// The names of a block of a directory, and the numbers of their inodes: the block begins with
/// its entries, and where the first name begins, they end.
///
/// # Errors
/// A name is outside of the block, empty, or a path.
pub fn dirents(block: &[u8]) -> Result<Vec<(&[u8], u64)>, Damaged> {
    let start_of = |entry: &[u8]| u16_at(entry, 8).map(usize::from);
    let entries = block.get(..start_of(block)?).ok_or(Damaged)?;
    let mut entries = entries.chunks_exact(DIRENT).peekable();
    let mut found = Vec::with_capacity(entries.len());
    while let Some(entry) = entries.next() {
        let next = entries.peek().map(|next| start_of(next)).transpose()?;
        let name = start_of(entry)?..next.unwrap_or(block.len());
        let name = block.get(name).ok_or(Damaged)?;
        // The last name of a block ends with it, or with a zero.
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if name.is_empty() || name.contains(&b'/') {
            return Err(Damaged);
        }
        found.push((name, u64_at(entry, 0)?));
    }
    Ok(found)
}

/// The two bytes at `at`.
///
/// # Errors
/// There are none.
pub fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Damaged> {
    array_at(bytes, at).map(u16::from_le_bytes)
}

/// The four bytes at `at`.
///
/// # Errors
/// There are fewer.
pub fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Damaged> {
    array_at(bytes, at).map(u32::from_le_bytes)
}

/// The eight bytes at `at`.
///
/// # Errors
/// There are fewer.
pub fn u64_at(bytes: &[u8], at: usize) -> Result<u64, Damaged> {
    array_at(bytes, at).map(u64::from_le_bytes)
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Damaged> {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk());
    field.copied().ok_or(Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block with entries for `names`, the first inode being number 7.
    fn block(names: &[&str]) -> Vec<u8> {
        let (mut entries, mut text) = (Vec::new(), Vec::new());
        for (number, name) in (7_u64..).zip(names) {
            let start = u16::try_from(names.len() * DIRENT + text.len()).unwrap();
            entries.extend(number.to_le_bytes());
            entries.extend(start.to_le_bytes());
            entries.extend([0, 0]);
            text.extend(name.bytes());
        }
        [entries, text].concat()
    }

    #[test]
    fn names_end_where_the_next_begins_or_with_a_zero() {
        let padded = [block(&["a", "bc"]), vec![0; 20]].concat();
        for block in [block(&["a", "bc"]), padded] {
            let found = dirents(&block).unwrap();
            assert_eq!(found, [(&b"a"[..], 7), (&b"bc"[..], 8)]);
        }
    }

    #[test]
    fn a_name_that_is_none_or_elsewhere_is_damage() {
        let short = block(&["a", "bc"]);
        for bad in [&block(&["a/b"]), &block(&["", "a"]), &short[..20], &[]] {
            assert_eq!(dirents(bad), Err(Damaged));
        }
    }
}
