//! What an instance may be called: it becomes a directory, a host name and a cgroup.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::name::is_plain;

/// hostname(7): the longest label of a host name.
const HOST_NAME_MAX: usize = 63;

/// A name of 1 to 63 letters, digits, `-`, `_` and `.`, the first a letter or a digit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceName(String);

/// The text is no such name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' cannot be the name of an instance: use 1 to 63 letters, digits, '-', '_' and '.', \
     beginning with a letter or a digit"
)]
pub struct NameError(String);

impl InstanceName {
    /// A name that nobody has chosen; two are the same once in four billion.
    pub fn random() -> Self {
        Self(format!("vmm-{:08x}", number()))
    }

    /// What its control groups are called: those are the host's, where another instance may
    /// have the same name in another runtime directory.
    pub fn cgroup(&self) -> String {
        format!("{self}-{:08x}", number())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn number() -> u32 {
    let mut bytes = [0; 4];
    // Without the host's randomness it is an ordinary number, and taken the second time.
    let _ = rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::empty());
    u32::from_ne_bytes(bytes)
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for InstanceName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match is_plain(text, HOST_NAME_MAX) {
            true => Ok(Self(text.to_owned())),
            false => Err(NameError(text.to_owned())),
        }
    }
}

impl TryFrom<String> for InstanceName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<InstanceName> for String {
    fn from(name: InstanceName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path() {
        for text in ["", ".", "..", "a/b", "-a", ".a", "a b", &"a".repeat(64)] {
            assert!(text.parse::<InstanceName>().is_err(), "{text}");
        }
        assert!("web-1.old_2".parse::<InstanceName>().is_ok());
    }

    #[test]
    fn a_random_name_is_one() {
        let name = InstanceName::random();
        assert_eq!(name.as_str().parse(), Ok(name.clone()));
    }

    #[test]
    fn two_of_a_name_have_groups_of_their_own() {
        let name: InstanceName = "web".parse().unwrap();
        assert!(name.cgroup().starts_with("web-"));
        assert_ne!(name.cgroup(), name.cgroup());
    }
}
