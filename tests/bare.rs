//! Bare guests run on this machine's own KVM, whichever it is.

#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

use std::path::Path;
use std::time::Duration;

use vmm::doctor::bare::{BareError, BareGuest, Ending, Ring, payload, port};
use vmm::hypervisor::{Exit, Kvm};

/// Longer than any of these guests needs.
const AMPLE: Duration = Duration::from_secs(10);

/// lidt [rdi]; ud2: the zeroed page is a table without handlers.
const TRIPLE_FAULT: [u8; 5] = [0x0f, 0x01, 0x1f, 0x0f, 0x0b];

/// KVM, or a line that says why there is none.
fn kvm() -> Option<Kvm> {
    Kvm::open(Path::new("/dev/kvm"))
        .inspect_err(|error| println!("skipped: {error}"))
        .ok()
}

fn run(kvm: &Kvm, ring: Ring, code: &[u8]) -> Ending {
    let mut guest = BareGuest::new(kvm, ring, code).unwrap();
    guest.run(AMPLE, |_| {}).unwrap()
}

#[test]
fn a_guest_in_either_ring_comes_to_its_end() {
    let Some(kvm) = kvm() else { return };
    for ring in [Ring::Kernel, Ring::User] {
        assert_eq!(run(&kvm, ring, payload::done()), Ending::Done(1));
    }
}

#[test]
fn a_guest_that_loops_for_ever_ends_with_its_time() {
    let Some(kvm) = kvm() else { return };
    for ring in [Ring::Kernel, Ring::User] {
        let mut guest = BareGuest::new(&kvm, ring, payload::count()).unwrap();
        let ending = guest.run(Duration::from_millis(20), |_| {}).unwrap();
        assert_eq!(ending, Ending::Expired);
        assert!(guest.registers().unwrap().rcx > 0);
    }
}

#[test]
fn a_guest_that_expired_can_go_on() {
    let Some(kvm) = kvm() else { return };
    let mut guest = BareGuest::new(&kvm, Ring::Kernel, payload::count()).unwrap();
    let count_more = |guest: &mut BareGuest| {
        guest.run(Duration::from_millis(20), |_| {}).unwrap();
        guest.registers().unwrap().rcx
    };
    let first = count_more(&mut guest);
    assert!(count_more(&mut guest) > first);
}

#[test]
fn a_guest_runs_in_a_machine_that_the_caller_made() {
    let Some(kvm) = kvm() else { return };
    let vm = kvm.create_vm().unwrap();
    vm.create_interrupt_controllers().unwrap();
    let mut guest = BareGuest::in_vm(&kvm, vm, Ring::User, payload::done()).unwrap();
    assert_eq!(guest.run(AMPLE, |_| {}).unwrap(), Ending::Done(1));
}

#[test]
fn other_code_begins_anew_even_after_a_failure() {
    let Some(kvm) = kvm() else { return };
    let mut guest = BareGuest::new(&kvm, Ring::Kernel, &TRIPLE_FAULT).unwrap();
    assert_eq!(guest.run(AMPLE, |_| {}).unwrap(), Ending::TripleFault);
    guest.replace_code(Ring::Kernel, payload::done()).unwrap();
    assert_eq!(guest.run(AMPLE, |_| {}).unwrap(), Ending::Done(1));
}

#[test]
fn what_a_guest_asks_of_a_device_is_served() {
    let Some(kvm) = kvm() else { return };
    let [done, _] = port::DONE.to_le_bytes();
    // in al, 0x60; out DONE, al
    let code = [0xe4, 0x60, 0xe6, done];
    let mut guest = BareGuest::new(&kvm, Ring::Kernel, &code).unwrap();
    let answer = |exit: Exit<'_>| {
        let Exit::PortRead(0x60, data) = exit else {
            panic!("{exit:?}")
        };
        data.fill(42);
    };
    assert_eq!(guest.run(AMPLE, answer).unwrap(), Ending::Done(42));
}

#[test]
fn an_exception_tells_its_vector() {
    let Some(kvm) = kvm() else { return };
    const UD2: [u8; 2] = [0x0f, 0x0b];
    assert_eq!(run(&kvm, Ring::Kernel, &UD2), Ending::Fault(6));
    // hlt is for ring 0 alone.
    assert_eq!(run(&kvm, Ring::User, &[0xf4]), Ending::Fault(13));
    assert_eq!(run(&kvm, Ring::Kernel, &[0xf4]), Ending::Halt);
}

#[test]
fn code_that_is_larger_than_the_memory_is_refused() {
    let Some(kvm) = kvm() else { return };
    let error = BareGuest::new(&kvm, Ring::Kernel, &[0x90; 1 << 20 | 1]).err();
    assert!(matches!(error, Some(BareError::Load(_))));
}
