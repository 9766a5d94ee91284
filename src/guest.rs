//! What runs behind every wall, as build.rs has made it: our PID 1, and a probe.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// `guest/init`, static: the whole file.
pub const INIT: &[u8] = include_bytes!(env!("VMM_INIT"));

/// `guest/probe`, static: the whole file.
pub const PROBE: &[u8] = include_bytes!(env!("VMM_PROBE"));

/// Writes `program` to `path`, for all to execute.
///
/// # Errors
/// It cannot be written.
pub fn write(program: &[u8], path: &Path) -> io::Result<()> {
    fs::write(path, program)?;
    fs::set_permissions(path, Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_programs_and_small() {
        for program in [INIT, PROBE] {
            assert_eq!(program.first_chunk(), Some(b"\x7fELF"));
            assert!(program.len() < 3 << 19, "{} bytes", program.len());
        }
    }
}
