//! The names of signals, as they are typed.

/// The number of the signal called `text`: `TERM`, `SIGTERM` or `15`.
///
/// # Errors
/// There is none.
pub fn parse(text: &str) -> Result<i32, String> {
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let named = NAMES.iter().find(|(known, _)| *known == name);
    let number = named.map(|(_, number)| *number);
    number
        .or_else(|| name.parse().ok().filter(|number| (1..=64).contains(number)))
        .ok_or_else(|| {
            "no such signal: use a name, as in TERM, or a number from 1 to 64".to_owned()
        })
}

const NAMES: [(&str, i32); 12] = [
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("ABRT", libc::SIGABRT),
    ("KILL", libc::SIGKILL),
    ("USR1", libc::SIGUSR1),
    ("USR2", libc::SIGUSR2),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("CONT", libc::SIGCONT),
    ("STOP", libc::SIGSTOP),
    ("WINCH", libc::SIGWINCH),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_a_name_with_and_without_sig_and_a_number() {
        for text in ["TERM", "sigterm", "15"] {
            assert_eq!(parse(text), Ok(libc::SIGTERM));
        }
        assert!(parse("0").is_err() && parse("FOO").is_err());
    }
}
