//! What is measured is in a record, in a table and in files.

use crate::Test;
use crate::host::Host;
use crate::image;

/// All of this file.
pub const ALL: &[Test] = &[
    (
        "a_record_has_every_run_and_files_are_made_of_it",
        a_record_has_every_run_and_files_are_made_of_it,
    ),
    (
        "what_a_workload_reaches_is_counted",
        what_a_workload_reaches_is_counted,
    ),
    (
        "a_command_of_an_image_is_measured",
        a_command_of_an_image_is_measured,
    ),
    ("instances_are_counted", instances_are_counted),
    ("a_record_is_reported_again", a_record_is_reported_again),
    (
        "records_of_unlike_conditions_are_not_compared",
        records_of_unlike_conditions_are_not_compared,
    ),
    (
        "a_wall_that_cannot_be_had_leaves_the_others_standing",
        a_wall_that_cannot_be_had_leaves_the_others_standing,
    ),
];

const WALLS: [&str; 2] = ["--wall", "process,container"];

fn a_record_has_every_run_and_files_are_made_of_it() {
    let host = Host::new();
    let exports = ["json", "csv", "markdown", "html"].map(|format| ["--export", format, format]);
    let what = ["--rounds", "3", "--only", "getpid,start"];
    let ended = host.run(&[&WALLS[..], &what, exports.as_flattened()].concat());
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.output.contains("\n getpid "), "{ended:?}");
    let record = host.record("json");
    assert!(record[0]["begin"]["environment"].is_array());
    assert!(record.last().unwrap()["end"]["reason"].is_string());
    // Two walls and the control, two workloads, three rounds and one to warm up.
    let samples = record.iter().filter_map(|entry| entry.get("sample"));
    let measured = samples.filter(|sample| sample["outcome"]["measured"]["cpu_ns"].is_u64());
    assert_eq!(measured.count(), 3 * 2 * 4);
    for file in ["csv", "markdown", "html"] {
        let text = std::fs::read_to_string(host.path(file)).unwrap();
        assert!(text.contains("getpid"), "{file}: {text}");
    }
}

fn what_a_workload_reaches_is_counted() {
    let host = Host::new();
    let what = ["--rounds", "1", "--only", "open-close", "--explain"];
    let files = ["--export", "json", "record"];
    let ended = host.run(&[&WALLS[..], &what, &files].concat());
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let record = host.record("record");
    let found: Vec<_> = record
        .iter()
        .filter_map(|entry| entry.get("explanation"))
        .collect();
    let targets: Vec<_> = found
        .iter()
        .map(|one| one["target"].as_str().unwrap())
        .collect();
    assert_eq!(targets, ["process", "container"], "{}", ended.sentence());
    for one in found {
        let counts = one["counts"].as_array().unwrap();
        for name in ["call openat", "call close"] {
            let count = counts.iter().find(|count| count[0] == name).unwrap();
            // Whoever stands around it makes some, now and then.
            assert!((0.98..1.02).contains(&count[1].as_f64().unwrap()), "{one}");
        }
    }
}

fn a_command_of_an_image_is_measured() {
    let host = Host::new();
    let image = image::path().to_str().unwrap();
    let record = ["--rounds", "2", "--export", "json", "record"];
    let ended = host.run(&[&WALLS[..], &record, &[image, "--", "sh", "-c", "echo a"]].concat());
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert_eq!(host.record("record")[0]["begin"]["workloads"][0], "command");
    assert_eq!(host.names("store/keeps"), [""; 0]);
}

fn instances_are_counted() {
    let host = Host::new();
    let what = ["--only", "density", "--export", "json", "record"];
    let ended = host.run(&[&WALLS[..], &what].concat());
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let record = host.record("record");
    let densities = record.iter().filter_map(|entry| entry.get("density"));
    let counted: Vec<_> = densities
        .filter(|density| density["bytes"].as_u64().unwrap() > 1 << 20)
        .map(|density| (density["target"].as_str().unwrap(), &density["instances"]))
        .collect();
    for target in ["process", "container"] {
        assert!(counted.contains(&(target, &2.into())), "{counted:?}");
    }
}

fn a_record_is_reported_again() {
    let host = Host::new();
    let what = ["--rounds", "1", "--only", "getpid", "--export", "json", "a"];
    let first = host.run(&[&WALLS[..], &what].concat());
    let again = host.run(&["report", "a", "--export", "csv", "b"]);
    assert_eq!(again.status, Some(0), "{again:?}");
    assert_eq!(first.output, again.output);
    assert!(std::fs::metadata(host.path("b")).unwrap().len() > 0);
}

fn records_of_unlike_conditions_are_not_compared() {
    let host = Host::new();
    let measure = |words: &[&str]| {
        let what = ["--wall", "process", "--rounds", "1", "--only", "getpid"];
        assert_eq!(host.run(&[&what, words].concat()).status, Some(0));
    };
    measure(&["--memory", "256M", "--export", "json", "a"]);
    measure(&["--memory", "128M", "--export", "json", "b"]);
    let same = host.run(&["diff", "a", "a"]);
    assert_eq!(same.status, Some(0), "{same:?}");
    let unlike = host.run(&["diff", "a", "b"]);
    assert_eq!(unlike.status, Some(1), "{unlike:?}");
    assert!(unlike.errors.contains("memory"), "{unlike:?}");
    let forced = host.run(&["diff", "--force", "a", "b"]);
    assert_eq!(forced.status, Some(0), "{forced:?}");
}

fn a_wall_that_cannot_be_had_leaves_the_others_standing() {
    let host = Host::new();
    let walls = ["--wall", "process,vm", "--kernel", "/nowhere/vmlinux"];
    let ended = host.run(&[&walls[..], &["--rounds", "1", "--only", "getpid"]].concat());
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.sentence().contains("missing: vm:"), "{ended:?}");
    assert!(ended.sentence().contains("/nowhere/vmlinux"), "{ended:?}");
}
