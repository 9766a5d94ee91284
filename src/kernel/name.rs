//! What kernels are called in the store: names of directories, and of nothing else.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::name::is_plain;

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
        match is_plain(text, NAME_MAX) && text != DEFAULT {
            true => Ok(Self(text.to_owned())),
            false => Err(KernelNameError(text.escape_debug().take(80).collect())),
        }
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
    fn a_name_is_kept_as_it_is() {
        assert_eq!(
            "debian-6.1".parse::<KernelName>().unwrap().as_str(),
            "debian-6.1"
        );
    }

    #[test]
    fn what_leads_elsewhere_or_is_the_store_s_word_is_refused() {
        for name in ["../a", "default"] {
            assert!(name.parse::<KernelName>().is_err(), "{name:?}");
        }
    }
}
