//! How the maker of an image wants it run.

use std::collections::BTreeMap;

use oci_spec::image::ImageConfiguration;
use serde::{Deserialize, Serialize};

/// The part of an OCI image configuration that a run uses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageConfig {
    /// What always runs; arguments of the user's follow it.
    pub entrypoint: Vec<String>,
    /// What follows if the user gives no arguments.
    pub cmd: Vec<String>,
    /// Environment variables in their order.
    pub env: Vec<(String, String)>,
    /// Where it starts.
    pub workdir: Option<String>,
    /// As whom: a name or a number, and a group behind a colon.
    pub user: Option<String>,
    /// The name of the signal that asks it to stop.
    pub stop_signal: Option<String>,
    /// What its maker notes about it.
    pub labels: BTreeMap<String, String>,
    /// The architecture of its programs, in the words of Go: `amd64`.
    pub architecture: String,
}

/// A configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No NAME=VALUE.
    #[error("its configuration has the environment variable '{0}', which is no NAME=VALUE")]
    Variable(String),
    /// A NUL cannot be passed to a program.
    #[error("its configuration has a NUL character in its {0}")]
    Nul(&'static str),
}

impl ImageConfig {
    /// The configuration of files that nobody has said more about.
    pub fn of_host() -> Self {
        Self {
            architecture: super::Platform::host().architecture,
            ..Self::default()
        }
    }

    /// What `config` says, checked.
    pub(super) fn from_oci(config: &ImageConfiguration) -> Result<Self, ConfigError> {
        let architecture = config.architecture().to_string();
        let Some(run) = config.config() else {
            return Ok(Self {
                architecture,
                ..Self::default()
            });
        };
        let stated = |word: &Option<String>| word.clone().filter(|word| !word.is_empty());
        let variables = run.env().iter().flatten().map(|one| variable(one));
        Self {
            entrypoint: run.entrypoint().clone().unwrap_or_default(),
            cmd: run.cmd().clone().unwrap_or_default(),
            env: variables.collect::<Result<_, _>>()?,
            workdir: stated(run.working_dir()),
            user: stated(run.user()),
            stop_signal: stated(run.stop_signal()),
            labels: run
                .labels()
                .clone()
                .unwrap_or_default()
                .into_iter()
                .collect(),
            architecture,
        }
        .without_nul()
    }

    fn without_nul(self) -> Result<Self, ConfigError> {
        let has = |words: &[&String]| words.iter().any(|word| word.contains('\0'));
        let command: Vec<&String> = self.entrypoint.iter().chain(&self.cmd).collect();
        let variables = self.env.iter().flat_map(|(name, value)| [name, value]);
        let others: Vec<&String> = self.workdir.iter().chain(&self.user).collect();
        if has(&command) {
            return Err(ConfigError::Nul("command"));
        }
        if has(&variables.collect::<Vec<_>>()) {
            return Err(ConfigError::Nul("environment"));
        }
        if has(&others) {
            return Err(ConfigError::Nul("directory or user"));
        }
        Ok(self)
    }
}

fn variable(text: &str) -> Result<(String, String), ConfigError> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(ConfigError::Variable(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(config: &str) -> Result<ImageConfig, ConfigError> {
        let json = format!(
            r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[]}},
                "config":{config}}}"#
        );
        ImageConfig::from_oci(&ImageConfiguration::from_reader(json.as_bytes()).unwrap())
    }

    #[test]
    fn what_a_run_uses_is_read() {
        let config = read(
            r#"{"Entrypoint":["/bin/sh","-c"],"Cmd":["true"],"Env":["A=b=c"],"User":"",
                "WorkingDir":"/srv","StopSignal":"SIGQUIT","Labels":{"l":"v"}}"#,
        );
        let config = config.unwrap();
        assert_eq!(config.entrypoint, ["/bin/sh", "-c"]);
        assert_eq!(config.cmd, ["true"]);
        assert_eq!(config.env, [("A".to_owned(), "b=c".to_owned())]);
        assert_eq!(config.workdir.as_deref(), Some("/srv"));
        assert_eq!(config.user, None);
        assert_eq!(config.labels["l"], "v");
    }

    #[test]
    fn an_empty_command_is_none() {
        assert_eq!(
            read(r#"{"Cmd":null,"Entrypoint":[]}"#).unwrap().cmd,
            [""; 0]
        );
    }

    #[test]
    fn what_cannot_be_passed_to_a_program_is_refused() {
        let refused = |config| read(config).unwrap_err();
        assert_eq!(
            refused(r#"{"Env":["A"]}"#),
            ConfigError::Variable("A".to_owned())
        );
        assert_eq!(
            refused(r#"{"Cmd":["a\u0000"]}"#),
            ConfigError::Nul("command")
        );
    }
}
