//! The thread that serves one channel of one instance.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wire::LINGER;

use super::meeting::Meeting;
use super::post;
use super::seat::{Role, Seat};
use crate::run::rest::{Rest, is_shortage};

/// How often it is looked whether the last words have been read: no event tells.
const GLANCE: Duration = Duration::from_millis(100);

/// What the thread has.
pub struct Attendant {
    role: Role,
    /// Where our own commands connect.
    door: UnixListener,
    meeting: Meeting,
    /// Becomes readable when our commands have ended.
    leaving: Arc<OwnedFd>,
    rest: Rest,
    // Dropped last: until then, nobody else may come.
    seat: Seat,
}

impl Attendant {
    /// Sits down at `seat`; `door` is where our commands connect, until `leaving` says that
    /// they have ended.
    ///
    /// # Errors
    /// Nobody can be met.
    pub fn new(seat: Seat, door: UnixListener, leaving: Arc<OwnedFd>) -> io::Result<Self> {
        Ok(Self {
            role: seat.meet()?,
            door,
            meeting: Meeting::default(),
            leaving,
            rest: Rest::default(),
            seat,
        })
    }

    /// Serves until our commands have ended, and what they have said has arrived.
    pub fn run(mut self) {
        if let Err(error) = self.attend().and_then(|()| self.settle()) {
            log::warn!("a channel is broken: {error}");
        }
    }

    fn attend(&mut self) -> io::Result<()> {
        while !self.wait_or_leave()? {
            self.serve()?;
        }
        Ok(())
    }

    /// Nobody connects any more; who has, is served to his end, and no longer than is polite.
    fn settle(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + LINGER;
        loop {
            self.serve()?;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_settled() {
                return Ok(());
            }
            let mut events = self.interests(!self.rest.goes_on());
            poll_for(&mut events, Some(left.min(GLANCE)))?;
        }
    }

    fn is_settled(&self) -> bool {
        match &self.role {
            Role::Keeper { visitor, .. } => self.meeting.is_settled(visitor.is_some()),
            Role::Visitor(_) => !self.meeting.ours_wait() && self.meeting.is_settled(false),
        }
    }

    /// Waits until there is something to do, or our commands have ended; whether they have.
    fn wait_or_leave(&self) -> io::Result<bool> {
        let rest = self.rest.left();
        let mut events = vec![PollFd::new(&self.leaving, PollFlags::IN)];
        events.extend(self.interests(rest.is_none()));
        poll_for(&mut events, rest)?;
        Ok(!events[0].revents().is_empty())
    }

    /// What to wait for, and who may come, if `anybody` may.
    fn interests(&self, anybody: bool) -> Vec<PollFd<'_>> {
        let mut events: Vec<PollFd<'_>> = self.meeting.interests().collect();
        if !anybody {
            return events;
        }
        if self.has_room_for_ours() {
            events.push(PollFd::new(&self.door, PollFlags::IN));
        }
        match &self.role {
            Role::Keeper { listener, visitor } if self.meeting.has_room_for_theirs() => {
                events.push(match visitor {
                    None => PollFd::new(listener, PollFlags::IN),
                    Some(way) => PollFd::new(way, PollFlags::IN),
                });
            }
            Role::Keeper { .. } => {}
            Role::Visitor(way) => {
                let mut wanted = PollFlags::IN;
                wanted.set(PollFlags::OUT, self.meeting.ours_wait());
                events.push(PollFd::new(way, wanted));
            }
        }
        events
    }

    /// Whether another of our own connections may come. Those that wait for a keeper to take
    /// them over wait at the door.
    fn has_room_for_ours(&self) -> bool {
        match &self.role {
            Role::Keeper { .. } => self.meeting.has_room_for_ours(),
            Role::Visitor(_) => !self.meeting.ours_wait(),
        }
    }

    fn serve(&mut self) -> io::Result<()> {
        self.let_in();
        self.follow()?;
        match &self.role {
            Role::Keeper { .. } => self.keep(),
            Role::Visitor(_) => self.visit(),
        }
        self.meeting.serve();
        Ok(())
    }

    /// A keeper that has gone is followed by another, or by ourselves.
    fn follow(&mut self) -> io::Result<()> {
        let Role::Visitor(way) = &self.role else {
            return Ok(());
        };
        if self.rest.goes_on() || has_nothing_to_say(way) {
            return Ok(());
        }
        self.meeting.other_has_gone();
        match self.seat.meet() {
            Ok(role) => self.role = role,
            Err(error) if is_shortage(&error) => self.rest.begin_after(&error),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn let_in(&mut self) {
        while self.has_room_for_ours() && !self.rest.goes_on() {
            match self.door.accept() {
                Ok((connection, _)) => self.meeting.add_ours(connection),
                Err(error) => return self.rest.begin_after(&error),
            }
        }
    }

    /// Takes what the visitor brings, and notices that he comes and goes.
    fn keep(&mut self) {
        while self.meeting.has_room_for_theirs() && !self.rest.goes_on() {
            let Role::Keeper { listener, visitor } = &mut self.role else {
                return;
            };
            let Some(way) = visitor else {
                match come_in(listener) {
                    Ok(way) => *visitor = Some(way),
                    Err(error) => return self.rest.begin_after(&error),
                }
                continue;
            };
            match post::receive(way) {
                Ok(Some(connection)) => self.meeting.add_theirs(connection),
                Ok(None) => {
                    *visitor = None;
                    self.meeting.other_has_gone();
                }
                Err(error) => return self.rest.begin_after(&error),
            }
        }
    }

    /// Brings our connections to the keeper.
    fn visit(&mut self) {
        let Role::Visitor(way) = &self.role else {
            return;
        };
        while !self.rest.goes_on() {
            let send = |connection: &_| post::send(way, connection);
            match self.meeting.hand_over(send) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => match error.kind() {
                    // That he has gone is seen next.
                    ErrorKind::WouldBlock | ErrorKind::BrokenPipe => return,
                    _ => self.rest.begin_after(&error),
                },
            }
        }
    }
}

/// Waits for one of `events`, for `time` at most.
fn poll_for(events: &mut [PollFd<'_>], time: Option<Duration>) -> io::Result<()> {
    let time = time.and_then(|time| Timespec::try_from(time).ok());
    match poll(events, time.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn come_in(listener: &UnixListener) -> io::Result<UnixStream> {
    let (way, _) = listener.accept()?;
    way.set_nonblocking(true)?;
    Ok(way)
}

/// A keeper says nothing: all that can be read of him is his end.
fn has_nothing_to_say(mut way: &UnixStream) -> bool {
    let read = io::Read::read(&mut way, &mut [0]);
    read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}
