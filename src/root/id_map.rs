//! Which users exist in a user namespace: the caller as root, and those that `/etc/subuid` and
//! `/etc/subgid` lend him.
//!
//! Ranges are mapped by newuidmap and newgidmap, which have to be called from outside of the
//! namespace: by a child that stays there.

use std::fs;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::process::{Command, Stdio};

use rustix::process::{Pid, WaitOptions, getgid, getpid, getuid, waitpid};

/// Why no users exist in the namespace.
#[derive(Debug, thiserror::Error)]
pub enum IdMapError {
    /// No child.
    #[error("cannot start the child that maps users")]
    Child(#[source] io::Error),
    /// The kernel refuses the map.
    #[error("cannot write {path}")]
    Write {
        /// Which map.
        path: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// Which users exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// Those of the host.
    All,
    /// Root, who is the caller outside, and a range of others.
    Ranges,
    /// Root alone: files of all others belong to nobody.
    RootOnly,
}

/// Who maps: made before the namespace is, as it needs to know who the caller is outside.
pub(super) struct Mapper {
    uid: u32,
    gid: u32,
    helper: Option<Helper>,
}

impl Mapper {
    /// Gets ready.
    pub(super) fn start() -> Result<Self, IdMapError> {
        let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
        let lent = Lent::to(uid);
        let helper = lent.map(|lent| Helper::start(lent, uid, gid));
        Ok(Self {
            uid,
            gid,
            helper: helper.transpose().map_err(IdMapError::Child)?,
        })
    }

    /// Maps, once this process is in its namespace: what is lent, or else the caller alone.
    pub(super) fn map(self) -> Result<Ids, IdMapError> {
        if self.helper.is_some_and(Helper::map) {
            return Ok(Ids::Ranges);
        }
        // user_namespaces(7): who maps his own group has to give up setgroups first.
        write("/proc/self/setgroups", "deny")?;
        write("/proc/self/uid_map", &format!("0 {} 1", self.uid))?;
        write("/proc/self/gid_map", &format!("0 {} 1", self.gid))?;
        Ok(Ids::RootOnly)
    }
}

fn write(path: &'static str, text: &str) -> Result<(), IdMapError> {
    fs::write(path, text).map_err(|source| IdMapError::Write { path, source })
}

/// The child outside.
struct Helper {
    child: Pid,
    go: PipeWriter,
}

impl Helper {
    fn start(lent: Lent, uid: u32, gid: u32) -> io::Result<Self> {
        let (wait, go) = io::pipe()?;
        let parent = getpid();
        // SAFETY: this process has one thread, so that its copy may do whatever it may do.
        match unsafe { libc::fork() } {
            0 => {
                drop(go);
                end_child(lent.map_when_told(wait, parent, (uid, gid)))
            }
            child => match Pid::from_raw(child).filter(|_| child > 0) {
                Some(child) => Ok(Self { child, go }),
                None => Err(io::Error::last_os_error()),
            },
        }
    }

    /// Lets it map; whether it could.
    fn map(mut self) -> bool {
        let told = self.go.write_all(b"!").is_ok();
        drop(self.go);
        let ended = rustix::io::retry_on_intr(|| waitpid(Some(self.child), WaitOptions::empty()));
        told && matches!(ended, Ok(Some((_, status))) if status.exit_status() == Some(0))
    }
}

fn end_child(well: bool) -> ! {
    // SAFETY: it ends the child without running what the parent registered for its own exit.
    unsafe { libc::_exit(i32::from(!well)) }
}

/// The ranges of one user, as "start count".
#[derive(Debug, PartialEq, Eq)]
struct Lent {
    users: [String; 2],
    groups: [String; 2],
}

impl Lent {
    fn to(uid: u32) -> Option<Self> {
        let name = name_of(&fs::read_to_string("/etc/passwd").ok()?, uid);
        let range = |path| {
            let text = fs::read_to_string(path).ok()?;
            range_of(&text, name.as_deref(), uid)
        };
        Some(Self {
            users: range("/etc/subuid")?,
            groups: range("/etc/subgid")?,
        })
    }

    fn map_when_told(&self, mut wait: PipeReader, parent: Pid, own: (u32, u32)) -> bool {
        wait.read_exact(&mut [0]).is_ok()
            && map_by("newuidmap", parent, own.0, &self.users)
            && map_by("newgidmap", parent, own.1, &self.groups)
    }
}

/// Root inside is `own` outside; 1 and all that follow are lent.
fn map_by(program: &str, process: Pid, own: u32, [start, count]: &[String; 2]) -> bool {
    let process = process.as_raw_nonzero().to_string();
    let own = own.to_string();
    let status = Command::new(program)
        .args([&process, "0", &own, "1", "1", start, count])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// passwd(5): name:password:uid:…
fn name_of(passwd: &str, uid: u32) -> Option<String> {
    let uid = uid.to_string();
    let mut lines = passwd.lines().map(|line| line.split(':'));
    lines.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    })
}

/// subuid(5): name or uid:start:count
fn range_of(text: &str, name: Option<&str>, uid: u32) -> Option<[String; 2]> {
    let uid = uid.to_string();
    text.lines().find_map(|line| {
        let (user, range) = line.split_once(':')?;
        let (start, count) = range.split_once(':')?;
        let mine = user == uid || Some(user) == name;
        mine.then(|| [start.to_owned(), count.to_owned()])
    })
}

/// Whether `map`, as in `/proc/self/uid_map`, is that of the host: everybody, as himself.
pub(super) fn is_of_the_host(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_lent_by_name_or_by_number() {
        let range = Some(["100000".to_owned(), "65536".to_owned()]);
        assert_eq!(
            range_of("eve:1:2\nada:100000:65536\n", Some("ada"), 7),
            range
        );
        assert_eq!(range_of("7:100000:65536", None, 7), range);
        assert_eq!(range_of("eve:1:2\nbroken\nada", Some("ada"), 7), None);
    }

    #[test]
    fn a_user_is_found_by_his_number() {
        let passwd = "root:x:0:0::/root:/bin/sh\nada:x:7:7::/:/bin/sh\n";
        assert_eq!(name_of(passwd, 7).as_deref(), Some("ada"));
        assert_eq!(name_of(passwd, 8), None);
    }

    #[test]
    fn only_the_map_of_everybody_is_the_hosts() {
        assert!(is_of_the_host("         0          0 4294967295\n"));
        assert!(!is_of_the_host("0 1000 1\n"));
    }
}
