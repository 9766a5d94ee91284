//! Directories of the host, and nothing beside them.

use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;
use vmm::run::vm::virtiofsd::Program;

use crate::Promise;
use crate::skip::skip;
use crate::wall::{self, Wall};

pub const PROMISES: &[Promise] = &[
    (22, "a_volume_is_seen_and_written", seen_and_written),
    (22, "a_volume_may_be_read_only", read_only),
    (22, "root_cannot_write_a_read_only_volume", stubborn),
    (22, "both_sides_see_what_the_other_writes", live),
    (22, "links_in_a_volume_lead_nowhere_else", links),
    (22, "a_volume_gets_no_device_nodes", device_nodes),
    (22, "owners_and_modes_are_the_hosts", owners),
    (22, "a_large_file_arrives_whole", large),
    (22, "a_volume_that_is_lost_is_our_failure", lost),
    (22, "nothing_serves_on_after_a_kill", killed),
];

const DEADLINE: Duration = Duration::from_secs(60);

/// A directory of the host with a file in it.
struct Volume(TempDir);

impl Volume {
    fn new(wall: &Wall) -> Self {
        let directory = wall.directory();
        fs::write(directory.path().join("in"), "from the host\n").unwrap();
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The option's value that shows it at /data, with `suffix`.
    fn option(&self, suffix: &str) -> String {
        format!("{}:/data{suffix}", self.0.path().display())
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Puts a file there at once, as whoever waits for it must not see half of it.
    fn put(&self, name: &str, text: &str) {
        fs::write(self.path("half"), text).unwrap();
        fs::rename(self.path("half"), self.path(name)).unwrap();
    }
}

const NO_VIRTIOFSD: &str = "there is no virtiofsd here: a guest has a read-only copy";

/// Whether `wall` shows directories themselves: a machine can do that only where a virtiofsd is.
fn shows_themselves(wall: &Wall) -> bool {
    !wall.is("vm") || Program::find().is_some()
}

fn seen_and_written(wall: &Wall) {
    let volume = Volume::new(wall);
    let option = volume.option("");
    let script = "cat /data/in; ls -A /data/.. | grep -c data";
    let seen = wall.prints(&["--volume", &option], script);
    assert_eq!(seen, "from the host\n1");
    let ended = wall.shell(&["--volume", &option], "echo back > /data/out");
    if shows_themselves(wall) {
        assert_eq!(ended.status, 0, "{ended:?}");
        assert_eq!(fs::read_to_string(volume.path("out")).unwrap(), "back\n");
    } else {
        assert_ne!(ended.status, 0);
        assert!(ended.errors.contains("read-only copy"), "{ended:?}");
    }
}

fn read_only(wall: &Wall) {
    let volume = Volume::new(wall);
    let ended = wall.shell(&["--volume", &volume.option(":ro")], "touch /data/x");
    assert_ne!(ended.status, 0);
    assert!(ended.errors.contains("ead-only"), "{ended:?}");
}

fn stubborn(wall: &Wall) {
    if wall.is("process") {
        skip("whoever is root behind the process wall is root of the host");
    }
    let volume = Volume::new(wall);
    let script = "mount -o remount,rw /data; mount -t virtiofs volume0 /mnt; \
        for at in /data /mnt; do echo x > $at/x; echo x > $at/in; rm $at/in; \
        busybox chmod 777 $at/in; done; true";
    wall.shell(&["--volume", &volume.option(":ro")], script);
    assert_eq!(volume.names(), ["in"]);
    let file = File::open(volume.path("in")).unwrap().metadata().unwrap();
    assert_eq!((file.len(), file.mode() & 0o777), (14, 0o644));
}

fn live(wall: &Wall) {
    if !shows_themselves(wall) {
        skip(NO_VIRTIOFSD);
    }
    let volume = Volume::new(wall);
    let mut command = wall.run(&["--volume", &volume.option("")]);
    let script = "echo first > /data/first; echo ready; \
        until cat /data/go 2>/dev/null; do sleep 0.1; done > /data/second";
    command.args(["sh", "-c", script]);
    let (mut child, _output) = wall::start(command);
    assert_eq!(fs::read_to_string(volume.path("first")).unwrap(), "first\n");
    volume.put("go", "from the host, later\n");
    assert!(wall::wait(&mut child).success());
    let second = fs::read_to_string(volume.path("second")).unwrap();
    assert_eq!(second, "from the host, later\n");
}

fn links(wall: &Wall) {
    let volume = Volume::new(wall);
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, "the secret of the host\n").unwrap();
    symlink(&secret, volume.path("absolute")).unwrap();
    let up = "../".repeat(20) + secret.to_str().unwrap();
    symlink(&up, volume.path("relative")).unwrap();
    symlink("/etc/passwd", volume.path("passwd")).unwrap();
    let script = format!(
        "cat /data/absolute; cat /data/relative; cat /data/{up}; \
         busybox ln -s {} /data/own && cat /data/own; grep -c app /data/passwd",
        secret.display()
    );
    let ended = wall.shell(&["--volume", &volume.option("")], &script);
    // What it finds by such names is its own.
    assert_eq!(ended.text(), "1\n", "{ended:?}");
}

fn device_nodes(wall: &Wall) {
    if wall.is("process") {
        skip("whoever is root behind the process wall is root of the host");
    }
    let volume = Volume::new(wall);
    let script = "busybox mknod /data/disk b 8 0; busybox mknod /data/null c 1 3; true";
    wall.shell(&["--volume", &volume.option("")], script);
    let is_device = |name: &String| {
        let kind = fs::symlink_metadata(volume.path(name)).unwrap().file_type();
        kind.is_block_device() || kind.is_char_device()
    };
    assert!(!volume.names().iter().any(is_device));
}

fn owners(wall: &Wall) {
    if wall.is_rootless() {
        skip("to an ordinary user, files of others are nobody's");
    }
    if !shows_themselves(wall) {
        skip(NO_VIRTIOFSD);
    }
    let volume = Volume::new(wall);
    let file = volume.path("in");
    chown(&file, Some(1234), Some(4321)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let script = "stat -c '%u %g %a' /data/in; \
        busybox chown 77:88 /data/in && busybox chmod 604 /data/in";
    let printed = wall.prints(&["--volume", &volume.option("")], script);
    assert_eq!(printed, "1234 4321 640");
    let found = fs::metadata(&file).unwrap();
    let found = (found.uid(), found.gid(), found.mode() & 0o7777);
    assert_eq!(found, (77, 88, 0o604));
}

fn large(wall: &Wall) {
    if !shows_themselves(wall) {
        skip(NO_VIRTIOFSD);
    }
    let volume = Volume::new(wall);
    // 100 MB that no two blocks of are alike.
    let bytes: Vec<u8> = (0..25_000_000_u32)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    fs::write(volume.path("in"), &bytes).unwrap();
    wall.prints(&["--volume", &volume.option("")], "cp /data/in /data/out");
    // Not assert_eq: nobody reads 200 MB of a difference.
    assert!(fs::read(volume.path("out")).unwrap() == bytes);
}

fn lost(wall: &Wall) {
    if !wall.is("vm") || !shows_themselves(wall) {
        skip("no virtiofsd serves it");
    }
    let volume = Volume::new(wall);
    let errors = tempfile::NamedTempFile::new().unwrap();
    let mut command = wall.run(&["--volume", &volume.option("")]);
    let script = "echo x > /data/ready; while :; do cat /data/in > /data/out; done";
    command.args(["sh", "-c", script]);
    command.stderr(errors.reopen().unwrap());
    let mut child = command.spawn().unwrap();
    wait_for(|| volume.path("ready").exists());
    let server = *servers_of(volume.0.path()).last().unwrap();
    rustix::process::kill_process(server, Signal::KILL).unwrap();
    assert_eq!(wall::wait(&mut child).code(), Some(125));
    let errors = fs::read_to_string(errors.path()).unwrap();
    let name = volume.0.path().to_str().unwrap();
    assert!(
        errors.contains(name) && errors.contains("has ended"),
        "{errors}"
    );
    assert_eq!(servers_of(volume.0.path()), []);
}

fn killed(wall: &Wall) {
    if !wall.is("vm") || !shows_themselves(wall) {
        skip("no virtiofsd serves it");
    }
    let volume = Volume::new(wall);
    let mut command = wall.run(&["--volume", &volume.option("")]);
    command.args(["sh", "-c", "echo x > /data/ready; exec sleep 1000"]);
    let mut child = command.spawn().unwrap();
    wait_for(|| volume.path("ready").exists());
    assert!(!servers_of(volume.0.path()).is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for(|| servers_of(volume.0.path()).is_empty());
}

/// The processes that serve `directory`, the oldest first.
fn servers_of(directory: &Path) -> Vec<rustix::process::Pid> {
    let directory = directory.to_str().unwrap();
    let serves = |number: &i32| {
        let line = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.contains("virtiofsd") && line.contains(directory) && line.contains("--fd=")
    };
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut numbers: Vec<i32> = numbers.filter(serves).collect();
    numbers.sort_unstable();
    let pids = numbers
        .into_iter()
        .filter_map(rustix::process::Pid::from_raw);
    pids.collect()
}

fn wait_for(condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < DEADLINE, "it has not come");
        thread::sleep(Duration::from_millis(5));
    }
}
