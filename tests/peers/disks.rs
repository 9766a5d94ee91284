//! What fio reaches on a virtio disk in the guest, and on the same file on the host.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Options;
use crate::contender::{Contender, Guest};
use crate::rounds::{self, Entrant, Sample, Series};
use crate::running::Running;

/// What runs in the guest (guest/rootfs/fio) runs on the host as well.
const JOBS: &str = include_str!("../../guest/rootfs/fio/jobs");
/// What the jobs print last.
const END: &str = "FIO-END";
/// Far more than the jobs take.
const DEADLINE: Duration = Duration::from_secs(120);
const DISK_BYTES: u64 = 512 << 20;

/// Runs the jobs in guests of every VMM that is found, and on the host.
pub fn compare(options: &Options) -> Vec<Series> {
    let folder = tempfile::tempdir().expect("the folder for temporary files can be written");
    let disk = folder.path().join("disk.img");
    fill(&disk).expect("the folder for temporary files has room for the disk");
    let guest = &Guest::new(options, "init=/init", Some(disk.clone()));
    let mut entrants: Vec<Entrant<'_>> = Contender::all_found()
        .into_iter()
        .map(|contender| Entrant {
            name: contender.name,
            turn: Box::new(move || measure(contender.command(guest))),
        })
        .collect();
    entrants.push(Entrant {
        name: "the host's file",
        turn: Box::new(|| measure(on_host(&disk))),
    });
    rounds::run(entrants, options.rounds)
}

/// No block of it is a hole, which would be read without the disk.
fn fill(disk: &Path) -> io::Result<u64> {
    let mut noise = File::open("/dev/urandom")?.take(DISK_BYTES);
    io::copy(&mut noise, &mut File::create(disk)?)
}

fn on_host(disk: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", JOBS, "jobs"]).arg(disk);
    command
}

fn measure(command: Command) -> Result<Sample, String> {
    let output = Running::start(command)?.wait_for(END, DEADLINE)?;
    let results: Sample = output.lines().filter_map(result).collect();
    match results.is_empty() {
        true => Err("fio told no result".to_owned()),
        false => Ok(results),
    }
}

/// A line `FIO NAME NUMBER`, whatever a console has printed before it.
fn result(line: &str) -> Option<(String, f64)> {
    let (_, result) = line.split_once("FIO ")?;
    let (name, number) = result.trim().rsplit_once(' ')?;
    Some((name.to_owned(), number.parse().ok()?))
}
