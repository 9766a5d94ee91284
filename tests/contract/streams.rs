//! What goes in and out.

use std::io::{Read, Write};
use std::process::Stdio;
use std::thread;

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
        n=$((n+1)); [ $((n % 1024)) != 0 ] || echo $n >&2; done";
    let mut child = command
        .args(["sh", "-c", script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    let mut errors = child.stderr.take().unwrap();
    let counted = thread::spawn(move || {
        let mut text = String::new();
        errors.read_to_string(&mut text).unwrap();
        text.lines()
            .filter_map(|line| line.parse::<u64>().ok())
            .max()
    });
    // It writes until all that lies in between is full; then it is as if nobody were there.
    thread::sleep(std::time::Duration::from_secs(1));
    drop(output);
    wait(&mut child);
    let kilobytes = counted.join().unwrap().unwrap_or(0) / 16;
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
