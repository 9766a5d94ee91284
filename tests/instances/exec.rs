//! Other commands behind the wall of one that runs.

use std::fs;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use crate::fixture::{Detached, eventually, unused_name};
use crate::skip::skip;
use crate::wall::{Wall, collect, finish, on_terminal, signal, start, wait};
use crate::{Promise, promises};

pub const PROMISES: &[Promise] = promises![
    its_status_is_the_command_s,
    its_streams_are_the_caller_s,
    it_has_the_environment_of_the_first_command_and_more,
    it_runs_as_the_user_that_was_asked_for,
    it_sees_what_the_first_command_has_written,
    it_has_a_terminal_of_its_own,
    signals_of_the_caller_reach_it,
    it_ends_with_the_instance,
    one_that_goes_on_holds_up_no_answer,
    one_that_is_paused_takes_no_command,
    what_stops_whoever_comes_can_be_ended,
    where_nothing_runs_there_is_nothing_to_enter,
];

fn sleeping(wall: &Wall, options: &[&str]) -> Detached {
    Detached::ready(wall, options, "echo ready; exec sleep 1000")
}

fn its_status_is_the_command_s(wall: &Wall) {
    let instance = sleeping(wall, &[]);
    let status = |words: &[&str]| finish(instance.exec(&[], words), b"").status;
    assert_eq!(status(&["sh", "-c", "exit 42"]), 42);
    assert_eq!(status(&["sh", "-c", "kill -KILL $$"]), 137);
    assert_eq!(status(&["/srv/no-program"]), 126);
    assert_eq!(status(&["no-such-program"]), 127);
}

fn its_streams_are_the_caller_s(wall: &Wall) {
    let instance = sleeping(wall, &[]);
    let input: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    assert_eq!(finish(instance.exec(&[], &["cat"]), &input).output, input);
    let script = "echo out; echo err >&2";
    let ended = finish(instance.exec(&[], &["sh", "-c", script]), b"");
    let text = ended.text();
    assert_eq!((text.as_str(), ended.errors.as_str()), ("out\n", "err\n"));
}

fn it_has_the_environment_of_the_first_command_and_more(wall: &Wall) {
    let instance = sleeping(wall, &["--env", "A=first", "--env", "B=first"]);
    let mut command = instance.exec(&["--env", "B=second"], &["sh", "-c", "echo $A $B $SECRET"]);
    command.env("SECRET", "leaked");
    assert_eq!(finish(command, b"").text(), "first second\n");
}

fn it_runs_as_the_user_that_was_asked_for(wall: &Wall) {
    let instance = sleeping(wall, &[]);
    let script = "echo $(id -u) $(id -G) $(pwd)";
    let options = ["--user", "app", "--workdir", "/srv"];
    let ended = finish(instance.exec(&options, &["sh", "-c", script]), b"");
    if !wall.has_users() {
        return assert!(ended.errors.contains("/etc/subuid"), "{ended:?}");
    }
    assert_eq!(ended.text(), "1000 1001 29 /srv\n", "{ended:?}");
}

fn it_sees_what_the_first_command_has_written(wall: &Wall) {
    let script = "echo a > /tmp/a; echo b > /srv/b; echo ready; exec sleep 1000";
    let instance = Detached::ready(wall, &[], script);
    let ended = finish(instance.exec(&[], &["cat", "/tmp/a", "/srv/b"]), b"");
    assert_eq!(ended.text(), "a\nb\n", "{ended:?}");
}

fn it_has_a_terminal_of_its_own(wall: &Wall) {
    let instance = sleeping(wall, &[]);
    let script = "stty size; test -t 0 && test -t 1 && test -t 2 && exit 4";
    let ended = on_terminal(instance.exec(&["--tty"], &["sh", "-c", script]), (33, 111));
    assert!(ended.text().contains("33 111"), "{ended:?}");
    assert_eq!(ended.status, 4);
}

