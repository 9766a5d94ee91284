//! The walls as targets: each run is a `vmm run` of its own, as a user would start it, so what
//! is measured of a wall is what everybody gets from it.
//!
//! - [`conditions`]: what all targets get alike
//! - [`claim`]: names that only one bench has
//! - [`workplace`]: what lies on the host meanwhile: the probe, and files of single runs
//! - [`launcher`]: the command lines of one target
//! - [`run`]: one `vmm run`, from its start to its end; signals and deadlines
//! - [`usage`]: processor time
//! - [`session`]: a probe that stands behind a wall and does what it is told
//! - [`single`]: a wall put up for one measurement, around a probe or the user's own command
//! - [`tool`]: a wall put up around one of the image's own tools
//! - [`reading`]: what they say becomes figures; whoever stands behind a wall may lie

mod claim;
pub mod conditions;
pub mod launcher;
pub mod reading;
pub mod run;
pub mod session;
pub mod single;
pub mod tool;
pub mod usage;
pub mod workplace;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::explain::counted::{Counted, PerOperation, for_each, named};
use super::sample::Reading;
use super::target::Target;
use super::tools::{self, Tool};
use super::workload::{Kind, Workload};

pub use conditions::Conditions;
pub use launcher::Choice;
pub use run::Interrupt;
pub use workplace::Workplace;

use launcher::Launcher;
use run::Failure;
use session::Session;

/// What every target of a bench shares.
pub struct Shared {
    /// What they get alike.
    pub conditions: Conditions,
    /// What lies on the host for them.
    pub workplace: Workplace,
    /// What may end every wait.
    pub interrupt: Interrupt,
}

/// So many starts may come to nothing, one after the other, until a session is given up.
const PATIENCE: u32 = 3;

/// A run of a session takes no longer, unless one operation does. Behind no wall it takes a
/// tenth of that; a wall that is a thousand times slower would make all others wait.
const RUN_TIME: Duration = Duration::from_millis(250);
/// So many operations are watched, each system call of which takes some ten microseconds more.
const WATCHED: u64 = 200;
/// What part of a run is done to find out how long it takes: one in so many.
const TRIED: u64 = 20;

/// What workloads need of a wall, beyond that it can be put up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// A probe that stands behind it.
    pub session: bool,
    /// Another one, at the other end of a channel.
    pub peer: bool,
}

impl Needs {
    /// Those of `workloads`.
    pub fn of(workloads: &[Workload]) -> Self {
        Self {
            session: workloads.iter().any(Workload::is_session),
            peer: workloads.iter().any(Workload::needs_peer),
        }
    }
}

/// A wall.
pub struct Behind {
    name: String,
    control_of: Option<String>,
    launcher: Launcher,
    needs: Needs,
    session: Option<Session>,
    failed_starts: u32,
    /// How often each workload is done at most.
    most: BTreeMap<&'static str, u64>,
}

impl Behind {
    /// The target `name`, not yet prepared.
    pub fn new(name: &str, choice: Choice, needs: Needs, shared: &Rc<Shared>) -> Self {
        Self {
            name: name.to_owned(),
            control_of: None,
            launcher: Launcher::new(name, choice, Rc::clone(shared)),
            needs,
            session: None,
            failed_starts: 0,
            most: BTreeMap::new(),
        }
    }

    /// It is `target` over again.
    pub fn control_of(mut self, target: &str) -> Self {
        self.control_of = Some(target.to_owned());
        self
    }

    /// Whether the image has `tool`.
    ///
    /// # Errors
    /// The wall does not stand.
    pub fn has(&self, tool: &Tool) -> Result<bool, Failure> {
        tool::is_there(&self.launcher, tool)
    }

    /// The session, started if there is none.
    fn session(&mut self) -> Result<&mut Session, Failure> {
        if self.session.is_none() {
            if self.failed_starts >= PATIENCE {
                return Err(Failure::GivenUp(PATIENCE));
            }
            self.failed_starts += 1;
            self.session = Some(self.start()?);
            self.failed_starts = 0;
        }
        self.session.as_mut().ok_or(Failure::GivenUp(PATIENCE))
    }

    fn start(&self) -> Result<Session, Failure> {
        let (launcher, shared) = (&self.launcher, self.launcher.shared());
        let peer = match self.needs.peer {
            true => Some(Session::start(
                launcher.peer_session(),
                &launcher.peer(),
                shared,
            )?),
            false => None,
        };
        let command = launcher.session(self.needs.peer);
        Session::start(command, launcher.instance(), shared).map(|session| session.with_peer(peer))
    }

    /// Does `workload` so many times, or fewer where that takes too long behind this wall.
    fn order(&mut self, workload: &Workload, operations: u64) -> Result<Reading, Failure> {
        let most = match self.most.get(workload.name) {
            Some(most) => *most,
            None => self.try_out(workload, operations)?,
        };
        self.measure(workload, operations.min(most))
    }

