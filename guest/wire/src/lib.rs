//! What host and guest say to each other. It has no file and no port: bytes in, bytes out.
//!
//! - [`Launch`]: a command, the same behind every wall
//! - [`Setup`]: what a guest makes of itself before its first command
//! - [`Frame`], [`Decoder`]: all that goes over the one port between a guest and its host
//! - [`Credit`], [`Intake`]: how much of a stream may be under way, and what of it has come
//! - [`Outbox`]: what waits to be said
//! - [`Fact`]: what a probe has found out about the place where it stands
//! - [`Order`], [`Answer`]: a measurement that a probe is asked for, and what it measured
//!
//! Each side takes the other for hostile: what a peer says about a length allocates nothing.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]
#![cfg_attr(test, allow(clippy::cast_possible_truncation))]

mod credit;
mod decoder;
mod fact;
mod frame;
mod intake;
mod launch;
mod outbox;
mod setup;
mod stream;
mod trial;

pub use credit::{Credit, WINDOW};
pub use decoder::Decoder;
pub use fact::{Canaries, Fact, HostFile, HostProcess, Value};
pub use frame::{Exited, Frame, FrameError, HEADER_SIZE, Kind, MAX_DATA, MAX_PAYLOAD, Ready};
pub use intake::{Intake, Overrun};
pub use launch::{Launch, WindowSize};
pub use outbox::Outbox;
pub use setup::{
    CHANNEL_DIRECTORY, Channel, LINGER, Limits, MAX_CONNECTIONS, Setup, Share, Volume,
};
pub use stream::{Part, Stream};
pub use trial::{Answer, Measured, Order, Used};

/// The name of the port that host and guest talk over.
pub const PORT_NAME: &str = "org.vmm.control";
