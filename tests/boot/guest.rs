//! A running guest: its console on our pipes or on a terminal, every wait with a deadline.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::assets::{busybox_root, vmlinux};
use crate::terminal::Terminal;

/// Far more than any step takes, even in an emulated host.
const DEADLINE: Duration = Duration::from_secs(240);
/// What the small root's shell says when it waits.
const PROMPT: &str = "# ";

/// A vmm that runs.
pub struct Guest {
    child: Child,
    input: Option<File>,
    output: Receiver<Vec<u8>>,
    errors: Receiver<Vec<u8>>,
    seen: String,
    looked_at: usize,
}

/// A vmm that has ended.
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// All that the console showed.
    pub output: String,
    /// All that vmm said.
    pub errors: String,
}

/// The command line of a guest with `kernel`.
pub fn vmm(kernel: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmm"));
    command.arg("--kernel").arg(kernel);
    words(&mut command, "");
    command
}

/// The command line of a guest with our small kernel and the small root, which it only reads.
pub fn busybox() -> Command {
    busybox_on(&vmlinux())
}

/// The command line of a guest with `kernel` and the small root, which it only reads.
pub fn busybox_on(kernel: &Path) -> Command {
    let mut command = vmm(kernel);
    command
        .arg("--rootfs")
        .arg(busybox_root())
        .arg("--readonly");
    command
}

/// Gives the kernel `more` words, and those that any kernel of these tests needs
/// (`VMM_TEST_CMDLINE`).
pub fn words<'c>(command: &'c mut Command, more: &str) -> &'c mut Command {
    let always = std::env::var("VMM_TEST_CMDLINE").unwrap_or_default();
    command.arg("--cmdline").arg(format!("{always} {more}"))
}

/// Boots `command`, types `lines` as root, powers off; all that the console showed.
pub fn session(command: &mut Command, lines: &[&str]) -> String {
    let mut guest = Guest::boot(command);
    for line in lines {
        guest.run(line);
    }
    guest.run("poweroff");
    let ended = guest.wait();
    ended.expect_status(0);
    ended.output
}

impl Guest {
    /// Starts `command` with its console on pipes.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("cannot start vmm");
        let input = child.stdin.take().expect("stdin is piped");
        Self {
            input: Some(OwnedFd::from(input).into()),
            output: reader(child.stdout.take().expect("stdout is piped")),
            errors: reader(child.stderr.take().expect("stderr is piped")),
            child,
            seen: String::new(),
            looked_at: 0,
        }
    }

    /// Starts `command` as the program that `terminal` is for. What vmm says is shown there
    /// as well, so it is part of the output.
    pub fn start_on(terminal: &Terminal, command: &Command) -> Self {
        Self {
            child: terminal.run(command),
            input: Some(terminal.keyboard()),
            output: reader(terminal.keyboard()),
            errors: channel().1,
            seen: String::new(),
            looked_at: 0,
        }
    }

    /// Starts `command` and logs in as root.
    pub fn boot(command: &mut Command) -> Self {
        let mut guest = Self::start(command);
        guest.expect("login: ").send("root\n");
        guest
    }

    /// Waits until the console shows `text`, and goes on behind it.
    ///
    /// A line that is typed is shown, too: wait for what only its answer has, as `42` for
    /// `$((6*7))`.
    pub fn expect(&mut self, text: &str) -> &mut Self {
        let begin = Instant::now();
        loop {
            if let Some(place) = self.seen[self.looked_at..].find(text) {
                self.looked_at += place + text.len();
                return self;
            }
            let left = DEADLINE.saturating_sub(begin.elapsed());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.seen += &String::from_utf8_lossy(&bytes),
                Err(RecvTimeoutError::Timeout) => self.give_up(&format!("no '{text}' in time")),
                Err(RecvTimeoutError::Disconnected) => {
                    self.give_up(&format!("ended without '{text}'"));
                }
            }
        }
    }

    /// Types `line` at the next prompt; the console shows it.
    pub fn run(&mut self, line: &str) -> &mut Self {
        self.expect(PROMPT).send(&format!("{line}\n"))
    }

    /// Types `text`.
    pub fn send(&mut self, text: &str) -> &mut Self {
        let input = self.input.as_mut().expect("the input is open");
        input
            .write_all(text.as_bytes())
            .expect("vmm reads its input");
        self
    }

    /// Ends the input, as a pipe's writer does.
    pub fn close_input(&mut self) -> &mut Self {
        self.input = None;
        self
    }

    /// Sends a signal to vmm.
    pub fn signal(&mut self, signal: i32) -> &mut Self {
        let pid = i32::try_from(self.child.id()).expect("a process ID fits");
        // SAFETY: the child has not been waited for, so the ID is still its own.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
        self
    }

    /// Waits for the end.
    pub fn wait(mut self) -> Ended {
        let begin = Instant::now();
        while begin.elapsed() < DEADLINE {
            match self.output.recv_timeout(Duration::from_millis(100)) {
                Ok(bytes) => self.seen += &String::from_utf8_lossy(&bytes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.ended(),
            }
        }
        self.give_up("has not ended in time")
    }

    fn ended(&mut self) -> Ended {
        Ended {
            status: self.child.wait().expect("vmm can be waited for"),
            output: std::mem::take(&mut self.seen),
            errors: self.said(),
        }
    }

    fn said(&self) -> String {
        let bytes: Vec<u8> = self.errors.iter().flatten().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn give_up(&mut self, problem: &str) -> ! {
        let _ = self.child.kill();
        let said = self.said();
        panic!("{problem}\n--- console\n{}\n--- vmm\n{said}", self.seen);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Checks the exit status; shows everything if it is another.
    pub fn expect_status(&self, status: i32) -> &Self {
        assert_eq!(
            self.status
                .code()
                .or(self.status.signal().map(|signal| 128 + signal)),
            Some(status),
            "\n--- console\n{}\n--- vmm\n{}",
            self.output,
            self.errors
        );
        self
    }
}

fn reader(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut bytes) {
            if sender.send(bytes[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}
