//! Extended attributes as they follow an inode.

use std::collections::BTreeMap;

/// The size of `struct erofs_xattr_ibody_header`, of which all is zero without shared attributes.
const HEADER: usize = 12;

/// `EROFS_XATTR_INDEX_*`: how the beginning of a name is told.
const PREFIXES: [(&[u8], u8); 5] = [
    (b"user.", 1),
    (b"system.posix_acl_access", 2),
    (b"system.posix_acl_default", 3),
    (b"trusted.", 4),
    (b"security.", 6),
];

/// Whether `name` can be told, and may: overlayfs would follow its own attributes in an image.
pub fn is_kept(name: &[u8]) -> bool {
    let overlay = [&b"trusted.overlay."[..], b"user.overlay."];
    split(name).is_some() && !overlay.iter().any(|prefix| name.starts_with(prefix))
}

/// The bytes behind the inode; none where there is no attribute.
pub(super) fn body(xattrs: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in xattrs {
        let Some((index, rest)) = split(name) else {
            continue;
        };
        if body.is_empty() {
            body.resize(HEADER, 0);
        }
        let length = u8::try_from(rest.len()).expect("`split` has looked");
        let size = u16::try_from(value.len()).expect("trees limit it");
        body.extend([length, index]);
        body.extend(size.to_le_bytes());
        body.extend(rest);
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    body
}

/// `i_xattr_icount` of an inode with `body` behind it.
pub(super) fn count(body: &[u8]) -> u16 {
    match body.len() {
        0 => 0,
        size => u16::try_from((size - HEADER) / 4 + 1).expect("trees limit it"),
    }
}

/// The size of the bytes behind an inode with this `i_xattr_icount`.
pub fn size(count: u16) -> usize {
    match usize::from(count) {
        0 => 0,
        count => HEADER + (count - 1) * 4,
    }
}

/// The attributes that [`body`] was made of; `None` where it is damaged.
pub(super) fn parse(body: &[u8]) -> Option<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut xattrs = BTreeMap::new();
    let (header, mut rest) = body.split_at_checked(HEADER).unwrap_or_default();
    // What is not zero tells of shared attributes, or of a filter over names.
    if header.iter().any(|byte| *byte != 0) {
        return None;
    }
    while let [length, index, low, high, behind @ ..] = rest {
        let (_, prefix) = PREFIXES
            .iter()
            .map(|(p, i)| (i, p))
            .find(|(i, _)| *i == index)?;
        let size = usize::from(u16::from_le_bytes([*low, *high]));
        let (name, value) = behind.split_at_checked(usize::from(*length))?;
        let value = value.get(..size)?;
        xattrs.insert([prefix, name].concat(), value.to_vec());
        let used = (4 + name.len() + size).next_multiple_of(4);
        rest = rest.get(used..)?;
    }
    Some(xattrs)
}

/// The index of a name's beginning, and the rest of it.
fn split(name: &[u8]) -> Option<(u8, &[u8])> {
    PREFIXES.iter().find_map(|(prefix, index)| {
        let rest = name.strip_prefix(*prefix)?;
        let whole = prefix.ends_with(b".") != rest.is_empty();
        (whole && rest.len() <= 255).then_some((*index, rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_overlayfs_are_not_kept() {
        assert!(is_kept(b"security.capability"));
        assert!(is_kept(b"system.posix_acl_access"));
        assert!(!is_kept(b"trusted.overlay.redirect"));
        assert!(!is_kept(b"user.overlay.opaque"));
        assert!(!is_kept(b"system.posix_acl_access.more"));
        assert!(!is_kept(b"user."));
    }

    #[test]
    fn entries_are_aligned_and_counted() {
        let one = BTreeMap::from([(b"user.a".to_vec(), b"xyz".to_vec())]);
        let body = body(&one);
        assert_eq!(body.len(), 12 + 8);
        assert_eq!(&body[12..], [1, 1, 3, 0, b'a', b'x', b'y', b'z']);
        assert_eq!(count(&body), 3);
        assert_eq!(size(3), body.len());
        assert_eq!(parse(&body), Some(one));
    }
}
