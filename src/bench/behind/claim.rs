//! Names that only one bench has: a word drawn at random, and a locked file that says whether
//! that bench still runs. What a user has made is never called so.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How everything of a bench is called, before its word.
const PREFIX: &str = "bench-";
/// The ending of a claim's file.
const ENDING: &str = "claim";

/// A word of ours, until it is given up or the process has ended.
pub struct Claim {
    /// `bench-` and the word: what all our names begin with.
    stem: String,
    path: PathBuf,
    _held: File,
}

impl Claim {
    /// Draws a word that nobody has; its file is in `directory`.
    ///
    /// # Errors
    /// No file can be made there.
    pub fn draw(directory: &Path) -> io::Result<Self> {
        loop {
            let stem = format!("{PREFIX}{:012x}", fastrand::u64(..1 << 48));
            let path = directory.join(&stem).with_extension(ENDING);
            let file = match File::create_new(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                file => file?,
            };
            // Whoever clears away may have had it first.
            if is_taken(&file)? {
                return Ok(Self {
                    stem,
                    path,
                    _held: file,
                });
            }
        }
    }

    /// What ours is called that is `what`.
    pub fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.stem)
    }

    /// Nothing is called so any more.
    pub fn give_up(&self) {
        // A later bench removes it if it stays.
        let _ = fs::remove_file(&self.path);
    }
}

/// Gives `clear` what the names of each bench begin with that has left its claim in `directory`
/// and has gone; the claim is void when that says that nothing is called so any more.
///
/// # Errors
/// The directory cannot be read.
pub fn of_the_dead(directory: &Path, mut clear: impl FnMut(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let Some(stem) = stem_of(&path) else { continue };
        // One that has just gone by itself has left nothing.
        let Ok(file) = File::open(&path) else {
            continue;
        };
        if is_taken(&file)? && clear(&format!("{stem}-")) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// `bench-` and the word of a claim's file.
fn stem_of(path: &Path) -> Option<&str> {
    let is_claim = path.extension().is_some_and(|ending| ending == ENDING);
    let stem = path.file_stem().filter(|_| is_claim)?.to_str()?;
    let word = stem.strip_prefix(PREFIX)?;
    let is_word = word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_word.then_some(stem)
}

/// Takes the lock of `file`; whether it is had, and the file still has its name.
fn is_taken(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(file.metadata()?.nlink() > 0),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead(directory: &Path, is_cleared: bool) -> Vec<String> {
        let mut all = Vec::new();
        let clear = |stem: &str| {
            all.push(stem.to_owned());
            is_cleared
        };
        of_the_dead(directory, clear).unwrap();
        all
    }

    #[test]
    fn only_what_a_dead_bench_has_claimed_is_cleared_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let alive = Claim::draw(folder.path()).unwrap();
        File::create(folder.path().join("bench-0123456789ab.claim")).unwrap();
        // Something could not be removed the first time.
        assert_eq!(dead(folder.path(), false), ["bench-0123456789ab-"]);
        assert_eq!(dead(folder.path(), true), ["bench-0123456789ab-"]);
        assert_eq!(dead(folder.path(), true), [""; 0]);
        let name = alive.name("vm");
        assert!(
            name.starts_with("bench-") && name.ends_with("-vm"),
            "{name}"
        );
    }

    #[test]
    fn what_is_no_claim_claims_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "bench-.claim",
            "bench-1.claim",
            "bench-0123456789ab",
            "bench-0123456789ag.claim",
            "1795616354-10170.json",
        ] {
            File::create(folder.path().join(name)).unwrap();
        }
        assert_eq!(dead(folder.path(), true), [""; 0]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
    }

    #[test]
    fn one_that_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        Claim::draw(folder.path()).unwrap().give_up();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
