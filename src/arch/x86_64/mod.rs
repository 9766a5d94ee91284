//! x86-64: CPU features, registers, and the tables that firmware would leave behind.

pub mod acpi;
pub mod cpuid;
pub mod mptable;
pub mod msr;
pub mod paging;
pub mod registers;
pub mod segment;
