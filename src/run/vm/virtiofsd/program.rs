//! Which virtiofsd there is: QEMU's own, in C, or its successor in Rust. They take other words
//! for the same.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::fd::RawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Resource, getrlimit};

/// Where distributions put it, which is in no PATH.
const PLACES: [&str; 2] = ["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd"];
/// More files than that no guest has open.
const MAX_FILES: u64 = 1_000_000;

/// A virtiofsd that is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    path: PathBuf,
    dialect: Dialect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    /// `-o source=DIRECTORY`, as until QEMU 7.
    C,
    /// `--shared-dir DIRECTORY`.
    Rust,
}

impl Program {
    /// The first that is found: in PATH, else where distributions put it.
    pub fn find() -> Option<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        let in_path: Vec<PathBuf> = env::split_paths(&path)
            .map(|directory| directory.join("virtiofsd"))
            .collect();
        let places = in_path.into_iter().chain(PLACES.map(PathBuf::from));
        places.filter(|path| path.is_file()).find_map(Self::at)
    }

    /// What is at `path`, by what it says of itself.
    fn at(path: PathBuf) -> Option<Self> {
        let output = Command::new(&path).arg("--help").output().ok()?;
        let said = [output.stdout, output.stderr].concat();
        let dialect = Dialect::of(&String::from_utf8_lossy(&said))?;
        Some(Self { path, dialect })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The command that serves `directory` to who connects to the listening socket `listener`.
    pub fn serve(&self, directory: &Path, listener: RawFd) -> Command {
        let mut command = Command::new(&self.path);
        // What our caller has in his environment is nothing for whoever takes it over.
        command.env_clear();
        command.arg(format!("--fd={listener}"));
        command.arg(format!("--rlimit-nofile={}", file_limit()));
        match self.dialect {
            Dialect::C => {
                let mut source = OsString::from("source=");
                source.push(escaped(directory.as_os_str()));
                let words = "sandbox=namespace,no_xattr,modcaps=-mknod,log_level=warn";
                command.arg("-f").arg("-o").arg(source).args(["-o", words]);
            }
            Dialect::Rust => {
                command.arg("--shared-dir").arg(directory);
                command.args([
                    "--sandbox=namespace",
                    "--modcaps=-mknod",
                    "--log-level=warn",
                ]);
            }
        }
        command
    }
}

impl Dialect {
    fn of(help: &str) -> Option<Self> {
        let words = [
            ("--shared-dir", Self::Rust),
            ("source=PATH", Self::C),
            // It drops its groups before it reads its options, which not everybody may.
            ("setgroups() failed", Self::C),
        ];
        let known = words.into_iter().find(|(word, _)| help.contains(word));
        known.map(|(_, dialect)| dialect)
    }
}

/// As many as this process may ask for: who has no rights has no more to give.
fn file_limit() -> u64 {
    let most = getrlimit(Resource::Nofile).maximum;
    most.unwrap_or(MAX_FILES).min(MAX_FILES)
}

/// In the C one's options a comma ends a value, unless a backslash is before it.
fn escaped(path: &OsStr) -> OsString {
    let mut bytes = Vec::new();
    for &byte in path.as_bytes() {
        if byte == b',' || byte == b'\\' {
            bytes.push(b'\\');
        }
        bytes.push(byte);
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_known_by_its_options() {
        let c = "    -o source=PATH             shared directory tree\n";
        let rust = "      --shared-dir <SHARED_DIR>\n";
        assert_eq!(Dialect::of(c), Some(Dialect::C));
        assert_eq!(Dialect::of(rust), Some(Dialect::Rust));
        let groups = "setgroups() failed with error=1:Operation not permitted\n";
        assert_eq!(Dialect::of(groups), Some(Dialect::C));
        assert_eq!(Dialect::of("usage: cat [FILE]..."), None);
    }

    #[test]
    fn a_directory_with_a_comma_is_no_other_option() {
        let path = escaped(OsStr::new("/a,sandbox=none\\"));
        assert_eq!(path, "/a\\,sandbox=none\\\\");
    }
}
