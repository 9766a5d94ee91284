//! `init launch`: a command as a container and the process wall start it.

#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use wire::Launch;

const INIT: &str = env!("CARGO_BIN_EXE_init");

fn shell(script: &str) -> Launch {
    command(&["sh", "-c", script])
}

fn command(argv: &[&str]) -> Launch {
    Launch {
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        ..Default::default()
    }
}

/// `init`, about to be started with `launch`, and the file that must live until it is.
fn init(launch: &Launch) -> (Command, tempfile::NamedTempFile) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    serde_json::to_writer(&mut file, launch).unwrap();
    let mut init = Command::new(INIT);
    init.arg("launch").arg(file.path()).stdin(Stdio::null());
    (init, file)
}

fn run(launch: &Launch) -> Output {
    let (mut init, _file) = init(launch);
    init.output().unwrap()
}

fn status(launch: &Launch) -> i32 {
    run(launch).status.code().unwrap()
}

fn stdout(launch: &Launch) -> String {
    String::from_utf8(run(launch).stdout).unwrap()
}

fn stderr(launch: &Launch) -> String {
    String::from_utf8(run(launch).stderr).unwrap()
}

/// Starts `launch`, with an input that stays open, and waits for its first line of output.
fn start(launch: &Launch) -> (Child, BufReader<ChildStdout>, String) {
    let (mut init, _file) = init(launch);
    let mut child = init
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    (child, output, line.trim_end().to_owned())
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn the_status_is_the_command_s() {
    assert_eq!(status(&shell("exit 0")), 0);
    assert_eq!(status(&shell("exit 77")), 77);
}

#[test]
fn a_command_that_a_signal_ends_has_128_and_its_number() {
    assert_eq!(status(&shell("kill -9 $$")), 137);
    assert_eq!(status(&shell("kill -TERM $$")), 143);
}

#[test]
fn a_program_that_is_not_there_is_127() {
    let launch = command(&["no-such-program"]);
    assert_eq!(status(&launch), 127);
    assert!(stderr(&launch).contains("cannot find the program 'no-such-program'"));
    assert_eq!(status(&command(&["/no/such/program"])), 127);
    assert_eq!(status(&command(&[""])), 127);
}

#[test]
fn a_file_that_is_no_program_is_126() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    fs::write(&path, "no program").unwrap();
    let launch = command(&[path.to_str().unwrap()]);
    assert_eq!(status(&launch), 126, "not executable");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(status(&launch), 126, "of no known format");
    assert!(stderr(&launch).contains("cannot execute"));
    assert_eq!(status(&command(&["/usr"])), 126, "a directory");
}

#[test]
fn a_program_in_a_later_directory_of_path_is_found() {
    let launch = Launch {
        env: vec![("PATH".into(), "/nowhere:/etc/passwd:/usr/bin:/bin".into())],
        ..command(&["true"])
    };
    assert_eq!(status(&launch), 0);
}

#[test]
fn our_own_failures_are_125() {
    assert_eq!(status(&Launch::default()), 125, "no command");
    let unknown = Launch {
        user: Some("no-such-user".into()),
        ..command(&["true"])
    };
    assert_eq!(status(&unknown), 125);
    assert!(stderr(&unknown).contains("no user 'no-such-user'"));
    let init = Command::new(INIT)
        .args(["launch", "/no/such/file"])
        .output();
    assert_eq!(init.unwrap().status.code(), Some(125));
}

#[test]
fn the_environment_is_what_was_given_and_home() {
    let lines = stdout(&Launch {
        env: vec![
            ("PATH".into(), "/usr/bin:/bin".into()),
            ("A".into(), "b=c\nd".into()),
        ],
        ..command(&["env"])
    });
    let mut names: Vec<_> = lines.lines().collect();
    names.retain(|line| !line.starts_with("HOME=/"));
    assert_eq!(names, ["PATH=/usr/bin:/bin", "A=b=c", "d"]);
}

#[test]
fn the_working_directory_is_made_and_entered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b");
    let launch = Launch {
        workdir: Some(path.to_str().unwrap().to_owned()),
        ..command(&["pwd"])
    };
    assert_eq!(stdout(&launch).trim_end(), path.to_str().unwrap());
    fs::write(folder.path().join("file"), "").unwrap();
    let launch = Launch {
        workdir: Some(folder.path().join("file").to_str().unwrap().to_owned()),
        ..command(&["pwd"])
    };
    assert_eq!(status(&launch), 125);
}

