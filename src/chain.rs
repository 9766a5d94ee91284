//! An error with its causes, as the user reads it.

use std::error::Error;

use crate::output::plain;

/// `error` and each of its causes, from the outermost in; what an image, a guest or a registry has
/// in it moves no cursor of a terminal.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    let lines: Vec<String> = text.split('\n').map(plain).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_follow_and_move_no_cursor() {
        let cause = std::io::Error::other("no \x1b[2J such\nname");
        let error = std::io::Error::other(std::io::Error::new(cause.kind(), cause));
        assert!(chain(&error).ends_with("no \\u{1b}[2J such\nname"));
    }
}
