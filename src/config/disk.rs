//! A disk as `--disk path=…,readonly` describes it.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;

/// How the host caches a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cache {
    /// Through the host's page cache; a flush makes it durable.
    #[default]
    Writeback,
    /// Past the page cache, with O_DIRECT.
    Direct,
}

/// One disk of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DiskConfig {
    /// The image or block device.
    pub path: PathBuf,
    /// Whether the guest may only read it.
    pub readonly: bool,
    /// The serial number that the guest sees, at most 20 bytes.
    pub serial: Option<String>,
    /// How the host caches it.
    pub cache: Cache,
    /// Whether the user says that it is raw, whatever its first bytes look like.
    pub raw: bool,
}

/// Why a disk description is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiskConfigError {
    /// There is no path.
    #[error("a disk needs path=PATH, as in --disk path=data.img,readonly")]
    NoPath,
    /// There is no such key.
    #[error("'{0}' is no key of a disk: use path=, readonly, serial=, cache= or format=")]
    UnknownKey(String),
    /// The key does not take this.
    #[error("{key} cannot be '{value}': use {allowed}")]
    BadValue {
        /// The key.
        key: &'static str,
        /// What was given.
        value: String,
        /// What may be.
        allowed: &'static str,
    },
}

impl DiskConfig {
    /// A disk at `path` with every default.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            readonly: false,
            serial: None,
            cache: Cache::default(),
            raw: false,
        }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), DiskConfigError> {
        let bad = |key, allowed| DiskConfigError::BadValue {
            key,
            value: value.to_owned(),
            allowed,
        };
        match (key, value) {
            ("path", path) => self.path = path.into(),
            ("readonly", "" | "on" | "true") => self.readonly = true,
            ("readonly", "off" | "false") => self.readonly = false,
            ("readonly", _) => return Err(bad("readonly", "on or off")),
            ("serial", text) if text.len() <= 20 => self.serial = Some(text.to_owned()),
            ("serial", _) => return Err(bad("serial", "at most 20 bytes")),
            ("cache", "writeback") => self.cache = Cache::Writeback,
            ("cache", "direct") => self.cache = Cache::Direct,
            ("cache", _) => return Err(bad("cache", "writeback or direct")),
            ("format", "raw") => self.raw = true,
            ("format", _) => return Err(bad("format", "raw")),
            _ => return Err(DiskConfigError::UnknownKey(key.to_owned())),
        }
        Ok(())
    }
}

impl FromStr for DiskConfig {
    type Err = DiskConfigError;

    fn from_str(text: &str) -> Result<Self, DiskConfigError> {
        let mut disk = Self::at(Path::new(""));
        for pair in text.split(',') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            disk.set(key, value)?;
        }
        if disk.path.as_os_str().is_empty() {
            return Err(DiskConfigError::NoPath);
        }
        Ok(disk)
    }
}

impl TryFrom<String> for DiskConfig {
    type Error = DiskConfigError;

    fn try_from(text: String) -> Result<Self, DiskConfigError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_understood() {
        let text = "path=a.img,readonly,serial=s1,cache=direct,format=raw";
        let disk: DiskConfig = text.parse().unwrap();
        assert_eq!(
            disk,
            DiskConfig {
                path: "a.img".into(),
                readonly: true,
                serial: Some("s1".into()),
                cache: Cache::Direct,
                raw: true,
            }
        );
    }

    #[test]
    fn mistakes_are_told_with_what_may_be() {
        let error = |text: &str| text.parse::<DiskConfig>().unwrap_err().to_string();
        assert!(error("readonly").contains("path=PATH"));
        assert!(error("path=a,ro").contains("'ro' is no key"));
        assert!(error("path=a,cache=none").contains("writeback or direct"));
        assert!(error("path=a,serial=123456789012345678901").contains("at most 20 bytes"));
    }
}
