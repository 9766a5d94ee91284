//! Which of the instructions that every kernel needs work in ring 0: each is run on a vCPU
//! of its own.

use std::time::Duration;

use serde::Serialize;

use super::bare::payload::payloads;
use super::bare::{BareError, BareGuest, Ending, Ring};
use super::features::{Feature, Features};
use crate::hypervisor::Kvm;

/// Each takes microseconds, and some ten when KVM emulates it.
const LIMIT: Duration = Duration::from_millis(100);

/// What became of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It does what it should.
    Works,
    /// KVM's emulator does not know it, and the guest ends.
    EmulationFailure,
    /// It raises an exception that it should not raise.
    Fault,
    /// It ends the guest in another way, or does not end.
    Fails,
    /// This KVM offers no such instruction to its guests, so that kernels do without.
    NotOffered,
}

/// An instruction and its verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its name, with the register it is about.
    pub name: &'static str,
    /// What became of it.
    pub verdict: Verdict,
    /// More of it, for a human: the exception, or how the guest ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Finding {
    fn not_offered(name: &'static str) -> Self {
        Self {
            name,
            verdict: Verdict::NotOffered,
            detail: None,
        }
    }

    /// Whether a kernel that uses it dies of it.
    pub fn is_fatal(&self) -> bool {
        !matches!(self.verdict, Verdict::Works | Verdict::NotOffered)
    }
}

/// An instruction to try.
struct Probe {
    name: &'static str,
    code: fn() -> &'static [u8],
    needs: Feature,
    /// How the guest ends if the instruction works.
    ends: Ending,
}

/// Tries all of them.
///
/// # Errors
/// KVM makes no guests.
pub fn examine(kvm: &Kvm) -> Result<Vec<Finding>, BareError> {
    let features = Features::of(kvm)?;
    let mut guest = BareGuest::new(kvm, Ring::Kernel, &[])?;
    let examine = |probe: &Probe| match features.have(probe.needs) {
        true => try_in(&mut guest, probe),
        false => Ok(Finding::not_offered(probe.name)),
    };
    probes().iter().map(examine).collect()
}

fn try_in(guest: &mut BareGuest, probe: &Probe) -> Result<Finding, BareError> {
    guest.replace_code(Ring::Kernel, (probe.code)())?;
    let ending = guest.run(LIMIT, |_| {})?;
    Ok(judge(probe, &ending))
}

fn judge(probe: &Probe, ending: &Ending) -> Finding {
    let (verdict, detail) = match ending {
        ending if *ending == probe.ends => (Verdict::Works, None),
        Ending::Fault(vector) => (Verdict::Fault, Some(format!("exception {vector}"))),
        Ending::InternalError(error) if error.is_emulation_failure() => {
            (Verdict::EmulationFailure, None)
        }
        other => (Verdict::Fails, Some(describe(other))),
    };
    Finding {
        name: probe.name,
        verdict,
        detail,
    }
}

fn describe(ending: &Ending) -> String {
    match ending {
        Ending::TripleFault => "triple fault".to_owned(),
        Ending::InternalError(error) => format!("KVM internal error {}", error.suberror),
        Ending::Refused(reason) => format!("KVM refuses: {reason}"),
        Ending::Expired => "it does not end".to_owned(),
        Ending::Done(_) | Ending::Halt | Ending::Fault(_) => "nothing happens".to_owned(),
    }
}

const BREAKPOINT: Ending = Ending::Fault(3);
const INVALID_OPCODE: Ending = Ending::Fault(6);
const PAGE_FAULT: Ending = Ending::Fault(14);

