//! Other VMMs, played by a shell; beside ours, whose kernel is none here. Real ones boot in
//! tests/boot.

use serde_json::Value;

use crate::Test;
use crate::host::{Ended, Host};

/// All of this file.
pub const ALL: &[Test] = &[
    (
        "a_vmm_is_measured_until_its_guest_is_up_and_then_ended",
        a_vmm_is_measured_until_its_guest_is_up_and_then_ended,
    ),
    (
        "a_vmm_that_fails_has_its_last_words_in_the_report",
        a_vmm_that_fails_has_its_last_words_in_the_report,
    ),
    (
        "two_vmms_of_one_name_are_refused",
        two_vmms_of_one_name_are_refused,
    ),
];

/// What comes of one round with `vmms`.
fn boots(host: &Host, vmms: &[&str]) -> Ended {
    for file in ["kernel", "root"] {
        std::fs::write(host.path(file), "nothing that boots").unwrap();
    }
    let what = [
        "--suite", "boot", "--rounds", "1", "--export", "json", "out.json",
    ];
    let files = ["--kernel", "./kernel", "--rootfs", "./root"];
    let vmms = vmms.iter().flat_map(|vmm| ["--vmm", vmm]);
    let words = [&what[..], &files].concat();
    host.run(&words.into_iter().chain(vmms).collect::<Vec<_>>())
}

fn a_vmm_is_measured_until_its_guest_is_up_and_then_ended() {
    let host = Host::new();
    let sleeper = "sleeper=sh -c 'sleep 0.1; echo vmm-bench-up; sleep 1000 & sleep 1000'";
    let ended = boots(&host, &[sleeper]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let counted = |value: &Value| value["sample"]["round"].is_u64();
    let record = host.record("out.json");
    let sample = record
        .iter()
        .find(|value| counted(value) && value["sample"]["target"] == "sleeper");
    let measures = &sample.unwrap()["sample"]["outcome"]["measured"]["measures"];
    let of = |name: &str| {
        let mut measures = measures.as_array().unwrap().iter();
        let found = measures.find(|measure| measure["name"] == name);
        found.unwrap_or_else(|| panic!("{measures:?}"))["value"].as_f64()
    };
    assert!(of("to init") > Some(1e8), "{measures}");
    assert_eq!(of("threads"), Some(1.0));
    assert!(of("memory of its own") > Some(4096.0), "{measures}");
    assert_eq!(host.processes(), 0);
}

fn a_vmm_that_fails_has_its_last_words_in_the_report() {
    let ended = boots(&Host::new(), &["broken=sh -c 'echo no rings >&2; exit 3'"]);
    assert_eq!(ended.status, Some(1), "{ended:?}");
    let told = "it ended with status 3: no rings";
    assert!(ended.sentence().contains(told), "{ended:?}");
}

fn two_vmms_of_one_name_are_refused() {
    for name in ["vmm", "a"] {
        let vmm = format!("{name}=true");
        let ended = boots(&Host::new(), &["a=true", &vmm]);
        assert_eq!(ended.status, Some(1), "{ended:?}");
        let told = format!("two are called '{name}'");
        assert!(ended.errors.contains(&told), "{ended:?}");
    }
}
