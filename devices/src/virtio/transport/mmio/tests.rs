//! What a guest may rely on, and what it cannot do, by the register page alone.

use virtio_bindings::virtio_mmio::*;
use virtio_queue::desc::split::Descriptor;

use crate::driver::echo::{Echo, FEATURE, QUEUE_SIZE};
use crate::driver::{Buffer, Driver};
use crate::virtio::interrupt::{CONFIG_CHANGE, USED_BUFFER};
use crate::virtio::transport::negotiation::{DRIVER_OK, FEATURES_OK};

const NEEDS_RESET: u32 = 0x40;

fn started() -> Driver {
    let mut driver = Driver::new(Echo::default());
    driver.start(0);
    driver
}

#[test]
fn the_page_says_what_it_is() {
    let driver = Driver::new(Echo::default());
    let identity = [
        VIRTIO_MMIO_MAGIC_VALUE,
        VIRTIO_MMIO_VERSION,
        VIRTIO_MMIO_DEVICE_ID,
    ];
    assert_eq!(
        identity.map(|offset| driver.read(offset)),
        [u32::from_le_bytes(*b"virt"), 2, 42]
    );
    assert!(driver.device_features() & FEATURE != 0);
}

#[test]
fn a_driver_that_keeps_to_the_steps_is_served() {
    let mut driver = started();
    assert_eq!(driver.status(), DRIVER_OK);
    assert_eq!(driver.ask(0, b"hello", 64), b"hello");
    assert_eq!(driver.interrupt_status(), USED_BUFFER);
    assert_eq!(driver.take_interrupts(), 1);
}

#[test]
fn an_acknowledged_interrupt_is_no_longer_shown() {
    let mut driver = started();
    driver.ask(0, b"hello", 64);
    driver.write(VIRTIO_MMIO_INTERRUPT_ACK, USED_BUFFER);
    assert_eq!(driver.interrupt_status(), 0);
}

#[test]
fn a_kick_before_driver_ok_does_nothing() {
    let mut driver = Driver::new(Echo::default());
    driver.negotiate(0);
    let ring = driver.new_ring(0, 0);
    driver.set_up(0, ring);
    driver.ring(0).add(&[Buffer::readable(0x1000, 4)]);
    driver.kick(0);
    assert_eq!(driver.ring(0).collect(), None);
}

#[test]
fn a_kick_of_a_queue_that_is_not_there_does_nothing() {
    let driver = started();
    for queue in [1, 0xffff, u32::MAX] {
        driver.write(VIRTIO_MMIO_QUEUE_NOTIFY, queue);
    }
    assert_eq!(driver.status(), DRIVER_OK);
}

#[test]
fn a_queue_that_is_not_there_has_no_size() {
    let driver = started();
    driver.write(VIRTIO_MMIO_QUEUE_SEL, 7);
    assert_eq!(driver.read(VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
    assert_eq!(driver.read(VIRTIO_MMIO_QUEUE_READY), 0);
}

#[test]
fn a_queue_can_not_be_moved_while_the_device_works() {
    let mut driver = started();
    driver.write_address(VIRTIO_MMIO_QUEUE_DESC_LOW, 0xdead_0000);
    driver.write(VIRTIO_MMIO_QUEUE_NUM, 1);
    driver.write(VIRTIO_MMIO_QUEUE_READY, 0);
    assert_eq!(driver.ask(0, b"still here", 64), b"still here");
    assert_eq!(driver.read(VIRTIO_MMIO_QUEUE_READY), 1);
}

#[test]
fn a_ring_outside_of_memory_breaks_the_device_until_it_is_reset() {
    let mut driver = Driver::new(Echo::default());
    driver.negotiate(0);
    let ring = driver.new_ring(0, 0);
    driver.set_up(0, ring);
    driver.write_address(VIRTIO_MMIO_QUEUE_USED_LOW, 1 << 40);
    driver.write(VIRTIO_MMIO_STATUS, DRIVER_OK);
    assert_eq!(driver.status(), DRIVER_OK | NEEDS_RESET);
    driver.start(0);
    assert_eq!(driver.ask(0, b"mended", 64), b"mended");
}

#[test]
fn a_broken_ring_is_told_and_mended_by_a_reset() {
    let mut driver = started();
    driver.ring(0).set_available_index(QUEUE_SIZE + 1);
    driver.kick(0);
    assert_eq!(driver.status(), DRIVER_OK | NEEDS_RESET);
    assert_eq!(driver.interrupt_status(), CONFIG_CHANGE);
    let broken = driver.transport().broken();
    assert!(broken.load(std::sync::atomic::Ordering::Relaxed));
    driver.start(0);
    assert_eq!(driver.ask(0, b"mended", 64), b"mended");
    assert_eq!(driver.status(), DRIVER_OK);
    assert!(!broken.load(std::sync::atomic::Ordering::Relaxed));
}

#[test]
fn a_broken_device_is_silent() {
    let mut driver = started();
    driver.ring(0).set_available_index(QUEUE_SIZE + 1);
    driver.kick(0);
    driver.take_interrupts();
    driver.ring(0).add(&[Buffer::readable(0x1000, 4)]);
    driver.kick(0);
    assert_eq!(
        (driver.ring(0).collect(), driver.take_interrupts()),
        (None, 0)
    );
}

#[test]
fn a_head_that_is_no_descriptor_breaks_the_device() {
    let mut driver = started();
    driver.ring(0).publish(QUEUE_SIZE);
    driver.kick(0);
    assert_eq!(driver.status(), DRIVER_OK | NEEDS_RESET);
}

#[test]
fn a_chain_that_loops_comes_to_an_end() {
    const NEXT: u16 = 1;
    let mut driver = started();
    let ring = driver.ring(0);
    let table = ring.descriptor_table();
    ring.write_descriptor(table, 0, Descriptor::new(0x1000, 4, NEXT, 1));
    ring.write_descriptor(table, 1, Descriptor::new(0x1000, 4, NEXT, 0));
    ring.publish(0);
    driver.kick(0);
    assert_eq!(driver.ring(0).used_index(), 1);
    assert_eq!(driver.status(), DRIVER_OK);
}

#[test]
fn a_reset_forgets_queues_interrupts_and_features() {
    let mut driver = started();
    driver.ask(0, b"hello", 64);
    driver.reset();
    assert_eq!((driver.status(), driver.interrupt_status()), (0, 0));
    assert_eq!(driver.read(VIRTIO_MMIO_QUEUE_READY), 0);
}

#[test]
fn features_are_refused_where_they_are_not_offered() {
    let driver = Driver::new(Echo::default());
    driver.write(VIRTIO_MMIO_STATUS, 1);
    driver.write(VIRTIO_MMIO_STATUS, 3);
    driver.choose_features(driver.device_features() | 1 << 50);
    driver.write(VIRTIO_MMIO_STATUS, FEATURES_OK);
    assert_eq!(driver.status(), 3);
}

#[test]
fn the_configuration_is_read_and_written_at_any_width() {
    let driver = started();
    driver.write_config(0, &[1, 2, 3, 4]);
    assert_eq!(driver.config::<2>(1), [2, 3]);
    assert_eq!(driver.config::<8>(2), [3, 4, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn registers_are_read_and_written_whole_or_not_at_all() {
    use crate::bus::BusDevice;
    let driver = started();
    let mut data = [0xff; 8];
    driver
        .transport()
        .read(u64::from(VIRTIO_MMIO_VERSION), &mut data);
    driver
        .transport()
        .write(u64::from(VIRTIO_MMIO_STATUS), &[0]);
    assert_eq!((data, driver.status()), ([0; 8], DRIVER_OK));
}
