//! The project's scripts that fetch and build kernels. They are not part of this program: they
//! are where the project was when it was compiled, or where `VMM_SCRIPTS` says.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// Why a script brings no kernel.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// It is not there.
    #[error(
        "there is no {0}: set VMM_SCRIPTS to the folder `scripts` of the sources of vmm, or bring a kernel of your own by `vmm kernel add NAME PATH`"
    )]
    Missing(PathBuf),
    /// It cannot be run.
    #[error("cannot run {0}")]
    Start(PathBuf, #[source] io::Error),
    /// It has said why.
    #[error("{0} failed ({1})")]
    Failed(PathBuf, ExitStatus),
    /// Its last line should be the name of a directory.
    #[error("{0} named no directory")]
    Silent(PathBuf),
}

/// What a script does for a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Debian's kernel for clouds, with its modules.
    Fetch,
    /// The small kernel, compiled here.
    Build,
}

impl Script {
    fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch-kernel",
            Self::Build => "build-kernel",
        }
    }

    /// Runs it, with its messages on standard error; the directory of the kernel.
    ///
    /// # Errors
    /// It is not there, or fails.
    pub fn run(self) -> Result<PathBuf, ScriptError> {
        let folder = env::var_os("VMM_SCRIPTS").map(PathBuf::from);
        let folder =
            folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts"));
        run(folder.join(self.name()))
    }
}

fn run(script: PathBuf) -> Result<PathBuf, ScriptError> {
    if !script.is_file() {
        return Err(ScriptError::Missing(script));
    }
    let mut command = Command::new(&script);
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return Err(ScriptError::Start(script, error)),
    };
    if !output.status.success() {
        return Err(ScriptError::Failed(script, output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let directory = text.lines().last().map(PathBuf::from);
    match directory.filter(|directory| directory.is_dir()) {
        Some(directory) => Ok(directory),
        None => Err(ScriptError::Silent(script)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn script(text: &str) -> (tempfile::TempDir, Result<PathBuf, ScriptError>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fetch-kernel");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let result = run(path);
        (folder, result)
    }

    #[test]
    fn its_last_line_is_where_the_kernel_is() {
        let (folder, result) = script("echo working; dirname \"$0\"");
        assert_eq!(result.unwrap(), folder.path());
    }

    #[test]
    fn one_that_fails_or_names_nothing_brings_none() {
        let failed = script("echo /; exit 3").1;
        assert!(matches!(failed, Err(ScriptError::Failed(..))), "{failed:?}");
        let silent = script("true").1;
        assert!(matches!(silent, Err(ScriptError::Silent(_))), "{silent:?}");
    }

    #[test]
    fn one_that_is_not_there_tells_the_remedy() {
        let error = run("/no/such/fetch-kernel".into()).unwrap_err().to_string();
        assert!(error.contains("VMM_SCRIPTS"), "{error}");
    }
}
