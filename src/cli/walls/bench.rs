//! The options of `vmm bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::duration::some_duration;
use crate::bench::density;
use crate::bench::vmms::template::Template;
use crate::bench::workload::BUILT_IN;
use crate::config::size::SizeError;
use crate::config::{CpuList, MemorySize, VcpuCount};
use crate::report::Format;
use crate::run::Wall;

/// What follows the help of `vmm bench`.
pub const BENCH_HELP: &str = "\
What is measured:
    vmm bench                       the suite quick, on an image with nothing in it
    vmm bench IMAGE -- CMD          how long CMD takes behind each wall, start and end included
    vmm bench --suite full IMAGE    the built-in workloads, on IMAGE
    vmm bench --list                which those are, and why a wall would change them

Each round runs every workload behind every wall once, in an order drawn anew; ratios are medians
over the rounds, with an interval that holds 95 times in 100. The first wall is measured twice,
under two names: what differs there is noise, and no wall's. A wall that cannot be had has its
reason below the table, and the others stand. Ctrl-C ends it with a report of what is there.

DUR is a number of seconds, or has a suffix: 500ms, 90s, 3m, 1h.

Exit status:
    0     measured
    1     vmm itself failed, or nothing could be measured
    2     wrong usage
  128+n   signal n ended it; what there was by then is in the report

Examples:
    vmm bench
    vmm bench debian.tar -- python3 -c pass
    vmm bench --only getpid,start --rounds 50 --export html getpid.html
    vmm bench --runtime /usr/sbin/runc --wall process,container --export json before.json
    vmm bench diff before.json after.json";

/// What `vmm bench` is told.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Bench {
    /// Another job than measuring.
    #[command(subcommand)]
    pub job: Option<Job>,

    /// What to measure.
    #[command(flatten)]
    pub measure: Measure,
}

/// Jobs with records.
#[derive(Debug, Subcommand)]
pub enum Job {
    /// Print what has changed from one record to another
    #[command(after_help = "\
Records of places, or of conditions, that make figures differ are not compared unless forced: the
difference is named.")]
    Diff {
        /// The record before (--export json)
        #[arg(value_hint = ValueHint::FilePath)]
        before: PathBuf,

        /// The record after
        #[arg(value_hint = ValueHint::FilePath)]
        after: PathBuf,

        /// Compare them even where they differ in what makes figures
        #[arg(long)]
        force: bool,
    },

    /// Print the report of a record again, or export it
    Report {
        /// The record (--export json)
        #[arg(value_hint = ValueHint::FilePath)]
        record: PathBuf,

        /// Where else it goes.
        #[command(flatten)]
        results: Results,
    },
}

/// What is measured, where, for how long and under which conditions.
#[derive(Args, Debug)]
pub struct Measure {
    /// The image, as for `vmm run` [default: one with nothing in it]
    #[arg(value_hint = ValueHint::AnyPath)]
    pub image: Option<String>,

    /// Measure this command of the image
    #[arg(last = true, requires = "image")]
    pub command: Vec<String>,

    /// List the built-in workloads, and measure nothing
    #[arg(long, help_heading = "Workloads")]
    pub list: bool,

    /// Measure these built-in workloads [default: quick, or CMD alone]
    #[arg(long, help_heading = "Workloads")]
    pub suite: Option<SuiteName>,

