//! What is said about ports, sizes and emergencies.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{EventfdFlags, eventfd};
use rustix::termios::{Winsize, tcsetwinsize};
use virtio_bindings::virtio_mmio::VIRTIO_MMIO_CONFIG_GENERATION;
use vmm_sys_util::tempdir::TempDir;

use super::*;
use crate::driver::Buffer;
use crate::virtio::interrupt::CONFIG_CHANGE;
use control::MESSAGE_SIZE;
use endpoint::{Pty, Socket};

const AGENT_RECEIVE: usize = 4;
const AGENT_TRANSMIT: usize = 5;

/// Lets the driver say `event` of `port`.
fn tell(driver: &mut Driver, port: u32, event: u16, yes: bool) {
    let message = Message::new(port, event, yes);
    driver.ask(CONTROL_TRANSMIT, &message.to_bytes(), 0);
}

/// What the device says next, and what follows it.
fn hear(driver: &mut Driver) -> (Message, Vec<u8>) {
    let mut bytes = driver.ask(CONTROL_RECEIVE, b"", 64);
    let message = Message::parse(&bytes).unwrap();
    (message, bytes.split_off(MESSAGE_SIZE))
}

fn yes(port: u32, event: u16) -> (Message, Vec<u8>) {
    (Message::new(port, event, true), Vec::new())
}

/// A guest that has begun to talk about ports.
fn talking_guest(device: Console) -> Driver {
    let mut driver = Driver::new(device);
    driver.start(F_SIZE | F_MULTIPORT);
    tell(&mut driver, 0, event::DEVICE_READY, true);
    driver
}

/// A console, an agent's port on a socket at the path, and the folder to be kept.
fn console_and_agent() -> (Console, std::path::PathBuf, TempDir) {
    let folder = TempDir::new().unwrap();
    let path = folder.as_path().join("agent");
    let agent = Socket::bind(&path).unwrap();
    let (console, ..) = pipes();
    let ports = vec![port("", true, console), port("agent", false, agent)];
    (Console::new(ports), path, folder)
}

/// A guest that has heard of its ports, and opened the agent's.
fn guest_with_agent(device: Console) -> Driver {
    let mut guest = talking_guest(device);
    assert_eq!(hear(&mut guest), yes(0, event::PORT_ADD));
    assert_eq!(hear(&mut guest), yes(1, event::PORT_ADD));
    tell(&mut guest, 1, event::PORT_READY, true);
    let name = (Message::new(1, event::PORT_NAME, true), b"agent".to_vec());
    assert_eq!(hear(&mut guest), name);
    tell(&mut guest, 1, event::PORT_OPEN, true);
    guest
}

/// A console on a terminal whose size can be set, and what tells of it.
fn terminal_console() -> (Stdio, Pty, OwnedFd) {
    let pty = Pty::open().unwrap();
    resize(&pty, 80, 24);
    let mut options = std::fs::File::options();
    let terminal = options.read(true).write(true).open(pty.path()).unwrap();
    let resized = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
    let input = HostInput::new(terminal.try_clone().unwrap().into());
    let output = HostOutput::new(terminal.into());
    let signal = resized.try_clone().unwrap();
    (Stdio::new(input, output, Some(signal)), pty, resized)
}

fn resize(pty: &Pty, columns: u16, rows: u16) {
    let size = Winsize {
        ws_col: columns,
        ws_row: rows,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(pty, size).unwrap();
}

#[test]
fn input_waits_until_the_guest_has_opened_its_only_console() {
    let (endpoint, mut keyboard, _screen) = pipes();
    let mut guest = talking_guest(console(endpoint));
    keyboard.write_all(b"early").unwrap();
    let buffer = Buffer::writable(guest.alloc(16), 16);
    guest.ring(RECEIVE).add(&[buffer]);
    guest.kick(RECEIVE);
    guest.serve_host_files(Duration::ZERO);
    assert!(guest.ring(RECEIVE).collect().is_none());
    tell(&mut guest, 0, event::PORT_OPEN, true);
    assert_eq!(guest.ring(RECEIVE).collect().unwrap().len, 5);
}

#[test]
fn the_driver_is_told_of_a_console() {
    let (endpoint, pty, _resized) = terminal_console();
    let (agent, ..) = pipes();
    resize(&pty, 0x0201, 0x0403);
    let ports = vec![port("tty", true, endpoint), port("", false, agent)];
    let mut guest = talking_guest(Console::new(ports));
    assert_eq!(hear(&mut guest), yes(0, event::PORT_ADD));
    assert_eq!(hear(&mut guest), yes(1, event::PORT_ADD));
    tell(&mut guest, 0, event::PORT_READY, true);
    assert_eq!(hear(&mut guest), yes(0, event::CONSOLE_PORT));
    let (message, size) = hear(&mut guest);
    assert_eq!(message.event, event::RESIZE);
    assert_eq!(size, [1, 2, 3, 4]);
    let (message, name) = hear(&mut guest);
    assert_eq!(message.event, event::PORT_NAME);
    assert_eq!(name, b"tty");
    assert_eq!(hear(&mut guest), yes(0, event::PORT_OPEN));
}

#[test]
fn the_driver_is_told_of_a_client_that_comes_and_goes() {
    let (device, path, _folder) = console_and_agent();
    let mut guest = guest_with_agent(device);
    for _ in 0..2 {
        let client = UnixStream::connect(&path).unwrap();
        assert_eq!(hear(&mut guest), yes(1, event::PORT_OPEN));
        drop(client);
        let (message, _) = hear(&mut guest);
        assert_eq!(message, Message::new(1, event::PORT_OPEN, false));
    }
}

#[test]
fn a_client_that_was_there_first_is_told_of_after_its_port() {
    let (device, path, _folder) = console_and_agent();
    let mut guest = Driver::new(device);
    guest.start(F_MULTIPORT);
    let _client = UnixStream::connect(&path).unwrap();
    guest.serve_host_files(Duration::ZERO);
    tell(&mut guest, 0, event::DEVICE_READY, true);
    assert_eq!(hear(&mut guest), yes(0, event::PORT_ADD));
    assert_eq!(hear(&mut guest), yes(1, event::PORT_ADD));
    tell(&mut guest, 1, event::PORT_READY, true);
    assert_eq!(hear(&mut guest).0.event, event::PORT_NAME);
    assert_eq!(hear(&mut guest), yes(1, event::PORT_OPEN));
}

#[test]
fn what_a_client_sent_before_it_went_is_still_delivered() {
    let (device, path, _folder) = console_and_agent();
    let mut guest = guest_with_agent(device);
    let mut client = UnixStream::connect(&path).unwrap();
    assert_eq!(hear(&mut guest), yes(1, event::PORT_OPEN));
    client.write_all(b"last words").unwrap();
    drop(client);
    guest.serve_host_files(Duration::ZERO);
    assert_eq!(guest.ask(AGENT_RECEIVE, b"", 100), b"last words");
    let (message, _) = hear(&mut guest);
    assert_eq!(message, Message::new(1, event::PORT_OPEN, false));
}

#[test]
fn an_agent_and_its_client_talk() {
    let (device, path, _folder) = console_and_agent();
    let mut guest = guest_with_agent(device);
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all(b"question").unwrap();
    assert_eq!(guest.ask(AGENT_RECEIVE, b"", 100), b"question");
    guest.ask(AGENT_TRANSMIT, b"answer", 0);
    let mut answer = [0; 6];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"answer");
}

