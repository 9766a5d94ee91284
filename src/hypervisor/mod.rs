//! The KVM API, and nothing that knows what machine is built with it.
//!
//! The only module that names `kvm_ioctls`.

mod exit;
mod kick;
mod kvm;
mod stats;
mod vcpu;
mod vm;

pub use exit::{Exit, InternalError};
pub use kick::{Alarm, kick_signal};
pub use kvm::{Kvm, OpenError};
pub use stats::{Statistic, StatisticsFile};
pub use vcpu::Vcpu;
pub use vm::Vm;

/// A request that KVM refused.
#[derive(Debug, thiserror::Error)]
#[error("KVM refuses to {action}")]
pub struct KvmError {
    /// What was asked of it.
    pub action: &'static str,
    /// Why it says it did not.
    pub source: kvm_ioctls::Error,
}

impl KvmError {
    fn when(action: &'static str) -> impl Fn(kvm_ioctls::Error) -> Self {
        move |source| Self { action, source }
    }
}
