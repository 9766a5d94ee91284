//! What is left when something goes wrong: nothing.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use vmm::container::{Container, ContainerError, Runtime, Volume, clean};

use super::fixture::{Fixture, ourselves, stdio, text};

pub const PROMISES: &[super::Promise] = super::promises![
    a_limit_that_cannot_be_kept_is_refused,
    a_volume_that_is_not_there_leaves_nothing,
    a_root_that_is_not_there_leaves_nothing,
    an_init_that_cannot_be_executed_leaves_nothing,
    a_container_that_is_never_started_leaves_nothing,
    a_container_that_is_dropped_leaves_nothing,
    who_has_built_the_walls_is_not_left_as_a_zombie,
    what_a_killed_vmm_leaves_can_be_cleaned,
    an_ordinary_user_has_a_container_or_is_told_why_not,
];

fn a_limit_that_cannot_be_kept_is_refused(fixture: &Fixture) {
    let mut spec = fixture.spec("true");
    spec.limits.cpus = Some(0.0);
    let error = fixture.create(&spec, stdio().1).unwrap_err();
    assert!(matches!(error, ContainerError::Limits(_)), "{error}");
    fixture.assert_nothing_left();
}

fn a_volume_that_is_not_there_leaves_nothing(fixture: &Fixture) {
    let mut spec = fixture.spec("true");
    spec.volumes.push(Volume {
        source: "/nowhere/at/all".into(),
        target: "/data".into(),
        read_only: false,
    });
    let error = fixture.create(&spec, stdio().1).unwrap_err();
    assert!(matches!(error, ContainerError::Refused { .. }), "{error}");
    fixture.assert_nothing_left();
}

fn a_root_that_is_not_there_leaves_nothing(fixture: &Fixture) {
    let mut spec = fixture.spec("true");
    spec.root = fixture.directory.path().join("elsewhere");
    fixture.create(&spec, stdio().1).unwrap_err();
    fixture.assert_nothing_left();
}

fn an_init_that_cannot_be_executed_leaves_nothing(fixture: &Fixture) {
    let spec = fixture.spec("true");
    fs::write(&spec.init, "#!/nowhere\n").unwrap();
    let created = fixture.create(&spec, stdio().1);
    // A runtime says so at once, when the container starts, or by a status.
    let status = created.and_then(|mut container| {
        container.start()?;
        container.wait()
    });
    assert!(!status.is_ok_and(|status| status.success()));
    fixture.assert_nothing_left();
}

fn a_container_that_is_never_started_leaves_nothing(fixture: &Fixture) {
    let container = fixture.create(&fixture.spec("true"), stdio().1).unwrap();
    container.delete().unwrap();
    fixture.assert_nothing_left();
}

fn a_container_that_is_dropped_leaves_nothing(fixture: &Fixture) {
    let mut container = fixture
        .create(&fixture.spec("sleep 1000"), stdio().1)
        .unwrap();
    container.start().unwrap();
    drop(container);
    fixture.assert_nothing_left();
}

/// Other tests have such a child for a moment: one that stays is seen at every look.
fn who_has_built_the_walls_is_not_left_as_a_zombie(fixture: &Fixture) {
    let mut container = fixture.create(&fixture.spec("cat"), stdio().1).unwrap();
    container.start().unwrap();
    let zombies = || {
        let children = fs::read_dir("/proc")
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let statuses = children.filter_map(|path| fs::read_to_string(path.join("status")).ok());
        let ours = format!("PPid:\t{}\n", std::process::id());
        let mut zombies = statuses.filter(|text| text.contains(&ours));
        zombies.any(|text| text.contains("Name:\tyouki:") && text.contains("State:\tZ"))
    };
    let end = Instant::now() + Duration::from_secs(10);
    while zombies() {
        assert!(Instant::now() < end, "a zombie stays");
    }
}

fn what_a_killed_vmm_leaves_can_be_cleaned(fixture: &Fixture) {
    let path = name_of(&fixture.runtime);
    let mut vmm = ourselves()
        .args(["abandon", &path, &fixture.id])
        .arg(fixture.directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(vmm.stdout.take().unwrap())
        .read_line(&mut said)
        .unwrap();
    vmm.kill().unwrap();
    vmm.wait().unwrap();
    if fixture.runtime == Runtime::Own {
        assert_ends(said.trim());
    }
    clean(&fixture.id, &fixture.directory.path().join("bundle")).unwrap();
    assert_ends(said.trim());
    fixture.assert_nothing_left();
}

fn an_ordinary_user_has_a_container_or_is_told_why_not(fixture: &Fixture) {
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args(["unshare", "--user", "--map-root-user", "--mount"])
        .arg(std::env::current_exe().unwrap())
        .args(["rootless", &name_of(&fixture.runtime), &fixture.id])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
    // crun, on a host that is hybrid.
    if !said.contains("cgroups in hybrid mode") {
        assert_eq!(said, "0 hello\nexit status: 7\n");
    }
}

/// A container of somebody who is root in a user namespace alone.
pub fn rootless(words: &[String]) {
    let [runtime, id] = words else {
        panic!("{words:?}")
    };
    let fixture = Fixture::new("rootless", id, runtime_of(runtime));
    let spec = fixture.spec("echo `id -u` hello; exit 7");
    let (mut output, stdio) = stdio();
    let run = fixture.create(&spec, stdio).and_then(|mut container| {
        container.start()?;
        container.wait()
    });
    print!("{}", text(&mut output));
    match run {
        Ok(status) => println!("{status}"),
        Err(error) => println!("{error}"),
    }
}

fn name_of(runtime: &Runtime) -> String {
    match runtime {
        Runtime::Own => "own".to_owned(),
        Runtime::Path(path) => path.display().to_string(),
    }
}

fn runtime_of(name: &str) -> Runtime {
    match name {
        "own" => Runtime::Own,
        path => Runtime::Path(path.into()),
    }
}

/// Starts a container, tells its process, and waits to be killed.
pub fn abandon(words: &[String]) -> ! {
    let [runtime, id, directory] = words else {
        panic!("{words:?}")
    };
    let fixture = Fixture::new("abandoned", "one", runtime_of(runtime));
    let mut spec = fixture.spec("sleep 1000");
    spec.id.clone_from(id);
    spec.bundle = std::path::Path::new(directory).join("bundle");
    let mut container = Container::create(&spec, &fixture.runtime, stdio().1).unwrap();
    container.start().unwrap();
    println!("{}", container.pid());
    std::io::stdout().flush().unwrap();
    loop {
        std::thread::park();
    }
}

/// The process `pid` runs no more; who has taken it over may not have noticed yet.
fn assert_ends(pid: &str) {
    assert!(!pid.is_empty());
    let deadline = Instant::now() + Duration::from_secs(10);
    while runs(pid) {
        assert!(Instant::now() < deadline, "process {pid} still runs");
        std::thread::yield_now();
    }
}

fn runs(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status"));
    status.is_ok_and(|status| !status.contains("State:\tZ"))
}