#[rustfmt::skip]
fn probes() -> Vec<Probe> {
    use Feature as F;
    const DONE: Ending = Ending::Done(0);
    let probe = |name, code, needs, ends| Probe { name, code, needs, ends };
    vec![
        probe("cpuid", cpuid, F::Always, DONE),
        probe("hlt", hlt, F::Always, Ending::Halt),
        probe("cli, sti", cli_sti, F::Always, DONE),
        probe("pushf, popf", pushf_popf, F::Always, DONE),
        probe("iretq", iretq, F::Always, DONE),
        probe("iretq to ring 3", iretq_to_ring3, F::Always, DONE),
        probe("int3", int3, F::Always, BREAKPOINT),
        probe("ud2", ud2, F::Always, INVALID_OPCODE),
        probe("page fault", page_fault, F::Always, PAGE_FAULT),
        probe("syscall", syscall, F::Syscall, DONE),
        probe("sysretq", sysretq, F::Syscall, DONE),
        probe("swapgs", swapgs, F::Always, DONE),
        probe("lgdt, lidt, ltr", descriptor_tables, F::Always, DONE),
        probe("mov cr0, cr3, cr4", control_registers, F::Always, DONE),
        probe("mov dr7", debug_register, F::Always, DONE),
        probe("clts", clts, F::Always, DONE),
        probe("invlpg", invlpg, F::Always, DONE),
        probe("invpcid", invpcid, F::Invpcid, DONE),
        probe("wbinvd", wbinvd, F::Always, DONE),
        probe("stac, clac", stac_clac, F::Smap, DONE),
        probe("rdtsc", rdtsc, F::Always, DONE),
        probe("rdtscp", rdtscp, F::Rdtscp, DONE),
        probe("cmpxchg8b", cmpxchg8b, F::Always, DONE),
        probe("cmpxchg16b", cmpxchg16b, F::Cmpxchg16b, DONE),
        probe("lock xadd", lock_xadd, F::Always, DONE),
        probe("rep stosq, movsb", string_moves, F::Always, DONE),
        probe("fninit", fninit, F::Always, DONE),
        probe("fxsave, fxrstor", fxsave_fxrstor, F::Always, DONE),
        probe("movaps", movaps, F::Always, DONE),
        probe("ldmxcsr", ldmxcsr, F::Always, DONE),
        probe("xsetbv", xsetbv, F::Xsave, DONE),
        probe("xsave", xsave, F::Xsave, DONE),
        probe("xrstor", xrstor, F::Xsave, DONE),
        probe("wrmsr EFER", msr_efer, F::Always, DONE),
        probe("wrmsr STAR, LSTAR", msr_star, F::Always, DONE),
        probe("wrmsr FS, GS", msr_bases, F::Always, DONE),
        probe("wrmsr PAT", msr_pat, F::Always, DONE),
        probe("wrmsr SYSENTER", msr_sysenter, F::Always, DONE),
        probe("rdmsr TSC", msr_tsc, F::Always, DONE),
    ]
}

