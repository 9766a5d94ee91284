//! The data of a directory: blocks of `struct erofs_dirent`, the names behind them.

use super::BLOCK;
use super::BLOCK_BYTES;

/// The size of `struct erofs_dirent`.
const DIRENT: usize = 12;

/// An entry as it is told in a directory.
pub(super) struct Dirent<'a> {
    pub(super) name: &'a [u8],
    /// The number of its inode.
    pub(super) nid: u64,
    /// The bits of `i_mode` that tell what it is.
    pub(super) file_type: u16,
}

/// The data of a directory with `dirents`, which are in the order of their names.
pub(super) fn data(dirents: &[Dirent<'_>]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut rest = dirents;
    while !rest.is_empty() {
        data.resize(data.len().next_multiple_of(BLOCK_BYTES), 0);
        let (block, behind) = rest.split_at(fitting(rest.iter().map(|one| one.name.len())));
        put_block(&mut data, block);
        rest = behind;
    }
    data
}

/// The size of [`data`] for names of these lengths.
pub(super) fn size(lengths: &[usize]) -> u64 {
    let (mut size, mut rest) = (0_u64, lengths);
    while !rest.is_empty() {
        let (block, behind) = rest.split_at(fitting(rest.iter().copied()));
        let used: usize = block.iter().map(|length| DIRENT + length).sum();
        size = size.next_multiple_of(BLOCK) + used as u64;
        rest = behind;
    }
    size
}

/// How many entries with names of `lengths` one block takes; at least one, as names are short.
fn fitting(lengths: impl Iterator<Item = usize>) -> usize {
    lengths
        .scan(0, |used, length| {
            *used += DIRENT + length;
            Some(*used)
        })
        .take_while(|used| *used <= BLOCK_BYTES)
        .count()
}

fn put_block(data: &mut Vec<u8>, dirents: &[Dirent<'_>]) {
    let mut name_offset = dirents.len() * DIRENT;
    for dirent in dirents {
        data.extend(dirent.nid.to_le_bytes());
        let offset = u16::try_from(name_offset).expect("a block is smaller");
        data.extend(offset.to_le_bytes());
        data.extend([dirent_type(dirent.file_type), 0]);
        name_offset += dirent.name.len();
    }
    for dirent in dirents {
        data.extend(dirent.name);
    }
}

/// `EROFS_FT_*`, which are those of `DT_*` but for their order.
fn dirent_type(file_type: u16) -> u8 {
    use super::file_type as of;
    match file_type {
        of::REGULAR => 1,
        of::DIRECTORY => 2,
        of::CHARACTER => 3,
        of::BLOCK => 4,
        of::FIFO => 5,
        of::SOCKET => 6,
        of::SYMLINK => 7,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_known_before_the_data() {
        for count in [1, 2, 15, 16, 200, 1000] {
            let names: Vec<String> = (0..count).map(|n| format!("{n:0>247}")).collect();
            let dirents: Vec<Dirent<'_>> = names
                .iter()
                .map(|name| Dirent {
                    name: name.as_bytes(),
                    nid: 7,
                    file_type: super::super::file_type::REGULAR,
                })
                .collect();
            let lengths: Vec<usize> = names.iter().map(String::len).collect();
            assert_eq!(data(&dirents).len() as u64, size(&lengths), "{count}");
        }
    }
}
