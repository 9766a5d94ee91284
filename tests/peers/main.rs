//! Boots the same kernel and root by several VMMs, interleaved, and compares what it took.
//!
//! Run by `scripts/compare-peers`, which says what is measured and how.

mod contender;
mod sample;
mod statistics;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;

use contender::{Contender, Guest};
use sample::Sample;
use statistics::{Shuffle, median, ratio_interval};

/// Compares VMMs by a boot to the guest's init.
#[derive(Parser)]
struct Options {
    /// Uncompressed ELF kernel
    #[arg(long)]
    kernel: PathBuf,
    /// Root file system with a shell; it is only read
    #[arg(long)]
    root: PathBuf,
    /// Words that the kernel needs besides
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    words: String,
    /// Guest memory in MiB
    #[arg(long, default_value_t = 128)]
    memory: u32,
    /// How often each VMM boots
    #[arg(long, default_value_t = 20)]
    rounds: usize,
}

type Samples = BTreeMap<&'static str, Vec<Sample>>;

fn main() {
    let options = Options::parse();
    let guest = Guest {
        kernel: options.kernel,
        root: options.root,
        words: options.words,
        memory_mib: options.memory,
    };
    let contenders = Contender::all_found();
    // Fills the page cache, and shows early whom this kernel does not boot under.
    let contenders = warm_up(contenders, &guest);
    let samples = rounds(&contenders, &guest, options.rounds);
    report(&samples);
}

fn warm_up(contenders: Vec<Contender>, guest: &Guest) -> Vec<Contender> {
    let boots = |contender: &Contender| match Sample::take(contender, guest) {
        Ok(_) => true,
        Err(problem) => {
            println!("{}: left out: {problem}", contender.name);
            false
        }
    };
    contenders.into_iter().filter(boots).collect()
}

/// Each round boots every contender once, in an order of its own.
fn rounds(contenders: &[Contender], guest: &Guest, count: usize) -> Samples {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut shuffle = Shuffle::new(now.map_or(1, |now| now.subsec_nanos().into()));
    let mut samples = Samples::new();
    for _ in 0..count {
        for index in shuffle.order(contenders.len()) {
            let contender = &contenders[index];
            match Sample::take(contender, guest) {
                Ok(sample) => samples.entry(contender.name).or_default().push(sample),
                Err(problem) => println!("{}: a round is lost: {problem}", contender.name),
            }
        }
    }
    samples
}

fn report(samples: &Samples) {
    println!(
        "{:<18} {:>6} {:>10} {:>9} {:>11} {:>8} {:>8}  vmm's time / its (95 % interval)",
        "", "boots", "to init ms", "CPU ms", "private KiB", "threads", "exits"
    );
    let ours = samples.get("vmm").map(|samples| times(samples));
    for (name, samples) in samples {
        let column =
            |value: fn(&Sample) -> f64| median(&samples.iter().map(value).collect::<Vec<_>>());
        print!(
            "{name:<18} {:>6} {:>10.1} {:>9.1} {:>11.0} {:>8.0} {:>8.0}",
            samples.len(),
            column(|sample| sample.to_init_ms),
            column(|sample| sample.cpu_ms),
            column(|sample| sample.private_kib),
            column(|sample| sample.threads),
            column(|sample| sample.exits),
        );
        match &ours {
            Some(ours) if *name != "vmm" => {
                let (ratio, low, high) = ratio_interval(ours, &times(samples));
                println!("  {ratio:.3} ({low:.3} to {high:.3})");
            }
            _ => println!(),
        }
    }
}

fn times(samples: &[Sample]) -> Vec<f64> {
    samples.iter().map(|sample| sample.to_init_ms).collect()
}
