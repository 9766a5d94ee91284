//! A process that serves queues, played by a thread: frames of vhost-user read and written by
//! hand, and each request answered with what it said.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use virtio_queue::{Queue, QueueOwnedT, QueueT};
use vm_memory::{FileOffset, GuestAddress, GuestRegionMmap};
use vmm_sys_util::sock_ctrl_msg::ScmSocket;

use crate::Memory;

/// Requests, as the protocol numbers them.
pub const GET_FEATURES: u32 = 1;
pub const SET_MEM_TABLE: u32 = 5;
pub const SET_VRING_NUM: u32 = 8;
pub const SET_VRING_ADDR: u32 = 9;
pub const GET_VRING_BASE: u32 = 11;
pub const SET_VRING_KICK: u32 = 12;
pub const SET_VRING_CALL: u32 = 13;
pub const GET_PROTOCOL_FEATURES: u32 = 15;

const VERSION: u32 = 1;
const REPLY: u32 = 4;
const NEED_REPLY: u32 = 8;
/// VERSION_1, EVENT_IDX, INDIRECT_DESC and those of the protocol.
pub const ALL_FEATURES: u64 = 1 << 32 | 1 << 30 | 1 << 29 | 1 << 28;
const REPLY_ACK: u64 = 1 << 3;

/// What a backend does otherwise than it should.
#[derive(Clone, Copy)]
pub struct Habits {
    /// What it offers.
    pub features: u64,
    /// The request that it never answers.
    pub ignores: Option<u32>,
    /// The request after which it is gone.
    pub dies_of: Option<u32>,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            features: ALL_FEATURES,
            ignores: None,
            dies_of: None,
        }
    }
}

/// Starts a backend; what comes first is the way to it, what comes second what it was asked.
pub fn start(habits: Habits) -> (UnixStream, Receiver<u32>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (asked, requests) = channel();
    let backend = Mock {
        connection: theirs,
        habits,
        asked,
        memory: None,
        user_address: 0,
        queues: [None, None].map(|_: Option<()>| Served::default()),
    };
    thread::spawn(move || backend.serve());
    (ours, requests)
}

struct Mock {
    connection: UnixStream,
    habits: Habits,
    asked: Sender<u32>,
    memory: Option<Memory>,
    user_address: u64,
    queues: [Served; 2],
}

#[derive(Default)]
struct Served {
    queue: Option<Queue>,
    kick: Option<File>,
    call: Option<File>,
}

impl Mock {
    /// Ends with the connection.
    fn serve(mut self) -> io::Result<()> {
        loop {
            let kicks = self.queues.iter().filter_map(|queue| queue.kick.as_ref());
            let mut polled = vec![PollFd::new(&self.connection, PollFlags::IN)];
            polled.extend(kicks.map(|kick| PollFd::new(kick, PollFlags::IN)));
            poll(&mut polled, None)?;
            let is_spoken_to = !polled[0].revents().is_empty();
            for queue in &mut self.queues {
                queue.answer(self.memory.as_ref())?;
            }
            if is_spoken_to && !self.hear()? {
                return Ok(());
            }
        }
    }

    /// Whether it goes on.
    fn hear(&mut self) -> io::Result<bool> {
        let mut header = [0; 12];
        let (count, file) = self.connection.recv_with_fd(&mut header)?;
        if count != header.len() {
            return Ok(false);
        }
        let [request, flags, size] =
            [0, 4, 8].map(|at| u32::from_le_bytes(header[at..at + 4].try_into().unwrap()));
        let mut body = vec![0; size as usize];
        self.connection.read_exact(&mut body)?;
        let numbers: Vec<u64> = body
            .chunks_exact(8)
            .map(|chunk| u64::from_le_bytes(chunk.try_into().unwrap()))
            .collect();
        let _ = self.asked.send(request);
        if self.habits.dies_of == Some(request) {
            return Ok(false);
        }
        let answer = self.obey(request, &numbers, file);
        if self.habits.ignores == Some(request) {
            return Ok(true);
        }
        match answer {
            Some(answer) => self.reply(request, answer)?,
            None if flags & NEED_REPLY != 0 => self.reply(request, 0)?,
            None => {}
        }
        Ok(true)
    }

    fn reply(&mut self, request: u32, answer: u64) -> io::Result<()> {
        let header = [request, VERSION | REPLY, 8].map(u32::to_le_bytes);
        self.connection
            .write_all(&[header.concat(), answer.to_le_bytes().to_vec()].concat())
    }

    fn obey(&mut self, request: u32, numbers: &[u64], file: Option<File>) -> Option<u64> {
        let index = |number: u64| usize::from(number & 1 == 1);
        match (request, numbers) {
            (GET_FEATURES, _) => return Some(self.habits.features),
            (GET_PROTOCOL_FEATURES, _) => return Some(REPLY_ACK),
            (SET_MEM_TABLE, [_, start, size, user_address, offset]) => {
                let file = FileOffset::new(file.unwrap(), *offset);
                let size = usize::try_from(*size).unwrap();
                let region = GuestRegionMmap::from_range(GuestAddress(*start), size, Some(file));
                self.memory = Some(Memory::from_regions(vec![region.unwrap()]).unwrap());
                self.user_address = *user_address;
            }
            (SET_VRING_NUM, [state]) => {
                let size = u16::try_from(state >> 32).unwrap();
                let mut queue = Queue::new(1024).unwrap();
                queue.set_size(size);
                self.queues[index(*state)].queue = Some(queue);
            }
            (SET_VRING_ADDR, [number, table, used, available, _]) => {
                let base = self.user_address;
                let queue = self.queues[index(*number)].queue.as_mut().unwrap();
                let place = |address: &u64| GuestAddress(address - base);
                queue.try_set_desc_table_address(place(table)).unwrap();
                queue.try_set_used_ring_address(place(used)).unwrap();
                queue.try_set_avail_ring_address(place(available)).unwrap();
                queue.set_ready(true);
            }
            (GET_VRING_BASE, [state]) => {
                let served = std::mem::take(&mut self.queues[index(*state)]);
                let base = served.queue.map_or(0, |queue| queue.next_avail());
                return Some((*state & 1) | u64::from(base) << 32);
            }
            (SET_VRING_KICK, [number]) => self.queues[index(*number)].kick = file,
            (SET_VRING_CALL, [number]) => self.queues[index(*number)].call = file,
            _ => {}
        }
        None
    }
}

impl Served {
    fn answer(&mut self, memory: Option<&Memory>) -> io::Result<()> {
        let (Some(queue), Some(kick), Some(call)) = (&mut self.queue, &self.kick, &self.call)
        else {
            return Ok(());
        };
        // Not kicked yet: it would block.
        let mut rung = [0; 8];
        if (&*kick).read(&mut rung).is_err() {
            return Ok(());
        }
        let memory = memory.expect("memory comes before a queue");
        let chains: Vec<_> = queue.iter(memory).unwrap().collect();
        for chain in chains {
            let head = chain.head_index();
            let mut question = Vec::new();
            chain
                .clone()
                .reader(memory)
                .unwrap()
                .read_to_end(&mut question)?;
            let written = chain.writer(memory).unwrap().write(&question)?;
            let written = u32::try_from(written).unwrap();
            queue.add_used(memory, head, written).unwrap();
        }
        (&*call).write_all(&1_u64.to_le_bytes())
    }
}
