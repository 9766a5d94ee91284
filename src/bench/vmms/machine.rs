//! A VMM with its guest as something to be measured, and the host's own file beside it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::guest::Guest;
use super::place::Place;
use super::running::{Running, Terms};
use super::template::Template;
use super::{cost, fio};
use crate::bench::behind::reading::nanoseconds;
use crate::bench::behind::run::Failure;
use crate::bench::sample::{Measure, Reading};
use crate::bench::target::Target;
use crate::bench::workload::{Unit, Workload};

/// What the guest's init prints first of all. It goes by the kernel's log, which every console
/// shows alike.
const MARKER: &str = "vmm-bench-up";

/// What is measured of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// The way to its init.
    Boot,
    /// Its second disk.
    Disk,
}

impl Job {
    /// The words by which the guest's kernel starts it.
    pub fn words(self) -> String {
        match self {
            // In two pieces: a kernel that prints its command line has not come that far.
            Self::Boot => {
                let (begin, end) = MARKER.split_at(MARKER.len() / 2);
                format!("init=/bin/sh -- -c \"echo '<1>{begin}''{end}' > /dev/kmsg; sleep 1000\"")
            }
            Self::Disk => "init=/init".to_owned(),
        }
    }
}

/// A VMM that boots a guest anew for each sample.
pub struct Machine {
    name: String,
    control_of: Option<String>,
    template: Template,
    guest: Guest,
    job: Job,
    terms: Terms,
}

impl Machine {
    /// The VMM of `template` with `guest`.
    pub fn new(template: Template, guest: Guest, job: Job, terms: Terms) -> Self {
        Self {
            name: template.name.clone(),
            control_of: None,
            template,
            guest,
            job,
            terms,
        }
    }

    /// It is the one of its template over again.
    pub fn again(self) -> Self {
        Self {
            control_of: Some(self.template.name.clone()),
            name: self.template.again(),
            ..self
        }
    }
}

impl Target for Machine {
    fn name(&self) -> &str {
        &self.name
    }

    fn control_of(&self) -> Option<&str> {
        self.control_of.as_deref()
    }

    fn prepare(&mut self) -> Result<(), String> {
        self.template.find()?;
        if !self.template.tells(Place::Config) {
            return Ok(());
        }
        let config = self.guest.firecracker().to_string();
        fs::write(&self.guest.config, config)
            .map_err(|error| format!("cannot write {}: {error}", self.guest.config.display()))
    }

    fn run(&mut self, _workload: &Workload, _scale: f64) -> Result<Reading, String> {
        let command = self.template.command(&self.guest);
        let done = Running::start(command, &self.terms).and_then(|running| match self.job {
            Job::Boot => boot(running, self.guest.memory_mib),
            Job::Disk => disk(running),
        });
        done.map_err(|failure| crate::chain(&failure))
    }

    fn cleanup(&mut self) {}
}

fn boot(mut running: Running<'_>, memory_mib: u32) -> Result<Reading, Failure> {
    running.wait_for(MARKER)?;
    let host_ns = nanoseconds(running.elapsed());
    let pid = running.id();
    let cpu_ns = cost::cpu_ns(pid);
    let guest_kib = u64::from(memory_mib) << 10;
    let measures = [
        ("to init", Unit::Nanoseconds, Some(host_ns)),
        ("processor time", Unit::Nanoseconds, cpu_ns),
        (
            "memory of its own",
            Unit::Bytes,
            cost::own_bytes(pid, guest_kib),
        ),
        ("threads", Unit::Count, cost::threads(pid)),
        ("exits", Unit::Count, cost::exits(pid)),
    ];
    // What the host does not tell is no figure.
    let known = |(name, unit, value): (_, _, Option<u64>)| {
        value.map(|value| Measure::new(name, unit, value as f64))
    };
    Ok(Reading {
        measures: measures.into_iter().filter_map(known).collect(),
        host_ns,
        cpu_ns,
        ..Reading::default()
    })
}

fn disk(mut running: Running<'_>) -> Result<Reading, Failure> {
    let output = running.wait_for(fio::END)?;
    let measures = fio::measures(&output);
    match measures.is_empty() {
        true => Err(Failure::Garbled(format!(
            "fio told no result: {}",
            fio::reason(&output)
        ))),
        false => Ok(Reading {
            measures,
            host_ns: nanoseconds(running.elapsed()),
            ..Reading::default()
        }),
    }
}

/// The disk's file on the host itself, for the same jobs.
pub struct HostFile {
    /// The file.
    pub disk: PathBuf,
    /// As for all others.
    pub terms: Terms,
}

impl HostFile {
    /// What it is called in tables.
    pub const NAME: &str = "host file";
}

impl Target for HostFile {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn prepare(&mut self) -> Result<(), String> {
        match Command::new("fio").arg("--version").output() {
            Ok(_) => Ok(()),
            Err(error) => Err(format!(
                "cannot run fio, which Debian's package fio has: {error}"
            )),
        }
    }

    fn run(&mut self, _workload: &Workload, _scale: f64) -> Result<Reading, String> {
        let mut jobs = Command::new("sh");
        jobs.args(["-c", fio::JOBS, "jobs"]).arg(&self.disk);
        let done = Running::start(jobs, &self.terms).and_then(disk);
        done.map_err(|failure| crate::chain(&failure))
    }

    fn cleanup(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_prints_its_command_line_has_not_reached_init() {
        assert!(!Job::Boot.words().contains(MARKER));
        // A shell joins the pieces.
        assert!(Job::Boot.words().replace("''", "").contains(MARKER));
    }
}
