//! Work that may need more memory than there is: whoever takes that is killed, and it is to be a
//! process of its own rather than the one that answers.

use std::fs;
use std::fs::File;
use std::io::{Read, Write};

use rustix::pipe::{PipeFlags, pipe_with};
use wire::Answer;

use super::child::{Child, end_with_parent};
use super::failure::Failure;

/// What `work` answers, in a process of its own, which is killed before any other.
pub fn apart(work: impl FnOnce() -> Answer) -> Result<Answer, Failure> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC).map_err(Failure::to("make a pipe"))?;
    // What it takes with it is no longer ours: its end is the end of what we read.
    let child = Child::fork(move || {
        be_killed_first();
        end_with_parent() && send(theirs.into(), &work())
    })?;
    let mut said = Vec::new();
    let heard = File::from(ours).read_to_end(&mut said);
    heard.map_err(Failure::to("hear from the other process"))?;
    child.wait()?;
    serde_json::from_slice(&said).map_err(|_| Failure::Wrong("the other process said nothing"))
}

fn send(mut to: File, answer: &Answer) -> bool {
    let said = serde_json::to_vec(answer).unwrap_or_default();
    to.write_all(&said).is_ok()
}

/// proc(5): the kernel takes whose score is highest.
fn be_killed_first() {
    // Where it cannot be written, we are still the largest.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    #[test]
    fn what_is_done_apart_is_heard_and_who_is_killed_is_told_of() {
        let answer = apart(|| Answer::Failed("no tea".into())).unwrap();
        assert_eq!(answer, Answer::Failed("no tea".into()));
        let killed = apart(|| {
            let _ = kill_process(getpid(), Signal::KILL);
            Answer::Failed("alive".into())
        });
        assert!(matches!(killed, Err(Failure::Killed)));
    }
}
