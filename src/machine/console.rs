//! The host's end of the consoles, as the configuration wants it.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use devices::host_io::{HostInput, HostOutput};
use devices::virtio::HostFd;
use devices::virtio::console::endpoint::{
    OutputFile, Pty, Socket, SocketError, Stdio, Stream, WindowSize,
};
use devices::virtio::console::{Console, Endpoint, Port};

use super::panic_message::PanicMessage;
use super::signs::Signs;
use super::stop::Stop;
use crate::config::{ConsoleTarget, PortConfig, SerialTarget};
use crate::output::say;
use crate::signals::SignalFd;
use crate::terminal::escape;

/// Why a console has no host's end.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The file cannot be opened.
    #[error("cannot open console output {0}")]
    File(PathBuf, #[source] io::Error),
    /// The socket cannot be made.
    #[error("cannot make the console's socket")]
    Socket(#[from] SocketError),
    /// There is no pseudo-terminal.
    #[error("cannot make a pseudo-terminal for the console: is /dev/pts mounted?")]
    Pty(#[source] io::Error),
    /// A port has no host's end.
    #[error("cannot make a port")]
    Port(#[source] io::Error),
    /// A standard stream is closed.
    #[error("cannot use standard input and output: is one of them closed?")]
    Stdio(#[source] io::Error),
}

/// Makes the console device: the console of `target`, and `others` beside it.
///
/// # Errors
/// The host's end cannot be opened.
pub fn console(
    target: &ConsoleTarget,
    others: &[PortConfig],
    signs: &Signs,
) -> Result<Console, ConsoleError> {
    let endpoint = Box::new(Watched {
        endpoint: endpoint(target, signs)?,
        panic: signs.panic.clone(),
    });
    let console = Port {
        name: String::new(),
        is_console: true,
        endpoint,
    };
    let mut ports = vec![console];
    for other in others {
        ports.push(port(other).map_err(ConsoleError::Port)?);
    }
    Ok(Console::new(ports))
}

fn port(config: &PortConfig) -> io::Result<Port> {
    Ok(Port {
        name: config.name.clone(),
        is_console: false,
        endpoint: Box::new(Stream::new(config.socket.try_clone()?)?),
    })
}

fn endpoint(target: &ConsoleTarget, signs: &Signs) -> Result<Box<dyn Endpoint>, ConsoleError> {
    Ok(match target {
        ConsoleTarget::Off => Box::new(Nowhere),
        ConsoleTarget::Stdio => Box::new(stdio(signs).map_err(ConsoleError::Stdio)?),
        ConsoleTarget::Socket(path) => Box::new(Socket::bind(path)?),
        ConsoleTarget::File(path) => {
            let file = OutputFile::open(path);
            Box::new(file.map_err(|source| ConsoleError::File(path.clone(), source))?)
        }
        ConsoleTarget::Pty => {
            let pty = Pty::open().map_err(ConsoleError::Pty)?;
            say(format_args!("vmm: the console is {}", pty.path().display()));
            Box::new(pty)
        }
    })
}

fn stdio(signs: &Signs) -> io::Result<Stdio> {
    let resized = SignalFd::new(&[libc::SIGWINCH])?;
    Ok(Stdio::new(
        standard_input(signs)?,
        HostOutput::stdout()?,
        Some(resized.into()),
    ))
}

/// Where a serial port prints, if anywhere.
///
/// # Errors
/// The file cannot be opened.
pub fn serial_output(target: &SerialTarget) -> Result<Option<HostOutput>, ConsoleError> {
    Ok(match target {
        SerialTarget::Off => None,
        SerialTarget::Stdio => Some(HostOutput::stdout().map_err(ConsoleError::Stdio)?),
        SerialTarget::File(path) => {
            let file = File::options().append(true).create(true).open(path);
            let file = file.map_err(|source| ConsoleError::File(path.clone(), source))?;
            Some(HostOutput::new(file.into()))
        }
    })
}

/// Standard input, on a terminal without the keys that are ours.
///
/// # Errors
/// It is closed, or the host has no file descriptor left.
pub fn standard_input(signs: &Signs) -> io::Result<HostInput> {
    let input = HostInput::stdin()?;
    if !input.is_terminal() {
        return Ok(input);
    }
    let stop = signs.stop.clone();
    let end = Box::new(move || stop.stop(Stop::Escape));
    Ok(input.with_filter(escape::filter(end)?))
}

/// The end of a console that is switched off.
struct Nowhere;

impl Endpoint for Nowhere {
    fn host_fds(&self) -> Vec<HostFd> {
        Vec::new()
    }

    fn read(&mut self, _buffer: &mut [u8]) -> usize {
        0
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        bytes.len()
    }
}

/// An endpoint whose output is watched for a panic.
struct Watched {
    endpoint: Box<dyn Endpoint>,
    panic: PanicMessage,
}

impl Endpoint for Watched {
    fn host_fds(&self) -> Vec<HostFd> {
        self.endpoint.host_fds()
    }

    fn update(&mut self) {
        self.endpoint.update();
    }

    fn read(&mut self, buffer: &mut [u8]) -> usize {
        self.endpoint.read(buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        let count = self.endpoint.write(bytes);
        self.panic.watch(bytes.get(..count).unwrap_or(bytes));
        count
    }

    fn is_connected(&self) -> bool {
        self.endpoint.is_connected()
    }

    fn size(&self) -> Option<WindowSize> {
        self.endpoint.size()
    }
}
