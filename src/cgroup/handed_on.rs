//! What of a hierarchy was handed on to an ordinary user: the group that this process stands in,
//! where its directory is the user's to write, as `systemd-run --user --scope -p Delegate=yes`
//! makes one.
//!
//! In the unified hierarchy a group that hands its controllers on has no processes of its own.
//! We leave for a group below, where nobody but us stands in it: others are not ours to move.

use std::fs;
use std::path::{Path, PathBuf};

use super::CgroupError;
use super::layout::Hierarchy;
use super::tree::{is_writable, make, write};

/// Where those go who run instances.
const SUPERVISORS: &str = "/supervisors";

const PROCS: &str = "cgroup.procs";

/// The group of `hierarchy` that this process stands in, if it may make groups there; `own` is
/// the text of `/proc/self/cgroup`.
pub(super) fn group(hierarchy: &Hierarchy<'_>, own: &str) -> Option<PathBuf> {
    let inside = own.lines().find_map(|line| place(hierarchy, line))?;
    // Whoever has stepped aside has left the group that is meant.
    let inside = inside.strip_suffix(SUPERVISORS).unwrap_or(inside);
    let path = Path::new(hierarchy.path).join(inside.trim_matches('/'));
    is_writable(&path).then_some(path)
}

/// cgroups(7): `ID:CONTROLLERS:PATH`, without controllers for the unified hierarchy.
fn place<'a>(hierarchy: &Hierarchy<'_>, line: &'a str) -> Option<&'a str> {
    let (_, line) = line.split_once(':')?;
    let (controllers, path) = line.split_once(':')?;
    let is_this = match hierarchy.version {
        1 => controllers
            .split(',')
            .any(|name| hierarchy.controllers.contains(&name)),
        _ => controllers.is_empty(),
    };
    is_this.then_some(path)
}

/// Whether nobody else stands in the group at `path`: who runs this program is one of us.
pub(super) fn can_be_left(path: &Path) -> bool {
    let program = |pid: &str| fs::read_link(format!("/proc/{pid}/exe")).ok();
    let ours = program("self");
    let procs = fs::read_to_string(path.join(PROCS)).unwrap_or_default();
    ours.is_some() && procs.lines().all(|pid| program(pid) == ours)
}

/// Moves all who stand in the group at `path`, which are we, into one below it. Before we have a
/// user namespace: from inside, who else is one of us cannot be seen.
pub(super) fn leave(path: &Path) -> Result<(), CgroupError> {
    let below = path.join(SUPERVISORS.trim_matches('/'));
    make(&below)?;
    let procs = fs::read_to_string(path.join(PROCS)).unwrap_or_default();
    let moved = |pid| match write(&below.join(PROCS), pid) {
        // It has ended.
        Err(CgroupError::Write(_, _, error)) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        result => result,
    };
    procs.lines().try_for_each(moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hierarchy<'a>(path: &'a str, controllers: &[&'a str], version: u8) -> Hierarchy<'a> {
        Hierarchy {
            path,
            controllers: controllers.to_vec(),
            version,
        }
    }

    const OWN: &str = "4:memory:/of/memory\n3:cpu,cpuacct:/of/cpu\n0::/of/all\n";

    #[test]
    fn our_group_stands_beside_a_controller_of_the_hierarchy_or_beside_none() {
        let place = |hierarchy| OWN.lines().find_map(|line| place(&hierarchy, line));
        assert_eq!(
            place(hierarchy("/x", &["cpuacct", "cpu"], 1)),
            Some("/of/cpu")
        );
        assert_eq!(place(hierarchy("/x", &[], 2)), Some("/of/all"));
        assert_eq!(place(hierarchy("/x", &["pids"], 1)), None);
    }

    #[test]
    fn a_group_is_handed_on_where_its_directory_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().to_str().unwrap();
        assert_eq!(group(&hierarchy(top, &[], 2), OWN), None);
        let own = folder.path().join("of/all");
        fs::create_dir_all(&own).unwrap();
        assert_eq!(group(&hierarchy(top, &[], 2), OWN), Some(own));
    }

    #[test]
    fn who_has_stepped_aside_makes_groups_where_he_was() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().to_str().unwrap();
        let own = folder.path().join("of/all");
        fs::create_dir_all(&own).unwrap();
        let aside = "0::/of/all/supervisors\n";
        assert_eq!(group(&hierarchy(top, &[], 2), aside), Some(own));
    }

    #[test]
    fn a_group_with_a_stranger_in_it_is_not_left() {
        let folder = tempfile::tempdir().unwrap();
        let stand = |pids: String| fs::write(folder.path().join(PROCS), pids).unwrap();
        let mut stranger = std::process::Command::new("sleep")
            .arg("100")
            .spawn()
            .unwrap();
        stand(format!("{}\n", std::process::id()));
        assert!(can_be_left(folder.path()));
        stand(format!("{}\n{}\n", std::process::id(), stranger.id()));
        assert!(!can_be_left(folder.path()));
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
}
