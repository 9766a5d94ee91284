//! Any bytes as a base: its tree is read, and can be written again, or it is refused.
#![no_main]

use std::io::Write;
use std::sync::Arc;

use devices_fuzz::memory_file;
use libfuzzer_sys::fuzz_target;
use vmm::image::erofs;

/// Where EROFS has its superblock.
const SUPERBLOCK: usize = 1024;

fuzz_target!(|bytes: &[u8]| {
    let mut file = memory_file("base");
    // What is before the superblock means nothing.
    let base = [&[0; SUPERBLOCK], bytes].concat();
    file.write_all(&base).expect("memory takes all");
    match erofs::read(&Arc::new(file)) {
        // A hostile base can tell of more bytes than it has.
        Ok(tree) => drop(erofs::write(&tree, &mut Limited(16 << 20))),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});

/// Takes so many bytes and no more.
struct Limited(usize);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.saturating_sub(bytes.len());
        if self.0 == 0 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
