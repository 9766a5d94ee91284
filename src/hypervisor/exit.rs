//! Why a vCPU came back from the guest.

use kvm_bindings::{KVM_INTERNAL_ERROR_EMULATION, kvm_run};

/// One return from `KVM_RUN`.
#[derive(Debug, PartialEq, Eq)]
pub enum Exit<'a> {
    /// The guest reads a port; the answer goes into the slice.
    PortRead(u16, &'a mut [u8]),
    /// The guest writes a port.
    PortWrite(u16, &'a [u8]),
    /// The guest reads where no memory is; the answer goes into the slice.
    MmioRead(u64, &'a mut [u8]),
    /// The guest writes where no memory is.
    MmioWrite(u64, &'a [u8]),
    /// A signal or a request of this process interrupted the run.
    Interrupted,
    /// The guest halted, which comes here only without KVM's interrupt controllers.
    Halt,
    /// A triple fault.
    Shutdown,
    /// KVM asks for a reset or a power-off.
    SystemEvent(u32),
    /// KVM cannot go on.
    InternalError(InternalError),
    /// The hardware refused to enter the guest, for this reason.
    FailedEntry(u64),
    /// An exit that this machine does not provoke.
    Unexpected(String),
}

/// What KVM says of its internal error (KVM API, `KVM_EXIT_INTERNAL_ERROR`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InternalError {
    /// The kind; 1 is an instruction that KVM cannot emulate.
    pub suberror: u32,
    /// The bytes of that instruction, where KVM gives them.
    pub instruction: Vec<u8>,
}

impl InternalError {
    /// Whether KVM met an instruction that it cannot emulate.
    pub fn is_emulation_failure(&self) -> bool {
        self.suberror == KVM_INTERNAL_ERROR_EMULATION
    }

    pub(super) fn from_run(run: &kvm_run) -> Self {
        // SAFETY: the exit reason is KVM_EXIT_INTERNAL_ERROR, for which KVM fills this member;
        // it is plain integers, so any content is valid.
        let internal = unsafe { run.__bindgen_anon_1.internal };
        let instruction = match internal.suberror {
            KVM_INTERNAL_ERROR_EMULATION => instruction_bytes(&internal.data, internal.ndata),
            _ => Vec::new(),
        };
        Self {
            suberror: internal.suberror,
            instruction,
        }
    }
}

/// Decodes `emulation_failure`: flags, then a length byte and up to 15 bytes of code.
fn instruction_bytes(data: &[u64], count: u32) -> Vec<u8> {
    const HAS_INSTRUCTION: u64 = 1;
    match data {
        [flags, low, high, ..] if count >= 3 && flags & HAS_INSTRUCTION != 0 => {
            let bytes = [low.to_le_bytes(), high.to_le_bytes()].concat();
            let length = usize::from(bytes.first().copied().unwrap_or(0));
            bytes.into_iter().skip(1).take(length).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_failing_instruction_is_decoded() {
        let low = u64::from_le_bytes([3, 0x0f, 0xc7, 0x0f, 0, 0, 0, 0]);
        assert_eq!(instruction_bytes(&[1, low, 0], 3), [0x0f, 0xc7, 0x0f]);
    }

    #[test]
    fn an_older_kernel_gives_no_instruction() {
        assert!(instruction_bytes(&[0; 16], 0).is_empty());
    }
}
