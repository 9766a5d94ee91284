//! What stands behind a wall for us: it looks around, and it works while we look at the clock.
//!
//! - `probe facts CANARIES`: what is seen and can be reached here; CANARIES is JSON
//! - `probe list`: the names of the workloads
//! - `probe serve [--directory DIR] [--peer]`: does each workload that a line of standard input
//!   orders, and answers with a line; files are made below DIR (`/var/tmp`) and gone in the end.
//!   A peer also does what another instance asks for by its channel
//! - `probe mark`: a byte as soon as it runs, and another as late as it can
//! - `probe connect SOCKET`: joins its standard streams with a socket, which few images have a
//!   program for
//! - `probe nothing`: ends
//!
//! In layer order:
//!
//! - [`facts`]: what is seen
//! - [`work`]: the workloads
//! - [`serve`]: orders and answers
//! - [`mark`]: two bytes
//! - [`connect`]: who can be reached by a channel

mod connect;
mod facts;
mod mark;
mod serve;
mod work;

use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    if mark::is_asked_for() {
        return mark::run();
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("probe: {error}");
            ExitCode::FAILURE
        }
    }
}

const USAGE: &str = "usage: probe facts CANARIES | list | serve [--directory DIR] [--peer] | mark | connect SOCKET | nothing";

fn run() -> io::Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [_, "facts", canaries] => facts::tell(canaries),
        [_, "list"] => list(),
        [_, "serve"] => serve::run("/var/tmp"),
        [_, "serve", "--directory", directory] => serve::run(directory),
        [_, "serve", "--directory", directory, "--peer"] => serve::run_as_peer(directory),
        [_, "connect", socket] => connect::run(socket),
        [_, "nothing"] => Ok(()),
        _ => Err(io::Error::other(USAGE)),
    }
}

fn list() -> io::Result<()> {
    let names: Vec<&str> = work::ALL.iter().map(|work| work.name).collect();
    Ok(serde_json::to_writer(io::stdout(), &names)?)
}
