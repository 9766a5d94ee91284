//! Promises about real pipes and pseudo-terminals.

use super::*;
use crate::virtio::console::endpoint::{Endpoint, Pty};
use std::io::{PipeReader, Read, Write};

fn read_all(input: &mut HostInput) -> Vec<u8> {
    let mut buffer = [0; 100];
    let count = input.read(&mut buffer);
    buffer[..count].to_vec()
}

/// An output, and what reads it.
fn pipe_output() -> (HostOutput, PipeReader) {
    let (reader, writer) = io::pipe().unwrap();
    (HostOutput::new(writer.into()), reader)
}

#[test]
fn nothing_is_waited_for_where_nothing_is() {
    let (reader, mut writer) = io::pipe().unwrap();
    let mut input = HostInput::new(reader.into());
    assert_eq!(read_all(&mut input), b"");
    writer.write_all(b"now").unwrap();
    assert_eq!(read_all(&mut input), b"now");
}

#[test]
fn the_end_of_the_input_is_no_input() {
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(b"last").unwrap();
    drop(writer);
    let mut input = HostInput::new(reader.into());
    assert_eq!(read_all(&mut input), b"last");
    assert_eq!(read_all(&mut input), b"");
}

#[test]
fn input_that_the_filter_takes_is_not_mistaken_for_none() {
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(b"xxab").unwrap();
    let mut input = HostInput::new(reader.into()).with_filter(Box::new(|bytes| {
        let taken = usize::from(bytes[0] != b'x');
        taken * bytes.len()
    }));
    let mut pair = [0; 2];
    assert_eq!((input.read(&mut pair), &pair), (2, b"ab"));
}

#[test]
fn a_full_pipe_takes_a_part_and_does_not_block() {
    let (mut output, mut reader) = pipe_output();
    let bytes = vec![7; 1 << 20];
    let taken = output.write(&bytes);
    assert!(taken > 0 && taken < bytes.len());
    assert_eq!(output.write(&bytes), 0);
    let mut read = vec![0; taken];
    reader.read_exact(&mut read).unwrap();
    assert!(output.write(&bytes) > 0);
}

#[test]
fn a_pipe_that_nobody_reads_takes_everything_and_holds_nothing_up() {
    let (mut output, reader) = pipe_output();
    drop(reader);
    let bytes = vec![7; 1 << 20];
    assert_eq!(output.write(&bytes), bytes.len());
}

#[test]
fn a_terminal_that_nobody_reads_does_not_block() {
    let pty = Pty::open().unwrap();
    let terminal = std::fs::OpenOptions::new()
        .write(true)
        .open(pty.path())
        .unwrap();
    let mut output = HostOutput::new(terminal.into());
    let bytes = vec![b'x'; 1 << 20];
    let mut taken = 0;
    while let count @ 1.. = output.write(&bytes[taken..]) {
        taken += count;
    }
    assert!(taken < bytes.len());
    assert!(pty.is_connected());
}

#[test]
fn the_shared_terminal_is_not_made_nonblocking() {
    let pty = Pty::open().unwrap();
    let terminal = std::fs::File::open(pty.path()).unwrap();
    let shared = terminal.try_clone().unwrap();
    let _output = HostOutput::new(terminal.into());
    let flags = rustix::fs::fcntl_getfl(&shared).unwrap();
    assert!(!flags.contains(OFlags::NONBLOCK));
}
