//! The image that all promises are tried with: a directory with busybox.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

const APPLETS: [&str; 34] = [
    "awk", "cat", "cp", "dd", "echo", "env", "expr", "false", "grep", "head", "hostname", "id",
    "ip", "kill", "ls", "mkdir", "mount", "nc", "nproc", "ps", "pwd", "rm", "sh", "sleep", "stat",
    "stty", "tail", "tee", "test", "touch", "true", "tty", "uname", "wc",
];

/// Where the image is; made once.
pub fn path() -> &'static Path {
    static IMAGE: OnceLock<TempDir> = OnceLock::new();
    IMAGE
        .get_or_init(|| {
            let directory = tempfile::tempdir().unwrap();
            fill(directory.path());
            directory
        })
        .path()
}

fn fill(root: &Path) {
    for directory in ["bin", "etc", "home/app", "srv", "tmp", "root"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::copy(busybox(), root.join("bin/busybox")).unwrap();
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    // What connects to a channel.
    fs::write(root.join("bin/probe"), vmm::guest::PROBE).unwrap();
    let runnable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(root.join("bin/probe"), runnable).unwrap();
    fs::write(root.join("etc/passwd"), PASSWD).unwrap();
    fs::write(root.join("etc/group"), GROUP).unwrap();
    fs::write(root.join("etc/motd"), "as imported\n").unwrap();
    fs::write(root.join("srv/no-program"), "not executable\n").unwrap();
    fs::write(root.join("home/app/notes"), "mine\n").unwrap();
    for file in ["home/app", "home/app/notes"] {
        // Of its user, where root makes it.
        let _ = chown(root.join(file), Some(1000), Some(1001));
    }
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
}

const PASSWD: &str = "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n";
const GROUP: &str = "root:x:0:\napp:x:1001:\naudio:x:29:app\n";

/// A busybox that needs no library: Debian's busybox-static.
fn busybox() -> PathBuf {
    let named = std::env::var_os("VMM_TEST_BUSYBOX").map(PathBuf::from);
    let path = named.unwrap_or_else(|| "/bin/busybox".into());
    assert!(
        path.exists(),
        "cannot find {}: run scripts/setup once (busybox-static)",
        path.display()
    );
    path
}
