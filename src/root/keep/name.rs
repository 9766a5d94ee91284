//! What keeps are called: names that are names of directories and of nothing else.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

const NAME_MAX: usize = 64;

/// It cannot be the name of a keep.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' cannot be the name of a keep: use up to {NAME_MAX} letters, digits and . _ -, the first a letter or digit"
)]
pub struct KeepNameError(String);

/// A name: no path, no option, nothing hidden.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct KeepName(String);

impl KeepName {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeepName {
    type Err = KeepNameError;

    fn from_str(text: &str) -> Result<Self, KeepNameError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let begins_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if begins_well && text.len() <= NAME_MAX && text.chars().all(plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(KeepNameError(text.escape_debug().take(80).collect()))
    }
}

impl fmt::Display for KeepName {
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
            assert_eq!(name.parse::<KeepName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        let long = "x".repeat(65);
        for name in [
            "", ".", "..", "a/b", "/etc", "-f", ".hidden", "a b", "a\n", &long,
        ] {
            assert!(name.parse::<KeepName>().is_err(), "{name:?}");
        }
    }
}
