//! Which system calls a container may make: the profile as data, and as programs for the
//! kernel.
//!
//! The profile is the OCI's, for every runtime. Our own engine makes its filter of it by
//! seccompiler, as libcontainer's own filter wants a C library.

use oci_spec::OciSpecError;
use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompOperator, LinuxSyscall,
};
use seccompiler::{BpfProgram, TargetArch, apply_filter, compile_from_json};
use serde_json::{Value, json};

const PROFILE: &str = include_str!("seccomp.json");

/// A profile that cannot be made a filter.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilterError {
    /// What it says is not known here.
    #[error("the system call profile says {0}, which this engine does not know")]
    Unknown(String),
    /// It is not well formed.
    #[error("cannot compile the system call profile")]
    Compile(#[from] seccompiler::Error),
    /// The kernel refuses.
    #[error("cannot install the system call filter")]
    Install(#[source] seccompiler::Error),
}

/// The usual profile for the usual capabilities.
pub(super) fn profile() -> Result<LinuxSeccomp, OciSpecError> {
    Ok(serde_json::from_str(PROFILE)?)
}

/// Programs for the kernel, in the order in which they are installed.
#[derive(Clone, Debug)]
pub(super) struct Filter(Vec<BpfProgram>);

impl Filter {
    /// What `profile` asks for.
    pub(super) fn compile(profile: &LinuxSeccomp) -> Result<Self, FilterError> {
        let fallback = action(profile.default_action(), profile.default_errno_ret())?;
        let syscalls = profile.syscalls().as_deref().unwrap_or_default();
        let (allowed, refused): (Vec<_>, Vec<_>) = syscalls
            .iter()
            .partition(|call| call.action() == LinuxSeccompAction::ScmpActAllow);
        let refusals = refused.into_iter().map(|call| {
            let action = action(call.action(), call.errno_ret())?;
            program(&[call], &json!("allow"), &action)
        });
        // seccomp(2): of two filters that return an errno the later one is heard. What has an
        // errno of its own is let through by the first.
        let all: Vec<&LinuxSyscall> = allowed;
        let first = program(&all, &fallback, &json!("allow"));
        Ok(Self(
            [first]
                .into_iter()
                .chain(refusals)
                .collect::<Result<_, _>>()?,
        ))
    }

    /// Installs it for this thread, and for all that it becomes.
    pub(super) fn install(&self) -> Result<(), FilterError> {
        let mut programs = self.0.iter();
        programs.try_for_each(|program| apply_filter(program).map_err(FilterError::Install))
    }
}

fn program(
    calls: &[&LinuxSyscall],
    otherwise: &Value,
    matched: &Value,
) -> Result<BpfProgram, FilterError> {
    let rules: Vec<Value> = calls
        .iter()
        .map(|call| rules(call))
        .collect::<Result<Vec<_>, _>>()?
        .concat();
    let filter = json!({ "filter": { "mismatch_action": otherwise, "match_action": matched, "filter": rules } });
    let text = filter.to_string();
    let mut programs = compile_from_json(text.as_bytes(), TargetArch::x86_64)?;
    programs
        .remove("filter")
        .ok_or_else(|| FilterError::Unknown("nothing".to_owned()))
}

fn rules(call: &LinuxSyscall) -> Result<Vec<Value>, FilterError> {
    let arguments = call.args().as_deref().unwrap_or_default();
    let conditions: Vec<Value> = arguments.iter().map(condition).collect::<Result<_, _>>()?;
    let rule = |name: &String| match conditions.as_slice() {
        [] => json!({ "syscall": name }),
        conditions => json!({ "syscall": name, "args": conditions }),
    };
    Ok(call.names().iter().map(rule).collect())
}

fn condition(argument: &LinuxSeccompArg) -> Result<Value, FilterError> {
    let value = argument.value();
    let (operator, value) = match argument.op() {
        LinuxSeccompOperator::ScmpCmpEq => (json!("eq"), value),
        LinuxSeccompOperator::ScmpCmpNe => (json!("ne"), value),
        // The mask comes first in the specification.
        LinuxSeccompOperator::ScmpCmpMaskedEq => (
            json!({ "masked_eq": value }),
            argument.value_two().unwrap_or(0),
        ),
        other => return Err(FilterError::Unknown(format!("{other:?}"))),
    };
    let index = argument.index();
    Ok(json!({ "index": index, "type": "qword", "op": operator, "val": value }))
}

fn action(action: LinuxSeccompAction, errno: Option<u32>) -> Result<Value, FilterError> {
    match action {
        LinuxSeccompAction::ScmpActAllow => Ok(json!("allow")),
        LinuxSeccompAction::ScmpActErrno => Ok(json!({ "errno": errno.unwrap_or(1) })),
        LinuxSeccompAction::ScmpActKillProcess => Ok(json!("kill_process")),
        other => Err(FilterError::Unknown(format!("{other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_profile_is_a_filter_and_one_refusal_with_its_own_errno() {
        let filter = Filter::compile(&profile().unwrap()).unwrap();
        assert_eq!(filter.0.len(), 2);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let text = r#"{"defaultAction": "SCMP_ACT_TRACE"}"#;
        let profile: LinuxSeccomp = serde_json::from_str(text).unwrap();
        assert!(Filter::compile(&profile).is_err());
    }
}
