//! Bytes in both directions: all of them, in order, whoever is slow.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use event_manager::{EventManager, SubscriberOps};
use rustix::fs::{Mode, OFlags};
use vmm_sys_util::tempdir::TempDir;

use super::*;
use crate::driver::Buffer;
use crate::virtio::VirtioEventSource;
use endpoint::{Pty, Socket};

const MEGABYTE: usize = 1 << 20;
/// So many chains of it fill the transmit queue with a megabyte.
const CHAIN: usize = MEGABYTE / QUEUE_SIZE as usize;

/// A megabyte in which no two pages are the same.
fn megabyte() -> Vec<u8> {
    let words = (0..).take(MEGABYTE / 4);
    words.flat_map(u32::to_le_bytes).collect()
}

/// Makes `bytes` available on the transmit queue, all at once.
fn queue_up(driver: &mut Driver, bytes: &[u8]) {
    for chunk in bytes.chunks(CHAIN) {
        let address = driver.store(chunk);
        let buffer = Buffer::readable(address, chunk.len());
        driver.ring(TRANSMIT).add(&[buffer]);
    }
    driver.kick(TRANSMIT);
}

fn receive_all(driver: &mut Driver, count: usize) -> Vec<u8> {
    let mut received = Vec::new();
    while received.len() < count {
        received.extend(receive(driver, 5000));
    }
    received
}

/// Prints a megabyte while nobody reads, then lets `screen` read it all.
fn print_to_a_slow(driver: &mut Driver, mut screen: impl Read + Send + 'static) {
    let bytes = megabyte();
    queue_up(driver, &bytes);
    assert!(driver.ring(TRANSMIT).used_index() < QUEUE_SIZE, "it fits");
    let reader = thread::spawn(move || {
        let mut read = vec![0; MEGABYTE];
        screen.read_exact(&mut read).map(|()| read)
    });
    for _ in 0..QUEUE_SIZE {
        driver.wait(TRANSMIT);
    }
    assert!(reader.join().unwrap().unwrap() == bytes);
}

/// Types a megabyte, of which the guest takes a few thousand bytes at a time.
fn type_to_a_slow_guest(driver: &mut Driver, mut keyboard: impl Write + Send + 'static) {
    let bytes = megabyte();
    let typed = bytes.clone();
    let writer = thread::spawn(move || keyboard.write_all(&typed).map(|()| keyboard));
    assert!(receive_all(driver, MEGABYTE) == bytes);
    writer.join().unwrap().unwrap();
}

fn open_terminal(path: &std::path::Path) -> std::fs::File {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).unwrap().into()
}

fn socket() -> (Socket, PathBuf, TempDir) {
    let folder = TempDir::new().unwrap();
    let path = folder.as_path().join("console");
    (Socket::bind(&path).unwrap(), path, folder)
}

#[test]
fn a_pipe_that_is_read_late_gets_all_output() {
    let (endpoint, _keyboard, screen) = pipes();
    print_to_a_slow(&mut guest(console(endpoint)), screen);
}

#[test]
fn a_pipe_gives_all_its_input_to_a_slow_guest() {
    let (endpoint, keyboard, _screen) = pipes();
    type_to_a_slow_guest(&mut guest(console(endpoint)), keyboard);
}

#[test]
fn a_pseudo_terminal_carries_everything_both_ways() {
    let pty = Pty::open().unwrap();
    let terminal = open_terminal(pty.path());
    let mut guest = guest(console(pty));
    print_to_a_slow(&mut guest, terminal.try_clone().unwrap());
    type_to_a_slow_guest(&mut guest, terminal);
}

#[test]
fn a_terminal_as_standard_output_carries_everything() {
    let pty = Pty::open().unwrap();
    let terminal = open_terminal(pty.path());
    let input = HostInput::new(terminal.try_clone().unwrap().into());
    let endpoint = Stdio::new(input, HostOutput::new(terminal.into()), None);
    let mut guest = guest(console(endpoint));
    print_to_a_slow(&mut guest, Master(pty));
}

/// Reads a pseudo-terminal's other end, waiting for it.
struct Master(Pty);

