//! What goes in and out.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Promise;
use crate::wall::{Wall, finish, wait};

pub const PROMISES: &[Promise] = &[
    (6, "input_arrives_with_its_end", input),
    (6, "a_closed_input_is_an_end", no_input),
    (7, "output_and_errors_stay_apart", apart),
    (7, "a_hundred_megabytes_pass_unchanged", hundred_megabytes),
    (
        8,
        "a_reader_that_stops_makes_the_command_wait",
        back_pressure,
    ),
    (9, "a_terminal_has_the_size_of_the_caller_s", terminal),
];

fn input(wall: &Wall) {
    let mut command = wall.run(&[]);
    command.args(["wc", "-c"]);
    let all_bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    assert_eq!(finish(command, &all_bytes).text().trim(), "70000");
}

fn no_input(wall: &Wall) {
    let mut command = wall.run(&[]);
    command.arg("cat").stdin(Stdio::null());
    assert_eq!(command.output().unwrap().status.code(), Some(0));
}

fn apart(wall: &Wall) {
    let ended = wall.shell(&[], "echo out; echo err >&2");
    assert_eq!(
        (ended.text().as_str(), ended.errors.as_str()),
        ("out\n", "err\n")
    );
}

fn hundred_megabytes(wall: &Wall) {
    let mut command = wall.run(&[]);
    command.arg("cat");
    let mut state = 1_u64;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .take(100 << 17)
    .flatten()
    .collect();
    let ended = finish(command, &bytes);
    assert_eq!(ended.status, 0, "{}", ended.errors);
    assert!(
        ended.output == bytes,
        "{} bytes of {}",
        ended.output.len(),
        bytes.len()
    );
}

/// The command counts what it got rid of; as long as nobody reads, that stays small.
fn back_pressure(wall: &Wall) {
    let mut command = wall.run(&[]);
    let script = "while echo 0123456789012345678901234567890123456789012345678901234567890; do
        n=$((n+1)); [ $((n % 128)) != 0 ] || echo $n >&2; done";
    let mut child = command
        .args(["sh", "-c", script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    let errors = BufReader::new(child.stderr.take().unwrap());
    let lines = Arc::new(AtomicU64::new(0));
    let counted = lines.clone();
    let counting = thread::spawn(move || {
        let counts = errors.lines().map_while(Result::ok);
        for count in counts.filter_map(|line| line.parse().ok()) {
            counted.store(count, Ordering::SeqCst);
        }
    });
    until_it_stands_still(&lines);
    drop(output);
    wait(&mut child);
    counting.join().unwrap();
    assert_little(lines.load(Ordering::SeqCst));
}

/// Waits until all that lies in between is full, and no line more is got rid of.
fn until_it_stands_still(lines: &AtomicU64) {
    let begin = Instant::now();
    let (mut before, mut same) = (0, 0);
    while same < 5 {
        assert!(begin.elapsed() < Duration::from_secs(120), "{before} lines");
        thread::sleep(Duration::from_millis(200));
        let now = lines.load(Ordering::SeqCst);
        assert_little(now);
        same = if now == before && now > 0 {
            same + 1
        } else {
            0
        };
        before = now;
    }
}

/// So many `lines`, of 62 bytes each, lie in no reader's memory.
fn assert_little(lines: u64) {
    let kilobytes = lines * 62 / 1024;
    assert!(kilobytes < 4096, "{kilobytes} KiB lay in between");
}

fn terminal(wall: &Wall) {
    let ended = wall.on_terminal(
        (33, 111),
        "tty; stty size; test -t 0 && test -t 1 && test -t 2",
    );
    assert!(
        ended.text().contains("/dev/") && ended.text().contains("33 111"),
        "{ended:?}"
    );
    assert_eq!(ended.status, 0);
    let _ = std::io::stdout().flush();
}
