//! What all targets get alike, and what is told of it. It starts nothing.

use std::path::PathBuf;
use std::time::Duration;

use crate::bench::record::Fact;
use crate::config::CpuList;

/// What all targets get alike.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// The image: a path, or a name in the store.
    pub image: String,
    /// What each may use of memory, in bytes, if that is limited.
    pub memory: Option<u64>,
    /// How many processors each has.
    pub cpus: u8,
    /// On which of the host's they are.
    pub cpu_list: CpuList,
    /// The kernel of the vm wall; the store's if none is named.
    pub kernel: Option<PathBuf>,
    /// Words for it.
    pub cmdline: String,
    /// How long a run may take.
    pub timeout: Duration,
    /// The user's own command.
    pub command: Vec<String>,
    /// Whether that may end with any status.
    pub ignores_failure: bool,
}

impl Conditions {
    /// What is told of them, and of what no option changes.
    pub fn facts(&self) -> Vec<Fact> {
        let mut facts = vec![
            Fact::that_matters("memory", self.memory()),
            Fact::that_matters(
                "processors",
                format!("{} for each, on CPUs {}", self.cpus, self.cpu_list),
            ),
        ];
        facts.extend(FIXED.map(|(name, value)| Fact::that_matters(name, value.to_owned())));
        if !self.command.is_empty() {
            facts.push(Fact::that_matters("command", self.command.join(" ")));
        }
        facts
    }

    fn memory(&self) -> String {
        match self.memory {
            Some(bytes) => format!("{} MiB for each", bytes >> 20),
            None => "no limit; a machine has what it has by default".to_owned(),
        }
    }

    /// What has to be said of them above every table.
    pub fn caveats(&self) -> Vec<String> {
        let mut caveats = Vec::new();
        let (cpus, on) = (usize::from(self.cpus), self.cpu_list.count());
        if cpus < on {
            caveats.push(format!(
                "{cpus} processors on {on} CPUs: behind process and container a quota of time \
                 holds them to it, which stops what runs. Use a --cpu-list of {cpus} CPUs."
            ));
        }
        if self.memory.is_none() {
            caveats.push(
                "Memory is not limited alike: a machine has less than the host. Use --memory."
                    .to_owned(),
            );
        }
        caveats
    }
}

/// What is the same in every bench (docs/benchmarking.md has the reasons).
const FIXED: [(&str, &str); 6] = [
    (
        "files of sessions and tools",
        "an ext4 in the store for each (--keep), by a loop device behind process and container, by \
         virtio-blk behind vm",
    ),
    ("files of other single runs", "in memory"),
    ("cache", "warm, the host's and a guest's"),
    ("fsync", "reaches the store's file system"),
    ("probe", "a read-only volume"),
    ("user", "root; of a command, the image's"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(cpus: u8, cpu_list: &str) -> Conditions {
        Conditions {
            image: "i".into(),
            memory: Some(1 << 30),
            cpus,
            cpu_list: cpu_list.parse().unwrap(),
            kernel: None,
            cmdline: String::new(),
            timeout: Duration::from_secs(1),
            command: vec!["sort".into(), "-n".into()],
            ignores_failure: false,
        }
    }

    #[test]
    fn what_is_alike_is_told() {
        let facts = conditions(2, "0-1").facts();
        let value = |name: &str| facts.iter().find(|f| f.name == name).unwrap().value.clone();
        assert_eq!(value("memory"), "1024 MiB for each");
        assert_eq!(value("processors"), "2 for each, on CPUs 0-1");
        assert_eq!(value("command"), "sort -n");
    }

    #[test]
    fn a_quota_that_would_stop_what_runs_is_told() {
        assert_eq!(conditions(2, "0-1").caveats(), Vec::<String>::new());
        assert!(conditions(1, "0-1").caveats()[0].contains("quota"));
    }

    #[test]
    fn memory_without_a_limit_is_told() {
        let unlimited = Conditions {
            memory: None,
            ..conditions(2, "0-1")
        };
        assert!(unlimited.facts()[0].value.starts_with("no limit"));
        assert!(unlimited.caveats()[0].contains("--memory"));
    }
}
