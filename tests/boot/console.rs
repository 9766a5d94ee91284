//! The console through pipes, files, sockets and terminals.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;

use crate::assets::*;
use crate::guest::{Guest, vmm, words};

fn busybox() -> Command {
    let mut command = vmm(&vmlinux());
    command
        .arg("--rootfs")
        .arg(busybox_root())
        .arg("--readonly");
    command
}

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
fn ten_megabytes_pass_the_console_unharmed() {
    let mut guest = Guest::boot(&mut busybox());
    guest
        .run("stty -opost; echo begin; yes 0123456789abcde | head -c 10485760; echo end; poweroff");
    guest.expect("begin\n");
    let ended = guest.wait();
    ended.expect_status(0);
    let (_, body) = ended.output.split_once("begin\n").unwrap();
    let (body, _) = body.split_once("end\n").unwrap();
    assert_eq!(body.len(), 10 << 20);
    assert!(body.lines().all(|line| line == "0123456789abcde"));
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
    for line in ["root\necho one $((1+1))\n", "poweroff\n"] {
        let mut client = connect(&path);
        client.write_all(line.as_bytes()).unwrap();
        let mut reader = BufReader::new(client);
        let mut answer = String::new();
        while !answer.contains("one 2") && reader.read_line(&mut answer).unwrap() > 0 {}
    }
    guest.wait().expect_status(0);
}

/// Connects once the socket is there.
fn connect(path: &std::path::Path) -> UnixStream {
    for _ in 0..1000 {
        if let Ok(stream) = UnixStream::connect(path) {
            return stream;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("no socket at {}", path.display());
}
