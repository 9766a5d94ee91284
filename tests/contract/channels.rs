//! What two instances say to each other, each wall with each.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::Promise;
use crate::skip::skip;
use crate::wall::{Ended, Wall, collect, finish, start, wait};

pub const PROMISES: &[Promise] = &[
    (25, "two_instances_talk_by_a_channel", talk),
    (25, "a_megabyte_passes_both_ways_unchanged", megabyte),
    (25, "connections_are_joined_in_their_order", order),
    (25, "a_crowd_is_served_in_the_end", crowd),
    (25, "what_was_said_before_an_end_arrives", last_words),
    (25, "one_that_is_killed_is_an_end_to_the_other", killed),
    (25, "a_shortage_of_files_is_outlived", shortage),
    (25, "a_third_is_refused_by_the_names_of_the_two", third),
    (25, "everything_else_between_them_is_closed", closed),
];

/// Two walls, and a channel between them that no other test has.
struct Pair<'a> {
    walls: [&'a Wall; 2],
    channel: String,
}

/// Does `act` with `wall` and each that follows it, and itself: so every two are tried once. Who
/// is no root has a runtime directory of his own, and meets his own alone.
fn with_each(wall: &Wall, act: impl Fn(Pair<'_>)) {
    let walls = Wall::all();
    let others = walls
        .iter()
        .skip_while(|other| other.column() != wall.column());
    for other in others.filter(|other| other.is_rootless() == wall.is_rootless()) {
        act(Pair::new(wall, other));
    }
}

impl<'a> Pair<'a> {
    fn new(wall: &'a Wall, other: &'a Wall) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self {
            walls: [wall, other],
            channel: format!("c{number}"),
        }
    }

    /// The line `script` of a shell behind one of the walls; in it, `CONNECT` connects.
    fn shell(&self, end: usize, options: &[&str], script: &str) -> Command {
        let options = [&["--channel", &self.channel], options].concat();
        let mut command = self.walls[end].run(&options);
        let variable = format!("$VMM_CHANNEL_{}", self.channel.to_uppercase());
        let script = script.replace("CONNECT", &format!("probe connect {variable}"));
        command.args(["sh", "-c", &script]);
        command
    }

    /// What comes of a script at each end, both at the same time.
    fn both(&self, scripts: [&str; 2]) -> [Ended; 2] {
        let first = spawn(self.shell(0, &[], scripts[0]));
        let second = finish(self.shell(1, &[], scripts[1]), b"");
        [collect(first, b""), second]
    }
}

fn spawn(mut command: Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(Stdio::piped()).spawn().unwrap()
}

/// Tells the script that it may go on.
fn nudge(child: &mut Child) {
    child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
}

fn rest(mut output: impl Read) -> String {
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    text
}

fn talk(wall: &Wall) {
    with_each(wall, |pair| {
        let user: &[&str] = match wall.has_users() {
            true => &["--user", "app"],
            false => &[],
        };
        let question = spawn(pair.shell(0, user, "echo question | CONNECT"));
        let answer = finish(pair.shell(1, &[], "echo answer | CONNECT"), b"");
        let question = collect(question, b"");
        assert_eq!(question.text(), "answer\n", "{question:?}");
        assert_eq!(answer.text(), "question\n", "{answer:?}");
    });
}

fn megabyte(wall: &Wall) {
    let all_bytes: Vec<u8> = (0..=255).cycle().take((1 << 20) + 7).collect();
    with_each(wall, |pair| {
        let first = spawn(pair.shell(0, &[], "CONNECT"));
        let input = all_bytes.clone();
        let first = thread::spawn(move || collect(first, &input));
        let second = finish(pair.shell(1, &[], "CONNECT"), &all_bytes);
        for ended in [first.join().unwrap(), second] {
            let count = ended.output.len();
            assert!(ended.output == all_bytes, "{count} bytes: {}", ended.errors);
        }
    });
}

fn order(wall: &Wall) {
    let script = |from: &str| format!("for i in 1 2 3; do echo {from}$i | CONNECT; done");
    let [first, second] = Pair::new(wall, wall).both([&script("a"), &script("b")]);
    assert_eq!(first.text(), "b1\nb2\nb3\n", "{first:?}");
    assert_eq!(second.text(), "a1\na2\na3\n", "{second:?}");
}

fn crowd(wall: &Wall) {
    let count = "i=0; while [ $i -lt 20 ]; do i=$((i + 1));";
    let all = format!("{count} echo $i | CONNECT & done; wait");
    let each = format!("{count} CONNECT </dev/null; done");
    let [_, heard] = Pair::new(wall, wall).both([&all, &each]);
    let text = heard.text();
    let mut numbers: Vec<u32> = text.lines().filter_map(|l| l.parse().ok()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>(), "{heard:?}");
}

/// The first is there and does not listen yet.
fn last_words(wall: &Wall) {
    with_each(wall, |pair| {
        let script = "echo ready; read line; CONNECT </dev/null";
        let (mut late, output) = start(pair.shell(0, &[], script));
        let script = "(echo last; sleep 1000) | CONNECT & echo words | CONNECT & sleep 0.5";
        assert_eq!(finish(pair.shell(1, &[], script), b"").status, 0);
        nudge(&mut late);
        let heard = rest(output);
        assert!(heard == "last\n" || heard == "words\n", "{heard}");
        assert_eq!(wait(&mut late).code(), Some(0));
    });
}