impl Read for Master {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use rustix::event::{PollFd, PollFlags, poll};
        loop {
            match Endpoint::read(&mut self.0, buffer) {
                0 => poll(&mut [PollFd::new(&self.0, PollFlags::IN)], None)?,
                count => return Ok(count),
            };
        }
    }
}

#[test]
fn a_pseudo_terminal_survives_that_it_is_closed_and_opened_again() {
    let pty = Pty::open().unwrap();
    let path = pty.path().to_owned();
    let mut guest = guest(console(pty));
    for text in [b"first", b"later"] {
        let mut terminal = open_terminal(&path);
        print(&mut guest, text);
        let mut read = [0; 5];
        terminal.read_exact(&mut read).unwrap();
        assert_eq!(&read, text);
        terminal.write_all(text).unwrap();
        assert_eq!(receive(&mut guest, 100), text);
        drop(terminal);
        print(&mut guest, b"nobody sees this");
    }
}

#[test]
fn output_is_not_echoed_as_input() {
    let pty = Pty::open().unwrap();
    let _terminal = open_terminal(pty.path());
    let mut guest = guest(console(pty));
    print(&mut guest, b"login: ");
    let address = guest.alloc(100);
    guest.ring(RECEIVE).add(&[Buffer::writable(address, 100)]);
    guest.kick(RECEIVE);
    assert_eq!(guest.ring(RECEIVE).collect(), None);
}

#[test]
fn a_socket_carries_everything_both_ways() {
    let (endpoint, path, _folder) = socket();
    let mut guest = guest(console(endpoint));
    let client = UnixStream::connect(path).unwrap();
    guest.serve_host_files(Duration::ZERO);
    print_to_a_slow(&mut guest, client.try_clone().unwrap());
    type_to_a_slow_guest(&mut guest, client);
}

#[test]
fn a_client_that_comes_again_is_served_again() {
    let (endpoint, path, _folder) = socket();
    let mut guest = guest(console(endpoint));
    for text in [b"first", b"later"] {
        let mut client = UnixStream::connect(&path).unwrap();
        guest.serve_host_files(Duration::ZERO);
        client.write_all(text).unwrap();
        assert_eq!(receive(&mut guest, 100), text);
        print(&mut guest, text);
        let mut read = [0; 5];
        client.read_exact(&mut read).unwrap();
        assert_eq!(&read, text);
        drop(client);
        guest.serve_host_files(Duration::ZERO);
    }
}

#[test]
fn a_second_client_waits_for_the_first_to_go() {
    let (endpoint, path, _folder) = socket();
    let mut guest = guest(console(endpoint));
    let first = UnixStream::connect(&path).unwrap();
    guest.serve_host_files(Duration::ZERO);
    let mut second = UnixStream::connect(&path).unwrap();
    second.write_all(b"second").unwrap();
    (&first).write_all(b"first").unwrap();
    drop(first);
    assert_eq!(receive(&mut guest, 100), b"first");
    assert_eq!(receive(&mut guest, 100), b"second");
}

#[test]
fn a_client_that_has_sent_all_still_gets_output() {
    let (endpoint, path, _folder) = socket();
    let mut guest = guest(console(endpoint));
    let mut client = UnixStream::connect(path).unwrap();
    guest.serve_host_files(Duration::ZERO);
    client.write_all(b"question").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(receive(&mut guest, 100), b"question");
    print(&mut guest, b"answer");
    let mut answer = [0; 6];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"answer");
}

#[test]
fn after_a_reset_nothing_is_left_of_a_chain_that_was_begun() {
    let (endpoint, _keyboard, mut screen) = pipes();
    let mut guest = guest(console(endpoint));
    // One byte, so that the pipe is full in the middle of a chain.
    print(&mut guest, b"x");
    queue_up(&mut guest, &megabyte());
    guest.start(F_SIZE);
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        screen.read_to_end(&mut all).map(|_| all)
    });
    print(&mut guest, b"after the reset");
    drop(guest);
    assert!(
        reader
            .join()
            .unwrap()
            .unwrap()
            .ends_with(b"after the reset")
    );
}

