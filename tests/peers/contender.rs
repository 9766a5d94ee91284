//! The VMMs that are compared, and the command line of each for the same guest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::Options;

/// The guest that all boot.
pub struct Guest {
    /// Its memory.
    pub memory_mib: u32,
    kernel: PathBuf,
    root: PathBuf,
    /// A second disk, which it may write.
    disk: Option<PathBuf>,
    /// The kernel's words besides those for the console.
    words: String,
}

/// How a VMM is told to boot a guest.
type MakeCommand = fn(&Guest) -> Command;

/// A VMM.
pub struct Contender {
    /// Its name in the table.
    pub name: &'static str,
    command: MakeCommand,
}

impl Contender {
    /// Ours, and every other that is on PATH.
    pub fn all_found() -> Vec<Self> {
        let known: [(&str, &str, MakeCommand); 3] = [
            (env!("CARGO_BIN_EXE_vmm"), "vmm", vmm),
            ("qemu-system-x86_64", "QEMU microvm", qemu_microvm),
            ("firecracker", "Firecracker", firecracker),
        ];
        known
            .into_iter()
            .filter(|(program, ..)| Command::new(program).arg("--version").output().is_ok())
            .map(|(_, name, command)| Self { name, command })
            .collect()
    }

    /// How it boots `guest`, with the console on standard output.
    pub fn command(&self, guest: &Guest) -> Command {
        (self.command)(guest)
    }
}

impl Guest {
    /// The guest of `options` with the words `init`, and a second `disk`.
    pub fn new(options: &Options, init: &str, disk: Option<PathBuf>) -> Self {
        Self {
            memory_mib: options.memory,
            kernel: options.kernel.clone(),
            root: options.root.clone(),
            disk,
            words: format!("{} root=/dev/vda ro {init}", options.words),
        }
    }

    /// For those whose console is a serial port.
    fn serial_words(&self, more: &str) -> String {
        format!("console=ttyS0 quiet panic=-1 {more} {}", self.words)
    }
}

fn vmm(guest: &Guest) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmm"));
    command.arg("--kernel").arg(&guest.kernel);
    command.arg("--rootfs").arg(&guest.root).arg("--readonly");
    command
        .arg("--memory")
        .arg(format!("{}M", guest.memory_mib));
    command.arg("--cmdline").arg(&guest.words);
    if let Some(disk) = &guest.disk {
        let disk = format!("path={},cache=direct,format=raw", disk.display());
        command.args(["--disk", &disk]);
    }
    command
}

fn qemu_microvm(guest: &Guest) -> Command {
    const MACHINE: &str = "microvm,x-option-roms=off,rtc=on,pic=off,pit=off,isa-serial=on";
    let mut command = Command::new("qemu-system-x86_64");
    command.args([
        "-M",
        MACHINE,
        "-accel",
        "kvm",
        "-cpu",
        "host",
        "-nodefaults",
    ]);
    command.args([
        "-no-user-config",
        "-nographic",
        "-no-reboot",
        "-serial",
        "stdio",
    ]);
    command.args(["-m", &guest.memory_mib.to_string()]);
    command.arg("-kernel").arg(&guest.kernel);
    command.args(["-append", &guest.serial_words("reboot=k")]);
    qemu_disk(&mut command, "root", &guest.root, "readonly=on");
    if let Some(disk) = &guest.disk {
        qemu_disk(&mut command, "disk", disk, "cache=none,aio=io_uring");
    }
    command
}

fn qemu_disk(command: &mut Command, id: &str, path: &Path, how: &str) {
    let drive = format!("file={},format=raw,if=none,id={id},{how}", path.display());
    let device = format!("virtio-blk-device,drive={id}");
    command.args(["-drive", &drive, "-device", &device]);
}

fn firecracker(guest: &Guest) -> Command {
    let mut drives = vec![firecracker_drive("root", &guest.root, true)];
    let disk = guest.disk.as_ref();
    drives.extend(disk.map(|disk| firecracker_drive("disk", disk, false)));
    let machine = json!({
        "boot-source": {
            "kernel_image_path": guest.kernel,
            "boot_args": guest.serial_words("reboot=k i8042.nokbd i8042.noaux"),
        },
        "drives": drives,
        "machine-config": { "vcpu_count": 1, "mem_size_mib": guest.memory_mib },
    });
    let file = std::env::temp_dir().join(format!("compare-peers-{}.json", std::process::id()));
    fs::write(&file, machine.to_string()).expect("the folder for temporary files can be written");
    let mut command = Command::new("firecracker");
    command.arg("--no-api").arg("--config-file").arg(file);
    command
}

fn firecracker_drive(id: &str, path: &Path, readonly: bool) -> Value {
    json!({
        "drive_id": id,
        "path_on_host": path,
        "is_root_device": false,
        "is_read_only": readonly,
        "io_engine": "Async",
    })
}
