//! Facts of the host beside those that were found behind walls. It knows no process and no file.

use serde::Serialize;
use wire::{Fact, Value};

use crate::run::Wall;

/// What was found behind a wall.
#[derive(Clone, Debug)]
pub struct View {
    /// The wall.
    pub wall: Wall,
    /// The facts, or why there are none.
    pub facts: Result<Vec<Fact>, String>,
}

/// All facts, side by side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The walls that stood.
    pub walls: Vec<Wall>,
    /// Those that could not be had, and why.
    pub missing: Vec<Missing>,
    /// A row for each fact.
    pub rows: Vec<Row>,
}

/// A wall that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The wall.
    pub wall: Wall,
    /// Why.
    pub reason: String,
}

/// One fact, everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What it is about.
    pub name: String,
    /// What the host itself has.
    pub host: Value,
    /// What is behind each wall that stood; nothing where the probe did not tell.
    pub cells: Vec<Option<Cell>>,
}

/// What is behind a wall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// What was found.
    pub value: Value,
    /// Whose it is.
    pub whose: Whose,
}

/// Whether something is one and the same thing on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Whose {
    /// It is: shared.
    Hosts,
    /// It is not.
    Own,
}

impl Comparison {
    /// Puts `views` beside what the `host` has.
    pub fn of(host: &[Fact], views: &[View]) -> Self {
        let mut comparison = Self {
            walls: Vec::new(),
            missing: Vec::new(),
            rows: Vec::new(),
        };
        let mut stood = Vec::new();
        for View { wall, facts } in views {
            match facts {
                Ok(facts) => {
                    comparison.walls.push(*wall);
                    stood.push(facts.as_slice());
                }
                Err(reason) => comparison.missing.push(Missing {
                    wall: *wall,
                    reason: reason.clone(),
                }),
            }
        }
        comparison.rows = host.iter().map(|fact| row(fact, &stood)).collect();
        comparison
    }
}

fn row(host: &Fact, stood: &[&[Fact]]) -> Row {
    let cell = |facts: &&[Fact]| {
        let fact = facts.iter().find(|fact| fact.name == host.name)?;
        Some(Cell {
            value: fact.value.clone(),
            whose: match fact.identity == host.identity {
                true => Whose::Hosts,
                false => Whose::Own,
            },
        })
    };
    Row {
        name: host.name.clone(),
        host: host.value.clone(),
        cells: stood.iter().map(cell).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(name: &str, text: &str, identity: &str) -> Fact {
        Fact {
            name: name.into(),
            value: Value::Text(text.into()),
            identity: identity.into(),
        }
    }

    fn view(wall: Wall, facts: &[Fact]) -> View {
        View {
            wall,
            facts: Ok(facts.to_vec()),
        }
    }

    #[test]
    fn what_is_the_same_thing_is_the_host_s_however_it_looks() {
        let host = [fact("PID", "7", "boot-1 pid:[1]")];
        let views = [
            view(Wall::Process, &[fact("PID", "9", "boot-1 pid:[1]")]),
            view(Wall::Container, &[fact("PID", "7", "boot-1 pid:[2]")]),
        ];
        let row = &Comparison::of(&host, &views).rows[0];
        let whose: Vec<Whose> = row.cells.iter().flatten().map(|cell| cell.whose).collect();
        assert_eq!(whose, [Whose::Hosts, Whose::Own]);
    }

    #[test]
    fn a_wall_that_cannot_be_had_leaves_the_others_standing() {
        let host = [fact("kernel", "6.1", "boot-1 6.1")];
        let views = [
            View {
                wall: Wall::Vm,
                facts: Err("there is no KVM".into()),
            },
            view(Wall::Process, &host),
        ];
        let comparison = Comparison::of(&host, &views);
        assert_eq!(comparison.walls, [Wall::Process]);
        assert_eq!(comparison.missing[0].reason, "there is no KVM");
        assert_eq!(comparison.rows[0].cells.len(), 1);
    }

    #[test]
    fn what_a_probe_did_not_tell_is_left_open() {
        let host = [fact("kernel", "6.1", "boot-1 6.1")];
        let comparison = Comparison::of(&host, &[view(Wall::Vm, &[])]);
        assert_eq!(comparison.rows[0].cells, [None]);
    }
}
