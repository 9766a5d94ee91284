//! What is left when something goes wrong: nothing.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use vmm::container::{Container, ContainerError, Runtime, Volume, clean};

use super::fixture::{Fixture, ourselves, stdio};

pub const PROMISES: &[super::Promise] = super::promises![
    a_limit_that_cannot_be_kept_is_refused,
    a_volume_that_is_not_there_leaves_nothing,
    a_root_that_is_not_there_leaves_nothing,
    an_init_that_cannot_be_executed_leaves_nothing,
    a_container_that_is_never_started_leaves_nothing,
    a_container_that_is_dropped_leaves_nothing,
    what_a_killed_vmm_leaves_can_be_cleaned,
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

fn what_a_killed_vmm_leaves_can_be_cleaned(fixture: &Fixture) {
    let path = match &fixture.runtime {
        Runtime::Own => "own".into(),
        Runtime::Path(path) => path.display().to_string(),
    };
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

/// Starts a container, tells its process, and waits to be killed.
pub fn abandon(words: &[String]) -> ! {
    let [runtime, id, directory] = words else {
        panic!("{words:?}")
    };
    let runtime = match runtime.as_str() {
        "own" => Runtime::Own,
        path => Runtime::Path(path.into()),
    };
    let fixture = Fixture::new("abandoned", "one", runtime);
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
