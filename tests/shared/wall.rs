//! `vmm run` behind one wall, and what came of it: for every test that runs commands.

#![allow(dead_code, reason = "no test uses all of it")]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::image;
use crate::user::User;

/// The longest that anything may take: a machine in a nested host boots in some seconds.
const DEADLINE: Duration = Duration::from_secs(120);

/// One of the walls, for root or for an ordinary user.
#[derive(Clone, Debug)]
pub struct Wall {
    column: String,
    name: String,
    user: Option<User>,
}

/// The column of a wall that an ordinary user puts up: `rootless` is the container wall, and
/// `rootless-process` another one.
const ROOTLESS: &str = "rootless";

/// How a command ended, and what it printed.
#[derive(Debug)]
pub struct Ended {
    /// The exit status of `vmm run`.
    pub status: i32,
    /// Its standard output.
    pub output: Vec<u8>,
    /// Its standard error.
    pub errors: String,
}

impl Wall {
    /// Those that `VMM_TEST_WALLS` names, or those that need no KVM; where there are no user
    /// namespaces, that is said.
    pub fn all() -> Vec<Self> {
        let walls = std::env::var("VMM_TEST_WALLS");
        let is_root = rustix::process::geteuid().is_root();
        let walls = walls.unwrap_or_else(|_| match is_root {
            true => "process,container,rootless,rootless-process".to_owned(),
            false => "rootless,rootless-process".to_owned(),
        });
        let mut walls: Vec<Self> = walls.split(',').map(Self::of_column).collect();
        let why_not = User::of_tests().why_not();
        if let Some(reason) = why_not.filter(|_| walls.iter().any(Self::is_rootless)) {
            eprintln!("skipped without root: {reason}");
            walls.retain(|wall| !wall.is_rootless());
        }
        walls
    }

    fn of_column(column: &str) -> Self {
        let rootless = column.strip_prefix(ROOTLESS);
        let name = match rootless {
            Some("") => "container",
            Some(other) => other.trim_start_matches('-'),
            None => column,
        };
        Self {
            column: column.to_owned(),
            name: name.to_owned(),
            user: rootless.map(|_| User::of_tests()),
        }
    }

    /// What distinguishes it from all others.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is that wall.
    pub fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// Whether an ordinary user puts it up.
    pub fn is_rootless(&self) -> bool {
        self.user.is_some()
    }

    /// The ordinary user who puts it up.
    pub fn user(&self) -> Option<User> {
        self.user
    }

    /// Whether there are other users than root behind it.
    pub fn has_users(&self) -> bool {
        self.user.is_none_or(|user| user.has_others)
    }

    /// A directory that whoever puts it up may use.
    pub fn directory(&self) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        if let Some(user) = self.user {
            user.own(directory.path());
        }
        directory
    }

    /// A `vmm` with a store and a runtime directory of this test run.
    pub fn vmm(&self) -> Command {
        let mut command = Command::new(program(self));
        if let Some(user) = self.user {
            user.lead(&mut command);
        }
        command
            .env("VMM_STORE", home(self).join("store"))
            .env("VMM_RUNTIME", home(self).join("run"));
        command
    }

    /// `vmm run` with `options` before the image; the command is to be added.
    pub fn run(&self, options: &[&str]) -> Command {
        if self.is_rootless() {
            extract_once(self);
        }
        let mut command = self.vmm();
        command.args(["run", "--wall", &self.name]).args(options);
        if self.is("vm") {
            command.arg("--kernel").arg(kernel());
            if let Ok(words) = std::env::var("VMM_TEST_CMDLINE") {
                command.args(["--cmdline", &words]);
            }
        }
        command.arg(image::path()).arg("--");
        command
    }

    /// What comes of the line `script` of a shell, run with `options`.
    pub fn shell(&self, options: &[&str], script: &str) -> Ended {
        let mut command = self.run(options);
        command.args(["sh", "-c", script]);
        finish(command, b"")
    }

    /// What `script` prints on standard output, without the last line feed.
    pub fn prints(&self, options: &[&str], script: &str) -> String {
        let ended = self.shell(options, script);
        assert_eq!(ended.status, 0, "{ended:?}");
        ended.text().trim_end_matches('\n').to_owned()
    }
}

impl Wall {
    /// What comes of `script` on a terminal with so many lines and columns.
    pub fn on_terminal(&self, size: (u16, u16), script: &str) -> Ended {
        let mut command = self.run(&["--tty"]);
        command.args(["sh", "-c", script]);
        on_terminal(command, size)
    }
}

