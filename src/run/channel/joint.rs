//! Two connections as one: what is said at one end arrives at the other.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::ops::Range;
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags};

/// How much of one direction is between the two sockets: who reads slowly is waited for.
const ROOM: usize = 64 << 10;
/// How often one direction is served before others have their turn.
const TURNS: usize = 8;

/// A connection of one instance joined with one of the other.
pub struct Joint {
    ends: [UnixStream; 2],
    flows: [Flow; 2],
}

/// What one end says to the other.
#[derive(Default)]
struct Flow {
    /// Room for what is said, made when something is.
    buffer: Vec<u8>,
    /// The part of it that was said, and has not arrived.
    held: Range<usize>,
    /// How far this end is.
    state: State,
    /// Whether nothing is said any more that has not come yet.
    is_last: bool,
}

/// How far one direction is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// There may be more.
    #[default]
    Open,
    /// All has been said, and may not have arrived.
    Said,
    /// All has arrived, and its end; or nobody wants it.
    Over,
}

impl Joint {
    /// Joins two connections.
    ///
    /// # Errors
    /// They cannot be kept from blocking.
    pub fn new(ends: [UnixStream; 2]) -> io::Result<Self> {
        for end in &ends {
            end.set_nonblocking(true)?;
        }
        Ok(Self {
            ends,
            flows: Default::default(),
        })
    }

    /// Whoever was at the second end has gone, even if something of his is left that holds the
    /// connection open: what has come is all that comes.
    pub fn second_has_gone(&mut self) {
        let [a, b] = &self.ends;
        let [there, back] = &mut self.flows;
        back.is_last = true;
        there.end(a, Shutdown::Read);
        back.pump(b, a);
    }

    /// Moves what can be moved.
    pub fn pump(&mut self) {
        let [a, b] = &self.ends;
        let [there, back] = &mut self.flows;
        there.pump(a, b);
        back.pump(b, a);
    }

    /// Whether nothing goes either way any more.
    pub fn is_over(&self) -> bool {
        self.flows.iter().all(|flow| flow.state == State::Over)
    }

    /// Whether the first end has nothing more to say that would arrive.
    pub fn first_has_arrived(&self) -> bool {
        self.flows[0].state == State::Over
    }

    /// What to wait for. A socket that is left out cannot wake us again and again by its end.
    pub fn interests(&self) -> Vec<PollFd<'_>> {
        let [a, b] = &self.ends;
        let [there, back] = &self.flows;
        let of = |end, own: &Flow, other: &Flow| {
            let mut events = PollFlags::empty();
            events.set(PollFlags::IN, own.may_read());
            events.set(PollFlags::OUT, !other.held.is_empty());
            (!events.is_empty()).then(|| PollFd::new(end, events))
        };
        let interests = [of(a, there, back), of(b, back, there)];
        interests.into_iter().flatten().collect()
    }
}

impl Flow {
    fn may_read(&self) -> bool {
        self.state == State::Open && self.held.is_empty()
    }

    fn pump(&mut self, from: &UnixStream, to: &UnixStream) {
        for _ in 0..TURNS {
            let could_read = self.read(from);
            self.write(from, to);
            if !could_read || !self.held.is_empty() {
                return;
            }
        }
    }

