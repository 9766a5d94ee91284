//! A small root of busybox, a shell script for an init, and what is left behind on the host.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use tempfile::TempDir;
use vmm::cgroup::Limits;
use vmm::container::{Container, ContainerError, ContainerSpec, Runtime, Stdio};

/// It obeys the file that it is given.
const INIT: &str = "#!/bin/sh\n[ \"$1\" = launch ] || exit 125\n. \"$2\"\n";

const COMMANDS: [&str; 15] = [
    "sh", "true", "cat", "echo", "sleep", "ls", "id", "grep", "hostname", "touch", "kill", "mount",
    "unshare", "dd", "ip",
];

/// Every runtime that we promise for.
pub fn runtimes() -> [(&'static str, Runtime); 3] {
    let crun = if is_too_hybrid_for_crun() {
        crun_without_unified().into()
    } else {
        "/usr/bin/crun".into()
    };
    [
        ("own", Runtime::Own),
        ("runc", Runtime::Path("/usr/sbin/runc".into())),
        ("crun", Runtime::Path(crun)),
    ]
}

/// crun refuses hosts whose unified hierarchy has controllers beside those of version 1.
fn is_too_hybrid_for_crun() -> bool {
    let unified = fs::read_to_string("/sys/fs/cgroup/unified/cgroup.controllers");
    unified.is_ok_and(|controllers| !controllers.trim().is_empty())
}

/// It does not see that hierarchy.
fn crun_without_unified() -> &'static str {
    let wrapper = concat!(env!("CARGO_TARGET_TMPDIR"), "/crun-without-unified");
    let unmount = "umount /sys/fs/cgroup/unified 2>/dev/null; exec crun \"$@\"";
    let script = format!("#!/bin/sh\nexec unshare -m sh -c '{unmount}' crun \"$@\"\n");
    if Path::new("/usr/bin/crun").exists()
        && fs::read_to_string(wrapper).ok() != Some(script.clone())
    {
        fs::write(wrapper, script).unwrap();
        fs::set_permissions(wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    }
    wrapper
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub fn is_there(runtime: &Runtime) -> bool {
    match runtime {
        Runtime::Own => true,
        Runtime::Path(path) => path.exists(),
    }
}

/// Where a container of one test lives.
pub struct Fixture {
    pub directory: TempDir,
    pub id: String,
    pub runtime: Runtime,
}

impl Fixture {
    pub fn new(name: &str, promise: &str, runtime: Runtime) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        for one in ["bin", "dev", "proc", "sys", "tmp", "run", "data"] {
            fs::create_dir_all(root.join(one)).unwrap();
        }
        fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
        for command in COMMANDS {
            symlink("busybox", root.join("bin").join(command)).unwrap();
        }
        let init = directory.path().join("init");
        fs::write(&init, INIT).unwrap();
        fs::set_permissions(&init, fs::Permissions::from_mode(0o755)).unwrap();
        let id = format!("test-{}-{name}-{promise}", std::process::id());
        Self {
            directory,
            id,
            runtime,
        }
    }

    /// What runs `script`.
    pub fn spec(&self, script: &str) -> ContainerSpec {
        ContainerSpec {
            id: self.id.clone(),
            root: self.directory.path().join("root"),
            bundle: self.directory.path().join("bundle"),
            init: self.directory.path().join("init"),
            launch: self.launch("launch", script),
            limits: Limits::default(),
            volumes: Vec::new(),
            hostname: None,
            read_only: false,
        }
    }

    /// The file of a launch.
    pub fn launch(&self, name: &str, script: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, script).unwrap();
        path
    }

    /// Runs `spec` to its end: what it says, and its status.
    pub fn run(&self, spec: &ContainerSpec) -> (String, ExitStatus) {
        let (mut output, stdio) = stdio();
        let mut container = self.create(spec, stdio).unwrap();
        container.start().unwrap();
        let said = text(&mut output);
        let status = container.wait().unwrap();
        container.delete().unwrap();
        (said, status)
    }

    /// Runs `script`, with nothing special about it.
    pub fn run_script(&self, script: &str) -> (String, ExitStatus) {
        self.run(&self.spec(script))
    }

    pub fn create(&self, spec: &ContainerSpec, stdio: Stdio) -> Result<Container, ContainerError> {
        Container::create(spec, &self.runtime, stdio)
    }

    /// Nothing of the container is on the host any more.
    pub fn assert_nothing_left(&self) {
        assert_eq!(groups_of(&self.id), Vec::<PathBuf>::new());
        let place = self.directory.path().to_str().unwrap();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(place), "{mounts}");
        assert_eq!(processes_that_see(place), Vec::<String>::new());
        assert!(!self.directory.path().join("bundle/config.json").exists());
    }
}

/// A pipe that both outputs lead to, and no input.
pub fn stdio() -> (std::io::PipeReader, Stdio) {
    let (reader, writer) = std::io::pipe().unwrap();
    let error = writer.try_clone().unwrap();
    let input = File::open("/dev/null").unwrap();
    (reader, [input.into(), writer.into(), error.into()])
}

/// All that comes until every writer is gone.
pub fn text(reader: &mut impl Read) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

/// The control groups of this name, in every hierarchy.
fn groups_of(id: &str) -> Vec<PathBuf> {
    let hierarchies = fs::read_dir("/sys/fs/cgroup").unwrap();
    let tops = hierarchies.map(|one| one.unwrap().path());
    tops.chain([PathBuf::from("/sys/fs/cgroup")])
        .map(|top| top.join("vmm").join(id))
        .filter(|path| path.exists())
        .collect()
}

/// The command lines of processes in mount namespaces that show `place`, but this test's own.
fn processes_that_see(place: &str) -> Vec<String> {
    let ours = fs::read_link("/proc/self/ns/mnt").unwrap();
    let entries = fs::read_dir("/proc").unwrap();
    let processes = entries.map(|entry| entry.unwrap().path());
    processes
        .filter(|path| fs::read_link(path.join("ns/mnt")).is_ok_and(|other| other != ours))
        .filter(|path| shows(&path.join("mountinfo"), place))
        .map(|path| fs::read_to_string(path.join("cmdline")).unwrap_or_default())
        .collect()
}

fn shows(mountinfo: &Path, place: &str) -> bool {
    fs::read_to_string(mountinfo).is_ok_and(|mounts| mounts.contains(place))
}

/// This program again, to do something else.
pub fn ourselves() -> Command {
    Command::new(std::env::current_exe().unwrap())
}
