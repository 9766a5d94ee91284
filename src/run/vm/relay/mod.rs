//! The host's half of the protocol: a thread that talks to one guest over its port.
//!
//! - [`exchange`]: the thread
//! - [`session`]: one command and its streams
//! - [`connection`]: who has connected in the guest to another instance
//! - [`stream`]: bytes one way, and their credit
//! - [`line`]: where the end of a command is told
//!
//! It knows no machine: the port is a socket, whoever is at its other end.

mod connection;
mod exchange;
mod line;
mod session;
mod stream;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use rustix::event::{EventfdFlags, eventfd};
use wire::{Launch, WindowSize};

use super::super::running::Streams;
use exchange::{Exchange, MAIN, Order, PIECE};

pub use connection::Connections;
pub use exchange::OnReady;
pub use line::{End, Line};

/// What any thread can ask of the guest. One that is gone hears nothing.
#[derive(Clone)]
pub struct Orders {
    sender: Sender<Order>,
    wake: Arc<OwnedFd>,
    next: Arc<AtomicU32>,
}

/// A command in a guest.
pub struct Remote {
    number: u32,
    orders: Orders,
    /// Where its end is told.
    pub line: Arc<Line>,
}

/// Starts a thread that talks to the guest at the other end of `port` until it is gone;
/// `on_ready` is called when it is up. Who connects in it is served by `connections`.
///
/// # Errors
/// The host has no file descriptor or no thread left.
pub fn start(port: UnixStream, on_ready: OnReady, connections: Connections) -> io::Result<Orders> {
    let (sender, orders) = channel();
    let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let exchange = Exchange {
        port,
        orders,
        wake: wake.try_clone()?,
        on_ready: Some(on_ready),
        piece: vec![0; PIECE].into(),
        decoder: Default::default(),
        outbox: Default::default(),
        sessions: Default::default(),
        connections,
    };
    let thread = thread::Builder::new().name("relay".to_owned());
    thread.spawn(move || exchange.run())?;
    Ok(Orders {
        sender,
        wake: Arc::new(wake),
        next: Arc::new(AtomicU32::new(MAIN)),
    })
}

impl Orders {
    /// Starts a command. The first one is what the guest is there for: it ends with it.
    ///
    /// # Errors
    /// The host has no file descriptor left.
    pub fn open(&self, launch: &Launch, streams: Streams) -> io::Result<Remote> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let line = Arc::new(Line::new()?);
        let launch = Box::new(launch.clone());
        self.give(Order::Open(number, launch, streams, line.teller()));
        Ok(Remote {
            number,
            orders: self.clone(),
            line,
        })
    }

    fn give(&self, order: Order) {
        // If nobody is there to take it, dropping it tells whoever waits.
        let _ = self.sender.send(order);
        let _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
    }
}

impl Remote {
    /// Sends it a signal.
    pub fn tell(&self, signal: i32) {
        self.orders.give(Order::Signal(self.number, signal));
    }

    /// Tells it of another size of its terminal.
    pub fn resize(&self, size: WindowSize) {
        self.orders.give(Order::Resize(self.number, size));
    }
}

#[cfg(test)]
mod tests;
