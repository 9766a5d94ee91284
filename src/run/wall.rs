//! The three walls, and what each cannot promise.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What stands between a command and the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Wall {
    /// Nothing: the image's files, the host's everything else
    Process,
    /// The kernel divides itself: namespaces, cgroups, capabilities, a system call filter
    Container,
    /// The hardware divides the machine: a kernel of its own on KVM
    Vm,
}

impl Wall {
    /// Its name, as it is typed and recorded.
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Container => "container",
            Self::Vm => "vm",
        }
    }
}

/// A promise that a wall cannot keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {} wall cannot keep {option}: {reason}; {remedy}", wall.name())]
pub struct Refusal {
    /// The wall.
    pub wall: Wall,
    /// What was asked for.
    pub option: &'static str,
    /// Why not.
    pub reason: &'static str,
    /// What can be asked for instead.
    pub remedy: &'static str,
}

const USE_A_WALL: &str = "use --wall container or vm";

/// The first of `options` that `wall` cannot keep on any host.
pub fn refuse(wall: Wall, options: &[&'static str]) -> Option<Refusal> {
    let refusals = match wall {
        Wall::Process => PROCESS,
        Wall::Container => CONTAINER,
        Wall::Vm => VM,
    };
    let of = |option: &&'static str| refusals.iter().find(|(refused, ..)| refused == option);
    options
        .iter()
        .find_map(of)
        .map(|&(option, reason, remedy)| Refusal {
            wall,
            option,
            reason,
            remedy,
        })
}

/// `--cpus` with a number that is not whole, as a refusal names it.
pub const CPU_FRACTION: &str = "a fraction in --cpus";

type Row = (&'static str, &'static str, &'static str);

const PROCESS: &[Row] = &[
    ("--hostname", "it shares the host's name", USE_A_WALL),
    ("--runtime", "no runtime runs it", "use --wall container"),
    ("--kernel", "it runs on the host's kernel", "use --wall vm"),
];
const CONTAINER: &[Row] = &[("--kernel", "it runs on the host's kernel", "use --wall vm")];
const VM: &[Row] = &[
    ("--runtime", "no runtime runs it", "use --wall container"),
    (
        CPU_FRACTION,
        "its machine has whole processors",
        "use a whole number, or --wall process or container",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_wall_cannot_keep_is_a_sentence() {
        let refusal = refuse(Wall::Process, &["--memory", "--hostname"]).unwrap();
        assert_eq!(
            refusal.to_string(),
            "the process wall cannot keep --hostname: it shares the host's name; \
             use --wall container or vm"
        );
    }

    #[test]
    fn a_machine_has_no_part_of_a_processor() {
        let refusal = refuse(Wall::Vm, &[CPU_FRACTION]).unwrap();
        assert_eq!(
            refusal.to_string(),
            "the vm wall cannot keep a fraction in --cpus: its machine has whole processors; \
             use a whole number, or --wall process or container"
        );
        assert_eq!(refuse(Wall::Container, &[CPU_FRACTION]), None);
    }

    #[test]
    fn what_every_wall_keeps_is_no_refusal() {
        assert_eq!(refuse(Wall::Vm, &["--memory", "--hostname"]), None);
    }
}
