//! A record on a disk that gets full.

use std::fs;

use vmm::bench::record::{Begin, Entry, Journal, Record, TargetNote};
use vmm::bench::sample::{Outcome, Sample};
use vmm::root::namespace::unshare_mounts;

use super::host::run;
use super::{Promise, promises};

pub const PROMISES: &[Promise] = promises![a_record_on_a_full_disk_ends_with_its_last_whole_line];

fn a_record_on_a_full_disk_ends_with_its_last_whole_line() {
    let folder = tempfile::tempdir().unwrap();
    let _namespace = unshare_mounts().unwrap();
    let small = folder.path().to_str().unwrap();
    run("mount", &["-t", "tmpfs", "-o", "size=64K", "none", small]);
    let path = folder.path().join("record");
    let mut journal = Journal::create(&path, begin()).unwrap();
    let error = (1..10_000).find_map(|round| journal.append(sample(round)).err());
    let sentence = vmm::chain(&error.unwrap());
    assert!(sentence.ends_with("No space left on device (os error 28)"));
    assert!(fs::read(&path).unwrap().ends_with(b"\n"));
    let read = Record::read(&path).unwrap();
    assert_eq!(read.flaw, None);
    assert_eq!(read.entries.len() + 1, journal.record().entries.len());
}

fn begin() -> Begin {
    let target = TargetNote {
        name: "process".to_owned(),
        control_of: None,
    };
    Begin {
        targets: vec![target],
        workloads: vec!["getpid".to_owned()],
        ..Begin::default()
    }
}

fn sample(round: u32) -> Entry {
    Entry::Sample(Sample {
        workload: "getpid".to_owned(),
        target: "process".to_owned(),
        round: Some(round),
        started_us: 0,
        outcome: Outcome::Failed("it hung".to_owned()),
    })
}
