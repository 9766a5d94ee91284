//! A VMM with its guest as something to be measured, and the host's own file beside it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use super::guest::Guest;
use super::running::Running;
use super::template::Template;
use super::{cost, fio};
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
            Self::Boot => {
                format!("init=/bin/sh -- -c \"echo '<1>{MARKER}' > /dev/kmsg; sleep 1000\"")
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
    patience: Patience,
}

/// How long a run is waited for.
#[derive(Clone)]
pub struct Patience {
    /// The longest.
    pub limit: Duration,
    /// Whether it is to end at once.
    pub is_over: Rc<dyn Fn() -> bool>,
}

impl Machine {
    /// The VMM of `template` with `guest`.
    pub fn new(template: Template, guest: Guest, job: Job, patience: Patience) -> Self {
        Self {
            name: template.name.clone(),
            control_of: None,
            template,
            guest,
            job,
            patience,
        }
    }

    /// It is the one of its template over again.
    pub fn again(self) -> Self {
        Self {
            control_of: Some(self.template.name.clone()),
            name: format!("{} again", self.template.name),
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
        let config = self.guest.firecracker().to_string();
        fs::write(&self.guest.config, config)
            .map_err(|error| format!("cannot write {}: {error}", self.guest.config.display()))
    }

    fn run(&mut self, _workload: &Workload, _scale: f64) -> Result<Reading, String> {
        let mut running = Running::start(self.template.command(&self.guest))?;
        match self.job {
            Job::Boot => boot(&mut running, self.guest.memory_mib, &self.patience),
            Job::Disk => disk(&mut running, &self.patience),
        }
    }

    fn cleanup(&mut self) {}
}

fn boot(running: &mut Running, memory_mib: u32, patience: &Patience) -> Result<Reading, String> {
    running.wait_for(MARKER, patience)?;
    let host_ns = nanoseconds(running.elapsed());
    let pid = running.id();
    let cpu_ns = cost::cpu_ns(pid);
    let guest_kib = u64::from(memory_mib) << 10;
    let mut measures = vec![
        Measure::new("to init", Unit::Nanoseconds, float(host_ns)),
        Measure::new("processor time", Unit::Nanoseconds, float(cpu_ns)),
        Measure::new(
            "memory of its own",
            Unit::Bytes,
            float(cost::private_bytes(pid, guest_kib)),
        ),
        Measure::new("threads", Unit::Count, float(cost::threads(pid))),
    ];
    let exits = cost::exits(pid);
    measures.extend(exits.map(|exits| Measure::new("exits", Unit::Count, float(exits))));
    Ok(Reading {
        measures,
        host_ns,
        cpu_ns: Some(cpu_ns),
        ..Reading::default()
    })
}

fn disk(running: &mut Running, patience: &Patience) -> Result<Reading, String> {
    let output = running.wait_for(fio::END, patience)?;
    let measures = fio::measures(&output);
    match measures.is_empty() {
        true => Err("fio told no result".to_owned()),
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
    /// How long the jobs are waited for.
    pub patience: Patience,
}

impl Target for HostFile {
    fn name(&self) -> &str {
        "host file"
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
        disk(&mut Running::start(jobs)?, &self.patience)
    }

    fn cleanup(&mut self) {}
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to a hundred days in nanoseconds"
)]
fn float(count: u64) -> f64 {
    count as f64
}
