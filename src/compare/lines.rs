//! What one command printed behind several walls, line by line. It knows no process.

use serde::Serialize;

use super::behind::Printed;
use crate::run::Wall;

/// What a command said behind a wall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// The wall.
    pub wall: Wall,
    /// What it printed, or why the wall cannot be had.
    pub printed: Result<Printed, String>,
}

/// All that was said, side by side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lines {
    /// Behind each wall.
    pub said: Vec<Said>,
    /// Whether all that stood said the same, and ended the same.
    pub same: bool,
}

/// A line of one of the streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// The same behind every wall.
    Same(&'a str),
    /// Behind some it is another, or missing.
    Differs(Vec<(Wall, Option<&'a str>)>),
}

impl Lines {
    /// Puts them side by side.
    pub fn of(said: Vec<Said>) -> Self {
        let mut lines = Self { said, same: true };
        let mut stood = lines.stood().map(|(_, printed)| printed);
        let first = stood.next();
        let same = stood.all(|printed| Some(printed) == first);
        drop(stood);
        lines.same = same;
        lines
    }

    /// Those behind walls that stood.
    pub fn stood(&self) -> impl Iterator<Item = (Wall, &Printed)> {
        let said = self.said.iter();
        said.filter_map(|said| Some((said.wall, said.printed.as_ref().ok()?)))
    }

    /// Those of the `stream`, in their order.
    pub fn of_stream<'a>(&'a self, stream: impl Fn(&'a Printed) -> &'a str) -> Vec<Line<'a>> {
        let texts = self.stood().map(|(wall, printed)| (wall, stream(printed)));
        let mut texts: Vec<_> = texts.map(|(wall, text)| (wall, text.lines())).collect();
        let next = || {
            let lines: Vec<_> = texts
                .iter_mut()
                .map(|(wall, lines)| (*wall, lines.next()))
                .collect();
            lines
                .iter()
                .any(|(_, line)| line.is_some())
                .then_some(lines)
        };
        std::iter::from_fn(next).map(line).collect()
    }
}

fn line(all: Vec<(Wall, Option<&str>)>) -> Line<'_> {
    match all.first() {
        Some((_, Some(first))) if all.iter().all(|(_, line)| *line == Some(first)) => {
            Line::Same(first)
        }
        _ => Line::Differs(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(wall: Wall, status: i32, output: &str) -> Said {
        let printed = Printed {
            status,
            output: output.into(),
            errors: String::new(),
        };
        Said {
            wall,
            printed: Ok(printed),
        }
    }

    fn output(printed: &Printed) -> &str {
        &printed.output
    }

    #[test]
    fn lines_are_compared_one_by_one() {
        let lines = Lines::of(vec![
            said(Wall::Process, 0, "a\nb\nc\n"),
            said(Wall::Vm, 0, "a\nB\n"),
        ]);
        let differs =
            |process, vm| Line::Differs(vec![(Wall::Process, Some(process)), (Wall::Vm, vm)]);
        let wanted = [Line::Same("a"), differs("b", Some("B")), differs("c", None)];
        assert_eq!(lines.of_stream(output), wanted);
        assert!(!lines.same);
    }

    #[test]
    fn a_status_is_compared_too() {
        let same = |status| {
            let all = [said(Wall::Process, 0, "a"), said(Wall::Vm, status, "a")];
            Lines::of(all.into()).same
        };
        assert_eq!([same(0), same(1)], [true, false]);
    }

    #[test]
    fn a_wall_that_cannot_be_had_says_nothing() {
        let missing = Said {
            wall: Wall::Vm,
            printed: Err("there is no KVM".into()),
        };
        let lines = Lines::of(vec![said(Wall::Process, 0, "a\n"), missing]);
        assert_eq!(lines.of_stream(output), [Line::Same("a")]);
        assert!(lines.same);
    }
}
