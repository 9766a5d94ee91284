//! How a command ends.

use std::io::Read;

use rustix::process::Signal;

use crate::Promise;
use crate::wall::{Wall, finish, signal, start, wait};

pub const PROMISES: &[Promise] = &[
    (10, "signals_reach_the_command", signals),
    (10, "a_command_that_will_not_end_is_ended", grace),
    (10, "a_second_signal_does_not_wait", second_signal),
    (11, "the_status_is_the_command_s", status),
    (11, "a_signal_s_death_is_128_and_its_number", killed),
    (12, "what_cannot_be_executed_is_126", not_executable),
    (12, "what_is_not_there_is_127", not_found),
    (13, "a_failure_of_ours_is_125_and_a_sentence", ours),
    (14, "time_ends_it_with_124", timeout),
    (15, "orphans_are_reaped", orphans),
    (15, "what_still_runs_ends_with_the_command", left_over),
];

fn signals(wall: &Wall) {
    for (signal_sent, name) in [
        (Signal::TERM, "TERM"),
        (Signal::INT, "INT"),
        (Signal::HUP, "HUP"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
        (Signal::QUIT, "QUIT"),
    ] {
        let script = format!(
            "trap 'echo got {name}; exit 5' {name}; echo ready; while :; do sleep 0.05; done"
        );
        let mut command = wall.run(&[]);
        command.args(["sh", "-c", &script]);
        let (mut child, mut output) = start(command);
        signal(&child, signal_sent);
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        assert_eq!(
            (wait(&mut child).code(), text),
            (Some(5), format!("got {name}\n"))
        );
    }
}

fn grace(wall: &Wall) {
    let mut command = wall.run(&["--grace", "0.2"]);
    command.args([
        "sh",
        "-c",
        "trap '' TERM; echo ready; while :; do sleep 0.05; done",
    ]);
    let (mut child, _output) = start(command);
    signal(&child, Signal::TERM);
    assert_eq!(wait(&mut child).code(), Some(137));
}

fn second_signal(wall: &Wall) {
    let mut command = wall.run(&["--grace", "100"]);
    command.args([
        "sh",
        "-c",
        "trap 'echo ready' INT; echo ready; while :; do sleep 0.05; done",
    ]);
    let (mut child, mut output) = start(command);
    signal(&child, Signal::INT);
    // The first has arrived.
    let mut line = [0; 6];
    output.read_exact(&mut line).unwrap();
    signal(&child, Signal::INT);
    assert_eq!(wait(&mut child).code(), Some(137));
}

fn status(wall: &Wall) {
    for status in [0, 1, 42, 255] {
        assert_eq!(wall.shell(&[], &format!("exit {status}")).status, status);
    }
}

fn killed(wall: &Wall) {
    assert_eq!(wall.shell(&[], "kill -SEGV $$").status, 128 + 11);
    assert_eq!(wall.shell(&[], "kill -KILL $$").status, 128 + 9);
}

fn not_executable(wall: &Wall) {
    let mut command = wall.run(&[]);
    command.arg("/srv/no-program");
    let ended = finish(command, b"");
    assert_eq!(ended.status, 126, "{ended:?}");
    assert!(ended.errors.contains("/srv/no-program"), "{ended:?}");
}

fn not_found(wall: &Wall) {
    let mut command = wall.run(&[]);
    command.arg("no-such-program");
    let ended = finish(command, b"");
    assert_eq!(ended.status, 127, "{ended:?}");
    assert!(ended.errors.contains("no-such-program"), "{ended:?}");
}

fn ours(wall: &Wall) {
    let ended = wall.shell(&["--volume", "/no/such/directory:/mnt"], "true");
    assert_eq!(ended.status, 125, "{ended:?}");
    assert!(
        ended.errors.starts_with("vmm: ") && ended.errors.contains("/no/such/directory"),
        "{ended:?}"
    );
    let misused = wall.shell(&["--memory", "1X"], "true");
    assert_eq!(misused.status, 125, "{misused:?}");
    assert!(misused.errors.contains("--memory"), "{misused:?}");
}

fn timeout(wall: &Wall) {
    let ended = wall.shell(&["--timeout", "0.5"], "sleep 100");
    assert_eq!(ended.status, 124, "{ended:?}");
}

fn orphans(wall: &Wall) {
    let script = "(sh -c 'sleep 0.1; exit 3' &); sleep 0.5; \
        grep -l '^State:.*Z' /proc/[0-9]*/status 2>/dev/null | wc -l";
    if !wall.is("process") {
        assert_eq!(wall.prints(&[], script), "0");
    }
}

fn left_over(wall: &Wall) {
    // Whoever holds the output keeps its reader waiting.
    let ended = wall.shell(&[], "sleep 1000 & echo done");
    assert_eq!((ended.status, ended.text().as_str()), (0, "done\n"));
}
