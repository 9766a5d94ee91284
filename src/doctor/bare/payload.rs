//! The code of bare guests, assembled with this crate and only ever run inside of a guest.
//!
//! Each is position-independent and begins as [`super::BareGuest`] says.

/// Assembles constants of code: `/// doc` `pub name = "instruction", …;`.
macro_rules! payloads {
    ($($(#[$doc:meta])* $visible:vis $name:ident = $($line:literal),+;)+) => {
        $(
            core::arch::global_asm!(
                ".pushsection .rodata.vmm_bare, \"a\", @progbits",
                concat!("vmm_bare_", stringify!($name), ":"),
                $($line,)+
                concat!("vmm_bare_", stringify!($name), "_end:"),
                ".popsection",
                concat!(".globl vmm_bare_", stringify!($name)),
                concat!(".globl vmm_bare_", stringify!($name), "_end"),
            );

            $(#[$doc])*
            $visible fn $name() -> &'static [u8] {
                unsafe extern "C" {
                    #[link_name = concat!("vmm_bare_", stringify!($name))]
                    static BEGIN: u8;
                    #[link_name = concat!("vmm_bare_", stringify!($name), "_end")]
                    static END: u8;
                }
                let (begin, end) = (&raw const BEGIN, &raw const END);
                let length = end.addr() - begin.addr();
                // SAFETY: the two symbols enclose what was assembled above, in one read-only
                // section that is never written and never unmapped.
                unsafe { core::slice::from_raw_parts(begin, length) }
            }
        )+
    };
}
pub(crate) use payloads;

payloads! {
    /// Counts in RCX for ever: two instructions a round. It adds with a carry that is never
    /// set, since newer processors spend no time on a plain `inc`.
    pub count = "2: adc rcx, 1", "jmp 2b";
    /// Ends at once, from either ring: by a write of 1 to `MMIO_DONE`.
    pub done = "mov al, 1", "mov edx, 0xc0000000", "mov [rdx], al";
}
