//! Which namespaces this process can make; tried in a child, which ends at once.

use std::io;

use serde::Serialize;

use crate::user_namespaces;

/// How a namespace can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// By this process as it is.
    Direct,
    /// Inside of a user namespace of its own.
    InUserNamespace,
    /// Not at all.
    Refused,
}

/// One kind of namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Namespace {
    /// Its name, as in `/proc/self/ns`.
    pub name: &'static str,
    /// How it can be had.
    pub access: Access,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Namespaces {
    /// Every kind.
    pub kinds: Vec<Namespace>,
    /// Whether a user without privileges can make a user namespace that is good for something.
    pub unprivileged: bool,
    /// The setting that is in his way, and what to do about it.
    pub remedy: Option<&'static str>,
}

const KINDS: [(&str, i32); 8] = [
    ("cgroup", libc::CLONE_NEWCGROUP),
    ("ipc", libc::CLONE_NEWIPC),
    ("mnt", libc::CLONE_NEWNS),
    ("net", libc::CLONE_NEWNET),
    ("pid", libc::CLONE_NEWPID),
    ("time", libc::CLONE_NEWTIME),
    ("user", libc::CLONE_NEWUSER),
    ("uts", libc::CLONE_NEWUTS),
];

/// Tries each of them.
pub fn examine() -> Namespaces {
    let remedy = user_namespaces::remedy();
    Namespaces {
        kinds: KINDS
            .map(|(name, flag)| Namespace {
                name,
                access: access(flag, |flags| can_unshare(flags, Identity::Own)),
            })
            .to_vec(),
        unprivileged: remedy.is_none() && can_unshare(libc::CLONE_NEWUSER, Identity::Nobody),
        remedy,
    }
}

fn access(flag: i32, can_unshare: impl Fn(i32) -> bool) -> Access {
    if can_unshare(flag) {
        Access::Direct
    } else if can_unshare(flag | libc::CLONE_NEWUSER) {
        Access::InUserNamespace
    } else {
        Access::Refused
    }
}

/// Who tries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Identity {
    Own,
    Nobody,
}

fn can_unshare(flags: i32, identity: Identity) -> bool {
    // SAFETY: the child calls nothing but system calls, and ends without returning.
    match unsafe { libc::fork() } {
        0 => end_child(try_unshare(flags, identity)),
        child if child > 0 => ended_well(child),
        _ => false,
    }
}

/// In the child.
fn try_unshare(flags: i32, identity: Identity) -> bool {
    const NOBODY: libc::uid_t = 65534;
    if identity == Identity::Nobody {
        // The plain system call: the C library's changes all threads, of which there is one.
        // SAFETY: it changes only this child, and fails harmlessly for who is not root.
        unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
    }
    // SAFETY: it changes only this child, which ends now.
    unsafe { libc::unshare(flags) == 0 }
}

fn end_child(well: bool) -> ! {
    // SAFETY: it ends the child without running what the parent registered for its own exit.
    unsafe { libc::_exit(i32::from(!well)) }
}

fn ended_well(child: libc::pid_t) -> bool {
    let mut status = 0;
    loop {
        // SAFETY: the child is this function's caller's, and the status is a local.
        let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
        let interrupted =
            waited < 0 && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted;
        if !interrupted {
            return waited == child && status == 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_tried_alone_first_and_then_in_a_user_namespace() {
        let privileged = access(libc::CLONE_NEWNET, |_| true);
        let rootless = access(libc::CLONE_NEWNET, |flags| flags & libc::CLONE_NEWUSER != 0);
        let refused = access(libc::CLONE_NEWNET, |_| false);
        assert_eq!(
            [privileged, rootless, refused],
            [Access::Direct, Access::InUserNamespace, Access::Refused]
        );
    }

    #[test]
    fn trying_leaves_this_process_where_it_is() {
        let uts = || std::fs::read_link("/proc/self/ns/uts").unwrap();
        let before = uts();
        examine();
        assert_eq!(uts(), before);
    }
}