#[test]
fn input_waits_until_the_guest_opens_the_port() {
    let (device, path, _folder) = console_and_agent();
    let mut guest = guest_with_agent(device);
    tell(&mut guest, 1, event::PORT_OPEN, false);
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all(b"patience").unwrap();
    let address = guest.alloc(100);
    let buffer = Buffer::writable(address, 100);
    guest.ring(AGENT_RECEIVE).add(&[buffer]);
    guest.kick(AGENT_RECEIVE);
    guest.serve_host_files(Duration::ZERO);
    assert_eq!(guest.ring(AGENT_RECEIVE).collect(), None);
    tell(&mut guest, 1, event::PORT_OPEN, true);
    assert_eq!(guest.wait(AGENT_RECEIVE).len, 8);
    assert_eq!(guest.load(address, 8), b"patience");
}

#[test]
fn messages_wait_for_a_driver_that_is_slow_to_listen() {
    let (device, _path, _folder) = console_and_agent();
    let mut guest = talking_guest(device);
    for _ in 0..100 {
        tell(&mut guest, 0, event::DEVICE_READY, true);
    }
    assert_eq!(hear(&mut guest), yes(0, event::PORT_ADD));
    assert_eq!(hear(&mut guest), yes(1, event::PORT_ADD));
}

#[test]
fn messages_that_make_no_sense_are_ignored() {
    let (device, _path, _folder) = console_and_agent();
    let mut guest = talking_guest(device);
    for event in 0..20 {
        tell(&mut guest, u32::MAX, event, true);
    }
    guest.ask(CONTROL_TRANSMIT, b"short", 0);
    guest.ask(CONTROL_TRANSMIT, b"", 10);
    assert_eq!(hear(&mut guest).0.event, event::PORT_ADD);
}

#[test]
fn the_configuration_follows_the_size_of_the_terminal() {
    let (endpoint, pty, resized) = terminal_console();
    let guest = guest(console(endpoint));
    assert_eq!(guest.config(0), [80, 0, 24, 0]);
    let generation = guest.read(VIRTIO_MMIO_CONFIG_GENERATION);
    resize(&pty, 132, 50);
    rustix::io::write(&resized, &1u64.to_ne_bytes()).unwrap();
    guest.serve_host_files(Duration::from_secs(10));
    assert_eq!(guest.config(0), [132, 0, 50, 0]);
    assert_ne!(guest.read(VIRTIO_MMIO_CONFIG_GENERATION), generation);
    assert_eq!(guest.interrupt_status() & CONFIG_CHANGE, CONFIG_CHANGE);
}

#[test]
fn a_driver_that_talks_about_ports_gets_the_new_size_as_a_message() {
    let (endpoint, pty, resized) = terminal_console();
    let (agent, ..) = pipes();
    let ports = vec![port("", true, endpoint), port("", false, agent)];
    let mut guest = talking_guest(Console::new(ports));
    tell(&mut guest, 0, event::PORT_READY, true);
    while hear(&mut guest) != yes(0, event::PORT_OPEN) {}
    resize(&pty, 132, 50);
    rustix::io::write(&resized, &1u64.to_ne_bytes()).unwrap();
    let (message, size) = hear(&mut guest);
    assert_eq!(message.event, event::RESIZE);
    assert_eq!(size, [132, 0, 50, 0]);
}

#[test]
fn a_pipe_has_no_size() {
    let (endpoint, ..) = pipes();
    let guest = Driver::new(console(endpoint));
    assert_eq!(guest.config(0), [0, 0, 0, 0, 1, 0, 0, 0]);
}

#[test]
fn an_emergency_is_printed_before_there_is_a_driver() {
    let (endpoint, _keyboard, mut screen) = pipes();
    let guest = Driver::new(console(endpoint));
    guest.write_config(8, &[b'!', 0, 0, 0]);
    let mut read = [0];
    screen.read_exact(&mut read).unwrap();
    assert_eq!(&read, b"!");
}
