//! Connections of both ends of a channel, joined in the order in which they came.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixStream;

use rustix::event::PollFd;
use rustix::io::ioctl_fionread;
use wire::MAX_CONNECTIONS;

use super::joint::Joint;

/// What has come together at one place, and what still waits there.
#[derive(Default)]
pub struct Meeting {
    ours: VecDeque<UnixStream>,
    theirs: VecDeque<UnixStream>,
    joints: Vec<Joint>,
}

impl Meeting {
    /// Whether another connection of our own commands may come.
    pub fn has_room_for_ours(&self) -> bool {
        self.ours.len() + self.joints.len() < MAX_CONNECTIONS
    }

    /// Whether another one of the other end may.
    pub fn has_room_for_theirs(&self) -> bool {
        self.theirs.len() + self.joints.len() < MAX_CONNECTIONS
    }

    /// One of our own commands has connected.
    pub fn add_ours(&mut self, connection: UnixStream) {
        self.ours.push_back(connection);
    }

    /// One of the other end has.
    pub fn add_theirs(&mut self, connection: UnixStream) {
        self.theirs.push_back(connection);
    }

    /// Takes the first of ours that waits out of the meeting, if `taken` takes it.
    ///
    /// # Errors
    /// It does not.
    pub fn hand_over(
        &mut self,
        taken: impl FnOnce(&UnixStream) -> io::Result<()>,
    ) -> io::Result<bool> {
        let Some(first) = self.ours.front() else {
            return Ok(false);
        };
        taken(first)?;
        self.ours.pop_front();
        Ok(true)
    }

    /// Whether one of ours waits.
    pub fn ours_wait(&self) -> bool {
        !self.ours.is_empty()
    }

    /// The other end has gone: those of ours that still wait for it are at their end, and of its
    /// own only what they have said is left.
    pub fn other_has_gone(&mut self) {
        self.join();
        self.joints.iter_mut().for_each(Joint::second_has_gone);
        self.ours.clear();
        self.theirs.retain(has_said_something);
    }

    /// Joins what can be joined, and moves what can be moved.
    pub fn serve(&mut self) {
        self.join();
        self.joints.retain_mut(|joint| {
            joint.pump();
            !joint.is_over()
        });
    }

    fn join(&mut self) {
        let pairs = self.ours.len().min(self.theirs.len());
        let (ours, theirs) = (self.ours.drain(..pairs), self.theirs.drain(..pairs));
        for (ours, theirs) in ours.zip(theirs) {
            match Joint::new([ours, theirs]) {
                Ok(joint) => self.joints.push(joint),
                // They are closed, and both ends see that.
                Err(error) => log::warn!("cannot join two connections: {error}"),
            }
        }
    }

    /// Whether all that ours have said has arrived, as far as somebody is there for it.
    pub fn is_settled(&self, other_is_there: bool) -> bool {
        let waits = other_is_there && self.ours.iter().any(has_said_something);
        !waits && self.joints.iter().all(Joint::first_has_arrived)
    }

    /// What to wait for.
    pub fn interests(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.joints.iter().flat_map(Joint::interests)
    }
}

fn has_said_something(connection: &UnixStream) -> bool {
    ioctl_fionread(connection).is_ok_and(|bytes| bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    /// A program's end of a connection, and ours.
    fn connection(says: &[u8]) -> (UnixStream, UnixStream) {
        let (mut program, ours) = UnixStream::pair().unwrap();
        program.write_all(says).unwrap();
        (program, ours)
    }

    fn hear(mut program: &UnixStream, count: usize) -> String {
        let mut bytes = vec![0; count];
        program.read_exact(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn they_are_joined_in_their_order() {
        let mut meeting = Meeting::default();
        let (first, one) = connection(b"1");
        let (second, two) = connection(b"2");
        meeting.add_ours(one);
        meeting.add_ours(two);
        let (other, a) = connection(b"a");
        let (another, b) = connection(b"b");
        meeting.add_theirs(a);
        meeting.add_theirs(b);
        meeting.serve();
        let heard = [&first, &second, &other, &another].map(|program| hear(program, 1));
        assert_eq!(heard, ["a", "b", "1", "2"]);
    }

    #[test]
    fn nobody_has_more_than_so_many() {
        let mut meeting = Meeting::default();
        let mut programs = Vec::new();
        while meeting.has_room_for_ours() {
            let (program, ours) = connection(b"");
            programs.push(program);
            meeting.add_ours(ours);
        }
        assert_eq!(programs.len(), MAX_CONNECTIONS);
        assert!(meeting.has_room_for_theirs());
    }

    #[test]
    fn what_one_that_has_gone_has_said_still_arrives() {
        let mut meeting = Meeting::default();
        let (waiting, ours) = connection(b"lost");
        meeting.add_ours(ours);
        meeting.serve();
        let (said, theirs) = connection(b"last words");
        drop(said);
        let (silent, nothing) = connection(b"");
        drop(silent);
        meeting.add_theirs(nothing);
        meeting.ours.clear();
        drop(waiting);
        meeting.add_theirs(theirs);
        meeting.other_has_gone();
        let (mut late, ours) = connection(b"");
        meeting.add_ours(ours);
        meeting.serve();
        let mut text = String::new();
        late.read_to_string(&mut text).unwrap();
        assert_eq!(text, "last words");
    }

    #[test]
    fn those_that_came_together_with_the_end_are_joined_before_it() {
        let mut meeting = Meeting::default();
        let (mut waiting, ours) = connection(b"");
        meeting.add_ours(ours);
        let (said, theirs) = connection(b"in time");
        drop(said);
        meeting.add_theirs(theirs);
        meeting.other_has_gone();
        meeting.serve();
        let mut text = String::new();
        waiting.read_to_string(&mut text).unwrap();
        assert_eq!(text, "in time");
    }

    #[test]
    fn those_that_wait_for_one_that_has_gone_see_an_end() {
        let mut meeting = Meeting::default();
        let (mut waiting, ours) = connection(b"");
        meeting.add_ours(ours);
        meeting.other_has_gone();
        assert_eq!(waiting.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn it_is_settled_when_all_has_arrived_or_nobody_is_there_for_it() {
        let mut meeting = Meeting::default();
        let (program, ours) = connection(b"said");
        drop(program);
        meeting.add_ours(ours);
        assert!(!meeting.is_settled(true) && meeting.is_settled(false));
        let (_other, theirs) = connection(b"");
        meeting.add_theirs(theirs);
        meeting.serve();
        assert!(meeting.is_settled(true));
    }
}