    /// Only this one of all built-in workloads; may be repeated
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = names(),
        hide_possible_values = true,
        help_heading = "Workloads"
    )]
    pub only: Vec<String>,

    /// Not this one; may be repeated
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = names(),
        hide_possible_values = true,
        help_heading = "Workloads"
    )]
    pub skip: Vec<String>,

    /// CMD may end with any status but 125
    #[arg(long, requires = "command", help_heading = "Workloads")]
    pub ignore_failure: bool,

    /// A wall to measure; ratios are taken to the first; may be repeated [default: all three]
    #[arg(
        long,
        value_name = "WALL",
        value_delimiter = ',',
        help_heading = "Walls"
    )]
    pub wall: Vec<Wall>,

    /// Another OCI runtime for the container wall, beside our own; may be repeated
    #[arg(long, value_name = "PATH", value_hint = ValueHint::ExecutablePath, help_heading = "Walls")]
    pub runtime: Vec<PathBuf>,

    /// Kernel for the vm wall: a path, or a name of `vmm kernel list` [default: that of `vmm kernel use`]
    #[arg(long, value_name = "KERNEL", value_hint = ValueHint::FilePath, help_heading = "Walls")]
    pub kernel: Option<PathBuf>,

    /// Words added to that kernel's command line
    #[arg(
        long,
        value_name = "TEXT",
        requires = "kernel",
        default_value = "",
        hide_default_value = true,
        help_heading = "Walls"
    )]
    pub cmdline: String,

    /// Another VMM for --suite boot or disk: qemu, firecracker, cloud-hypervisor, crosvm, kvmtool
    /// (for a bzImage), or NAME='CMD' with {kernel}, {rootfs}, {memory} in MiB, {words} or
    /// {serial-words} for the kernel, and [ … {disk} … ] for what is of the second disk; may be
    /// repeated [default: those that are installed]
    #[arg(long, value_name = "NAME[=CMD]", help_heading = "Other VMMs")]
    pub vmm: Vec<Template>,

    /// Root file system of the guest that they boot
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, help_heading = "Other VMMs")]
    pub rootfs: Option<PathBuf>,

    /// Do not measure the first wall twice: nothing is known of the noise then
    #[arg(long, help_heading = "Walls")]
    pub no_control: bool,

    /// How many rounds count; one more warms up
    #[arg(
        long,
        value_name = "N",
        default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..=100_000),
        help_heading = "Rounds"
    )]
    pub rounds: u32,

    /// Begin no round that would not end in time [default: by the suite, 50s to 1h]
    #[arg(long, value_name = "DUR", value_parser = some_duration, help_heading = "Rounds")]
    pub time_budget: Option<Duration>,

    /// How long one run may take
    #[arg(long, value_name = "DUR", value_parser = some_duration, default_value = "60s", help_heading = "Rounds")]
    pub timeout: Duration,

    /// Then count what each workload reaches, untimed: exits of the guest, system calls of the
    /// host; and say what that accounts for
    #[arg(long, help_heading = "Workloads")]
    pub explain: bool,

    /// Draw the orders of a record again: its seed
    #[arg(long, value_name = "N", help_heading = "Rounds")]
    pub seed: Option<u64>,

    /// What each wall may use of memory, with suffix K, M or G; or none, for no limit [default:
    /// 2G; 128M for --suite boot, 512M for disk]
    #[arg(
        long,
        value_name = "SIZE",
        value_parser = memory,
        help_heading = "Equal for all walls"
    )]
    pub memory: Option<Memory>,

    /// How many processors each wall has [default: all of --cpu-list]
    #[arg(long, value_name = "N", help_heading = "Equal for all walls")]
    pub cpus: Option<VcpuCount>,

    /// CPUs that all of it runs on, as in 0-3,8 [default: as many as --cpus, of all]
    #[arg(long, value_name = "LIST", help_heading = "Equal for all walls")]
    pub cpu_list: Option<CpuList>,

    /// Where else results go.
    #[command(flatten)]
    pub results: Results,
}

/// What is measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SuiteName {
    /// What most people ask for of walls, in some minutes
    Quick,
    /// Everything of walls
    Full,
    /// VMMs, from their start to the guest's init; needs --kernel and --rootfs
    Boot,
    /// VMMs, by fio on a disk of the guest; --rootfs is one of `scripts/build-rootfs fio`
    Disk,
}

/// Where else results go.
#[derive(Args, Debug)]
pub struct Results {
    /// Write FILE as json (the record), csv, markdown or html; may be repeated
    #[arg(
        long,
        num_args = 2,
        value_names = ["FORMAT", "FILE"],
        value_hint = ValueHint::FilePath,
        help_heading = "Results"
    )]
    pub export: Vec<String>,

    /// Print the distribution of each figure as well
    #[arg(long, help_heading = "Results")]
    pub details: bool,
}

impl Results {
    /// What is to be written where.
    ///
    /// # Errors
    /// A format is none.
    pub fn exports(&self) -> Result<Vec<(Format, PathBuf)>, String> {
        let pairs = self.export.as_chunks::<2>().0.iter();
        pairs
            .map(|[format, path]| Ok((format_of(format)?, path.into())))
            .collect()
    }
}

fn format_of(name: &str) -> Result<Format, String> {
    ValueEnum::from_str(name, false)
        .map_err(|_| format!("'{name}' is no format of --export: use json, csv, markdown or html"))
}

fn names() -> PossibleValuesParser {
    let names = BUILT_IN.iter().map(|workload| workload.name);
    PossibleValuesParser::new(names.chain([density::NAME]))
}

/// A limit of memory, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory(pub Option<u64>);

fn memory(text: &str) -> Result<Memory, String> {
    if text == "none" {
        return Ok(Memory(None));
    }
    let size: MemorySize = text.parse().map_err(|error: SizeError| error.to_string())?;
    Ok(Memory(Some(size.bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_are_pairs_of_format_and_file() {
        let results = |words: &[&str]| Results {
            export: words.iter().map(|word| (*word).to_owned()).collect(),
            details: false,
        };
        let exports = results(&["csv", "a", "html", "b"]).exports().unwrap();
        assert_eq!(
            exports,
            [(Format::Csv, "a".into()), (Format::Html, "b".into())]
        );
        let error = results(&["pdf", "a"]).exports().unwrap_err();
        assert!(error.contains("use json, csv, markdown or html"), "{error}");
    }
}
