//! What runs behind every wall, as build.rs has made it: our PID 1, and a probe.

/// `guest/init`, static: the whole file.
pub const INIT: &[u8] = include_bytes!(env!("VMM_INIT"));

/// `guest/probe`, static: the whole file.
pub const PROBE: &[u8] = include_bytes!(env!("VMM_PROBE"));

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
