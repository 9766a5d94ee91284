//! Has several VMMs do the same work, interleaved, and compares what it took.
//!
//! Run by `scripts/compare-peers`, which says what is measured and how.

mod boots;
mod contender;
mod cost;
mod disks;
mod report;
mod rounds;
mod running;
mod statistics;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Compares VMMs.
#[derive(Parser)]
struct Options {
    /// What is compared
    subject: Subject,
    /// Uncompressed ELF kernel
    #[arg(long)]
    kernel: PathBuf,
    /// Root file system; it is only read
    #[arg(long)]
    root: PathBuf,
    /// Words that the kernel needs besides
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    words: String,
    /// Guest memory in MiB
    #[arg(long, default_value_t = 128)]
    memory: u32,
    /// How often each has its turn
    #[arg(long, default_value_t = 20)]
    rounds: usize,
}

#[derive(Clone, Copy, ValueEnum)]
enum Subject {
    /// A boot to the guest's init
    Boots,
    /// A disk, by fio in the guest and on the host's file
    Disks,
}

fn main() {
    let options = Options::parse();
    let series = match options.subject {
        Subject::Boots => boots::compare(&options),
        Subject::Disks => disks::compare(&options),
    };
    report::print(&series);
}