    /// How many operations of `workload` can be done in [`RUN_TIME`], as a few of them tell.
    fn try_out(&mut self, workload: &Workload, operations: u64) -> Result<u64, Failure> {
        let few = operations.div_ceil(TRIED);
        let reading = self.measure(workload, few)?;
        let most = in_run_time(few, reading.inside_ns.unwrap_or_default());
        self.most.insert(workload.name, most);
        Ok(most)
    }

    fn measure(&mut self, workload: &Workload, operations: u64) -> Result<Reading, Failure> {
        self.by_session(|session| session.measure(workload, operations))
    }

    /// What the host and KVM see of one operation of `workload`, and how many unlike system
    /// calls that makes.
    ///
    /// # Errors
    /// It cannot be done or watched.
    pub fn count(&mut self, workload: &Workload, scale: f64) -> Result<Counted, Failure> {
        let Kind::Session { operations, .. } = workload.kind else {
            return Err(Failure::Garbled("it is not done by a session".to_owned()));
        };
        let wanted = scaled(operations, scale);
        let many = wanted.min(self.try_out(workload, wanted)?).div_ceil(3);
        let few = many.min(WATCHED);
        // Each twice, of unlike length: what a run costs by itself falls out.
        let mut calls = |times| self.by_session(|session| session.calls(workload, few * times));
        let calls = [calls(1)?, calls(3)?];
        let mut more = |times| self.by_session(|session| session.counted(workload, many * times));
        let [(kvm, events), (kvm_after, events_after)] = [more(1)?, more(3)?];
        Ok(Counted {
            each: PerOperation {
                calls: for_each(&calls, 2 * few).into_iter().map(named).collect(),
                kvm: kvm
                    .zip(kvm_after)
                    .map(|(less, more)| for_each(&[less, more], 2 * many)),
                events: for_each(&[events, events_after], 2 * many),
            },
            unlike_calls: calls[1].len(),
        })
    }

    fn by_session<T>(
        &mut self,
        ask: impl FnOnce(&mut Session) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let asked = ask(self.session()?);
        if asked.as_ref().is_err_and(Failure::ends_a_session) {
            // Dropped, it is ended: the next run has another.
            self.session = None;
        }
        asked
    }

    fn run_once(&mut self, workload: &Workload, scale: f64) -> Result<Reading, Failure> {
        match workload.kind {
            Kind::Session { operations, .. } => self.order(workload, scaled(operations, scale)),
            Kind::Start => single::start(&self.launcher),
            Kind::Command => single::command(&self.launcher),
            Kind::Tool => {
                let unknown = || Failure::Refused("it is no tool that is known".to_owned());
                tool::run(
                    &self.launcher,
                    tools::find(workload.name).ok_or_else(unknown)?,
                )
            }
            Kind::Guest => Err(Failure::Refused("a wall boots no guest for it".to_owned())),
        }
    }
}

/// How many operations can be done in [`RUN_TIME`], where so many took `ns`; at least one.
fn in_run_time(operations: u64, ns: u64) -> u64 {
    let in_time = u128::from(operations) * RUN_TIME.as_nanos() / u128::from(ns.max(1));
    u64::try_from(in_time).unwrap_or(u64::MAX).max(1)
}

/// `operations` by `scale`, at least one.
fn scaled(operations: u64, scale: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "a float's cast saturates")]
    #[expect(clippy::cast_sign_loss, reason = "and never becomes negative")]
    let scaled = (operations as f64 * scale).round() as u64;
    scaled.max(1)
}

impl Target for Behind {
    fn name(&self) -> &str {
        &self.name
    }

    fn control_of(&self) -> Option<&str> {
        self.control_of.as_deref()
    }

    fn prepare(&mut self) -> Result<(), String> {
        let stands = match self.needs.session {
            true => self.session().map(drop),
            // Whether the wall stands at all.
            false => single::start(&self.launcher).map(drop),
        };
        stands.map_err(|failure| crate::chain(&failure))
    }

    fn run(&mut self, workload: &Workload, scale: f64) -> Result<Reading, String> {
        let reading = self.run_once(workload, scale);
        reading.map_err(|failure| crate::chain(&failure))
    }

    fn cleanup(&mut self) {
        self.session = None;
        self.launcher.clean_up();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_that_is_slow_does_less() {
        let second = 1_000_000_000;
        assert_eq!(in_run_time(1000, second / 1000), 250_000);
        assert_eq!(in_run_time(1000, second), 250);
        assert_eq!(in_run_time(1, 3 * second), 1);
        assert_eq!(in_run_time(u64::MAX, 0), u64::MAX);
    }

    #[test]
    fn a_scale_leaves_one_operation_at_least() {
        assert_eq!(scaled(1000, 0.05), 50);
        assert_eq!(scaled(10, 0.001), 1);
        assert_eq!(scaled(u64::MAX, 10.0), u64::MAX);
        assert_eq!(scaled(10, f64::NAN), 1);
    }
}
