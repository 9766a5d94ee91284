//! The console through pipes, files, sockets and terminals.

use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::assets::*;
use crate::guest::{Guest, busybox, words};

#[test]
fn a_command_can_be_piped_in() {
    let mut guest = Guest::start(words(&mut busybox(), "init=/bin/sh"));
    guest
        .send("echo piped $((6*7)); poweroff -f\n")
        .close_input();
    let ended = guest.wait();
    ended.expect_status(0);
    assert!(ended.output.contains("piped 42"));
}

#[test]
fn two_megabytes_pass_the_console_unharmed() {
    let mut guest = Guest::boot(&mut busybox());
    guest.run("seq -s ' ' 300000 && poweroff");
    let ended = guest.wait();
    ended.expect_status(0);
    let numbers: Vec<String> = (1..=300_000).map(|number| number.to_string()).collect();
    assert!(ended.output.contains(&numbers.join(" ")));
}

#[test]
fn a_file_takes_the_output() {
    let folder = scratch();
    let file = folder.path().join("console.log");
    let target = format!("file={}", file.display());
    let mut command = busybox();
    words(&mut command, "init=/bin/uname -- -s").args(["--console", &target]);
    Guest::start(&mut command).wait().expect_status(10);
    assert!(std::fs::read_to_string(file).unwrap().contains("Linux"));
}

#[test]
fn a_socket_has_one_client_after_another() {
    let folder = scratch();
    let path = folder.path().join("console.sock");
    let target = format!("socket={}", path.display());
    let guest = Guest::start(busybox().args(["--console", &target]));
    let mut first = Client::connect(&path);
    first.expect("login: ").send("root\n").expect("# ");
    drop(first);
    let mut second = Client::connect(&path);
    second.send("echo still $((6*7))\n").expect("still 42");
    second.send("poweroff\n");
    guest.wait().expect_status(0);
}

#[test]
fn a_serial_port_that_nobody_reads_holds_up_neither_the_guest_nor_its_end() {
    let folder = scratch();
    let log = folder.path().join("console.log");
    let (_unread, stdout) = full_pipe();
    let mut command = busybox();
    words(
        &mut command,
        "init=/bin/sh -- -c \"echo '<1>word' > /dev/kmsg; sleep 1000\"",
    );
    command.args(["--serial", "stdio", "--grace", "0", "--console"]);
    command.arg(format!("file={}", log.display()));
    command.stdin(Stdio::null()).stdout(stdout);
    let mut vmm = Running(command.spawn().unwrap());
    eventually(|| std::fs::read_to_string(&log).is_ok_and(|log| log.contains("word\r")));
    vmm.signal(libc::SIGTERM);
    eventually(|| vmm.0.try_wait().unwrap().is_some());
}

fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    while !is_full(&writer) {
        writer.write_all(&[0; 4096]).unwrap();
    }
    (reader, writer)
}

fn is_full(pipe: &PipeWriter) -> bool {
    let now = Timespec::default();
    poll(&mut [PollFd::new(pipe, PollFlags::OUT)], Some(&now)).unwrap() == 0
}

/// Waits until `is_so`.
fn eventually(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time");
        std::thread::yield_now();
    }
}

/// A process that does not outlive its test.
struct Running(Child);

impl Running {
    fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.0.id()).unwrap();
        // SAFETY: the child has not been waited for, so the ID is still its own.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Somebody at the other end of the socket.
struct Client(UnixStream);

impl Client {
    /// Connects once the socket is there.
    fn connect(path: &Path) -> Self {
        let mut stream = None;
        eventually(|| {
            stream = UnixStream::connect(path).ok();
            stream.is_some()
        });
        Self(stream.unwrap())
    }

    /// Reads until `text` comes.
    fn expect(&mut self, text: &str) -> &mut Self {
        self.0
            .set_read_timeout(Some(Duration::from_secs(240)))
            .unwrap();
        let (mut seen, mut byte) = (Vec::new(), [0]);
        while !seen.ends_with(text.as_bytes()) {
            self.0.read_exact(&mut byte).unwrap();
            seen.extend(byte);
        }
        self
    }

    fn send(&mut self, text: &str) -> &mut Self {
        self.0.write_all(text.as_bytes()).unwrap();
        self
    }
}