impl Ended {
    /// Its standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }
}

/// Where root, or an ordinary user, has a store and a runtime directory.
fn home(wall: &Wall) -> &'static Path {
    static HOMES: [OnceLock<TempDir>; 2] = [const { OnceLock::new() }; 2];
    HOMES[usize::from(wall.is_rootless())]
        .get_or_init(|| wall.directory())
        .path()
}

/// The program where `wall` can start it: an ordinary user may not go where it was built.
fn program(wall: &Wall) -> &'static Path {
    static COPY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = Path::new(env!("CARGO_BIN_EXE_vmm"));
    let Some(user) = wall.user else {
        return built;
    };
    let copy = COPY.get_or_init(|| {
        let mut look = Command::new("test");
        look.arg("-x").arg(built);
        user.lead(&mut look);
        if look.status().unwrap().success() {
            return None;
        }
        let copy = home(wall).join("vmm");
        std::fs::copy(built, &copy).unwrap();
        Some(copy)
    });
    copy.as_deref().unwrap_or(built)
}

/// Has the image extracted, as an ordinary user's first run does and says.
fn extract_once(wall: &Wall) {
    static EXTRACTED: OnceLock<Ended> = OnceLock::new();
    let ended = EXTRACTED.get_or_init(|| {
        let mut command = wall.vmm();
        command
            .args(["run", "--wall", "process"])
            .arg(image::path());
        command.args(["--", "true"]);
        finish(command, b"")
    });
    assert_eq!(ended.status, 0, "{ended:?}");
}

/// The kernel of the vm wall.
fn kernel() -> PathBuf {
    let assets = std::env::var_os("VMM_TEST_ASSETS").expect("scripts/test names the assets");
    Path::new(&assets).join("vmlinux")
}

/// Runs `command` with `input` until it ends.
pub fn finish(mut command: Command, input: &[u8]) -> Ended {
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    collect(child, input)
}

/// Feeds `input` to `child` and takes what it prints until it ends.
pub fn collect(mut child: Child, input: &[u8]) -> Ended {
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // One that reads nothing closes it early.
    thread::spawn(move || drop(stdin.write_all(&input)));
    let output = read(child.stdout.take().unwrap());
    let errors = read(child.stderr.take().unwrap());
    let status = wait(&mut child);
    Ended {
        status: status.code().unwrap(),
        output: output.join().unwrap(),
        errors: String::from_utf8_lossy(&errors.join().unwrap()).into_owned(),
    }
}

fn read(mut from: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

/// Waits for the end of `child`, with a deadline.
pub fn wait(child: &mut Child) -> ExitStatus {
    wait_in_time(child).unwrap_or_else(|| panic!("nothing came of it in {DEADLINE:?}"))
}

/// Waits for the end of `child`; one that has none in time is killed.
pub fn wait_in_time(child: &mut Child) -> Option<ExitStatus> {
    let begin = Instant::now();
    while begin.elapsed() < DEADLINE {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// Starts `command`, and waits until it has printed a line that is `ready`.
pub fn start(mut command: Command) -> (Child, impl Read + Send + 'static) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut line = Vec::new();
    while !line.ends_with(b"ready\n") {
        let mut byte = [0];
        assert_eq!(
            output.read(&mut byte).unwrap(),
            1,
            "it ended before it was ready"
        );
        line.extend(byte);
    }
    (child, output)
}

/// Sends `signal` to `child`.
pub fn signal(child: &Child, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).unwrap();
}

/// What comes of `command` on a terminal with so many lines and columns.
pub fn on_terminal(mut command: Command, (rows, columns): (u16, u16)) -> Ended {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{Winsize, tcsetwinsize};
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&ours, size).unwrap();
    let path = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs = std::fs::File::options()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut child = command
        .stdin(theirs.try_clone().unwrap())
        .stdout(theirs.try_clone().unwrap())
        .stderr(theirs)
        .spawn()
        .unwrap();
    drop(command);
    let mut ours = std::fs::File::from(ours);
    let output = thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        // A terminal whose last user has closed it is an error, not an end.
        while let Ok(count @ 1..) = ours.read(&mut buffer) {
            bytes.extend(&buffer[..count]);
        }
        bytes
    });
    let status = wait(&mut child);
    Ended {
        status: status.code().unwrap(),
        output: output.join().unwrap(),
        errors: String::new(),
    }
}
