//! A command and how it is started. It knows no wall: this is the same behind all of them.

use serde::{Deserialize, Serialize};

/// A command, as `init` starts it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Launch {
    /// The program and its arguments; the program is looked up in the PATH of `env`.
    pub argv: Vec<String>,
    /// The whole environment. HOME is added if it is missing.
    pub env: Vec<(String, String)>,
    /// Where the command starts, made if it is missing; `/` if it is not given.
    pub workdir: Option<String>,
    /// As an image has it: a name or number, perhaps with `:` and a group.
    pub user: Option<String>,
    /// The command gets a terminal of this size. Without it, its streams are three pipes.
    pub tty: Option<WindowSize>,
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSize {
    /// How many lines.
    pub rows: u16,
    /// How many characters in each.
    pub columns: u16,
}

impl WindowSize {
    /// How many bytes it is in a frame.
    pub const SIZE: usize = 4;

    /// As it lies in a frame.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let ([a, b], [c, d]) = (self.rows.to_le_bytes(), self.columns.to_le_bytes());
        [a, b, c, d]
    }

    /// The size in `bytes`, if that is what they are.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, d] = <[u8; Self::SIZE]>::try_from(bytes).ok()?;
        Some(Self {
            rows: u16::from_le_bytes([a, b]),
            columns: u16::from_le_bytes([c, d]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_survives_its_json() {
        let launch = Launch {
            argv: vec!["cat".into(), "/etc/\u{fc}".into()],
            env: vec![("PATH".into(), "/bin".into())],
            workdir: Some("/srv".into()),
            user: Some("nobody:7".into()),
            tty: Some(WindowSize {
                rows: 24,
                columns: 80,
            }),
        };
        let json = serde_json::to_vec(&launch).unwrap();
        assert_eq!(serde_json::from_slice::<Launch>(&json).unwrap(), launch);
    }

    #[test]
    fn what_is_not_given_has_its_default() {
        let launch: Launch = serde_json::from_str(r#"{"argv":["true"]}"#).unwrap();
        assert_eq!((launch.argv.len(), launch.user), (1, None));
    }

    #[test]
    fn a_word_that_is_not_known_is_refused() {
        assert!(serde_json::from_str::<Launch>(r#"{"argc":1}"#).is_err());
    }

    #[test]
    fn a_window_size_survives_its_bytes() {
        let size = WindowSize {
            rows: 0x0201,
            columns: 0x0403,
        };
        assert_eq!(size.to_bytes(), [1, 2, 3, 4]);
        assert_eq!(WindowSize::parse(&[1, 2, 3, 4]), Some(size));
        assert_eq!(WindowSize::parse(&[1, 2, 3]), None);
    }
}
