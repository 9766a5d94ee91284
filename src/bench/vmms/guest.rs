//! The guest that every VMM boots.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::place::Place;

/// A kernel with a root, one vCPU and perhaps a second disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// Its kernel: an uncompressed ELF, which all of them take.
    pub kernel: PathBuf,
    /// Its root file system, which it can only read.
    pub rootfs: PathBuf,
    /// A second disk, which it may write.
    pub disk: Option<PathBuf>,
    /// Its memory in MiB.
    pub memory_mib: u32,
    /// The kernel's words besides those for console and root.
    pub words: String,
    /// Where the file lies that Firecracker reads.
    pub config: PathBuf,
}

impl Guest {
    /// What belongs into `place`.
    pub fn value(&self, place: Place) -> String {
        let path = |path: &Path| path.display().to_string();
        match place {
            Place::Kernel => path(&self.kernel),
            Place::Rootfs => path(&self.rootfs),
            Place::Disk => self.disk.as_deref().map_or_else(String::new, path),
            Place::Memory => self.memory_mib.to_string(),
            Place::Words => self.all_words(),
            Place::SerialWords => self.serial_words(),
            Place::Config => path(&self.config),
        }
    }

    fn all_words(&self) -> String {
        format!("root=/dev/vda ro {}", self.words)
    }

    /// For VMMs whose console is a serial port, and which reset by the keyboard's controller.
    fn serial_words(&self) -> String {
        let words = self.all_words();
        format!("console=ttyS0 quiet panic=-1 reboot=k i8042.nokbd i8042.noaux {words}")
    }

    /// The whole guest as Firecracker's API has it.
    pub fn firecracker(&self) -> Value {
        let drive = |id: &str, path: &PathBuf, is_read_only: bool| {
            json!({
                "drive_id": id,
                "path_on_host": path,
                "is_root_device": false,
                "is_read_only": is_read_only,
                "io_engine": "Async",
            })
        };
        let mut drives = vec![drive("root", &self.rootfs, true)];
        drives.extend(self.disk.iter().map(|disk| drive("disk", disk, false)));
        json!({
            "boot-source": {
                "kernel_image_path": self.kernel,
                "boot_args": self.serial_words(),
            },
            "drives": drives,
            "machine-config": { "vcpu_count": 1, "mem_size_mib": self.memory_mib },
        })
    }
}
