//! The guest that every VMM boots.

use std::path::PathBuf;

use serde_json::{Value, json};

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
    /// `word` with what belongs into its places. What is put there has none.
    pub fn fill_in(&self, word: &str) -> String {
        let Some((before, place, after)) = first_place(word) else {
            return word.to_owned();
        };
        let disk = self.disk.as_deref().unwrap_or_else(|| "".as_ref());
        let what = match place {
            "kernel" => self.kernel.display().to_string(),
            "rootfs" => self.rootfs.display().to_string(),
            "disk" => disk.display().to_string(),
            "memory" => self.memory_mib.to_string(),
            "words" => self.all_words(),
            "serial-words" => self.serial_words(),
            "config" => self.config.display().to_string(),
            other => format!("{{{other}}}"),
        };
        format!("{before}{what}{}", self.fill_in(after))
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

/// What is before the first place of `word`, its name, and what is after it.
fn first_place(word: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = word.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}
