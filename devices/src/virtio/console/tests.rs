//! Promises of the console, kept to a mock driver and real files of the host.

mod flow;
mod messages;

use std::io::{self, PipeReader, PipeWriter};

use super::*;
use crate::driver::Driver;
use crate::host_io::{HostInput, HostOutput};
use endpoint::Stdio;

const RECEIVE: usize = 0;
const TRANSMIT: usize = 1;

/// A device with a single console.
fn console(endpoint: impl Endpoint + 'static) -> Console {
    Console::new(vec![port("", true, endpoint)])
}

fn port(name: &str, is_console: bool, endpoint: impl Endpoint + 'static) -> Port {
    Port {
        name: name.to_owned(),
        is_console,
        endpoint: Box::new(endpoint),
    }
}

/// An endpoint on two pipes, what types into it, and what shows its output.
fn pipes() -> (Stdio, PipeWriter, PipeReader) {
    let (input, keyboard) = io::pipe().unwrap();
    let (screen, output) = io::pipe().unwrap();
    let input = HostInput::new(input.into());
    let output = HostOutput::new(output.into());
    (Stdio::new(input, output, None), keyboard, screen)
}

/// A guest that has started the device without messages about ports.
fn guest(device: Console) -> Driver {
    let mut driver = Driver::new(device);
    driver.start(F_SIZE);
    driver
}

/// What the guest receives next, at most `size` bytes.
fn receive(driver: &mut Driver, size: usize) -> Vec<u8> {
    driver.ask(RECEIVE, b"", size)
}

/// Lets the guest print `bytes`, and waits until they are taken.
fn print(driver: &mut Driver, bytes: &[u8]) {
    driver.ask(TRANSMIT, bytes, 0);
}
