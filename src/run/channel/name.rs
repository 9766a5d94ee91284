//! What a channel may be called: it becomes a socket, and a part of a variable's name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use wire::CHANNEL_DIRECTORY;

/// A name of 1 to 32 letters `a` to `z`, digits and `-`, the first a letter.
///
/// No two of them become the same variable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChannelName(String);

/// The text is no such name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' cannot be the name of a channel: use 1 to 32 letters a-z, digits and '-', beginning \
     with a letter"
)]
pub struct ChannelNameError(String);

impl ChannelName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where a command connects to it.
    pub fn path(&self) -> String {
        format!("{CHANNEL_DIRECTORY}/{}", self.0)
    }

    /// The variable of a command that says where.
    pub fn variable(&self) -> String {
        let name = self.0.replace('-', "_").to_uppercase();
        format!("VMM_CHANNEL_{name}")
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ChannelName {
    type Err = ChannelNameError;

    fn from_str(text: &str) -> Result<Self, ChannelNameError> {
        let is_known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_name = (1..=32).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(is_known);
        match is_name {
            true => Ok(Self(text.to_owned())),
            false => Err(ChannelNameError(text.to_owned())),
        }
    }
}

impl TryFrom<String> for ChannelName {
    type Error = ChannelNameError;

    fn try_from(text: String) -> Result<Self, ChannelNameError> {
        text.parse()
    }
}

impl From<ChannelName> for String {
    fn from(name: ChannelName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_path_and_a_variable() {
        let name: ChannelName = "to-db1".parse().unwrap();
        assert_eq!(name.path(), "/run/vmm/channels/to-db1");
        assert_eq!(name.variable(), "VMM_CHANNEL_TO_DB1");
    }

    #[test]
    fn a_name_is_no_path_and_no_two_are_one_variable() {
        for text in ["", "..", "a/b", "-a", "1a", "A", "a_b", &"a".repeat(33)] {
            assert!(text.parse::<ChannelName>().is_err(), "{text}");
        }
    }
}
