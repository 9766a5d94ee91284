//! Many at once, and ends that come too early.

use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::fixture::{rows, unused_name};
use crate::killed::groups;
use crate::wall::{Wall, collect, signal, wait};
use crate::{Promise, promises};

pub const PROMISES: &[Promise] = promises![
    two_of_one_image_do_not_see_each_other,
    twenty_start_at_once,
    a_signal_at_any_moment_ends_it_and_leaves_nothing,
];

fn two_of_one_image_do_not_see_each_other(wall: &Wall) {
    let script = |word: &str| format!("echo {word} > /srv/word; sleep 0.3; cat /srv/word; ls /srv");
    let (first, second) = (spawn(wall, &script("a")), spawn(wall, &script("b")));
    for (child, word) in [(first, "a"), (second, "b")] {
        let ended = collect(child, b"");
        assert_eq!(
            ended.text(),
            format!("{word}\nno-program\nword\n"),
            "{ended:?}"
        );
    }
}

fn twenty_start_at_once(wall: &Wall) {
    let children: Vec<Child> = (0..20)
        .map(|number| spawn(wall, &format!("echo {number}; exit {number}")))
        .collect();
    for (number, child) in children.into_iter().enumerate() {
        let ended = collect(child, b"");
        assert_eq!(ended.text(), format!("{number}\n"), "{ended:?}");
        assert_eq!(usize::try_from(ended.status), Ok(number));
    }
}

/// The first moments are those of the loader, later ones those of mounts, groups and walls.
fn a_signal_at_any_moment_ends_it_and_leaves_nothing(wall: &Wall) {
    for milliseconds in [0, 1, 3, 7, 12, 20, 35, 60, 100, 200] {
        let name = unused_name(wall);
        let mut command = wall.run(&["--name", &name, "--grace", "5"]);
        command.args(["sleep", "1000"]).stdin(Stdio::null());
        let mut child = command.spawn().unwrap();
        thread::sleep(Duration::from_millis(milliseconds));
        signal(&child, Signal::INT);
        let status = wait(&mut child);
        assert!(
            status.code().is_none_or(|code| code == 130 || code == 137),
            "after {milliseconds} ms: {status}"
        );
        let left = rows(wall, &["ps", "--all", "--json"]);
        assert!(!left.iter().any(|row| row["name"] == name), "{left:?}");
        assert_eq!(groups(&name), Vec::<std::path::PathBuf>::new());
    }
}

fn spawn(wall: &Wall, script: &str) -> Child {
    let mut command = wall.run(&[]);
    command
        .args(["sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}
