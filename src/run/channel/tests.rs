//! Two instances without a wall: their channels, opened and served as `vmm run` does.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::run::Registry;

/// An instance, with the end of a channel.
struct Instance {
    // Dropped in this order, as an instance ends.
    channels: Channels,
    entry: Entry,
}

struct Host(tempfile::TempDir);

impl Host {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn instance(&self, name: &str) -> Instance {
        let registry = Registry::at(self.0.path().to_owned(), |_, _| Ok(())).unwrap();
        let entry = registry.create(name.parse().unwrap()).unwrap();
        let mut channels = Channels::open(&[db()], &entry).unwrap();
        channels.serve().unwrap();
        Instance { channels, entry }
    }
}

impl Instance {
    /// A connection of a command, which is not waited for without end.
    fn connect(&self) -> UnixStream {
        let door = self.channels.doors().unwrap().path().join("db");
        let connection = UnixStream::connect(door).unwrap();
        let patience = Some(Duration::from_secs(10));
        connection.set_read_timeout(patience).unwrap();
        connection
    }
}

fn db() -> ChannelName {
    "db".parse().unwrap()
}

/// Says `text` and the end of it by `from`.
fn say(mut from: &UnixStream, text: &str) {
    from.write_all(text.as_bytes()).unwrap();
    from.shutdown(Shutdown::Write).unwrap();
}

/// What comes by `at` until its end.
fn hear(mut at: &UnixStream) -> String {
    let mut text = String::new();
    at.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn connections_of_two_instances_are_joined_in_their_order() {
    let host = Host::new();
    let (a, b) = (host.instance("a"), host.instance("b"));
    let ours = [a.connect(), a.connect()];
    let theirs = [b.connect(), b.connect()];
    for (number, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        say(ours, &format!("question {number}"));
        assert_eq!(hear(theirs), format!("question {number}"));
        say(theirs, "answer");
        assert_eq!(hear(ours), "answer");
    }
}

#[test]
fn who_is_early_waits() {
    let host = Host::new();
    let a = host.instance("a");
    let early = a.connect();
    say(&early, "early");
    let b = host.instance("b");
    assert_eq!(hear(&b.connect()), "early");
}

#[test]
fn what_was_said_before_an_end_arrives_whoever_came_first() {
    for first_ends in [true, false] {
        let host = Host::new();
        let (a, b) = (host.instance("a"), host.instance("b"));
        let (ends, stays) = if first_ends { (a, b) } else { (b, a) };
        let late = stays.connect();
        let said = ends.connect();
        say(&said, "last words");
        drop(said);
        drop(ends);
        assert_eq!(hear(&late), "last words");
    }
}

#[test]
fn an_instance_that_ends_is_an_end_and_the_next_one_is_served() {
    for first_ends in [true, false] {
        let host = Host::new();
        let (a, b) = (host.instance("a"), host.instance("b"));
        let (ends, stays) = if first_ends { (a, b) } else { (b, a) };
        let waiting = stays.connect();
        let other = ends.connect();
        drop((other, ends));
        assert_eq!(hear(&waiting), "");
        let next = host.instance("c");
        let (ours, theirs) = (stays.connect(), next.connect());
        say(&ours, "to the next");
        assert_eq!(hear(&theirs), "to the next");
    }
}

#[test]
fn a_reader_that_never_comes_does_not_hold_up_an_end() {
    let host = Host::new();
    let (a, _b) = (host.instance("a"), host.instance("b"));
    let connection = a.connect();
    say(&connection, "to nobody");
    let begin = std::time::Instant::now();
    drop(a);
    assert!(begin.elapsed() < 2 * wire::LINGER);
}

#[test]
fn more_than_so_many_connections_wait_outside() {
    let host = Host::new();
    let (a, b) = (host.instance("a"), host.instance("b"));
    let crowd: Vec<_> = (0..30).map(|_| a.connect()).collect();
    let others: Vec<_> = (0..30).map(|_| b.connect()).collect();
    for (number, (ours, theirs)) in crowd.iter().zip(&others).enumerate() {
        say(ours, &number.to_string());
        assert_eq!(hear(theirs), number.to_string());
        theirs.shutdown(Shutdown::Both).unwrap();
        ours.shutdown(Shutdown::Both).unwrap();
    }
}

#[test]
fn a_crowd_that_is_never_served_is_turned_away_in_the_end() {
    let host = Host::new();
    let a = host.instance("a");
    let doors = a.channels.doors().unwrap();
    let entered: Vec<_> = std::iter::repeat_with(|| doors.enter(&db()))
        .take(1000)
        .collect();
    let turned_away = entered.iter().filter_map(|entered| entered.as_ref().err());
    let kinds: Vec<_> = turned_away.map(io::Error::kind).collect();
    assert!(kinds.len() > 500, "{}", kinds.len());
    assert!(kinds.iter().all(|kind| *kind == ErrorKind::WouldBlock));
}

#[test]
fn nothing_is_left_of_a_channel() {
    let host = Host::new();
    let Instance { channels, entry } = host.instance("a");
    drop(channels);
    let is_empty = |path: &Path| fs::read_dir(path).unwrap().next().is_none();
    assert!(is_empty(&host.0.path().join("channels")));
    assert!(!entry.directory().join("channels").exists());
}

#[test]
fn an_instance_cannot_be_both_ends_nor_have_any_number() {
    assert!(matches!(check(&[db(), db()]), Err(ChannelError::Twice(_))));
    let many: Vec<ChannelName> = (0..=MAX_CHANNELS)
        .map(|number| format!("c{number}").parse().unwrap())
        .collect();
    assert!(matches!(check(&many), Err(ChannelError::TooMany(17))));
}