#[test]
fn a_user_has_its_own_groups_and_no_others() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let launch = Launch {
        user: Some("1234:567".into()),
        ..shell("id -u; id -g; id -G; echo $HOME")
    };
    assert_eq!(stdout(&launch), "1234\n567\n567\n/\n");
}

#[test]
fn streams_are_the_ones_that_are_here() {
    let (mut init, _file) = init(&shell("cat; echo error >&2"));
    let init = init
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = init.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"\0\xff\r\n")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.stdout, output.stderr),
        (b"\0\xff\r\n".to_vec(), b"error\n".to_vec())
    );
}

#[test]
fn no_other_file_of_ours_is_open_in_the_command() {
    let secret = File::open("/etc/hostname").unwrap();
    rustix::io::fcntl_setfd(&secret, rustix::io::FdFlags::empty()).unwrap();
    let open = stdout(&command(&["ls", "/proc/self/fd"]));
    // 3 is what `ls` reads.
    assert_eq!(
        open.split_whitespace().collect::<Vec<_>>(),
        ["0", "1", "2", "3"]
    );
}

#[test]
fn a_launch_may_come_by_an_inherited_file() {
    let (_, file) = init(&shell("exit 9"));
    let file = File::open(file.path()).unwrap();
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
    let number = file.as_raw_fd().to_string();
    let status = Command::new(INIT)
        .args(["launch", &number])
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(9));
}

#[test]
fn signals_are_forwarded() {
    for (name, number) in [("-TERM", 15), ("-INT", 2), ("-USR1", 10), ("-HUP", 1)] {
        let script = format!(
            "trap 'exit {}' {}; echo ready; while :; do sleep 0.01; done",
            40 + number,
            &name[1..]
        );
        let (mut child, _output, _) = start(&shell(&script));
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(40 + number), "{name}");
    }
}

/// It comes while more signals are passed on.
#[test]
fn an_end_by_a_signal_is_never_missed() {
    for _ in 0..10 {
        let (mut child, _, _) = start(&shell("echo ready; exec sleep 1000"));
        signal(&child, "-STOP");
        signal(&child, "-34");
        let process = child.id().to_string();
        let often = std::iter::repeat_n(&process, 3000);
        Command::new("kill")
            .arg("-64")
            .args(often)
            .status()
            .unwrap();
        signal(&child, "-CONT");
        assert_eq!(child.wait().unwrap().code(), Some(128 + 34));
    }
}

#[test]
fn a_command_starts_with_no_signal_blocked_or_ignored() {
    // As by `nohup`, or by `&` in a script.
    let (init, _file) = init(&command(&[
        "grep",
        "-E",
        "Sig(Blk|Ign)",
        "/proc/self/status",
    ]));
    let script = "trap '' HUP INT QUIT; exec \"$0\" \"$@\"";
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(init.get_program())
        .args(init.get_args())
        .output();
    let masks = String::from_utf8(output.unwrap().stdout).unwrap();
    for line in masks.lines() {
        let (_, mask) = line.split_once('\t').unwrap();
        // 32 and 33 are the C library's.
        let mask = u64::from_str_radix(mask, 16).unwrap() & !(0b11 << 31);
        assert_eq!(mask, 0, "{line}");
    }
    assert_eq!(masks.lines().count(), 2);
}

#[test]
fn orphans_are_reaped() {
    // The inner shell ends at once, and leaves its child to us.
    let (mut child, output, orphan) = start(&shell("sh -c 'sleep 0.1 & echo $!'; exec cat"));
    let mut init_ends = output;
    let proc = format!("/proc/{orphan}");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while Path::new(&proc).exists() {
        assert!(
            std::time::Instant::now() < deadline,
            "process {orphan} is a zombie"
        );
        std::thread::yield_now();
    }
    child.wait().unwrap();
    init_ends.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn the_command_dies_with_its_init() {
    let (mut child, _output, pid) = start(&shell("echo $$; exec sleep 60"));
    child.kill().unwrap();
    child.wait().unwrap();
    let proc = format!("/proc/{pid}/cmdline");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while fs::read(&proc).is_ok_and(|line| !line.is_empty()) {
        assert!(
            std::time::Instant::now() < deadline,
            "process {pid} is still there"
        );
        std::thread::yield_now();
    }
}
