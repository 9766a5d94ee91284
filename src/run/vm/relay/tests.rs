//! The relay with a guest that is played by the test.

use std::fs::File;
use std::io::{PipeReader, Read, Write, pipe};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wire::{Decoder, Exited, Frame, Kind, MAX_DATA, Part, Ready, Stream, WINDOW};

use super::*;

mod channels;

/// The guest's end of a port.
struct Guest {
    port: UnixStream,
    decoder: Decoder,
}

type Heard = (Stream, Kind, Vec<u8>);

impl Guest {
    fn say(&mut self, session: u32, part: Part, kind: Kind, payload: &[u8]) {
        let mut bytes = Vec::new();
        let frame = Frame::new(Stream::new(session, part), kind, payload);
        frame.encode(&mut bytes).unwrap();
        self.port.write_all(&bytes).unwrap();
    }

    fn hear(&mut self) -> Heard {
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return (frame.stream, frame.kind, frame.payload.to_vec());
            }
            let mut piece = [0; 4096];
            let count = self.port.read(&mut piece).unwrap();
            assert_ne!(count, 0, "the host is gone");
            self.decoder.push(&piece[..count]);
        }
    }

    fn hear_kind(&mut self, kind: Kind) -> Heard {
        std::iter::repeat_with(|| self.hear())
            .find(|heard| heard.1 == kind)
            .unwrap()
    }

    fn exit(&mut self, session: u32, status: u8) {
        let exited = Exited { status, oom: false };
        let exited = serde_json::to_vec(&exited).unwrap();
        self.say(session, Part::Whole, Kind::Exited, &exited);
    }
}

fn relay() -> (Orders, Guest) {
    relay_with(Connections::default())
}

fn relay_with(connections: Connections) -> (Orders, Guest) {
    let (ours, port) = UnixStream::pair().unwrap();
    port.set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let orders = start(ours, Box::new(|_| {}), connections).unwrap();
    let decoder = Decoder::default();
    (orders, Guest { port, decoder })
}

/// Streams without input, and where their output arrives.
fn streams() -> (Streams, PipeReader) {
    let (reader, writer) = pipe().unwrap();
    let streams = Streams {
        input: File::open("/dev/null").unwrap().into(),
        output: writer.into(),
        errors: File::create("/dev/null").unwrap().into(),
    };
    (streams, reader)
}

fn launch() -> Launch {
    Launch {
        argv: vec!["true".into()],
        ..Default::default()
    }
}

#[test]
fn a_command_is_opened_and_its_status_returns() {
    let (orders, mut guest) = relay();
    let remote = orders.open(&launch(), streams().0).unwrap();
    let (stream, _, json) = guest.hear_kind(Kind::Open);
    assert_eq!(stream, Stream::new(0, Part::Whole));
    assert_eq!(serde_json::from_slice::<Launch>(&json).unwrap(), launch());
    guest.exit(0, 7);
    assert_eq!(remote.line.wait().unwrap().status, 7);
    guest.hear_kind(Kind::PowerOff);
}

#[test]
fn all_output_is_passed_on_before_the_end_is_told() {
    let (orders, mut guest) = relay();
    let (streams, mut output) = streams();
    let remote = orders.open(&launch(), streams).unwrap();
    let bytes = vec![7; WINDOW];
    for piece in bytes.chunks(MAX_DATA) {
        guest.say(0, Part::Output, Kind::Data, piece);
    }
    guest.exit(0, 0);
    let mut read = vec![0; WINDOW];
    output.read_exact(&mut read).unwrap();
    assert_eq!(read, bytes);
    assert!(remote.line.wait().is_ok());
}

#[test]
fn a_guest_gets_credit_for_what_was_read_and_not_for_more() {
    let (orders, mut guest) = relay();
    let (streams, mut output) = streams();
    let _remote = orders.open(&launch(), streams).unwrap();
    guest.hear_kind(Kind::Open);
    for piece in vec![7; WINDOW].chunks(MAX_DATA) {
        guest.say(0, Part::Output, Kind::Data, piece);
    }
    output.read_exact(&mut vec![0; WINDOW]).unwrap();
    let mut given = 0;
    while given < WINDOW {
        let (_, _, number) = guest.hear_kind(Kind::Credit);
        given += u32::from_le_bytes(number.try_into().unwrap()) as usize;
    }
    assert_eq!(given, WINDOW);
}

#[test]
fn a_guest_that_sends_more_than_agreed_is_given_up() {
    let (orders, mut guest) = relay();
    let (streams, output) = streams();
    let remote = orders.open(&launch(), streams).unwrap();
    guest.hear_kind(Kind::Open);
    // A pipe takes a quarter of a window; nobody reads it.
    let data = Frame::new(Stream::new(0, Part::Output), Kind::Data, &[7; MAX_DATA]);
    let mut bytes = Vec::new();
    data.encode(&mut bytes).unwrap();
    while guest.port.write_all(&bytes).is_ok() {}
    drop(output);
    assert!(
        remote
            .line
            .wait()
            .unwrap_err()
            .contains("more than the window")
    );
}