fn signals_of_the_caller_reach_it(wall: &Wall) {
    let instance = sleeping(wall, &[]);
    let script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done";
    let (mut child, _output) = start(instance.exec(&[], &["sh", "-c", script]));
    signal(&child, Signal::TERM);
    assert_eq!(wait(&mut child).code(), Some(5));
    assert_eq!(instance.row().unwrap()["running"], true);
}

fn it_ends_with_the_instance(wall: &Wall) {
    let instance = sleeping(wall, &[]);
    let (mut child, _output) = start(instance.exec(&[], &["sh", "-c", "echo ready; sleep 1000"]));
    assert_eq!(instance.tell(&["kill"]).status, 0);
    assert_ne!(wait(&mut child).code(), Some(0));
}

fn where_nothing_runs_there_is_nothing_to_enter(wall: &Wall) {
    let instance = Detached::start(wall, &[], "exit 0");
    instance.exit_status();
    let ended = finish(instance.exec(&[], &["true"]), b"");
    assert_eq!(ended.status, 125, "{ended:?}");
    assert!(ended.errors.contains("has ended"), "{ended:?}");
    let nowhere = Detached {
        name: "never-was-there".to_owned(),
        wall: wall.clone(),
    };
    let ended = finish(nowhere.exec(&[], &["true"]), b"");
    assert_eq!(ended.status, 125);
    assert!(ended.errors.contains("vmm ps --all"), "{ended:?}");
}

/// Both ask while nobody listens, and so are served at once.
fn one_that_goes_on_holds_up_no_answer(wall: &Wall) {
    let name = unused_name(wall);
    let mut run = wall.run(&["--name", &name]);
    run.args(["sh", "-c", "echo ready; exec sleep 1000"]);
    let (mut run, _) = start(run);
    signal(&run, Signal::STOP);
    let asking = |words: &[&str]| {
        let mut command = wall.vmm();
        command.args(words);
        spawn(command)
    };
    let stats = asking(&["stats", &name]);
    let mut exec = asking(&["exec", &name, "--", "sleep", "1000"]);
    eventually("both ask", || waits(&stats) && waits(&exec));
    signal(&run, Signal::CONT);
    assert_eq!(collect(stats, b"").status, 0);
    assert_eq!(collect(asking(&["stats", &name]), b"").status, 0);
    signal(&run, Signal::KILL);
    wait(&mut run);
    wait(&mut exec);
    // Whoever looks next clears away what is left.
    asking(&["ps"]).wait().unwrap();
}

fn one_that_is_paused_takes_no_command(wall: &Wall) {
    let instance = sleeping(wall, &[]);
    if instance.tell(&["pause"]).status != 0 {
        skip("an ordinary user's has no control group in which it could be paused");
    }
    assert_eq!(instance.row().unwrap()["paused"], true);
    let refused = finish(instance.exec(&[], &["true"]), b"");
    assert_eq!(refused.status, 125, "{refused:?}");
    assert!(refused.errors.contains("vmm resume"), "{refused:?}");
    assert_eq!(instance.tell(&["resume"]).status, 0);
    assert_eq!(instance.row().unwrap()["paused"], false);
    assert_eq!(finish(instance.exec(&[], &["true"]), b"").status, 0);
}

fn what_stops_whoever_comes_can_be_ended(wall: &Wall) {
    if !wall.is("container") {
        skip("only what joins a container is in its hands before it begins");
    }
    let stop = "echo ready; while :; do kill -STOP -1; done";
    let instance = Detached::ready(wall, &["--grace", "1"], stop);
    assert_eq!(finish(instance.exec(&[], &["true"]), b"").status, 125);
    assert_eq!(instance.tell(&["stop"]).status, 0);
}

fn spawn(mut command: Command) -> Child {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(Stdio::piped()).spawn().unwrap()
}

/// Whether `child` waits for an answer.
fn waits(child: &Child) -> bool {
    let call = fs::read_to_string(format!("/proc/{}/syscall", child.id())).unwrap();
    let [poll, ppoll, recvmsg] = [libc::SYS_poll, libc::SYS_ppoll, libc::SYS_recvmsg];
    let number = call
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok());
    number.is_some_and(|number: i64| [poll, ppoll, recvmsg].contains(&number))
}
