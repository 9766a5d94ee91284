//! Sizes and counts that have been checked once.

use std::str::FromStr;

use serde::Deserialize;

/// Why a size or a count is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// It is not a number with a suffix.
    #[error("'{0}' is not a size: use a number with K, M or G, as in 512M")]
    NotASize(String),
    /// No kernel boots in so little.
    #[error("{0} bytes are too little memory: use at least 32M")]
    TooLittle(u64),
    /// It is more than a guest-physical address can name.
    #[error("'{0}' is more memory than any machine has")]
    TooMuch(String),
    /// Pages are 4 KiB.
    #[error("{0} bytes are no whole number of 4 KiB pages")]
    NotPages(u64),
    /// It is not a number of CPUs.
    #[error("'{0}' is not a number of CPUs: use 1 to {MAX_VCPUS}")]
    NotACount(String),
}

/// Bytes of guest memory: whole pages, enough for a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct MemorySize(u64);

impl MemorySize {
    const MIN: u64 = 32 << 20;
    const MAX: u64 = 1 << 46;
    const PAGE: u64 = 4096;

    /// The size in bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl Default for MemorySize {
    fn default() -> Self {
        Self(512 << 20)
    }
}

impl FromStr for MemorySize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        match parse_bytes(text)? {
            bytes if bytes < Self::MIN => Err(SizeError::TooLittle(bytes)),
            bytes if bytes > Self::MAX => Err(SizeError::TooMuch(text.to_owned())),
            bytes if bytes % Self::PAGE != 0 => Err(SizeError::NotPages(bytes)),
            bytes => Ok(Self(bytes)),
        }
    }
}

impl TryFrom<String> for MemorySize {
    type Error = SizeError;

    fn try_from(text: String) -> Result<Self, SizeError> {
        text.parse()
    }
}

/// Bytes as a user writes them: 1500, 64K, 512M, 2G.
///
/// # Errors
/// It is no size.
pub fn parse_bytes(text: &str) -> Result<u64, SizeError> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 10),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 20),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| SizeError::NotASize(text.to_owned()))?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| SizeError::TooMuch(text.to_owned()))
}

/// The most vCPUs of one machine: what the MP table and 8-bit APIC IDs have been tested with.
pub const MAX_VCPUS: u8 = 64;

/// A number of vCPUs, 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
pub struct VcpuCount(u8);

impl VcpuCount {
    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for VcpuCount {
    fn default() -> Self {
        Self(1)
    }
}

impl FromStr for VcpuCount {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        match text.parse() {
            Ok(count @ 1..=MAX_VCPUS) => Ok(Self(count)),
            _ => Err(SizeError::NotACount(text.to_owned())),
        }
    }
}

impl TryFrom<u64> for VcpuCount {
    type Error = SizeError;

    fn try_from(count: u64) -> Result<Self, SizeError> {
        count.to_string().parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Result<u64, SizeError> {
        text.parse::<MemorySize>().map(MemorySize::bytes)
    }

    #[test]
    fn suffixes_are_powers_of_1024() {
        assert_eq!(bytes("65536K"), Ok(64 << 20));
        assert_eq!(bytes("64M"), Ok(64 << 20));
        assert_eq!(bytes("6g"), Ok(6 << 30));
        assert_eq!(bytes("67108864"), Ok(64 << 20));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "M", "-1", "1.5G", "12T", "1 G"] {
            assert_eq!(bytes(text), Err(SizeError::NotASize(text.to_owned())));
        }
    }

    #[test]
    fn sizes_that_no_guest_can_use_are_refused() {
        assert_eq!(bytes("0"), Err(SizeError::TooLittle(0)));
        assert_eq!(bytes("67108865"), Err(SizeError::NotPages(67_108_865)));
        let huge = "18446744073709551615G";
        assert_eq!(bytes(huge), Err(SizeError::TooMuch(huge.to_owned())));
    }

    #[test]
    fn cpus_are_one_to_sixty_four() {
        let count = |text: &str| text.parse::<VcpuCount>().map(VcpuCount::get).ok();
        assert_eq!([count("1"), count("64")], [Some(1), Some(64)]);
        assert_eq!([count("0"), count("65"), count("many")], [None; 3]);
    }
}