#[test]
fn the_end_of_the_input_keeps_the_output_open_and_nothing_spins() {
    let (endpoint, mut keyboard, mut screen) = pipes();
    let mut guest = guest(console(endpoint));
    let source = VirtioEventSource::new(guest.share_transport()).unwrap();
    let mut events = EventManager::new().unwrap();
    events.add_subscriber(source);
    keyboard.write_all(b"poweroff\n").unwrap();
    drop(keyboard);
    assert_eq!(receive(&mut guest, 100), b"poweroff\n");
    while events.run_with_timeout(0).unwrap() > 0 {}
    print(&mut guest, b"bye");
    let mut read = [0; 3];
    screen.read_exact(&mut read).unwrap();
    assert_eq!(&read, b"bye");
    while events.run_with_timeout(0).unwrap() > 0 {}
    assert_eq!(events.run_with_timeout(50).unwrap(), 0);
}

#[test]
fn a_blocked_output_goes_on_by_the_event_loop_alone() {
    let (endpoint, _keyboard, mut screen) = pipes();
    let mut guest = guest(console(endpoint));
    let source = VirtioEventSource::new(guest.share_transport()).unwrap();
    let mut events = EventManager::new().unwrap();
    events.add_subscriber(source);
    while events.run_with_timeout(0).unwrap() > 0 {}
    let bytes = megabyte();
    queue_up(&mut guest, &bytes);
    // While it is blocked, nothing is to be done.
    while events.run_with_timeout(0).unwrap() > 0 {}
    let mut read = vec![0; MEGABYTE];
    for page in read.chunks_mut(4096) {
        screen.read_exact(page).unwrap();
        while events.run_with_timeout(0).unwrap() > 0 {}
    }
    assert!(read == bytes);
    assert_eq!(guest.ring(TRANSMIT).used_index(), QUEUE_SIZE);
}

#[test]
fn chains_outside_of_memory_or_of_the_wrong_kind_are_returned_empty() {
    let (endpoint, mut keyboard, mut screen) = pipes();
    let mut guest = guest(console(endpoint));
    keyboard.write_all(b"kept").unwrap();
    for buffer in [Buffer::writable(1 << 40, 10), Buffer::readable(0x1000, 10)] {
        guest.ring(RECEIVE).add(&[buffer]);
        guest.kick(RECEIVE);
        assert_eq!(guest.wait(RECEIVE).len, 0);
    }
    for buffer in [Buffer::readable(1 << 40, 10), Buffer::writable(0x1000, 10)] {
        guest.ring(TRANSMIT).add(&[buffer]);
        guest.kick(TRANSMIT);
        assert_eq!(guest.wait(TRANSMIT).len, 0);
    }
    assert_eq!(receive(&mut guest, 100), b"kept");
    print(&mut guest, b"seen");
    let mut read = [0; 4];
    screen.read_exact(&mut read).unwrap();
    assert_eq!(&read, b"seen");
}

#[test]
fn a_regular_file_is_read_though_nothing_watches_it() {
    let folder = TempDir::new().unwrap();
    let path = folder.as_path().join("script");
    std::fs::write(&path, megabyte()).unwrap();
    let input = HostInput::new(std::fs::File::open(path).unwrap().into());
    let output = HostOutput::new(io::pipe().unwrap().1.into());
    let mut guest = guest(console(Stdio::new(input, output, None)));
    let buffer = Buffer::writable(guest.alloc(8192), 8192);
    let mut count = 0;
    while count < MEGABYTE {
        guest.ring(RECEIVE).add(&[buffer]);
        guest.kick(RECEIVE);
        count += guest.ring(RECEIVE).collect().unwrap().len as usize;
    }
    assert_eq!(count, MEGABYTE);
}

#[test]
fn a_chain_of_many_buffers_is_one_text() {
    let (endpoint, _keyboard, mut screen) = pipes();
    let mut guest = guest(console(endpoint));
    let text = guest.store(b"hello world");
    let parts = [(0, 3), (3, 5), (8, 3)].map(|(at, len)| Buffer::readable(text + at, len));
    guest.ring(TRANSMIT).add(&parts);
    guest.kick(TRANSMIT);
    guest.wait(TRANSMIT);
    let mut read = [0; 11];
    screen.read_exact(&mut read).unwrap();
    assert_eq!(&read, b"hello world");
}

#[test]
fn a_looped_console_gives_back_what_it_takes() {
    let mut guest = guest(Loopback::console());
    print(&mut guest, b"echo");
    assert_eq!(receive(&mut guest, 100), b"echo");
}
