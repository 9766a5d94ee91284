//! What images are called in a store, and what users call them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name with its tag: it is the name of a file in the store.
const NAME_MAX: usize = 200;

/// A name in the store: `debian:12`, `localhost:5000/tools/python:3.11`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Name {
    repository: String,
    tag: String,
}

/// It cannot be a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' cannot be the name of an image: use letters, digits and . _ - /, then :TAG if wanted"
)]
pub struct NameError(String);

impl Name {
    /// The name as a file name.
    pub(super) fn file_name(&self) -> String {
        self.to_string().replace('/', "%")
    }

    /// The name that [`Name::file_name`] was made of.
    pub(super) fn from_file_name(file_name: &str) -> Option<Self> {
        file_name.replace('%', "/").parse().ok()
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let refused = || NameError(text.chars().take(80).collect());
        // The port of a registry comes before a slash, a tag behind the last one.
        let (repository, tag) = match text.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, tag),
            _ => (text, "latest"),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let is_part = |part: &str| part.starts_with(|c: char| c.is_ascii_alphanumeric());
        let mut parts = repository.split('/');
        let host = parts.next().unwrap_or_default();
        let known = is_part(host)
            && host.chars().all(|c| plain(c) || c == ':')
            && (repository.contains('/') || !host.contains(':'))
            && parts.all(|part| is_part(part) && part.chars().all(plain));
        if !known || tag.is_empty() || !tag.chars().all(plain) || text.len() > NAME_MAX {
            return Err(refused());
        }
        Ok(Self {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.to_string()
    }
}

/// What a user means by the word for an image.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reference {
    /// A path, as it begins like one.
    Path(PathBuf),
    /// A name in the store, else a path.
    Either(Name, PathBuf),
}

impl Reference {
    /// What `text` means.
    pub(super) fn of(text: &str) -> Self {
        let path = PathBuf::from(text);
        match text.parse() {
            Ok(name) if !text.starts_with(['/', '.']) => Self::Either(name, path),
            _ => Self::Path(path),
        }
    }
}

/// `path`, or what is before its last colon, and the tag behind: whichever is there.
pub(super) fn split_tag(path: &Path) -> (PathBuf, Option<String>) {
    let split = path.to_str().and_then(|text| text.rsplit_once(':'));
    match split {
        Some((before, tag)) if !path.exists() && Path::new(before).exists() => {
            (before.into(), Some(tag.to_owned()))
        }
        _ => (path.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_tag_is_the_latest() {
        let written = |text: &str| text.parse::<Name>().map(|name| name.to_string()).ok();
        assert_eq!(written("debian").as_deref(), Some("debian:latest"));
        assert_eq!(written("a/b:1.2").as_deref(), Some("a/b:1.2"));
        let port = written("localhost:5000/debian");
        assert_eq!(port.as_deref(), Some("localhost:5000/debian:latest"));
    }

    #[test]
    fn what_would_be_no_file_name_is_refused() {
        for text in [
            "", ":", "a:", ":a", "../a", "a/../b", "a//b", "a b", "a:b:c", "a\n", "a%b",
        ] {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
        assert!("a".repeat(201).parse::<Name>().is_err());
    }

    #[test]
    fn a_file_name_is_read_back() {
        let name: Name = "localhost:5000/tools/python:3".parse().unwrap();
        assert_eq!(Name::from_file_name(&name.file_name()), Some(name));
    }

    #[test]
    fn what_begins_like_a_path_is_one() {
        assert_eq!(
            Reference::of("./debian"),
            Reference::Path("./debian".into())
        );
        assert!(matches!(Reference::of("debian"), Reference::Either(..)));
    }
}