/// Whoever came second: what it leaves behind, where nobody else ends it, holds its connection
/// open.
fn killed(wall: &Wall) {
    with_each(wall, |pair| {
        let script = "echo ready; CONNECT </dev/null; echo ended";
        let (mut waiting, mut output) = start(pair.shell(0, &[], script));
        let mut other = spawn(pair.shell(1, &[], "(echo hello; sleep 1000) | CONNECT"));
        let mut hello = [0; 6];
        output.read_exact(&mut hello).unwrap();
        other.kill().unwrap();
        let heard = thread::spawn(|| rest(output));
        assert_eq!(wait(&mut waiting).code(), Some(0));
        assert_eq!(heard.join().unwrap(), "ended\n");
        other.wait().unwrap();
        // Whoever looks next clears away what is left.
        let mut list = pair.walls[1].vmm();
        list.arg("ps");
        assert_eq!(finish(list, b"").status, 0);
    });
}

/// Whoever came second has no file left to meet another when the first is gone.
fn shortage(wall: &Wall) {
    if wall.is_rootless() {
        skip("not every root may set a limit of other users' processes");
    }
    let pair = Pair::new(wall, wall);
    let (mut first, _) = start(pair.shell(0, &[], "echo ready; sleep 1000"));
    // Who connects before the other is met is at the end of the first.
    let script = "echo ready; read line; until echo answer | CONNECT | grep question; do :; done";
    let mut second = spawn(pair.shell(1, &[], script));
    let mut errors = BufReader::new(second.stderr.take().unwrap()).lines();
    let mut output = BufReader::new(second.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    let usual = limit_files(&second, Some(unused_file(&second)));
    first.kill().unwrap();
    first.wait().unwrap();
    // More than once: it goes on trying.
    for warning in errors.by_ref().take(3) {
        let warning = warning.unwrap();
        assert!(warning.contains("nobody can come in"), "{warning}");
    }
    limit_files(&second, usual);
    let third = spawn(pair.shell(0, &[], "echo question | CONNECT"));
    nudge(&mut second);
    assert_eq!(rest(output), "question\n");
    assert_eq!(collect(third, b"").text(), "answer\n");
    assert_eq!(wait(&mut second).code(), Some(0));
}

/// The first number that no file of `child` has.
fn unused_file(child: &Child) -> u64 {
    let files = format!("/proc/{}/fd", child.id());
    let is_unused = |number: &u64| fs::symlink_metadata(format!("{files}/{number}")).is_err();
    (0..).find(is_unused).unwrap()
}

/// Lets `child` open files of numbers below `limit`; what it could before.
fn limit_files(child: &Child, limit: Option<u64>) -> Option<u64> {
    let id = Pid::from_child(child);
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: limit,
        maximum,
    };
    prlimit(Some(id), Resource::Nofile, limit).unwrap().current
}

fn third(wall: &Wall) {
    let pair = Pair::new(wall, wall);
    let script = "echo ready; read line";
    let name = |end: &str| format!("{}-{end}-{}", pair.channel, std::process::id());
    let [a, b] = ["a", "b"].map(name);
    let (mut first, _) = start(pair.shell(0, &["--name", &a], script));
    let (mut second, _) = start(pair.shell(1, &["--name", &b], script));
    let refused = finish(pair.shell(0, &[], "true"), b"");
    assert_eq!(refused.status, 125, "{refused:?}");
    let sentence = format!("channel {} has two ends already, {a} and {b}", pair.channel);
    assert!(refused.errors.contains(&sentence), "{refused:?}");
    for child in [&mut first, &mut second] {
        nudge(child);
        assert_eq!(wait(child).code(), Some(0));
    }
}

/// A file, a process, and a port of the loopback, which answers.
const OFFER: &str = "echo secret >/tmp/offered; sleep 54321 & nc -ll -p 7777 -e cat /tmp/offered &
    until nc -w 1 127.0.0.1 7777 </dev/null | grep -q secret; do sleep 0.05; done
    echo ready; read line";

/// The first offers what it can; the second, with a channel to another, finds none of it.
fn closed(wall: &Wall) {
    let (pair, other) = (Pair::new(wall, wall), Pair::new(wall, wall));
    let script = match wall.is("process") {
        true => "echo ready; read line",
        false => OFFER,
    };
    let (mut offering, _) = start(pair.shell(0, &[], script));
    // What the process wall shares with its host is no promise of this kind.
    let script = match wall.is("process") {
        true => "ls /run/vmm/channels",
        false => {
            "ls /run/vmm/channels; nc -w 1 127.0.0.1 7777; cat /tmp/offered; ps | grep 5432[1]"
        }
    };
    let found = finish(other.shell(0, &[], script), b"");
    assert_eq!(found.text(), format!("{}\n", other.channel), "{found:?}");
    nudge(&mut offering);
    assert_eq!(wait(&mut offering).code(), Some(0));
}
