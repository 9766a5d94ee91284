//! What a driver and whoever owns the machine may rely on, by the register page and a backend
//! that may be broken.

use std::fs::File;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use virtio_bindings::virtio_mmio::VIRTIO_MMIO_INTERRUPT_ACK;
use vm_memory::{FileOffset, GuestAddress};

use super::mock::{self, Habits};
use super::{BackendError, Fs, FsError};
use crate::Memory;
use crate::driver::{Driver, MEMORY_SIZE};
use crate::virtio::VirtioDevice;
use crate::virtio::interrupt::USED_BUFFER;

const DEADLINE: Duration = Duration::from_secs(20);
const REQUESTS: usize = 1;

fn shared_memory() -> Memory {
    let file = File::from(memfd_create("memory", MemfdFlags::CLOEXEC).unwrap());
    file.set_len(MEMORY_SIZE as u64).unwrap();
    let file = FileOffset::new(file, 0);
    Memory::from_ranges_with_files([(GuestAddress(0), MEMORY_SIZE, Some(file))]).unwrap()
}

/// A driver whose device is served with `habits`; what the device tells of its backend, and
/// what the backend was asked.
fn started(habits: Habits) -> (Driver, Receiver<BackendError>, Receiver<u32>) {
    let (connection, asked) = mock::start(habits);
    let (tell, told) = channel();
    let listener = Box::new(move |error| tell.send(error).unwrap());
    let device = Fs::new("data", connection, listener).unwrap();
    let mut driver = Driver::with_memory(device, shared_memory());
    driver.start(0);
    (driver, told, asked)
}

fn refusal(habits: Habits) -> FsError {
    let (connection, _asked) = mock::start(habits);
    Fs::new("data", connection, Box::new(drop)).err().unwrap()
}

#[test]
fn the_driver_finds_it_by_its_tag_and_one_queue_for_requests() {
    let (driver, ..) = started(Habits::default());
    let tag: [u8; 36] = driver.config(0);
    assert_eq!(&tag[..5], b"data\0");
    assert_eq!(driver.config(36), 1_u32.to_le_bytes());
    assert_eq!(driver.queue_count(), 2);
}

#[test]
fn a_request_is_answered_by_the_other_process() {
    let (mut driver, ..) = started(Habits::default());
    assert_eq!(driver.ask(REQUESTS, b"hello", 64), b"hello");
    assert_eq!(driver.ask(0, b"forget", 64), b"forget");
}

#[test]
fn its_interrupt_tells_of_used_buffers_however_often_it_is_acknowledged() {
    let (mut driver, ..) = started(Habits::default());
    for _ in 0..2 {
        driver.ask(REQUESTS, b"hello", 64);
        assert_eq!(driver.interrupt_status(), USED_BUFFER);
        driver.write(VIRTIO_MMIO_INTERRUPT_ACK, u32::MAX);
    }
}

#[test]
fn after_a_reset_the_next_driver_is_served_by_the_same_process() {
    let (mut driver, _told, asked) = started(Habits::default());
    driver.ask(REQUESTS, b"hello", 64);
    driver.reset();
    let stopped = asked.try_iter().filter(|one| *one == mock::GET_VRING_BASE);
    assert_eq!(stopped.count(), 2);
    assert_eq!(driver.interrupt_status(), 0);
    driver.start(0);
    assert_eq!(driver.ask(REQUESTS, b"again", 64), b"again");
}

#[test]
fn a_queue_comes_back_where_the_other_process_has_stopped() {
    let (connection, _asked) = mock::start(Habits::default());
    let device = Fs::new("data", connection, Box::new(drop)).unwrap();
    let shared = std::sync::Arc::new(std::sync::Mutex::new(device));
    let mut driver = Driver::with_memory(Lent(shared.clone()), shared_memory());
    driver.start(0);
    driver.ask(REQUESTS, b"hello", 64);
    let activation = shared.lock().unwrap().deactivate().unwrap();
    let stands_at = |queue: &Option<crate::virtio::Virtqueue>| {
        use virtio_queue::QueueT;
        queue.as_ref().unwrap().queue().next_avail()
    };
    let places: Vec<_> = activation.queues.iter().map(stands_at).collect();
    assert_eq!(places, [0, 1]);
}

#[test]
fn the_end_of_the_other_process_is_told_once() {
    let habits = Habits {
        // The last that it is asked before the driver is let go.
        dies_of: Some(mock::GET_VRING_BASE),
        ..Habits::default()
    };
    let (mut driver, told, _asked) = started(habits);
    driver.reset();
    let error = told.recv_timeout(DEADLINE).unwrap();
    assert!(matches!(error, BackendError::Protocol(_)), "{error}");
    driver.start(0);
    let error = told.recv_timeout(DEADLINE).unwrap();
    assert!(matches!(error, BackendError::Protocol(_)), "{error}");
    driver.serve_host_files(DEADLINE);
    let error = told.recv_timeout(DEADLINE).unwrap();
    assert!(matches!(error, BackendError::Gone), "{error}");
    driver.serve_host_files(Duration::ZERO);
    assert!(told.try_recv().is_err());
}

#[test]
fn a_process_that_does_not_answer_is_given_up() {
    let ignores = |request| Habits {
        ignores: Some(request),
        ..Habits::default()
    };
    let error = refusal(ignores(mock::GET_FEATURES));
    assert!(matches!(error, FsError::Backend(..)), "{error}");
    let (_driver, told, _asked) = started(ignores(mock::SET_MEM_TABLE));
    let error = told.recv_timeout(DEADLINE).unwrap();
    assert!(matches!(error, BackendError::Protocol(_)), "{error}");
}

#[test]
fn a_process_without_the_features_of_every_ring_is_refused() {
    let error = refusal(Habits {
        features: mock::ALL_FEATURES & !(1 << 32),
        ..Habits::default()
    });
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("0x100000000"), "{cause}");
}

#[test]
fn memory_that_cannot_be_shared_is_told() {
    let (connection, _asked) = mock::start(Habits::default());
    let (tell, told) = channel();
    let listener = Box::new(move |error| tell.send(error).unwrap());
    let mut driver = Driver::new(Fs::new("data", connection, listener).unwrap());
    driver.start(0);
    let error = told.recv_timeout(DEADLINE).unwrap();
    assert!(matches!(error, BackendError::PrivateMemory), "{error}");
}

#[test]
fn a_tag_longer_than_its_field_is_refused() {
    let (connection, _asked) = mock::start(Habits::default());
    let error = Fs::new(&"t".repeat(37), connection, Box::new(drop));
    assert!(matches!(error.err(), Some(FsError::Tag(_))));
}

/// A device that the test keeps a hold on.
struct Lent(std::sync::Arc<std::sync::Mutex<Fs>>);

impl VirtioDevice for Lent {
    fn device_type(&self) -> u32 {
        self.0.lock().unwrap().device_type()
    }

    fn features(&self) -> u64 {
        0
    }

    fn queue_max_sizes(&self) -> &[u16] {
        &super::QUEUE_SIZES
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        self.0.lock().unwrap().read_config(offset, data);
    }

    fn activate(&mut self, activation: crate::virtio::Activation) {
        self.0.lock().unwrap().activate(activation);
    }

    fn deactivate(&mut self) -> Option<crate::virtio::Activation> {
        self.0.lock().unwrap().deactivate()
    }

    fn queue_notify(
        &mut self,
        index: usize,
    ) -> Result<crate::virtio::Progress, crate::virtio::RingError> {
        self.0.lock().unwrap().queue_notify(index)
    }
}