payloads! {
    cpuid = "xor eax, eax", "cpuid", "xor eax, eax", "out 0xe0, al";
    hlt = "hlt";
    cli_sti = "cli", "sti", "cli", "out 0xe0, al";
    pushf_popf = "pushfq", "popfq", "out 0xe0, al";
    // To the next line: SS, RSP, RFLAGS, CS, RIP.
    iretq = "mov rdx, rsp", "push 0x18", "push rdx", "push 2", "push 0x10",
        "lea rdx, [rip + 2f]", "push rdx", "iretq", "2: out 0xe0, al";
    iretq_to_ring3 = "mov rdx, rsp", "push 0x23", "push rdx", "push 2", "push 0x2b",
        "lea rdx, [rip + 2f]", "push rdx", "iretq", "2: mov edx, 0xc0000000", "mov [rdx], al";
    int3 = "int3", "out 0xe0, al";
    ud2 = "ud2", "out 0xe0, al";
    // The tables map 4 GiB.
    page_fault = "mov rdx, 0x8000000000", "mov [rdx], al", "out 0xe0, al";
    // LSTAR is the entry; STAR holds the selectors: kernel 0x10, 0x18, and from 0x1b on the user's.
    syscall = "lea rax, [rip + 2f]", "xor edx, edx", "mov ecx, 0xc0000082", "wrmsr",
        "xor eax, eax", "mov edx, 0x001b0010", "mov ecx, 0xc0000081", "wrmsr",
        "syscall", "ud2", "2: xor eax, eax", "out 0xe0, al";
    sysretq = "xor eax, eax", "mov edx, 0x001b0010", "mov ecx, 0xc0000081", "wrmsr",
        "lea rcx, [rip + 2f]", "mov r11d, 2", "sysretq", "2: mov edx, 0xc0000000",
        "mov [rdx], al";
    swapgs = "swapgs", "swapgs", "out 0xe0, al";
    // The task is marked available first, since a busy one cannot be loaded.
    descriptor_tables = "sgdt [rdi]", "lgdt [rdi]", "sidt [rdi + 16]", "lidt [rdi + 16]",
        "mov rdx, [rdi + 2]", "and byte ptr [rdx + 0x35], 0xfd", "mov ecx, 0x30", "ltr cx",
        "out 0xe0, al";
    control_registers = "mov rdx, cr0", "mov cr0, rdx", "mov rdx, cr3", "mov cr3, rdx",
        "mov rdx, cr4", "mov cr4, rdx", "out 0xe0, al";
    debug_register = "mov rdx, dr7", "mov dr7, rdx", "out 0xe0, al";
    clts = "clts", "out 0xe0, al";
    invlpg = "invlpg [rdi]", "out 0xe0, al";
    // Of all contexts: type 2 with a zeroed descriptor.
    invpcid = "mov edx, 2", "invpcid rdx, [rdi]", "out 0xe0, al";
    wbinvd = "wbinvd", "out 0xe0, al";
    stac_clac = "stac", "clac", "out 0xe0, al";
    rdtsc = "rdtsc", "xor eax, eax", "out 0xe0, al";
    rdtscp = "rdtscp", "xor eax, eax", "out 0xe0, al";
    cmpxchg8b = "lock cmpxchg8b [rdi]", "out 0xe0, al";
    cmpxchg16b = "lock cmpxchg16b [rdi]", "out 0xe0, al";
    lock_xadd = "lock xadd [rdi], rcx", "out 0xe0, al";
    string_moves = "mov ecx, 8", "rep stosq", "lea rsi, [rdi - 64]", "mov ecx, 8",
        "rep movsb", "out 0xe0, al";
    fninit = "fninit", "out 0xe0, al";
    fxsave_fxrstor = "fxsave64 [rdi]", "fxrstor64 [rdi]", "out 0xe0, al";
    movaps = "movaps xmm0, [rdi]", "movaps [rdi], xmm0", "out 0xe0, al";
    ldmxcsr = "stmxcsr [rdi]", "ldmxcsr [rdi]", "out 0xe0, al";
    // XCR0: x87 and SSE.
    xsetbv = "xor ecx, ecx", "xor edx, edx", "mov eax, 3", "xsetbv", "xor eax, eax",
        "out 0xe0, al";
    xsave = "xor edx, edx", "mov eax, 1", "xsave64 [rdi]", "xor eax, eax", "out 0xe0, al";
    // A zeroed header asks for the initial state.
    xrstor = "xor edx, edx", "mov eax, 1", "xrstor64 [rdi]", "xor eax, eax", "out 0xe0, al";
    msr_efer = "mov ecx, 0xc0000080", "rdmsr", "wrmsr", "xor eax, eax", "out 0xe0, al";
    msr_star = "mov ecx, 0xc0000081", "rdmsr", "wrmsr", "mov ecx, 0xc0000082", "rdmsr",
        "wrmsr", "xor eax, eax", "out 0xe0, al";
    msr_bases = "mov ecx, 0xc0000100", "rdmsr", "wrmsr", "mov ecx, 0xc0000101", "rdmsr",
        "wrmsr", "mov ecx, 0xc0000102", "rdmsr", "wrmsr", "xor eax, eax", "out 0xe0, al";
    msr_pat = "mov ecx, 0x277", "rdmsr", "wrmsr", "xor eax, eax", "out 0xe0, al";
    msr_sysenter = "mov ecx, 0x174", "rdmsr", "wrmsr", "xor eax, eax", "out 0xe0, al";
    msr_tsc = "mov ecx, 0x10", "rdmsr", "xor eax, eax", "out 0xe0, al";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypervisor::InternalError;

    fn verdict(ends: Ending, ending: Ending) -> Verdict {
        let probe = Probe {
            name: "hlt",
            code: hlt,
            needs: Feature::Always,
            ends,
        };
        judge(&probe, &ending).verdict
    }

    #[test]
    fn an_exception_that_should_come_is_no_fault() {
        assert_eq!(verdict(BREAKPOINT, Ending::Fault(3)), Verdict::Works);
        assert_eq!(verdict(BREAKPOINT, Ending::Fault(13)), Verdict::Fault);
    }

    #[test]
    fn an_exception_that_does_not_come_is_a_failure() {
        assert_eq!(verdict(BREAKPOINT, Ending::Done(0)), Verdict::Fails);
    }

    #[test]
    fn only_suberror_1_is_an_emulation_failure() {
        let error = |suberror| {
            Ending::InternalError(InternalError {
                suberror,
                instruction: vec![],
            })
        };
        assert_eq!(verdict(Ending::Halt, error(1)), Verdict::EmulationFailure);
        assert_eq!(verdict(Ending::Halt, error(3)), Verdict::Fails);
    }

    #[test]
    fn what_kvm_does_not_offer_is_not_fatal() {
        assert!(!Finding::not_offered("invpcid").is_fatal());
    }

    #[test]
    fn every_probe_has_its_own_name() {
        let mut names: Vec<_> = probes().iter().map(|probe| probe.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), probes().len());
    }
}