    /// Whether another turn may move something.
    fn read(&mut self, mut from: &UnixStream) -> bool {
        if !self.may_read() {
            return self.state == State::Said;
        }
        // Not written over each time: most of what is read is far shorter.
        self.buffer.resize(ROOM, 0);
        match from.read(&mut self.buffer) {
            Ok(count @ 1..) => {
                self.held = 0..count;
                true
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(error) if error.kind() == ErrorKind::WouldBlock && !self.is_last => false,
            // One that was killed with something unread resets: an end as well.
            Ok(0) | Err(_) => {
                self.state = State::Said;
                true
            }
        }
    }

    fn write(&mut self, from: &UnixStream, mut to: &UnixStream) {
        while !self.held.is_empty() {
            match to.write(&self.buffer[self.held.clone()]) {
                Ok(count) => self.held.start += count,
                Err(error) if is_later(&error) => return,
                // Nobody reads any more: whoever writes learns that by SIGPIPE.
                Err(_) => return self.end(from, Shutdown::Read),
            }
        }
        if self.state == State::Said {
            self.end(to, Shutdown::Write);
        }
    }

    fn end(&mut self, whom: &UnixStream, how: Shutdown) {
        // One that has gone meanwhile need not be told.
        let _ = whom.shutdown(how);
        self.held = 0..0;
        self.buffer = Vec::new();
        self.state = State::Over;
    }
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::poll;
    use std::thread;

    /// The programs' ends of a joint that is served until it is over.
    fn joined() -> (UnixStream, UnixStream, thread::JoinHandle<()>) {
        let (a, ours) = UnixStream::pair().unwrap();
        let (b, theirs) = UnixStream::pair().unwrap();
        let mut joint = Joint::new([ours, theirs]).unwrap();
        let served = thread::spawn(move || {
            while !joint.is_over() {
                poll(&mut joint.interests(), None).unwrap();
                joint.pump();
            }
        });
        (a, b, served)
    }

    #[test]
    fn what_is_said_arrives_with_its_end_and_the_answer_returns() {
        let (mut a, mut b, served) = joined();
        let bytes: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
        let said = bytes.clone();
        let asking = thread::spawn(move || {
            a.write_all(&said).unwrap();
            a.shutdown(Shutdown::Write).unwrap();
            let mut answer = String::new();
            a.read_to_string(&mut answer).unwrap();
            answer
        });
        let mut heard = Vec::new();
        b.read_to_end(&mut heard).unwrap();
        b.write_all(b"answer").unwrap();
        drop(b);
        assert!(heard == bytes);
        assert_eq!(asking.join().unwrap(), "answer");
        served.join().unwrap();
    }

    #[test]
    fn who_writes_to_one_that_has_gone_learns_it() {
        let (mut a, b, served) = joined();
        drop(b);
        let error = std::iter::repeat_with(|| a.write_all(&[0; 4096]))
            .find_map(Result::err)
            .unwrap();
        // The latter if something was unread, as between any two sockets.
        let learnt = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
        assert!(learnt.contains(&error.kind()), "{error}");
        drop(a);
        served.join().unwrap();
    }

    #[test]
    fn a_reader_that_stops_makes_the_writer_wait() {
        let (mut a, ours) = UnixStream::pair().unwrap();
        let (_b, theirs) = UnixStream::pair().unwrap();
        let mut joint = Joint::new([ours, theirs]).unwrap();
        a.set_nonblocking(true).unwrap();
        let mut sent = 0;
        let mut stuck = 0;
        while stuck < 3 {
            match a.write(&[0; 4096]) {
                Ok(count) => (sent, stuck) = (sent + count, 0),
                Err(_) => {
                    stuck += 1;
                    joint.pump();
                }
            }
        }
        assert!(sent < 2 << 20, "{sent} bytes lie in between");
        assert!(joint.flows[0].buffer.len() == ROOM);
    }

    #[test]
    fn one_that_has_gone_is_at_its_end_though_others_hold_it_open() {
        let (mut a, ours) = UnixStream::pair().unwrap();
        let (mut left, theirs) = UnixStream::pair().unwrap();
        let mut joint = Joint::new([ours, theirs]).unwrap();
        left.write_all(&[7; 3 * ROOM]).unwrap();
        joint.second_has_gone();
        let heard = thread::spawn(move || {
            let mut heard = Vec::new();
            a.read_to_end(&mut heard).unwrap();
            heard.len()
        });
        while !joint.is_over() {
            poll(&mut joint.interests(), None).unwrap();
            joint.pump();
        }
        assert_eq!(heard.join().unwrap(), 3 * ROOM);
    }

    #[test]
    fn an_end_that_nobody_waits_for_wakes_nobody() {
        let (a, ours) = UnixStream::pair().unwrap();
        let (_b, theirs) = UnixStream::pair().unwrap();
        let mut joint = Joint::new([ours, theirs]).unwrap();
        drop(a);
        joint.pump();
        let now = rustix::event::Timespec::default();
        assert_eq!(poll(&mut joint.interests(), Some(&now)), Ok(0));
    }
}
