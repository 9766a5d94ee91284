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
use crate::run::rest::{REST, Rest, is_shortage};

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
        while !self.wait(None)? {
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
            self.wait(Some(left.min(REST)))?;
        }
    }

    fn is_settled(&self) -> bool {
        match &self.role {
            Role::Keeper { visitor, .. } => self.meeting.is_settled(visitor.is_some()),
            Role::Visitor(_) => !self.meeting.ours_wait() && self.meeting.is_settled(false),
        }
    }

    /// Waits until there is something to do; whether our commands have ended.
    fn wait(&self, time: Option<Duration>) -> io::Result<bool> {
        // Asked first: a rest that is over by the time of the next question is cut short by it.
        let most = self.rest.left();
        let mut events = Vec::new();
        if time.is_none() {
            events.push(PollFd::new(&self.leaving, PollFlags::IN));
        }
        events.extend(self.interests());
        let time = time.or(most).and_then(|time| Timespec::try_from(time).ok());
        match poll(&mut events, time.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_leaving = events
            .first()
            .is_some_and(|event| !event.revents().is_empty());
        Ok(is_leaving)
    }

    fn interests(&self) -> Vec<PollFd<'_>> {
        let mut events: Vec<PollFd<'_>> = self.meeting.interests().collect();
        if self.lets_in() {
            events.push(PollFd::new(&self.door, PollFlags::IN));
        }
        match &self.role {
            Role::Keeper {
                visitor: None,
                listener,
            } => {
                if self.meeting.has_room_for_theirs() && !self.rest.goes_on() {
                    events.push(PollFd::new(listener, PollFlags::IN));
                }
            }
            Role::Keeper {
                visitor: Some(way), ..
            } => {
                if self.meeting.has_room_for_theirs() && !self.rest.goes_on() {
                    events.push(PollFd::new(way, PollFlags::IN));
                }
            }
            Role::Visitor(_) if self.rest.goes_on() => {}
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
    fn lets_in(&self) -> bool {
        let has_room = match &self.role {
            Role::Keeper { .. } => self.meeting.has_room_for_ours(),
            Role::Visitor(_) => !self.meeting.ours_wait(),
        };
        has_room && !self.rest.goes_on()
    }

    fn serve(&mut self) -> io::Result<()> {
        self.follow()?;
        self.let_in();
        match &self.role {
            Role::Keeper { .. } => self.keep(),
            Role::Visitor(_) => self.visit(),
        }
        self.meeting.serve();
        Ok(())
    }

    /// A keeper that has gone is followed by another, or by ourselves; before more of ours come,
    /// whom his end is nothing to.
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
        while self.lets_in() {
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
