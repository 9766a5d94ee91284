//! A process that is waited for until it prints something, and killed when it has been looked at.

use std::process::{ChildStdin, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::bench::behind::Interrupt;
use crate::bench::behind::reading::shown;
use crate::bench::behind::run::{Deadline, Ending, Event, Failure, Run};
use crate::config::CpuList;

/// The most that is kept of what it prints, in bytes: its end.
const KEPT: usize = 1 << 20;

/// What holds alike for all that run.
#[derive(Clone)]
pub struct Terms {
    /// Where.
    pub cpus: CpuList,
    /// How long they are waited for.
    pub limit: Duration,
    /// What ends every wait.
    pub interrupt: Rc<Interrupt>,
}

/// It runs until this is dropped.
pub struct Running<'a> {
    run: Run,
    /// Silent, and open.
    _input: Option<ChildStdin>,
    begin: Instant,
    deadline: Deadline,
    terms: &'a Terms,
}

impl<'a> Running<'a> {
    /// Starts `command`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(mut command: Command, terms: &'a Terms) -> Result<Self, Failure> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let (begin, deadline) = (Instant::now(), Deadline::after(terms.limit));
        let mut run = Run::start(command, &terms.cpus, Ending::Killed)?;
        Ok(Self {
            _input: run.input(),
            run,
            begin,
            deadline,
            terms,
        })
    }

    /// The time since its exec.
    pub fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Its process ID.
    pub fn id(&self) -> u32 {
        self.run.pid()
    }

    /// Waits until it prints `marker`; the end of all that it has printed by then.
    ///
    /// # Errors
    /// It has ended before, or is not done in time, or a signal has come.
    pub fn wait_for(&mut self, marker: &str) -> Result<String, Failure> {
        let mut printed = Vec::new();
        while !contains(&printed, marker) {
            let surplus = printed.len().saturating_sub(KEPT);
            printed.drain(..surplus);
            let event = self
                .run
                .next(&mut printed, self.deadline, &self.terms.interrupt);
            match event {
                Ok(Event::Output) => {}
                Ok(Event::Ended) => return Err(self.end(&printed)),
                Err(Failure::Late(_)) => return Err(self.late(&printed)),
                Err(failure) => return Err(failure),
            }
        }
        Ok(text(&printed))
    }

    /// Why it ended, having `printed` that: by its own words if there are any.
    fn end(&mut self, printed: &[u8]) -> Failure {
        let status = match self.run.status() {
            Ok(status) => status,
            Err(failure) => return failure,
        };
        let said = self.run.last_words().unwrap_or_else(|| last_line(printed));
        Failure::Ended(format!("it ended with status {status}: {said}"))
    }

    fn late(&self, printed: &[u8]) -> Failure {
        let seconds = self.terms.limit.as_secs_f64();
        let last = last_line(printed);
        Failure::Ended(format!("not done in {seconds} s; last: {last}"))
    }
}

fn contains(printed: &[u8], marker: &str) -> bool {
    memchr::memmem::find(printed, marker.as_bytes()).is_some()
}

/// A guest has printed it.
fn last_line(printed: &[u8]) -> String {
    let text = text(printed);
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    shown(last.unwrap_or("nothing"))
}

fn text(printed: &[u8]) -> String {
    String::from_utf8_lossy(printed).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(script: &str, limit: Duration) -> Result<String, String> {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        let terms = Terms {
            cpus: CpuList::of_this_thread(),
            limit,
            interrupt: Rc::new(Interrupt::none().unwrap()),
        };
        let mut running = Running::start(shell, &terms).unwrap();
        let printed = running.wait_for("mark");
        printed.map_err(|failure| failure.to_string())
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn it_is_waited_for_until_it_prints_the_marker() {
        assert_eq!(
            of("echo one; echo mark; exec sleep 100", LONG).unwrap(),
            "one\nmark\n"
        );
    }

    #[test]
    fn one_that_ends_has_the_last_word() {
        let error = of("echo booting; echo no such MSR >&2; exit 3", LONG).unwrap_err();
        assert_eq!(error, "it ended with status 3: no such MSR");
        let error = of("echo panic", LONG).unwrap_err();
        assert_eq!(error, "it ended with status 0: panic");
    }

    #[test]
    fn one_that_never_prints_it_is_not_waited_for() {
        let error = of("echo booting; exec sleep 100", Duration::from_millis(300));
        assert_eq!(error.unwrap_err(), "not done in 0.3 s; last: booting");
    }

    #[test]
    fn what_is_kept_has_an_end_and_the_marker_is_found_across_it() {
        let printed = of("head -c 3000000 /dev/zero; echo mark", LONG).unwrap();
        assert!(printed.ends_with("mark\n") && printed.len() <= KEPT + (64 << 10));
    }
}