#[test]
fn garbage_from_a_guest_is_its_end_and_not_ours() {
    let (orders, mut guest) = relay();
    let remote = orders.open(&launch(), streams().0).unwrap();
    guest.port.write_all(&[0xff; 64]).unwrap();
    assert!(remote.line.wait().is_err());
    let later = orders.open(&launch(), streams().0).unwrap();
    assert_eq!(later.line.wait().unwrap_err(), "the guest is gone");
}

#[test]
fn input_is_sent_as_far_as_there_is_credit() {
    let (orders, mut guest) = relay();
    let (reader, mut writer) = pipe().unwrap();
    let streams = Streams {
        input: reader.into(),
        ..streams().0
    };
    let _remote = orders.open(&launch(), streams).unwrap();
    let sender = thread::spawn(move || writer.write_all(&vec![7; WINDOW + 3]));
    let mut received = 0;
    while received < WINDOW {
        received += guest.hear_kind(Kind::Data).2.len();
    }
    assert_eq!(
        received, WINDOW,
        "no more than one window before any credit"
    );
    guest.say(0, Part::Input, Kind::Credit, &10_u32.to_le_bytes());
    assert_eq!(guest.hear_kind(Kind::Data).2.len(), 3);
    assert_eq!(guest.hear().1, Kind::End);
    sender.join().unwrap().unwrap();
}

#[test]
fn a_reader_that_has_gone_is_told_to_the_guest() {
    let (orders, mut guest) = relay();
    let (streams, output) = streams();
    let _remote = orders.open(&launch(), streams).unwrap();
    drop(output);
    guest.say(0, Part::Output, Kind::Data, b"lost");
    let (stream, _, _) = std::iter::repeat_with(|| guest.hear())
        .find(|(stream, kind, _)| *kind == Kind::End && stream.part() == Part::Output)
        .unwrap();
    assert_eq!(stream, Stream::new(0, Part::Output));
}

#[test]
fn what_a_guest_cannot_do_is_told_in_printable_words() {
    let (orders, mut guest) = relay();
    let remote = orders.open(&launch(), streams().0).unwrap();
    guest.hear_kind(Kind::Open);
    guest.say(0, Part::Whole, Kind::Failed, b"no overlay\x1b[2J");
    assert_eq!(remote.line.wait().unwrap_err(), "no overlay[2J");
}

#[test]
fn a_guest_that_is_up_says_its_kernel() {
    let (ours, port) = UnixStream::pair().unwrap();
    let (sender, receiver) = channel();
    let on_ready = Box::new(move |ready| sender.send(ready).unwrap());
    let _orders = start(ours, on_ready, Connections::default()).unwrap();
    let ready = Ready {
        kernel: "6.12".into(),
    };
    let mut guest = Guest {
        port,
        decoder: Decoder::default(),
    };
    guest.say(
        0,
        Part::Whole,
        Kind::Ready,
        &serde_json::to_vec(&ready).unwrap(),
    );
    assert_eq!(
        receiver.recv_timeout(Duration::from_secs(10)).unwrap(),
        ready
    );
}

#[test]
fn signals_and_sizes_reach_the_session_that_they_are_for() {
    let (orders, mut guest) = relay();
    let _main = orders.open(&launch(), streams().0).unwrap();
    let second = orders.open(&launch(), streams().0).unwrap();
    second.tell(libc::SIGTERM);
    second.resize(WindowSize {
        rows: 1,
        columns: 2,
    });
    let (stream, _, signal) = guest.hear_kind(Kind::Signal);
    assert_eq!((stream.session(), signal), (1, vec![15, 0, 0, 0]));
    let (stream, _, size) = guest.hear_kind(Kind::Resize);
    assert_eq!((stream.session(), size), (1, vec![1, 0, 2, 0]));
}

#[test]
fn a_guest_that_does_not_hear_the_answers_is_not_heard_until_it_does() {
    const MOST: usize = 64 << 20;
    let (orders, mut guest) = relay();
    let stranger = Stream::new(Stream::GUEST_SESSIONS, Part::Whole);
    let mut questions = Vec::new();
    for _ in 0..1000 {
        // Each is answered twice: it has ended, in both directions.
        let question = Frame::new(stranger, Kind::Connect, b"nobody");
        question.encode(&mut questions).unwrap();
    }
    guest.port.set_nonblocking(true).unwrap();
    let mut said = 0;
    while can_be_written(&guest.port) {
        let rest = &questions[said % questions.len()..];
        said += guest.port.write(rest).unwrap();
        assert!(said < MOST, "all of it is answered, in memory of the host");
    }
    guest.port.set_nonblocking(false).unwrap();
    for _ in 0..60_000 {
        assert_eq!(guest.hear().1, Kind::End);
    }
    let rest = &questions[said % questions.len()..];
    guest.port.write_all(rest).unwrap();
    let _remote = orders.open(&launch(), streams().0).unwrap();
    guest.hear_kind(Kind::Open);
}

/// Whether it can before long.
fn can_be_written(port: &UnixStream) -> bool {
    let moment = Timespec {
        tv_sec: 0,
        tv_nsec: 300_000_000,
    };
    let mut polled = [PollFd::new(port, PollFlags::OUT)];
    poll(&mut polled, Some(&moment)).unwrap() > 0
}
