//! The VMMs that are compared, and the command line of each for the same guest.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

/// What the guest's init prints first of all.
pub const MARKER: &str = "vmm-peers-up";

/// The guest that all boot.
pub struct Guest {
    pub kernel: PathBuf,
    pub root: PathBuf,
    pub words: String,
    pub memory_mib: u32,
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
    /// The kernel's words besides those for the console. The marker goes by the kernel's
    /// log, which every console shows alike.
    fn words(&self) -> String {
        format!(
            "{} root=/dev/vda ro init=/bin/sh -- -c \"echo '<1>{MARKER}' > /dev/kmsg; sleep 1000\"",
            self.words
        )
    }

    /// For those whose console is a serial port.
    fn serial_words(&self, more: &str) -> String {
        format!("console=ttyS0 quiet panic=-1 {more} {}", self.words())
    }
}

fn vmm(guest: &Guest) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmm"));
    command.arg("--kernel").arg(&guest.kernel);
    command.arg("--rootfs").arg(&guest.root).arg("--readonly");
    command
        .arg("--memory")
        .arg(format!("{}M", guest.memory_mib));
    command.arg("--cmdline").arg(guest.words());
    command
}

fn qemu_microvm(guest: &Guest) -> Command {
    const MACHINE: &str = "microvm,x-option-roms=off,rtc=on,pic=off,pit=off,isa-serial=on";
    let drive = format!(
        "file={},format=raw,if=none,id=root,readonly=on",
        guest.root.display()
    );
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
    command.args(["-drive", &drive, "-device", "virtio-blk-device,drive=root"]);
    command.args(["-append", &guest.serial_words("reboot=k")]);
    command
}

fn firecracker(guest: &Guest) -> Command {
    let machine = json!({
        "boot-source": {
            "kernel_image_path": guest.kernel,
            "boot_args": guest.serial_words("reboot=k i8042.nokbd i8042.noaux"),
        },
        "drives": [{
            "drive_id": "root",
            "path_on_host": guest.root,
            "is_root_device": false,
            "is_read_only": true,
        }],
        "machine-config": { "vcpu_count": 1, "mem_size_mib": guest.memory_mib },
    });
    let file = std::env::temp_dir().join(format!("compare-peers-{}.json", std::process::id()));
    fs::write(&file, machine.to_string()).expect("the folder for temporary files can be written");
    let mut command = Command::new("firecracker");
    command.arg("--no-api").arg("--config-file").arg(file);
    command
}
