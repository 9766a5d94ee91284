//! EROFS, the file system of a base: the part of its format that a base uses.
//!
//! Not compressed, no shared attributes, all inodes extended: what every kernel since 5.4
//! mounts. The same tree gives the same bytes, on any host. Layout: the superblock's block, then
//! all inodes in the order of their paths, then the blocks of directories and files in the
//! same order.

mod directory;
pub mod format;
mod plan;
mod read;
mod write;
mod xattr;

pub use read::read;
pub use write::write;
pub(super) use xattr::is_kept;
pub use xattr::size as xattrs_size;

use format::{EXTENDED, FLAT_INLINE, FLAT_PLAIN};

/// The size of a block.
const BLOCK: u64 = 4096;
/// The same for what is in memory.
const BLOCK_BYTES: usize = 4096;

/// `EROFS_FEATURE_COMPAT_MTIME`: inodes tell when their file was modified.
const COMPAT_MTIME: u32 = 2;

/// `i_format` of an extended inode whose data are blocks (`EROFS_INODE_FLAT_PLAIN`).
const PLAIN: u16 = EXTENDED | FLAT_PLAIN << 1;
/// And of one whose data follow it (`EROFS_INODE_FLAT_INLINE`).
const INLINE: u16 = EXTENDED | FLAT_INLINE << 1;

/// Larger files have blocks of their own, which can be mapped; smaller ones follow their inode.
const INLINE_MAX: u64 = 2048;

/// The bits of `i_mode` that tell what a file is.
mod file_type {
    pub(super) const FIFO: u16 = 0o010_000;
    pub(super) const CHARACTER: u16 = 0o020_000;
    pub(super) const DIRECTORY: u16 = 0o040_000;
    pub(super) const BLOCK: u16 = 0o060_000;
    pub(super) const REGULAR: u16 = 0o100_000;
    pub(super) const SYMLINK: u16 = 0o120_000;
    pub(super) const SOCKET: u16 = 0o140_000;
}

/// The bits of `i_mode` that tell what `kind` is.
fn type_of(kind: &super::tree::Kind) -> u16 {
    use super::tree::Kind;
    match kind {
        Kind::Directory(_) => file_type::DIRECTORY,
        Kind::File(_) => file_type::REGULAR,
        Kind::Symlink(_) => file_type::SYMLINK,
        Kind::Block(..) => file_type::BLOCK,
        Kind::Character(..) => file_type::CHARACTER,
        Kind::Fifo => file_type::FIFO,
        Kind::Socket => file_type::SOCKET,
    }
}
