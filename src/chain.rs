//! An error with its causes, as the user reads it.

use std::error::Error;

/// `error` and each of its causes, from the outermost in, in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
