//! What a container is, while all goes well.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::Duration;

use vmm::cgroup::Limits;
use vmm::container::Volume;

use super::fixture::{Fixture, stdio, text};

pub const PROMISES: &[super::Promise] = super::promises![
    the_status_of_the_command_comes_back,
    a_signal_ends_the_command,
    the_first_process_sees_nobody_else,
    few_rights_are_left,
    a_device_of_the_host_is_not_reached,
    only_the_loopback_is_there,
    nothing_of_ours_lands_in_the_tree,
    a_read_only_root_is_not_written,
    the_hostname_is_the_one_asked_for,
    volumes_are_seen_as_asked_for,
    memory_ends_where_the_limit_is,
    no_more_processes_than_allowed,
    statistics_tell_of_the_work,
    another_command_runs_behind_the_same_walls,
    a_paused_container_does_not_go_on,
    our_init_launches_the_command_and_reaps,
];

fn the_status_of_the_command_comes_back(fixture: &Fixture) {
    let (said, status) = fixture.run_script("echo hello; exit 42");
    assert_eq!(said, "hello\n");
    assert_eq!(status.code(), Some(42));
    fixture.assert_nothing_left();
}

fn a_signal_ends_the_command(fixture: &Fixture) {
    let (_output, stdio) = stdio();
    let mut container = fixture
        .create(&fixture.spec("exec sleep 1000"), stdio)
        .unwrap();
    container.start().unwrap();
    container.signal(9).unwrap();
    assert_eq!(container.wait().unwrap().signal(), Some(9));
    container.delete().unwrap();
    fixture.assert_nothing_left();
}

fn the_first_process_sees_nobody_else(fixture: &Fixture) {
    let (said, _) = fixture.run_script("echo $$; cd /proc; ls -d [0-9]* | cat");
    let numbers: Vec<u32> = said.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(numbers[0], 1);
    assert!(numbers.iter().all(|number| *number < 10), "{numbers:?}");
}

fn few_rights_are_left(fixture: &Fixture) {
    let (said, _) = fixture.run_script("grep -E '^(CapEff|Seccomp|NoNewPrivs):' /proc/self/status");
    assert_eq!(
        said,
        "CapEff:\t00000000a00425fb\nNoNewPrivs:\t1\nSeccomp:\t2\n"
    );
    let (said, _) = fixture.run_script(
        "unshare -m true; mount -t tmpfs x /data; ls /proc/kcore -l | grep -c ' 1, *3 '",
    );
    assert_eq!(
        said.matches("Operation not permitted").count() + said.matches("permission denied").count(),
        2,
        "{said}"
    );
}

/// `/dev/kmsg`: whoever may open it may write to it, and `/dev` itself is a place for nodes.
fn a_device_of_the_host_is_not_reached(fixture: &Fixture) {
    let script = "busybox mknod /dev/log c 1 11; : > /dev/log && [ -c /dev/log ] && echo reached";
    let (said, _) = fixture.run_script(script);
    assert!(!said.contains("reached"), "{said}");
}

fn only_the_loopback_is_there(fixture: &Fixture) {
    let (said, _) = fixture.run_script("ls /sys/class/net; cat /sys/class/net/lo/flags");
    // netdevice(7): IFF_UP and IFF_LOOPBACK.
    assert_eq!(said, "lo\n0x9\n");
}

fn nothing_of_ours_lands_in_the_tree(fixture: &Fixture) {
    let (_, status) = fixture.run_script("touch /tmp/a /run/b /dev/c; [ -x /dev/.vmm/init ]");
    assert!(status.success());
    for place in ["tmp", "run", "dev"] {
        let inside = fixture.directory.path().join("root").join(place);
        assert_eq!(inside.read_dir().unwrap().count(), 0, "{place}");
    }
}

fn a_read_only_root_is_not_written(fixture: &Fixture) {
    let mut spec = fixture.spec("touch /data/x && exit 1; touch /tmp/x");
    spec.read_only = true;
    let (said, status) = fixture.run(&spec);
    assert!(status.success(), "{said}");
}

fn the_hostname_is_the_one_asked_for(fixture: &Fixture) {
    let mut spec = fixture.spec("hostname");
    spec.hostname = Some("elsewhere".to_owned());
    assert_eq!(fixture.run(&spec).0, "elsewhere\n");
}

