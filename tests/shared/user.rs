//! The ordinary user as whom root tests what needs no root.

#![allow(dead_code, reason = "no test uses all of it")]

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Whoever has no files and no rights here.
const NOBODY: u32 = 65533;

/// A user, and whether others are lent to him.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    uid: u32,
    gid: u32,
    /// Whether there are other users in his user namespaces.
    pub has_others: bool,
}

impl User {
    /// The one that `VMM_TEST_USER` names, or the first to whom `/etc/subuid` lends others, or
    /// somebody who has none; ourselves where we are not root.
    pub fn of_tests() -> Self {
        static USER: OnceLock<User> = OnceLock::new();
        *USER.get_or_init(|| {
            let named = std::env::var("VMM_TEST_USER").ok();
            let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
            let lent = fs::read_to_string("/etc/subuid").unwrap_or_default();
            let of_lent = lent.lines().filter_map(|line| line.split(':').next());
            let mut names = named.as_deref().into_iter().chain(of_lent);
            let ourselves = rustix::process::getuid();
            let found = match ourselves.is_root() {
                true => names.find_map(|name| find(&passwd, |fields| fields[0] == name)),
                false => find(&passwd, |fields| fields[2] == ourselves.to_string()),
            };
            found.unwrap_or(Self {
                uid: NOBODY,
                gid: NOBODY,
                has_others: false,
            })
        })
    }

    /// Why he can have no user namespace, if he cannot.
    pub fn why_not(self) -> Option<&'static str> {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "true"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.lead(&mut command);
        let is_possible = command.status().is_ok_and(|status| status.success());
        (!is_possible).then_some("this host gives an ordinary user no user namespace")
    }

    /// Has `command` run as this user.
    pub fn lead(self, command: &mut Command) {
        if rustix::process::getuid().is_root() {
            command.uid(self.uid).gid(self.gid);
        }
    }

    /// The words before a command by which root has it run as this user.
    pub fn become_words(self) -> [String; 4] {
        let Self { uid, gid, .. } = self;
        [
            "setpriv".to_owned(),
            "--clear-groups".to_owned(),
            format!("--reuid={uid}"),
            format!("--regid={gid}"),
        ]
    }

    /// Gives the file or directory at `path` to him.
    pub fn own(self, path: &Path) {
        chown(path, Some(self.uid), Some(self.gid)).unwrap();
    }
}

/// The user of the line of `passwd` that is meant; an ordinary one, as root has no need of this.
fn find(passwd: &str, is_meant: impl Fn(&[&str]) -> bool) -> Option<User> {
    let lines = passwd.lines().map(|line| line.split(':').collect());
    let mut lines = lines.filter(|fields: &Vec<&str>| fields.len() == 7);
    let fields = lines.find(|fields| is_meant(fields) && fields[2] != "0")?;
    let is_lent = |file| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let mut users = text.lines().filter_map(|line| line.split(':').next());
        users.any(|user| user == fields[0])
    };
    let has_mapper = Command::new("newuidmap").stderr(Stdio::null()).status();
    Some(User {
        uid: fields[2].parse().ok()?,
        gid: fields[3].parse().ok()?,
        has_others: has_mapper.is_ok() && is_lent("/etc/subuid") && is_lent("/etc/subgid"),
    })
}
