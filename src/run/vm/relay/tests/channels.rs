//! A guest whose programs connect to channels, played by the test.

use std::io::ErrorKind;
use std::os::unix::net::UnixListener;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wire::MAX_CONNECTIONS;

use super::*;
use crate::run::channel::{ChannelName, Doors};

const FIRST: u32 = Stream::GUEST_SESSIONS;

/// A guest at work that was given the channel `db`, and where its connections come in.
fn relay_with_channel() -> (Remote, Guest, UnixListener, tempfile::TempDir) {
    let instance = tempfile::tempdir().unwrap();
    let doors = Doors::make(instance.path()).unwrap();
    let db: ChannelName = "db".parse().unwrap();
    let listener = doors.open(&db).unwrap();
    let (orders, mut guest) = relay_with(Connections::new(doors, vec![db]));
    let remote = orders.open(&launch(), streams().0).unwrap();
    guest.hear_kind(Kind::Open);
    // Of the command's input.
    guest.hear_kind(Kind::End);
    (remote, guest, listener, instance)
}

fn accept(listener: &UnixListener) -> UnixStream {
    let patience = Timespec {
        tv_sec: 10,
        tv_nsec: 0,
    };
    let mut events = [PollFd::new(listener, PollFlags::IN)];
    assert_eq!(poll(&mut events, Some(&patience)), Ok(1), "nobody comes");
    let (connection, _) = listener.accept().unwrap();
    connection.set_nonblocking(false).unwrap();
    let patience = Some(Duration::from_secs(10));
    connection.set_read_timeout(patience).unwrap();
    connection
}

#[test]
fn who_connects_in_a_guest_comes_in_by_the_door() {
    let (_remote, mut guest, listener, _instance) = relay_with_channel();
    guest.say(FIRST, Part::Whole, Kind::Connect, b"db");
    guest.say(FIRST, Part::Output, Kind::Data, b"question");
    guest.say(FIRST, Part::Output, Kind::End, b"");
    let mut connection = accept(&listener);
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    assert_eq!(text, "question");
    connection.write_all(b"answer").unwrap();
    drop(connection);
    let (stream, _, answer) = guest.hear_kind(Kind::Data);
    assert_eq!(
        (stream, answer),
        (Stream::new(FIRST, Part::Input), b"answer".to_vec())
    );
    assert_eq!(guest.hear_kind(Kind::End).0, stream);
}

#[test]
fn a_channel_that_was_not_given_is_at_its_end_at_once() {
    let (_remote, mut guest, _listener, _instance) = relay_with_channel();
    for name in ["other", "../channels/db", ""] {
        guest.say(FIRST, Part::Whole, Kind::Connect, name.as_bytes());
        let ends = [guest.hear_kind(Kind::End).0, guest.hear_kind(Kind::End).0];
        assert_eq!(
            ends,
            [Part::Input, Part::Output].map(|part| Stream::new(FIRST, part))
        );
    }
}

#[test]
fn a_guest_that_connects_a_thousand_times_has_so_many() {
    let (_remote, mut guest, listener, _instance) = relay_with_channel();
    for number in 0..1000 {
        guest.say(FIRST + number, Part::Whole, Kind::Connect, b"db");
    }
    let turned_away = 1000 - MAX_CONNECTIONS;
    for _ in 0..2 * turned_away {
        guest.hear_kind(Kind::End);
    }
    let connections: Vec<_> = (0..MAX_CONNECTIONS).map(|_| accept(&listener)).collect();
    assert!(listener.accept().is_err());
    // One that ends makes room for another.
    guest.say(FIRST, Part::Input, Kind::End, b"");
    guest.say(FIRST, Part::Output, Kind::End, b"");
    guest.say(FIRST + 1000, Part::Whole, Kind::Connect, b"db");
    accept(&listener);
    drop(connections);
}

#[test]
fn a_number_that_is_not_the_guest_s_is_its_end() {
    let (remote, mut guest, _listener, _instance) = relay_with_channel();
    guest.say(7, Part::Whole, Kind::Connect, b"db");
    let reason = remote.line.wait().unwrap_err();
    assert!(reason.contains("session 7"), "{reason}");
}

#[test]
fn a_reader_that_has_gone_in_the_guest_is_told_to_whoever_writes() {
    let (_remote, mut guest, listener, _instance) = relay_with_channel();
    guest.say(FIRST, Part::Whole, Kind::Connect, b"db");
    guest.say(FIRST, Part::Input, Kind::End, b"");
    let mut connection = accept(&listener);
    let written = std::iter::repeat_with(|| connection.write_all(&[0; 4096]));
    let error = written.map(Result::err).find_map(|error| error).unwrap();
    let learnt = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
    assert!(learnt.contains(&error.kind()), "{error}");
}

#[test]
fn more_than_agreed_by_a_connection_is_found_out() {
    let (remote, mut guest, listener, _instance) = relay_with_channel();
    guest.say(FIRST, Part::Whole, Kind::Connect, b"db");
    let _connection = accept(&listener);
    let data = Frame::new(Stream::new(FIRST, Part::Output), Kind::Data, &[7; MAX_DATA]);
    let mut bytes = Vec::new();
    data.encode(&mut bytes).unwrap();
    while guest.port.write_all(&bytes).is_ok() {}
    assert!(
        remote
            .line
            .wait()
            .unwrap_err()
            .contains("more than the window")
    );
}
