//! The processor and the kernel on it, as `/proc` and `/sys` tell of them.

use std::fs;
use std::path::Path;

use crate::bench::record::Fact;
use crate::cgroup::{self, Layout};
use crate::doctor::host::Host;

const CPU: &str = "/sys/devices/system/cpu";
const UNKNOWN: &str = "unknown";

/// What is found.
pub fn facts(host: &Host) -> Vec<Fact> {
    let cpuinfo = read("/proc/cpuinfo");
    vec![
        Fact::that_matters("CPU", host.cpu.model.clone()),
        Fact::that_matters("CPUs", host.cpu.count.to_string()),
        Fact::that_matters("microcode", field(&cpuinfo, "microcode")),
        Fact::that_matters("mitigations", mitigations(Path::new(CPU))),
        Fact::that_matters("SMT", told(&format!("{CPU}/smt/control"))),
        Fact::that_matters(
            "governor",
            told(&format!("{CPU}/cpu0/cpufreq/scaling_governor")),
        ),
        Fact::that_matters("boost", boost()),
        Fact::that_matters("kernel", host.kernel.clone()),
        Fact::that_matters(
            "clock source",
            told("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        ),
        Fact::that_matters(
            "transparent huge pages",
            chosen(&read("/sys/kernel/mm/transparent_hugepage/enabled")),
        ),
        Fact::that_matters("KSM", told("/sys/kernel/mm/ksm/run")),
        Fact::that_matters(
            "control groups",
            layout(cgroup::examine().layout).to_owned(),
        ),
        Fact::aside(
            "memory of the host",
            field(&read("/proc/meminfo"), "MemTotal"),
        ),
        Fact::aside("load before", load()),
    ]
}

fn layout(layout: Layout) -> &'static str {
    match layout {
        Layout::None => "none",
        Layout::V1 => "version 1",
        Layout::Hybrid => "versions 1 and 2",
        Layout::V2 => "version 2",
    }
}

/// What the kernel does, and leaves undone, of what this processor needs.
fn mitigations(cpu: &Path) -> String {
    let files = fs::read_dir(cpu.join("vulnerabilities"));
    let mut all: Vec<String> = files
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|file| {
            let told = fs::read_to_string(file.path()).ok()?;
            let name = file.file_name().into_string().ok()?;
            (told.trim() != "Not affected").then(|| format!("{name}: {}", told.trim()))
        })
        .collect();
    all.sort();
    match all.is_empty() {
        true => "none needed".to_owned(),
        false => all.join("; "),
    }
}

/// Whether the clock may go beyond what is promised: two drivers tell it, each its own way.
fn boost() -> String {
    let no_turbo = told(&format!("{CPU}/intel_pstate/no_turbo"));
    match (
        no_turbo.as_str(),
        told(&format!("{CPU}/cpufreq/boost")).as_str(),
    ) {
        ("0", _) | (_, "1") => "on",
        ("1", _) | (_, "0") => "off",
        _ => UNKNOWN,
    }
    .to_owned()
}

/// The first three words of `/proc/loadavg`: of 1, 5 and 15 minutes.
fn load() -> String {
    let load = read("/proc/loadavg");
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// The value of `name` in lines of `name : value`.
fn field(text: &str, name: &str) -> String {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    let value = fields.find(|(key, _)| key.trim() == name);
    value.map_or_else(|| UNKNOWN.to_owned(), |(_, value)| value.trim().to_owned())
}

/// The word in brackets, of several that can be chosen.
fn chosen(text: &str) -> String {
    let word = text
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    word.map_or_else(|| UNKNOWN.to_owned(), |(word, _)| word.to_owned())
}

fn told(path: &str) -> String {
    match read(path).trim() {
        "" => UNKNOWN.to_owned(),
        text => text.to_owned(),
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_processor_does_not_need_is_left_out() {
        let cpu = tempfile::tempdir().unwrap();
        assert_eq!(mitigations(cpu.path()), "none needed");
        let told = cpu.path().join("vulnerabilities");
        fs::create_dir(&told).unwrap();
        fs::write(told.join("meltdown"), "Not affected\n").unwrap();
        fs::write(told.join("retbleed"), "Vulnerable\n").unwrap();
        fs::write(told.join("mds"), "Mitigation: Clear CPU buffers\n").unwrap();
        assert_eq!(
            mitigations(cpu.path()),
            "mds: Mitigation: Clear CPU buffers; retbleed: Vulnerable"
        );
    }

    #[test]
    fn a_choice_is_the_word_in_brackets() {
        assert_eq!(chosen("always [madvise] never\n"), "madvise");
        assert_eq!(chosen(""), UNKNOWN);
    }

    #[test]
    fn a_field_is_found_by_its_name() {
        assert_eq!(field("a\t: 1\nmicrocode\t: 0x1f\n", "microcode"), "0x1f");
        assert_eq!(field("", "microcode"), UNKNOWN);
    }

    #[test]
    fn this_host_has_a_kernel_and_processors() {
        let facts = facts(&crate::doctor::host::examine());
        let value = |name: &str| facts.iter().find(|f| f.name == name).unwrap().value.clone();
        assert!(!value("kernel").is_empty());
        assert!(value("CPUs").parse::<u32>().unwrap() > 0);
    }
}
