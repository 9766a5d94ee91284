//! What driver and device say to each other about ports (virtio 1.2, 5.3.6).

use std::io::{Read, Write};

use super::control::{MESSAGE_SIZE, Message, Outbox, event};
use super::port::ActivePort;
use crate::Memory;
use crate::virtio::Chain;

/// Reads the driver's message from `chain`.
pub fn read_message(memory: &Memory, chain: Chain<'_>) -> Option<Message> {
    let mut bytes = [0; MESSAGE_SIZE];
    chain.reader(memory).ok()?.read_exact(&mut bytes).ok()?;
    Message::parse(&bytes)
}

/// Writes `message`, and what follows it, into `chain`; returns how many bytes that is.
pub fn write_message(
    message: Message,
    ports: &[ActivePort],
    memory: &Memory,
    chain: Chain<'_>,
) -> u32 {
    let mut bytes = message.to_bytes().to_vec();
    if let Some(port) = port_of(message, ports) {
        append_details(&mut bytes, message.event, port);
    }
    // A buffer too short for it gets the beginning.
    let written = chain
        .writer(memory)
        .map_or(0, |mut writer| writer.write(&bytes).unwrap_or(0));
    u32::try_from(written).unwrap_or(0)
}

/// What follows a message: sizes and names as they are now, not as they were when it was
/// put into the outbox.
fn append_details(bytes: &mut Vec<u8>, kind: u16, port: &ActivePort) {
    match kind {
        event::PORT_NAME => bytes.extend(port.port.name.bytes()),
        event::RESIZE => {
            let size = port.size();
            let (columns, rows) = size.map_or((0, 0), |size| (size.columns, size.rows));
            // Linux took them for each other before its commit 5326ab737a47 (6.15, and
            // what followed in its stable series).
            bytes.extend(columns.to_le_bytes());
            bytes.extend(rows.to_le_bytes());
        }
        _ => {}
    }
}

fn port_of(message: Message, ports: &[ActivePort]) -> Option<&ActivePort> {
    ports.get(usize::try_from(message.port).ok()?)
}

fn port_of_mut(message: Message, ports: &mut [ActivePort]) -> Option<&mut ActivePort> {
    ports.get_mut(usize::try_from(message.port).ok()?)
}

/// Does what the driver's `message` asks for; what makes no sense is ignored.
pub fn take_message(message: Message, ports: &mut [ActivePort], outbox: &mut Outbox) {
    let yes = message.value != 0;
    match message.event {
        event::DEVICE_READY if yes => {
            for (id, _) in (0..).zip(ports.iter()) {
                outbox.push(Message::new(id, event::PORT_ADD, true));
            }
        }
        event::PORT_READY => {
            if let Some(port) = port_of_mut(message, ports) {
                port.is_ready = yes;
                introduce(message.port, port, outbox);
            }
        }
        event::PORT_OPEN => {
            if let Some(port) = port_of_mut(message, ports) {
                port.guest_open = yes;
            }
        }
        _ => {}
    }
}

/// Tells the driver all about port `id`, if it is ready for that.
fn introduce(id: u32, port: &ActivePort, outbox: &mut Outbox) {
    if !port.is_ready {
        return;
    }
    let mut say = |event| outbox.push(Message::new(id, event, true));
    if port.port.is_console {
        say(event::CONSOLE_PORT);
    }
    if port.port.is_console && port.size().is_some() {
        say(event::RESIZE);
    }
    if !port.port.name.is_empty() {
        say(event::PORT_NAME);
    }
    if port.port.is_console || port.is_connected() {
        say(event::PORT_OPEN);
    }
}
