//! A hostile driver against the console: any chains in any order, messages of any kind, and
//! rings that lie about themselves. Nothing it does may panic or hang.
#![no_main]

use devices::driver::Driver;
use devices::virtio::console::{F_MULTIPORT, F_SIZE, Loopback};
use libfuzzer_sys::fuzz_target;
use virtio_queue::desc::split::Descriptor;

/// Where scripts put descriptors and bytes: the rings lie in it, and its end is no memory.
const REACH: u64 = 16 << 20;

fuzz_target!(|script: &[u8]| {
    let mut driver = Driver::new(Loopback::console());
    driver.start(F_SIZE | F_MULTIPORT);
    for step in script.chunks_exact(8) {
        if let Ok(step) = step.try_into() {
            play(&mut driver, step);
        }
    }
});

/// One access of the guest: what it is, to which queue, and two numbers.
fn play(driver: &mut Driver, [kind, queue, a, b, c, d, e, f]: [u8; 8]) {
    let queue = usize::from(queue) % driver.queue_count();
    let address = u64::from(u32::from_le_bytes([a, b, c, 0]));
    let number = u16::from_le_bytes([d, e]);
    match kind % 8 {
        0 => {
            let table = driver.ring(queue).descriptor_table();
            let flags = u16::from(f) % 8;
            let descriptor = Descriptor::new(address, number.into(), flags, u16::from(c) % 64);
            driver
                .ring(queue)
                .write_descriptor(table, number % 64, descriptor);
        }
        1 => driver.ring(queue).publish(number % 80),
        2 => driver.ring(queue).set_available_index(number),
        3 => driver.fill(address % (REACH - 8), &[d, e, f, 0, c, 0, a, b]),
        4 => driver.write(u32::from(number) % 0x200, address as u32),
        5 => driver.write_config(u32::from(d), &[e, f]),
        6 => driver.start(u64::from(d)),
        _ => driver.kick(queue),
    }
}
