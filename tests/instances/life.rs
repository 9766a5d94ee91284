//! Stopped, killed, paused and forgotten by other commands.

use std::thread;
use std::time::Duration;

use crate::fixture::{Detached, eventually};
use crate::wall::Wall;
use crate::{Promise, promises};

pub const PROMISES: &[Promise] = promises![
    stop_asks_and_waits_for_the_end,
    stop_makes_it_end_after_its_grace_time,
    kill_ends_it_at_once,
    kill_sends_the_signal_that_was_asked_for,
    kill_sends_real_time_signals_as_well,
    no_time_passes_while_it_is_paused,
    one_that_is_paused_can_be_removed,
    one_that_is_paused_hears_that_it_is_to_end,
    one_that_runs_is_removed_by_force_only,
    one_that_has_ended_hears_nothing,
    those_that_fail_are_told_and_the_others_done,
];

const SLEEP: &str = "echo ready; exec sleep 1000";
const COUNT: &str = "echo ready; while :; do echo tick; sleep 0.02; done";

fn stop_asks_and_waits_for_the_end(wall: &Wall) {
    let script = "trap 'echo asked; exit 5' TERM; echo ready; while :; do sleep 0.05; done";
    let instance = Detached::ready(wall, &[], script);
    assert_eq!(instance.tell(&["stop"]).status, 0);
    assert_eq!(instance.row().unwrap()["exit_status"], 5);
    assert_eq!(instance.output(), "ready\nasked\n");
}

fn stop_makes_it_end_after_its_grace_time(wall: &Wall) {
    let script = "trap '' TERM; echo ready; while :; do sleep 0.05; done";
    let instance = Detached::ready(wall, &["--grace", "0.2"], script);
    assert_eq!(instance.tell(&["stop"]).status, 0);
    assert_eq!(instance.row().unwrap()["exit_status"], 137);
}

fn kill_ends_it_at_once(wall: &Wall) {
    let script = "trap '' TERM; echo ready; while :; do sleep 0.05; done";
    let instance = Detached::ready(wall, &["--grace", "1000"], script);
    assert_eq!(instance.tell(&["kill"]).status, 0);
    assert_eq!(instance.exit_status(), 137);
}

fn kill_sends_the_signal_that_was_asked_for(wall: &Wall) {
    let script = "trap 'echo heard' USR1; echo ready; while :; do sleep 0.05; done";
    let instance = Detached::ready(wall, &[], script);
    for (count, name) in ["USR1", "SIGUSR1", "10"].into_iter().enumerate() {
        assert_eq!(instance.tell(&["kill", "--signal", name]).status, 0);
        eventually("it hears", || {
            instance.output().matches("heard").count() == count + 1
        });
    }
    assert_eq!(instance.row().unwrap()["running"], true);
}

fn kill_sends_real_time_signals_as_well(wall: &Wall) {
    for signal in [34, 64] {
        let instance = Detached::ready(wall, &[], SLEEP);
        let told = instance.tell(&["kill", "--signal", &signal.to_string()]);
        assert_eq!(told.status, 0, "{told:?}");
        assert_eq!(instance.exit_status(), 128 + signal);
    }
}

fn no_time_passes_while_it_is_paused(wall: &Wall) {
    let instance = Detached::ready(wall, &[], COUNT);
    if !is_paused(wall, &instance) {
        return;
    }
    let ticks = || instance.output().len();
    // What was on its way when the answer came has arrived when two looks are the same.
    let mut before = ticks();
    eventually("it stands still", || {
        thread::sleep(Duration::from_millis(200));
        before == std::mem::replace(&mut before, ticks())
    });
    assert_eq!(instance.row().unwrap()["running"], true);
    assert_eq!(instance.tell(&["resume"]).status, 0);
    eventually("it goes on", || ticks() > before);
}

fn one_that_is_paused_can_be_removed(wall: &Wall) {
    let instance = Detached::ready(wall, &[], COUNT);
    if !is_paused(wall, &instance) {
        return;
    }
    let removed = instance.tell(&["rm", "--force"]);
    assert_eq!(removed.status, 0, "{removed:?}");
    assert!(instance.row().is_none());
}

fn one_that_is_paused_hears_that_it_is_to_end(wall: &Wall) {
    let script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done";
    let instance = Detached::ready(wall, &["--grace", "30"], script);
    if !is_paused(wall, &instance) {
        return;
    }
    assert_eq!(instance.tell(&["stop"]).status, 0);
    assert_eq!(instance.row().unwrap()["exit_status"], 5);
}

fn one_that_runs_is_removed_by_force_only(wall: &Wall) {
    let instance = Detached::ready(wall, &[], SLEEP);
    let refused = instance.tell(&["rm"]);
    assert_eq!(refused.status, 1);
    assert!(refused.errors.contains("--force"), "{refused:?}");
    assert_eq!(instance.row().unwrap()["running"], true);
    assert_eq!(instance.tell(&["rm", "-f"]).status, 0);
    assert!(instance.row().is_none());
}

fn one_that_has_ended_hears_nothing(wall: &Wall) {
    let instance = Detached::start(wall, &[], "exit 0");
    instance.exit_status();
    for words in [&["stop"][..], &["kill"], &["pause"], &["resume"]] {
        let refused = instance.tell(words);
        assert_eq!(refused.status, 1, "{words:?}");
        assert!(refused.errors.contains("has ended"), "{refused:?}");
    }
}

fn those_that_fail_are_told_and_the_others_done(wall: &Wall) {
    let (first, second) = (
        Detached::ready(wall, &[], SLEEP),
        Detached::ready(wall, &[], SLEEP),
    );
    let told = second.tell(&["kill", &first.name, "never-was-there"]);
    assert_eq!(told.status, 1);
    assert!(told.errors.contains("never-was-there"), "{told:?}");
    assert_eq!([first.exit_status(), second.exit_status()], [137, 137]);
}

/// Pauses it, or is told why not: an ordinary user has no control group that can be frozen.
fn is_paused(wall: &Wall, instance: &Detached) -> bool {
    let paused = instance.tell(&["pause"]);
    if wall.is_rootless() {
        assert_eq!(paused.status, 1, "{paused:?}");
        assert!(paused.errors.contains("Delegate=yes"), "{paused:?}");
        return false;
    }
    assert_eq!(paused.status, 0, "{paused:?}");
    true
}
