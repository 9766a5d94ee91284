//! What a group has used, as its files tell.

use std::time::Duration;

use serde::Serialize;

use super::tree::Group;

/// What the processes of a group have used together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Statistics {
    /// Time of processors.
    pub cpu: Option<Duration>,
    /// Memory that is charged to it now, the kernel's and caches of files too, in bytes.
    pub memory: Option<u64>,
    /// The kernel's part of that, where it is told.
    pub kernel_memory: Option<u64>,
    /// The most memory at any time, in bytes.
    pub memory_peak: Option<u64>,
    /// How many processes were killed for want of memory.
    pub oom_kills: Option<u64>,
}

impl Statistics {
    pub(super) fn of(groups: &[Group]) -> Self {
        let with = |controller| groups.iter().find(|group| group.can(controller));
        Self {
            cpu: with("cpuacct").and_then(cpu),
            memory: with("memory").and_then(memory),
            kernel_memory: with("memory").and_then(kernel_memory),
            memory_peak: with("memory").and_then(memory_peak),
            oom_kills: with("memory").and_then(oom_kills),
        }
    }

    /// Those that are known, by name.
    pub fn counters(&self) -> Vec<(String, u64)> {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let all = [
            ("cpu_ns", self.cpu.map(nanoseconds)),
            ("memory_peak_bytes", self.memory_peak),
            ("oom_kills", self.oom_kills),
        ];
        let known = all
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        known
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

fn cpu(group: &Group) -> Option<Duration> {
    match group.version {
        1 => Some(Duration::from_nanos(number(&group.read("cpuacct.usage"))?)),
        _ => Some(Duration::from_micros(field(
            &group.read("cpu.stat"),
            "usage_usec",
        )?)),
    }
}

fn memory(group: &Group) -> Option<u64> {
    number(&group.read(match group.version {
        1 => "memory.usage_in_bytes",
        _ => "memory.current",
    }))
}

fn kernel_memory(group: &Group) -> Option<u64> {
    match group.version {
        1 => number(&group.read("memory.kmem.usage_in_bytes")),
        _ => field(&group.read("memory.stat"), "kernel"),
    }
}

fn memory_peak(group: &Group) -> Option<u64> {
    number(&group.read(match group.version {
        1 => "memory.max_usage_in_bytes",
        _ => "memory.peak",
    }))
}

fn oom_kills(group: &Group) -> Option<u64> {
    let file = match group.version {
        1 => "memory.oom_control",
        _ => "memory.events",
    };
    field(&group.read(file), "oom_kill")
}

fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// The value on the line of `name`.
fn field(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines
        .find(|(key, _)| *key == name)
        .and_then(|(_, value)| number(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "oom_kill_disable 0\nunder_oom 1\noom_kill 3\n";
        assert_eq!(field(text, "oom_kill"), Some(3));
        assert_eq!(field(text, "oom"), None);
        assert_eq!(field("oom_kill", "oom_kill"), None);
    }
}
