//! Orders in, answers out, a line of JSON each. It knows no workload.

use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use std::thread;

use wire::{Answer, Order};

use crate::work::{self, Place};

/// The longest line that is read; a longer one is no order.
const LONGEST: u64 = 4096;

/// Answers each line of standard input on standard output until there are no more.
pub fn run(below: &str) -> io::Result<()> {
    let mut place = Place::below(Path::new(below));
    answer_all(io::stdin().lock(), io::stdout().lock(), &mut place)
}

/// As [`run`], while whatever another instance asks for by its channel is done as well.
pub fn run_as_peer(below: &str) -> io::Result<()> {
    let serving = thread::Builder::new().spawn(|| {
        if let Err(error) = work::channel::serve() {
            // The other side learns that nobody is here when its time has passed.
            eprintln!("probe: {error}");
        }
    });
    serving?;
    run(below)
}

fn answer_all(
    mut orders: impl BufRead,
    mut answers: impl Write,
    place: &mut Place,
) -> io::Result<()> {
    while let Some(line) = next_line(&mut orders)? {
        let mut answer = serde_json::to_vec(&answer(&line, place))?;
        answer.push(b'\n');
        answers.write_all(&answer)?;
        answers.flush()?;
    }
    Ok(())
}

/// The next line, of which no more than [`LONGEST`] bytes are kept; `None` at the end.
fn next_line(orders: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if orders.take(LONGEST).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.len() as u64 == LONGEST && !line.ends_with(b"\n") {
        orders.skip_until(b'\n')?;
    }
    Ok(Some(line))
}

fn answer(line: &[u8], place: &mut Place) -> Answer {
    match serde_json::from_slice::<Order>(line) {
        Ok(order) => work::answer(&order, place),
        Err(error) => Answer::Failed(format!("this is no order: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers_to(orders: &str) -> Vec<Answer> {
        let mut answers = Vec::new();
        let mut place = Place::below(&std::env::temp_dir());
        answer_all(orders.as_bytes(), &mut answers, &mut place).unwrap();
        let lines = std::str::from_utf8(&answers).unwrap().lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn each_line_has_an_answer_whatever_it_says() {
        let order = r#"{"workload":"getpid","operations":3}"#;
        let long = "x".repeat(10_000);
        let answers = answers_to(&format!("{order}\n{long}\n\n{order}"));
        let measured: Vec<bool> = answers
            .iter()
            .map(|answer| matches!(answer, Answer::Measured(_)))
            .collect();
        assert_eq!(measured, [true, false, false, true]);
    }

    #[test]
    fn an_order_that_cannot_be_followed_is_told_why() {
        let unknown = answers_to(r#"{"workload":"tea","operations":1}"#);
        let Answer::Failed(reason) = &unknown[0] else {
            panic!("{unknown:?}");
        };
        assert_eq!(reason, r#"there is no workload "tea""#);
        let endless = answers_to(r#"{"workload":"getpid","operations":18446744073709551615}"#);
        let Answer::Failed(reason) = &endless[0] else {
            panic!("{endless:?}");
        };
        assert!(reason.starts_with("getpid is done 1 to "), "{reason}");
    }
}
