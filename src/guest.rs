//! The program that is PID 1 behind every wall, as build.rs has made it.

/// `guest/init`, static: the whole file.
pub const INIT: &[u8] = include_bytes!(env!("VMM_INIT"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_program_and_small() {
        assert_eq!(INIT.first_chunk(), Some(b"\x7fELF"));
        assert!(INIT.len() < 3 << 19, "{} bytes", INIT.len());
    }
}