fn volumes_are_seen_as_asked_for(fixture: &Fixture) {
    let shown = tempfile::tempdir().unwrap();
    let volume = |target: &str, read_only| Volume {
        source: shown.path().to_owned(),
        target: target.into(),
        read_only,
    };
    let mut spec =
        fixture.spec("echo here > /data/file; cat /other/file; touch /other/x || exit 7");
    spec.volumes = vec![volume("/data", false), volume("/other", true)];
    let (said, status) = fixture.run(&spec);
    assert!(said.starts_with("here\n"), "{said}");
    assert_eq!(status.code(), Some(7));
}

fn memory_ends_where_the_limit_is(fixture: &Fixture) {
    let mut spec = fixture.spec("dd if=/dev/zero of=/dev/null bs=64M count=1; exit $?");
    spec.limits.memory = Some(16 << 20);
    let (_output, stdio) = stdio();
    let mut container = fixture.create(&spec, stdio).unwrap();
    container.start().unwrap();
    let status = container.wait().unwrap();
    assert_eq!(status.code(), Some(137), "{status}");
    let statistics = container.statistics();
    assert_eq!(statistics.oom_kills, Some(1));
    assert!(statistics.memory_peak.unwrap() <= 16 << 20);
}

fn no_more_processes_than_allowed(fixture: &Fixture) {
    let mut spec = fixture.spec("for i in 1 2 3 4 5 6 7 8; do sleep 100 & done");
    spec.limits.pids = Some(5);
    let (said, status) = fixture.run(&spec);
    assert!(said.contains("can't fork"), "{said}");
    assert!(!status.success());
}

fn statistics_tell_of_the_work(fixture: &Fixture) {
    let mut spec = fixture.spec("dd if=/dev/zero of=/dev/null bs=1M count=200");
    spec.limits = Limits {
        cpus: Some(1.0),
        ..Limits::default()
    };
    let (_output, stdio) = stdio();
    let mut container = fixture.create(&spec, stdio).unwrap();
    container.start().unwrap();
    container.wait().unwrap();
    assert!(container.statistics().cpu.unwrap() > Duration::from_millis(1));
}

fn another_command_runs_behind_the_same_walls(fixture: &Fixture) {
    let (_output, first) = stdio();
    let mut container = fixture.create(&fixture.spec("sleep 1000"), first).unwrap();
    container.start().unwrap();
    let launch = fixture.launch(
        "second",
        "hostname > /dev/null; ls -d /proc/1; grep Seccomp: /proc/self/status; exit 3",
    );
    let (mut output, second) = stdio();
    let process = container.exec(&launch, second).unwrap();
    assert_eq!(text(&mut output), "/proc/1\nSeccomp:\t2\n");
    assert_eq!(process.wait().unwrap().code(), Some(3));
    container.delete().unwrap();
    fixture.assert_nothing_left();
}

fn a_paused_container_does_not_go_on(fixture: &Fixture) {
    let (mut output, stdio) = stdio();
    let spec = fixture.spec("trap 'echo woken; exit 0' TERM; while :; do sleep 0.01; done");
    let mut container = fixture.create(&spec, stdio).unwrap();
    container.start().unwrap();
    container.pause(true).unwrap();
    container.signal(15).unwrap();
    assert!(!ends_within(&container, Duration::from_millis(300)));
    container.pause(false).unwrap();
    // A signal may have come before the trap was set: again, until it is heard.
    while !ends_within(&container, Duration::from_millis(50)) {
        container.signal(15).unwrap();
    }
    assert_eq!(text(&mut output), "woken\n");
    thread::yield_now();
    container.delete().unwrap();
}

fn ends_within(container: &vmm::container::Container, time: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let fd = container.ended();
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    let timeout = Timespec::try_from(time).unwrap();
    poll(&mut fds, Some(&timeout)).unwrap() == 1
}

fn our_init_launches_the_command_and_reaps(fixture: &Fixture) {
    let script = "sleep 0 & echo $PWD $GREETING; exit 9";
    let launch = wire::Launch {
        argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
        env: vec![
            ("PATH".to_owned(), "/bin".to_owned()),
            ("GREETING".to_owned(), "hello".to_owned()),
        ],
        workdir: Some("/data".to_owned()),
        ..wire::Launch::default()
    };
    let spec = fixture.spec(&serde_json::to_string(&launch).unwrap());
    fs::write(&spec.init, vmm::guest::INIT).unwrap();
    let (said, status) = fixture.run(&spec);
    assert_eq!(said, "/data hello\n");
    assert_eq!(status.code(), Some(9));
    fixture.assert_nothing_left();
}
