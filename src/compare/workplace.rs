//! What lies on the host while walls are compared: the probe, and what it is to look for.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use wire::{Canaries, HostFile, HostProcess};

use super::CompareError;
use crate::guest::{self, PROBE};
use crate::run::{InstanceName, Registry};

/// A directory of ours, and a file in `/tmp`; gone when this is dropped.
pub struct Workplace {
    directory: PathBuf,
    in_tmp: PathBuf,
    canaries: Canaries,
}

impl Workplace {
    /// Puts everything where it belongs.
    ///
    /// # Errors
    /// A directory cannot be written.
    pub fn set_up() -> Result<Self, CompareError> {
        let registry = Registry::open().map_err(io::Error::other);
        let name = format!("compare-{}", InstanceName::random());
        registry
            .and_then(|registry| Self::at(registry.directory().join(&name), &name))
            .map_err(CompareError::host(
                "put the probe into the runtime directory",
            ))
    }

    fn at(directory: PathBuf, name: &str) -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.mode(0o755).create(&directory)?;
        let in_tmp = Path::new("/tmp").join(name);
        let canary = directory.join("canary");
        // Removed from here on, whatever fails.
        let workplace = Self {
            canaries: Canaries {
                secret: InstanceName::random().to_string(),
                files: vec![
                    file("in /tmp", &in_tmp),
                    file("in the runtime directory", &canary),
                ],
                process: this_process()?,
            },
            directory,
            in_tmp,
        };
        for path in [&canary, &workplace.in_tmp] {
            let mut file = File::create_new(path)?;
            file.write_all(workplace.canaries.secret.as_bytes())?;
        }
        builder.create(workplace.probe_directory())?;
        guest::write(PROBE, &workplace.probe())?;
        Ok(workplace)
    }

    /// A directory with the probe and nothing else.
    pub fn probe_directory(&self) -> PathBuf {
        self.directory.join("probe")
    }

    /// The probe.
    pub fn probe(&self) -> PathBuf {
        self.probe_directory().join("probe")
    }

    /// A file of its own.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// What the probe looks for, as it is told.
    pub fn canaries(&self) -> String {
        serde_json::to_string(&self.canaries).expect("texts and numbers are valid JSON")
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // Nothing is lost if one of them stays.
        let _ = fs::remove_file(&self.in_tmp);
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn file(name: &str, path: &Path) -> HostFile {
    HostFile {
        name: name.to_owned(),
        path: path.display().to_string(),
    }
}

fn this_process() -> io::Result<HostProcess> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    HostProcess::parse(std::process::id(), &stat)
        .ok_or_else(|| io::Error::other("/proc/self/stat is cut short"))
}
