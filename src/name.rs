//! Names that are names of directories and of nothing else.

/// Whether `text` is one plain word of at most `longest` bytes: no path, no option, nothing
/// hidden.
pub fn is_plain(text: &str, longest: usize) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let begins_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    begins_well && text.len() <= longest && text.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_plain_word() {
        for name in ["work", "a.b_C-d", "0", &"x".repeat(64)] {
            assert!(is_plain(name, 64), "{name:?}");
        }
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        let long = "x".repeat(65);
        for name in [
            "", ".", "..", "a/b", "/etc", "../x", "-f", ".hidden", "a b", "a\n", "ä", &long,
        ] {
            assert!(!is_plain(name, 64), "{name:?}");
        }
    }
}
