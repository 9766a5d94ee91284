//! What kernels are called in the store: names of directories, and of nothing else.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

const NAME_MAX: usize = 64;

/// The store's own word: the link to the kernel that is meant when none is named.
pub(super) const DEFAULT: &str = "default";

/// It cannot be the name of a kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' cannot be the name of a kernel: use up to {NAME_MAX} letters, digits and . _ -, the first a letter or digit, and not \"default\""
)]
pub struct KernelNameError(String);

/// A name: no path, no option, nothing hidden.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct KernelName(String);

impl KernelName {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KernelName {
    type Err = KernelNameError;

    fn from_str(text: &str) -> Result<Self, KernelNameError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let begins_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let is_free = text != DEFAULT && text.len() <= NAME_MAX;
        if begins_well && is_free && text.chars().all(plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(KernelNameError(text.escape_debug().take(80).collect()))
    }
}

impl fmt::Display for KernelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_plain_word() {
        for name in ["work", "a.b_c-d", "0", &"x".repeat(64)] {
            assert_eq!(name.parse::<KernelName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        let long = "x".repeat(65);
        for name in [
            "", ".", "..", "a/b", "/etc", "-f", ".hidden", "a b", "a\n", "default", &long,
        ] {
            assert!(name.parse::<KernelName>().is_err(), "{name:?}");
        }
    }
}
