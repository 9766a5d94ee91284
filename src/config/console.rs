//! Where the consoles go.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;

/// Why a target is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is no target: use {allowed}")]
pub struct TargetError {
    given: String,
    allowed: &'static str,
}

/// The other end of the virtio console.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum ConsoleTarget {
    /// This process's standard input and output.
    Stdio,
    /// A file that takes the output; there is no input.
    File(PathBuf),
    /// A Unix socket that one client at a time connects to.
    Socket(PathBuf),
    /// A new pseudo-terminal, whose path is printed.
    Pty,
    /// No console.
    Off,
}

impl FromStr for ConsoleTarget {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        match text.split_once('=') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("socket", path)) if !path.is_empty() => Ok(Self::Socket(path.into())),
            None if text == "stdio" => Ok(Self::Stdio),
            None if text == "pty" => Ok(Self::Pty),
            None if text == "off" => Ok(Self::Off),
            _ => Err(TargetError {
                given: text.to_owned(),
                allowed: "stdio, file=PATH, socket=PATH, pty or off",
            }),
        }
    }
}

impl TryFrom<String> for ConsoleTarget {
    type Error = TargetError;

    fn try_from(text: String) -> Result<Self, TargetError> {
        text.parse()
    }
}

/// A port for programs, beside the console.
#[derive(Clone, Debug)]
pub struct PortConfig {
    /// The name that the guest finds it by.
    pub name: String,
    /// The host's end.
    pub socket: Arc<UnixStream>,
}

/// The other end of the serial port.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum SerialTarget {
    /// This process's standard input and output.
    Stdio,
    /// A file that takes the output.
    File(PathBuf),
    /// No serial port.
    Off,
}

impl FromStr for SerialTarget {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        match text.split_once('=') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            None if text == "stdio" => Ok(Self::Stdio),
            None if text == "off" => Ok(Self::Off),
            _ => Err(TargetError {
                given: text.to_owned(),
                allowed: "stdio, file=PATH or off",
            }),
        }
    }
}

impl TryFrom<String> for SerialTarget {
    type Error = TargetError;

    fn try_from(text: String) -> Result<Self, TargetError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_with_a_path_need_one() {
        assert_eq!(
            "file=a.log".parse(),
            Ok(ConsoleTarget::File("a.log".into()))
        );
        assert!("file=".parse::<ConsoleTarget>().is_err());
        assert!("file".parse::<SerialTarget>().is_err());
    }

    #[test]
    fn an_unknown_target_is_told_with_the_known_ones() {
        let error = "tty".parse::<ConsoleTarget>().unwrap_err();
        assert!(error.to_string().contains("stdio, file=PATH, socket=PATH"));
    }
}
