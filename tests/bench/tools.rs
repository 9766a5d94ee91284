//! The field's own tools, where the image has them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::Test;
use crate::host::Host;
use crate::image;

/// All of this file.
pub const ALL: &[Test] = &[
    (
        "the_tools_of_an_image_give_figures",
        the_tools_of_an_image_give_figures,
    ),
    (
        "a_suite_leaves_out_what_the_image_has_not",
        a_suite_leaves_out_what_the_image_has_not,
    ),
    (
        "one_that_is_asked_for_and_missing_is_a_failure",
        one_that_is_asked_for_and_missing_is_a_failure,
    ),
];

const TOOLS: [&str; 4] = ["fio", "sysbench-cpu", "sysbench-memory", "iperf3"];

fn the_tools_of_an_image_give_figures() {
    let host = Host::new();
    let image = image_of(&["sh", "fio", "sysbench", "iperf3"]);
    let image = image.path().to_str().unwrap();
    let only = ["--only", &TOOLS.join(","), "--rounds", "1", "--no-control"];
    let walls = ["--wall", "process,container"];
    let files = ["--export", "json", "record"];
    let ended = host.run(&[&[image][..], &only, &walls, &files].concat());
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let record = host.record("record");
    let samples = record.iter().filter_map(|entry| entry.get("sample"));
    let measured = samples.filter(|sample| {
        let time = &sample["outcome"]["measured"]["measures"][0];
        time["name"] == "time" && time["value"].as_f64().is_some_and(|value| value > 0.0)
    });
    // Two walls, one round and one to warm up.
    assert_eq!(measured.count(), TOOLS.len() * 2 * 2, "{record:?}");
    assert_eq!(host.names("store/keeps"), [""; 0]);
}

fn a_suite_leaves_out_what_the_image_has_not() {
    let host = Host::new();
    let image = image::path().to_str().unwrap();
    let what = ["--suite", "full", "--rounds", "1", "--time-budget", "1ms"];
    let walls = ["--wall", "process", "--no-control"];
    let ended = host.run(&[&[image][..], &what, &walls].concat());
    let told =
        "left out, since the image has no such tool: fio, sysbench-cpu, sysbench-memory, iperf3";
    assert!(ended.errors.contains(told), "{ended:?}");
}

fn one_that_is_asked_for_and_missing_is_a_failure() {
    let image = image::path().to_str().unwrap();
    let what = ["--only", "fio", "--rounds", "1", "--wall", "process"];
    let ended = Host::new().run(&[&[image][..], &what].concat());
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(
        ended.sentence().contains("cannot find the program 'fio'"),
        "{ended:?}"
    );
}

/// An image of these programs of this host, and what they are linked with.
fn image_of(programs: &[&str]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for directory in ["tmp", "etc"] {
        fs::create_dir(root.path().join(directory)).unwrap();
    }
    for program in programs {
        let path = Path::new("/usr/bin").join(program);
        assert!(
            path.exists(),
            "cannot find {}: run scripts/setup once",
            path.display()
        );
        libraries(&path)
            .iter()
            .chain([&path])
            .for_each(|file| copy(file, root.path()));
    }
    root
}

/// What the loader says that `program` is linked with.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let told = Command::new("ldd").arg(program).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let words = told.split_whitespace();
    words
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect()
}

fn copy(file: &Path, root: &Path) {
    let to = root.join(file.strip_prefix("/").unwrap());
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(file, to).unwrap();
}
