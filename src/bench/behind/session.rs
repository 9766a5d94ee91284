//! A probe that stands behind a wall and does what it is told.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::{ChildStdin, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_setfl};
use wire::{Answer, Order};

use super::Shared;
use super::reading;
use super::run::{Deadline, Ending, Event, Failure, Run};
use super::usage::{self, Standing};
use crate::bench::explain::calls::{self, Calls};
use crate::bench::explain::counted::{self, Counters, Events};
use crate::bench::explain::ptrace::Tid;
use crate::bench::sample::Reading;
use crate::bench::workload::Workload;
use crate::run::instance::control::{Connection, Reply, Request};
use crate::run::{Registry, Wall};

/// How long a wall may take to stand, on the slowest host that we know.
const START_TIME: Duration = Duration::from_secs(180);
/// How long something may take of which every system call stops a process twice.
const WATCHED_TIME: Duration = Duration::from_secs(60);
/// How long whoever has ended may take to have said why.
const LAST_WORDS_TIME: Duration = Duration::from_secs(1);
/// The longest answer, in bytes.
const LONGEST: usize = 1 << 20;

/// A session; dropped, it is ended.
pub struct Session {
    name: String,
    standing: Standing,
    dialogue: Dialogue,
    /// At the other end of its channel.
    peer: Option<Box<Session>>,
}

/// Orders and answers, in turn.
struct Dialogue {
    input: ChildStdin,
    run: Run,
    shared: Rc<Shared>,
}

impl Session {
    /// Starts one by `command`, which makes it the instance `name`, and waits until its probe
    /// answers.
    ///
    /// # Errors
    /// The wall cannot be put up, or no probe is behind it.
    pub fn start(command: Command, name: &str, shared: &Rc<Shared>) -> Result<Self, Failure> {
        let mut dialogue = Dialogue::start(command, shared)?;
        let nothing = Order {
            workload: String::new(),
            operations: 0,
        };
        // What the answer says is of no interest, only that there is one.
        dialogue.ask(&nothing, START_TIME)?;
        Ok(Self {
            name: name.to_owned(),
            standing: Standing::new(name, dialogue.run.pid()),
            dialogue,
            peer: None,
        })
    }

    /// It has `peer` at the other end of its channel, which is ended with it.
    pub fn with_peer(mut self, peer: Option<Self>) -> Self {
        self.peer = peer.map(Box::new);
        self
    }

    /// Its `vmm run`.
    pub fn process(&self) -> u32 {
        self.dialogue.run.pid()
    }

    /// The system calls of the host that `workload`, done so many times, makes.
    ///
    /// # Errors
    /// It cannot be done, takes too long, or cannot be watched.
    pub fn calls(&mut self, workload: &Workload, operations: u64) -> Result<Calls, Failure> {
        self.miss_peer(workload)?;
        let workers = self.workers(workload);
        let watched = workers.flat_map(|session| usage::tree(session.process()));
        let watched: Vec<u32> = watched.collect();
        let order = order(workload, operations);
        let (answer, calls) = self.dialogue.ask_watched(&order, &watched)?;
        match answer {
            Answer::Failed(reason) => Err(Failure::Refused(reading::shown(&reason))),
            Answer::Measured(_) => Ok(calls),
        }
    }

    /// What KVM counts while `workload` is done so many times, and what the kernel behind the
    /// wall does.
    ///
    /// # Errors
    /// As with [`Self::measure`].
    pub fn counted(
        &mut self,
        workload: &Workload,
        operations: u64,
    ) -> Result<(Option<Counters>, Events), Failure> {
        let before = self.counters(workload);
        let used = self.measure(workload, operations)?.used;
        let after = before.is_some().then(|| self.counters(workload)).flatten();
        let counters = before.zip(after);
        let counters = counters.map(|(before, after)| added(&before, after));
        Ok((counters, counted::events(&used.unwrap_or_default())))
    }

    /// Itself, and its peer where that has a part in `workload`.
    fn workers(&self, workload: &Workload) -> impl Iterator<Item = &Self> {
        let peer = self.peer.as_deref().filter(|_| workload.needs_peer());
        std::iter::once(self).chain(peer)
    }

    /// What KVM has counted of all who work for `workload`; `None` where there is no machine.
    fn counters(&self, workload: &Workload) -> Option<Counters> {
        let mut all = self
            .workers(workload)
            .map(|session| counters(&session.name));
        let first = all.next()??;
        all.try_fold(first, |mut sum, more| {
            for (name, count) in more? {
                *sum.entry(name).or_default() += count;
            }
            Some(sum)
        })
    }

    /// Nanoseconds of processor time until now, of all who work for `workload`.
    fn used(&self, workload: &Workload) -> Option<u64> {
        let all = self.workers(workload);
        all.map(|session| session.standing.used()).sum()
    }

    /// Says why the peer that has a part in `workload` has ended, if it has.
    fn miss_peer(&mut self, workload: &Workload) -> Result<(), Failure> {
        let peer = self.peer.as_mut().filter(|_| workload.needs_peer());
        match peer {
            Some(peer) if peer.dialogue.run.is_over() => {
                let said = peer.dialogue.line(Deadline::after(LAST_WORDS_TIME));
                let reason = said.err().unwrap_or_else(|| garbled("it has ended"));
                Err(Failure::Ended(format!(
                    "its peer: {}",
                    crate::chain(&reason)
                )))
            }
            _ => Ok(()),
        }
    }

