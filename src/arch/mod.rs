//! What a processor architecture wants set up before its first instruction.

pub mod x86_64;
