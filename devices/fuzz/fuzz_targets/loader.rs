//! Any file as a kernel, and as an initrd beside it: it is loaded inside of guest memory,
//! or refused with a sentence.
#![no_main]

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use rustix::fs::{MemfdFlags, memfd_create};
use vmm::boot::{initrd, kernel};
use vmm::config::Protocol;
use vmm::memory::{self, allocate};

/// Room for a small kernel: what a hostile header asks for beyond is refused.
const MEMORY_SIZE: u64 = 64 << 20;

fuzz_target!(|bytes: &[u8]| {
    let (_file, path) = file(bytes);
    let memory = allocate(MEMORY_SIZE).expect("64 MiB");
    for protocol in [Protocol::Auto, Protocol::Linux64, Protocol::Pvh] {
        match kernel::load(&memory, &path, protocol) {
            Ok(kernel) => {
                assert!(kernel.end <= memory::end(&memory));
                // Beside any kernel there is room for it or there is not.
                let _ = initrd::load(&memory, &path, kernel.end);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});

/// A file in memory with `bytes`, and a path that opens it.
fn file(bytes: &[u8]) -> (File, PathBuf) {
    let mut file = File::from(memfd_create("kernel", MemfdFlags::CLOEXEC).expect("a memfd"));
    file.write_all(bytes).expect("it takes all");
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    (file, path.into())
}
