//! Words with places for what a guest is, such as `{memory}M`.

/// Something of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The path of its kernel.
    Kernel,
    /// The path of its root file system.
    Rootfs,
    /// The path of its second disk.
    Disk,
    /// Its memory in MiB.
    Memory,
    /// The words for its kernel.
    Words,
    /// The same, where the console is a serial port.
    SerialWords,
    /// The path of a file that has all of it for Firecracker.
    Config,
}

/// How each is written.
const PLACES: [(&str, Place); 7] = [
    ("{kernel}", Place::Kernel),
    ("{rootfs}", Place::Rootfs),
    ("{disk}", Place::Disk),
    ("{memory}", Place::Memory),
    ("{words}", Place::Words),
    ("{serial-words}", Place::SerialWords),
    ("{config}", Place::Config),
];

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it is.
    Text(String),
    /// What belongs there.
    Place(Place),
}

/// How all places are written.
pub fn names() -> String {
    PLACES.map(|(name, _)| name).join(" ")
}

/// The pieces of `word`.
///
/// # Errors
/// It has something between braces that is no place: that.
pub fn pieces(word: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = word;
    while let Some((before, braced, after)) = first_braced(rest) {
        let known = PLACES.iter().find(|(name, _)| *name == braced);
        let (_, place) = known.ok_or(braced)?;
        pieces.extend([Piece::Text(before.to_owned()), Piece::Place(*place)]);
        rest = after;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Ok(pieces)
}

/// What is before the first braces of `word`, what they enclose and they, and what is after.
fn first_braced(word: &str) -> Option<(&str, &str, &str)> {
    let (before, _) = word.split_once('{')?;
    let from = word.strip_prefix(before)?;
    let end = from.find('}')? + 1;
    let (braced, after) = from.split_at(end);
    Some((before, braced, after))
}
