//! A file that takes output. There is no input.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use super::Endpoint;
use crate::host_io::HostOutput;
use crate::virtio::HostFd;

/// A log of what the guest prints.
pub struct OutputFile(HostOutput);

impl OutputFile {
    /// Opens `path`, or makes it; what an earlier machine has printed there stays.
    ///
    /// # Errors
    /// The file cannot be written, or it is a pipe that nobody reads.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .custom_flags(i32::try_from(flags.bits()).unwrap_or(0))
            .open(path)?;
        Ok(Self(HostOutput::new(file.into())))
    }
}

impl Endpoint for OutputFile {
    fn host_fds(&self) -> Vec<HostFd> {
        vec![HostFd::output(&self.0)]
    }

    fn read(&mut self, _buffer: &mut [u8]) -> usize {
        0
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        self.0.write(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_added_to_what_is_there() {
        let folder = vmm_sys_util::tempdir::TempDir::new().unwrap();
        let path = folder.as_path().join("log");
        for line in ["one\n", "two\n"] {
            OutputFile::open(&path).unwrap().write(line.as_bytes());
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn a_full_disk_takes_nothing_and_holds_nothing_up() {
        let mut full = OutputFile::open(Path::new("/dev/full")).unwrap();
        assert_eq!(full.write(b"lost"), 4);
    }

    #[test]
    fn a_folder_is_no_log() {
        assert!(OutputFile::open(&std::env::temp_dir()).is_err());
    }
}
