//! Any accesses to the register page and to memory, against each device: nothing panics,
//! and a reset mends everything.
#![no_main]

use devices_fuzz::{Device, Move};
use libfuzzer_sys::fuzz_target;

/// Bounds the time of an input and the memory of its rings.
const MOVES: usize = 64;

fuzz_target!(|input: (Device, Vec<Move>)| {
    let (device, moves) = input;
    let mut driver = device.driver();
    for step in moves.into_iter().take(MOVES) {
        step.make(&mut driver);
    }
    driver.start(u64::MAX);
    assert_eq!(driver.status(), 0b1111, "a reset mends the device");
    driver.kick(0);
});
