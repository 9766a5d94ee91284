//! Two streams, such as standard input and output, and perhaps a terminal behind them.

use std::os::fd::{AsFd, OwnedFd};

use super::{Endpoint, WindowSize};
use crate::host_io::{HostInput, HostOutput};
use crate::virtio::HostFd;

/// Any two files. The end of the input leaves the output open.
pub struct Stdio {
    input: HostInput,
    output: HostOutput,
    resized: Option<HostInput>,
}

impl Stdio {
    /// Joins `input` and `output`.
    ///
    /// `resized` becomes readable when the terminal behind the output has another size: a
    /// signalfd for SIGWINCH.
    pub fn new(input: HostInput, output: HostOutput, resized: Option<OwnedFd>) -> Self {
        Self {
            input,
            output,
            resized: resized.map(HostInput::new),
        }
    }
}

impl Endpoint for Stdio {
    fn host_fds(&self) -> Vec<HostFd> {
        let streams = [HostFd::input(&self.input), HostFd::output(&self.output)];
        let resized = self.resized.as_ref().map(HostFd::input);
        streams.into_iter().chain(resized).collect()
    }

    fn update(&mut self) {
        let mut signals = [0; 1024];
        if let Some(resized) = &mut self.resized {
            while resized.read(&mut signals) > 0 {}
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> usize {
        self.input.read(buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        self.output.write(bytes)
    }

    fn size(&self) -> Option<WindowSize> {
        WindowSize::of(self.output.as_fd())
    }
}
