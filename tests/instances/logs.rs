//! What a detached instance has printed.

use std::io::Read;
use std::process::Stdio;

use crate::fixture::{Detached, tell};
use crate::wall::{Wall, finish, start, wait};
use crate::{Promise, promises};

pub const PROMISES: &[Promise] = promises![
    both_streams_are_kept_apart,
    all_is_there_when_it_has_ended,
    who_follows_sees_all_and_leaves_at_the_end,
    one_with_a_caller_has_no_logs,
];

fn both_streams_are_kept_apart(wall: &Wall) {
    let script = "echo err >&2; echo ready; exec sleep 1000";
    let instance = Detached::ready(wall, &[], script);
    let ended = instance.tell(&["logs"]);
    let text = ended.text();
    assert_eq!((text.as_str(), ended.errors.as_str()), ("ready\n", "err\n"));
}

fn all_is_there_when_it_has_ended(wall: &Wall) {
    let script = "n=0; while [ $n -lt 2000 ]; do n=$((n+1)); echo line $n; done";
    let instance = Detached::start(wall, &[], script);
    instance.exit_status();
    let text = instance.output();
    assert_eq!(text.lines().count(), 2000);
    assert!(text.ends_with("line 2000\n"));
}

fn who_follows_sees_all_and_leaves_at_the_end(wall: &Wall) {
    let script = "echo ready; trap 'echo last; echo err >&2; exit 0' USR1
        while :; do sleep 0.05; done";
    let instance = Detached::ready(wall, &[], script);
    let mut follow = wall.vmm();
    follow.args(["logs", "-f", &instance.name]);
    follow.stderr(Stdio::piped());
    let (mut child, mut output) = start(follow);
    assert_eq!(instance.tell(&["kill", "-s", "USR1"]).status, 0);
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    assert_eq!(text, "last\n");
    assert_eq!(wait(&mut child).code(), Some(0));
}

fn one_with_a_caller_has_no_logs(wall: &Wall) {
    let name = crate::fixture::unused_name(wall);
    let mut command = wall.run(&["--name", &name]);
    command.args(["sh", "-c", "echo ready; exec sleep 1000"]);
    let (mut child, _output) = start(command);
    let refused = tell(wall, &["logs"], &name);
    assert_eq!(refused.status, 1);
    assert!(refused.errors.contains("--detach"), "{refused:?}");
    let mut kill = wall.vmm();
    kill.args(["kill", &name]);
    assert_eq!(finish(kill, b"").status, 0);
    assert_eq!(wait(&mut child).code(), Some(137));
}
