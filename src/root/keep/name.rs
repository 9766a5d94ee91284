//! What keeps are called: names that are names of directories and of nothing else.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::name::is_plain;

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
        match is_plain(text, NAME_MAX) {
            true => Ok(Self(text.to_owned())),
            false => Err(KeepNameError(text.escape_debug().take(80).collect())),
        }
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
    fn a_name_is_kept_as_it_is() {
        assert_eq!("work-1".parse::<KeepName>().unwrap().as_str(), "work-1");
    }

    #[test]
    fn what_leads_elsewhere_is_refused_and_told_without_its_escapes() {
        let error = "../a\n".parse::<KeepName>().unwrap_err();
        assert!(error.to_string().starts_with(r"'../a\n' cannot be"));
    }
}
