//! What the host has, and what is made of it for a test.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vmm::image::{Base, Digest, Format, ImageConfig};
use vmm::root::namespace::{MountNamespace, unshare_mounts};
use vmm::root::{DEFAULT_SIZE, Keeps, Lower, Record, Root, Upper, Workbench};

/// Whether this process is the host's root.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A store, and a base in it.
pub struct Stage {
    namespace: MountNamespace,
    pub store: Directory,
    pub base: Base,
}

/// A directory: one's own, which goes with it, or another's.
pub enum Directory {
    Own(TempDir),
    Others(PathBuf),
}

impl Directory {
    pub fn path(&self) -> &Path {
        match self {
            Self::Own(directory) => directory.path(),
            Self::Others(path) => path,
        }
    }
}

impl Stage {
    /// A private namespace, and a base of this format with a few files.
    pub fn set(format: Format) -> Self {
        let store = TempDir::new().unwrap();
        let tree = store.path().join("tree");
        plant(&tree);
        make(format, &tree, &store.path().join("base"));
        Self::of(Directory::Own(store), format)
    }

    /// That of another process, whose base is an EROFS.
    pub fn found_in(store: &Path) -> Self {
        Self::of(Directory::Others(store.to_owned()), Format::Erofs)
    }

    fn of(store: Directory, format: Format) -> Self {
        let base = Base {
            path: store.path().join("base"),
            digest: digest_of(0x5a),
            format,
        };
        let namespace = unshare_mounts().unwrap();
        Self {
            namespace,
            store,
            base,
        }
    }

    pub fn workbench(&self) -> Workbench {
        Workbench::set_up(&self.namespace, self.store.path()).unwrap()
    }

    /// The tree with an upper layer in memory.
    pub fn root(&self, workbench: &Workbench) -> Root {
        let lower = Lower::mount(workbench, &self.base).unwrap();
        let upper = Upper::memory(workbench, 64 << 20).unwrap();
        Root::mount(workbench, lower, upper).unwrap()
    }

    /// The tree with an upper layer in the keep `name`.
    pub fn kept_root(&self, workbench: &Workbench, name: &str) -> Root {
        let lower = Lower::mount(workbench, &self.base).unwrap();
        let keeps = Keeps::of_store(self.store.path());
        let keep = keeps.open(&name.parse().unwrap(), self.record()).unwrap();
        let upper = Upper::keep(workbench, keep).unwrap();
        Root::mount(workbench, lower, upper).unwrap()
    }

    /// What a keep of this base belongs to.
    pub fn record(&self) -> Record {
        Record {
            image: "tests".to_owned(),
            config: ImageConfig::of_host(),
            base: self.base.clone(),
            size: DEFAULT_SIZE,
        }
    }
}

/// A digest of this byte, 32 times: nothing here asks what it is of.
pub fn digest_of(byte: u8) -> Digest {
    format!("sha256:{}", format!("{byte:02x}").repeat(32))
        .parse()
        .unwrap()
}

/// What every base of these tests holds.
pub fn plant(tree: &Path) {
    for directory in ["etc", "usr/bin", "old", "var/lib"] {
        fs::create_dir_all(tree.join(directory)).unwrap();
    }
    for (file, text) in [
        ("etc/hostname", "base\n"),
        ("usr/bin/tool", "#!/bin/sh\n"),
        ("old/one", "1\n"),
        ("old/two", "2\n"),
    ] {
        fs::write(tree.join(file), text).unwrap();
    }
    let tool = tree.join("usr/bin/tool");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o4755)).unwrap();
    fs::hard_link(&tool, tree.join("usr/bin/same")).unwrap();
    let console = tree.join("etc/console");
    run("mknod", &[console.to_str().unwrap(), "c", "5", "1"]);
    symlink("/etc", tree.join("link")).unwrap();
    fs::write(tree.join("big"), vec![0x5a; 8 << 20]).unwrap();
    fs::set_permissions(tree, fs::Permissions::from_mode(0o751)).unwrap();
}

/// Makes a base of this format.
pub fn make(format: Format, tree: &Path, image: &Path) {
    let (tree, image) = (tree.to_str().unwrap(), image.to_str().unwrap());
    match format {
        Format::Erofs => run("mkfs.erofs", &["--quiet", image, tree]),
        Format::Squashfs => run("mksquashfs", &[tree, image, "-quiet", "-no-progress"]),
        Format::Ext4 => run(
            "mke2fs",
            // Without checksums, so that a test can spoil it.
            &[
                "-q",
                "-F",
                "-t",
                "ext4",
                "-O",
                "^metadata_csum",
                "-d",
                tree,
                image,
                "64M",
            ],
        ),
    }
}

/// Runs a program of the host, which has to succeed.
pub fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .status()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(status.success(), "{program} {arguments:?}: {status}");
}

/// The loop devices that show `file` now.
pub fn loops_of(file: &Path) -> Vec<PathBuf> {
    let file = file.to_str().unwrap();
    let devices = fs::read_dir("/sys/block")
        .unwrap()
        .map(|entry| entry.unwrap().path());
    devices
        .filter(|device| {
            let shown = fs::read_to_string(device.join("loop/backing_file"));
            shown.is_ok_and(|shown| shown.trim_end().starts_with(file))
        })
        .collect()
}

/// Fields of `/proc/self/mountinfo`: device and mount point of each mount below `directory`.
pub fn mounts_below(directory: &Path) -> Vec<(String, PathBuf)> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mounts = table.lines().map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        (fields[2].to_owned(), PathBuf::from(fields[4]))
    });
    mounts.filter(|(_, at)| at.starts_with(directory)).collect()
}

/// How much of `file` is in the page cache.
pub fn resident_bytes(file: &Path) -> u64 {
    let mut command = Command::new("fincore");
    let output = command
        .args(["--bytes", "--noheadings", "--output", "RES"])
        .arg(file)
        .output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    text.trim()
        .parse()
        .unwrap_or_else(|_| panic!("fincore says {text:?}"))
}

/// Waits for what the kernel tells nobody of; two seconds at most.
pub fn wait_until(come: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(2);
    while !come() {
        assert!(Instant::now() < deadline, "it has not come");
        std::thread::yield_now();
    }
}
