//! `vmm doctor` tells the truth about the machine that this test runs on.

#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use vmm::doctor::bare::{BareGuest, Ending, Ring, payload};
use vmm::doctor::guests::{Guests, Kvm as Found};
use vmm::doctor::instructions::Verdict;
use vmm::doctor::{Report, Words, examine, ring0_is_emulated};
use vmm::hypervisor::Kvm;

const DOCUMENTATION: &str = include_str!("../docs/doctor.md");

fn report() -> &'static Report {
    static REPORT: OnceLock<Report> = OnceLock::new();
    REPORT.get_or_init(examine)
}

/// KVM and what the doctor says of its guests, or a line that says why there is none.
fn kvm() -> Option<(Kvm, &'static Guests)> {
    match &report().kvm {
        Found::Usable(guests) => Some((Kvm::open(Path::new("/dev/kvm")).unwrap(), guests)),
        Found::Unusable(obstacle) => {
            println!("skipped: {}", obstacle.problem);
            None
        }
    }
}

fn count(kvm: &Kvm, ring: Ring) -> u64 {
    let mut guest = BareGuest::new(kvm, ring, payload::count()).unwrap();
    guest.run(Duration::from_millis(100), |_| {}).unwrap();
    guest.registers().unwrap().rcx
}

#[test]
fn ring_0_is_called_emulated_where_a_guest_crawls_in_it() {
    let Some((kvm, guests)) = kvm() else { return };
    let crawls = count(&kvm, Ring::Kernel) * 50 < count(&kvm, Ring::User);
    assert_eq!(guests.speed.ring0_is_emulated(), crawls);
    assert_eq!(ring0_is_emulated(), crawls);
}

#[test]
fn cmpxchg16b_ends_a_guest_where_it_is_said_to() {
    let Some((kvm, guests)) = kvm() else { return };
    let mut said = guests.instructions.iter();
    let said = said.find(|one| one.name == "cmpxchg16b").unwrap();
    // lock cmpxchg16b [rdi]; out DONE, al
    const CODE: [u8; 7] = [0xf0, 0x48, 0x0f, 0xc7, 0x0f, 0xe6, 0xe0];
    let mut guest = BareGuest::new(&kvm, Ring::Kernel, &CODE).unwrap();
    let ending = guest.run(Duration::from_secs(10), |_| {}).unwrap();
    assert_eq!(ending == Ending::Done(0), said.verdict == Verdict::Works);
}

#[test]
fn the_words_begin_with_the_answer() {
    let words = Words::new(report(), false).to_string();
    let answer = &report().conclusion.sentence;
    assert_eq!(words.lines().next(), Some(answer.as_str()));
    assert!(!words.contains('\x1b'));
}

#[test]
fn only_a_terminal_gets_colour() {
    let words = Words::new(report(), true).to_string();
    assert!(words.starts_with("\x1b[1;"));
}

#[test]
fn every_key_of_the_json_form_is_documented() {
    let value = serde_json::to_value(report()).unwrap();
    let keys = keys(&value);
    let missing: Vec<_> = keys
        .iter()
        .filter(|key| !DOCUMENTATION.contains(&format!("`{key}`")))
        .collect();
    assert_eq!(missing, Vec::<&String>::new());
}

/// The names of all members, however deep.
fn keys(value: &serde_json::Value) -> Vec<String> {
    let members = value.as_object().into_iter().flatten();
    let named = members.flat_map(|(key, value)| [vec![key.clone()], keys(value)].concat());
    let elements = value.as_array().into_iter().flatten();
    named.chain(elements.flat_map(keys)).collect()
}
