//! What somebody at a terminal sees, and how he finds it afterwards.

use std::path::Path;
use std::process::Command;

use crate::assets::*;
use crate::guest::{Ended, Guest, busybox, words};
use crate::terminal::Terminal;

/// Boots `command` on a terminal until it `shows` something, lets `end` end it, and checks
/// that the terminal was raw until then and is now as it was before.
fn gives_the_terminal_back(command: &Command, shows: &str, end: impl FnOnce(&mut Guest)) -> Ended {
    let terminal = Terminal::open();
    let before = terminal.settings();
    let mut guest = Guest::start_on(&terminal, command);
    guest.expect(shows);
    assert!(terminal.is_raw());
    end(&mut guest);
    let ended = guest.wait();
    assert_eq!(terminal.settings(), before);
    ended
}

#[test]
fn a_power_off_gives_the_terminal_back() {
    let ended = gives_the_terminal_back(&busybox(), "login: ", |guest| {
        guest.send("root\r").expect("# ").send("poweroff\r");
    });
    ended.expect_status(0);
}

#[test]
fn ctrl_a_x_ends_the_guest_and_gives_the_terminal_back() {
    let ended = gives_the_terminal_back(&busybox(), "login: ", |guest| {
        guest.send("\x01x");
    });
    ended.expect_status(0);
}

#[test]
fn sigterm_gives_the_terminal_back() {
    let ended = gives_the_terminal_back(&busybox(), "login: ", |guest| {
        guest.send("root\r").expect("# ").signal(libc::SIGTERM);
    });
    ended.expect_status(0);
}

#[test]
fn a_hard_stop_gives_the_terminal_back() {
    let mut command = busybox();
    command.args(["--grace", "0"]);
    let ended = gives_the_terminal_back(&command, "login: ", |guest| {
        guest.signal(libc::SIGTERM);
    });
    ended.expect_status(128 + libc::SIGTERM);
}

#[test]
fn a_panic_gives_the_terminal_back() {
    let mut command = busybox();
    words(&mut command, "init=/bin/sh");
    let ended = gives_the_terminal_back(&command, "# ", |guest| {
        guest.send("exit\r");
    });
    ended.expect_status(10);
}

#[test]
fn a_failure_before_the_guest_leaves_the_terminal_as_it_was() {
    let terminal = Terminal::open();
    let before = terminal.settings();
    let mut command = busybox();
    command.args(["--disk", "path=/nowhere"]);
    Guest::start_on(&terminal, &command).wait().expect_status(1);
    assert_eq!(terminal.settings(), before);
}

#[test]
fn the_guest_has_the_terminal_s_size_and_follows_it() {
    let terminal = Terminal::open();
    terminal.resize(30, 100);
    let mut guest = Guest::start_on(&terminal, &busybox());
    guest.expect("login: ").send("root\r");
    guest.expect("# ").send("echo at first $(stty size).\r");
    guest.expect("at first 30 100.");
    terminal.resize(50, 132);
    guest.expect("# ");
    guest.send("until stty size | grep '50 132'; do :; done; echo now $(stty size).\r");
    guest.expect("now 50 132.").send("\x01x");
    guest.wait().expect_status(0);
}

#[test]
fn ctrl_a_h_helps_and_the_guest_goes_on() {
    let terminal = Terminal::open();
    let mut guest = Guest::start_on(&terminal, &busybox());
    guest.expect("login: ").send("\x01h");
    guest
        .expect("Ctrl-a h       print this help\r\n")
        .send("root\r");
    guest
        .expect("# ")
        .send("echo still $((6*7))\r")
        .expect("still 42");
    guest.send("\x01x");
    guest.wait().expect_status(0);
}

#[test]
fn ctrl_c_is_the_guest_s() {
    let terminal = Terminal::open();
    let mut guest = Guest::start_on(&terminal, &busybox());
    guest.expect("login: ").send("root\r");
    guest.expect("# ").send("echo runs; sleep 1000\r");
    guest.expect("runs\r").send("\x03");
    guest.expect("# ").send("echo interrupted $((6*7))\r");
    guest.expect("interrupted 42").send("\x01x");
    guest.wait().expect_status(0);
}

#[test]
fn the_demo_shows_debian_s_login_and_ends_with_ctrl_a_x() {
    let terminal = Terminal::open();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/demo");
    let mut demo = Command::new(script);
    demo.arg("--inside").arg(env!("CARGO_BIN_EXE_vmm"));
    demo.arg(debian_root().parent().unwrap());
    let mut guest = Guest::start_on(&terminal, &demo);
    guest.expect("login: ").send("\x01x");
    guest.wait().expect_status(0);
}
