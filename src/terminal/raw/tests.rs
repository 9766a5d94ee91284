//! On real pseudo-terminals. There is one state for all, so one test at a time.

use super::*;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{InputModes, LocalModes, OutputModes, SpecialCodeIndex};

static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The two sides of a pseudo-terminal.
fn pseudo_terminal() -> (OwnedFd, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let slave = ioctl_tiocgptpeer(&master, flags).unwrap();
    (master, slave)
}

fn is_raw(terminal: &OwnedFd) -> bool {
    let settings = tcgetattr(terminal).unwrap();
    let cooked = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
    !settings.local_modes.intersects(cooked)
        && !settings
            .input_modes
            .intersects(InputModes::ICRNL | InputModes::IXON)
        && !settings.output_modes.contains(OutputModes::OPOST)
        && settings.special_codes[SpecialCodeIndex::VMIN] == 1
}

#[test]
fn a_terminal_is_raw_while_the_guard_lives() {
    let _alone = alone();
    let (_master, slave) = pseudo_terminal();
    let guard = RawMode::enter(&slave).unwrap();
    assert!(is_raw(&slave));
    assert_eq!(line_end(), "\r\n");
    drop(guard);
    assert!(!is_raw(&slave));
    assert_eq!(line_end(), "\n");
}

#[test]
fn a_pipe_stays_as_it_is() {
    let _alone = alone();
    let (reader, _writer) = io::pipe().unwrap();
    assert!(RawMode::enter(&reader).unwrap().is_none());
}

#[test]
fn a_panic_restores_the_terminal_before_it_is_told() {
    let _alone = alone();
    let (_master, slave) = pseudo_terminal();
    let guard = RawMode::enter(&slave).unwrap();
    let panicked = std::thread::spawn(|| panic!("this panic is part of the test")).join();
    assert!(panicked.is_err());
    assert!(!is_raw(&slave));
    drop(guard);
}

#[test]
fn a_continued_program_makes_it_raw_again_and_still_knows_what_was_before() {
    let _alone = alone();
    let (_master, slave) = pseudo_terminal();
    let before = tcgetattr(&slave).unwrap();
    let guard = RawMode::enter(&slave).unwrap();
    tcsetattr(&slave, OptionalActions::Now, &before).unwrap();
    resume().unwrap();
    assert!(is_raw(&slave));
    drop(guard);
    assert!(!is_raw(&slave));
}

#[test]
fn a_second_guard_is_not_given_out() {
    let _alone = alone();
    let (_master, slave) = pseudo_terminal();
    let guard = RawMode::enter(&slave).unwrap();
    assert!(RawMode::enter(&slave).unwrap().is_none());
    assert!(is_raw(&slave));
    drop(guard);
}

/// Runs this test program once more: as a job in the background of a terminal of its own.
#[test]
fn a_background_job_leaves_the_terminal_alone_and_is_not_stopped() {
    let (_master, slave) = pseudo_terminal();
    let program = std::env::current_exe().unwrap();
    let test = "--ignored --exact terminal::raw::tests::in_the_background";
    let job = format!("{} {test} & wait $!", program.display());
    let status = Command::new("timeout")
        .args(["30", "setsid", "--ctty", "--wait", "sh", "-m", "-c", &job])
        .stdin(slave.try_clone().unwrap())
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    assert!(!is_raw(&slave));
}

#[test]
#[ignore = "is run by the test above, in the background of a terminal"]
fn in_the_background() {
    let terminal = std::fs::File::open("/dev/tty").unwrap().into();
    let guard = RawMode::enter(&terminal).unwrap();
    assert!(guard.is_some());
    assert!(!is_raw(&terminal));
    assert_eq!(line_end(), "\n");
}