    /// Does `workload` so many times.
    ///
    /// # Errors
    /// It cannot be done, or takes too long.
    pub fn measure(&mut self, workload: &Workload, operations: u64) -> Result<Reading, Failure> {
        let order = order(workload, operations);
        let timeout = self.dialogue.shared.conditions.timeout;
        self.miss_peer(workload)?;
        let before = self.used(workload);
        let begin = Instant::now();
        let answer = self.dialogue.ask(&order, timeout)?;
        let host = begin.elapsed();
        let used = self.used(workload).zip(before);
        let measured = match answer {
            Answer::Measured(measured) => *measured,
            Answer::Failed(reason) => {
                self.miss_peer(workload)?;
                return Err(Failure::Refused(reading::shown(&reason)));
            }
        };
        let reading = reading::of_session(workload, &measured, host).map_err(Failure::Garbled)?;
        Ok(Reading {
            cpu_ns: used.map(|(after, before)| after.saturating_sub(before)),
            ..reading
        })
    }
}

impl Dialogue {
    fn start(mut command: Command, shared: &Rc<Shared>) -> Result<Self, Failure> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut run = Run::start(command, &shared.conditions.cpu_list, Ending::Asked)?;
        let input = run.input().ok_or_else(|| garbled("it has no input"))?;
        // One that answers and never reads is not waited for.
        fcntl_setfl(&input, OFlags::NONBLOCK).map_err(Failure::host("talk to the probe"))?;
        Ok(Self {
            input,
            run,
            shared: Rc::clone(shared),
        })
    }

    fn ask(&mut self, order: &Order, timeout: Duration) -> Result<Answer, Failure> {
        let deadline = Deadline::after(timeout);
        match self.input.write_all(&line_of(order)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(garbled("the probe does not read what it is asked"))
            }
            // One that has ended says why.
            _ => self.answer(deadline),
        }
    }

    /// As [`Self::ask`], with every system call of `processes` counted.
    fn ask_watched(
        &mut self,
        order: &Order,
        processes: &[u32],
    ) -> Result<(Answer, Calls), Failure> {
        let output = self.run.output().ok_or_else(|| garbled("it has ended"))?;
        let child = Tid::try_from(self.run.pid()).map_err(|_| garbled("it is no process"))?;
        let processes = processes.iter();
        let processes: Vec<Tid> = processes.filter_map(|one| (*one).try_into().ok()).collect();
        let (input, line) = (&mut self.input, line_of(order));
        let ends = [output, self.shared.interrupt.as_fd()];
        let calls = calls::during(&processes, child, WATCHED_TIME, ends, || {
            input.write_all(&line)
        });
        if let Some(signal) = self.shared.interrupt.came() {
            return Err(Failure::Signal(signal));
        }
        let calls = calls.map_err(Failure::host("watch its system calls"))?;
        Ok((self.answer(Deadline::after(WATCHED_TIME))?, calls))
    }

    fn answer(&mut self, deadline: Deadline) -> Result<Answer, Failure> {
        let answer = self.line(deadline)?;
        serde_json::from_slice(&answer)
            .map_err(|error| garbled(&format!("the probe's answer makes no sense: {error}")))
    }

    /// The next line, without its end; nothing may follow it.
    fn line(&mut self, deadline: Deadline) -> Result<Vec<u8>, Failure> {
        let mut line = Vec::new();
        loop {
            let event = self.run.next(&mut line, deadline, &self.shared.interrupt)?;
            if event == Event::Ended {
                let status = self.run.status()?;
                return Err(Failure::Ended(self.run.reason(status)));
            }
            match line.iter().position(|byte| *byte == b'\n') {
                Some(end) if end + 1 == line.len() => {
                    line.truncate(end);
                    return Ok(line);
                }
                Some(_) => return Err(garbled("the probe says more than it was asked")),
                None if line.len() > LONGEST => {
                    return Err(garbled("the probe's answer has no end"));
                }
                None => {}
            }
        }
    }
}

fn order(workload: &Workload, operations: u64) -> Order {
    Order {
        workload: workload.name.to_owned(),
        operations,
    }
}

fn line_of(order: &Order) -> Vec<u8> {
    let mut line = serde_json::to_vec(order).expect("a text and a number are valid JSON");
    line.push(b'\n');
    line
}

/// What KVM has counted of the instance `name`; `None` where there is no machine.
fn counters(name: &str) -> Option<Counters> {
    let found = Registry::open().ok()?.find(name).ok()?;
    let connection = (found.state.wall == Wall::Vm).then(|| Connection::open(&found.directory));
    let connection = connection?.ok()?;
    connection.send(&Request::Counters, &[]).ok()?;
    match connection.receive().ok()?? {
        (Reply::Counters(counters), _) => Some(counters.into_iter().collect()),
        _ => None,
    }
}

/// By how much they have grown.
fn added(before: &Counters, after: Counters) -> Counters {
    let added = after.into_iter().map(|(name, value)| {
        let value = value.saturating_sub(before.get(&name).copied().unwrap_or(0));
        (name, value)
    });
    added.collect()
}

fn garbled(what: &str) -> Failure {
    Failure::Garbled(what.to_owned())
}
