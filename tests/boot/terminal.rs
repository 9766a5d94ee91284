//! A pseudo-terminal that vmm runs on, from the side of whoever sits before it.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::{Child, Command};

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// The screen and the keyboard: the master's side. The other one is open in vmm alone, so
/// that reading ends with it.
pub struct Terminal(OwnedFd);

const FLAGS: OpenptFlags = OpenptFlags::RDWR
    .union(OpenptFlags::NOCTTY)
    .union(OpenptFlags::CLOEXEC);

impl Terminal {
    /// A new one.
    pub fn open() -> Self {
        let master = openpt(FLAGS).expect("cannot make a pseudo-terminal: is /dev/pts mounted?");
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        Self(master)
    }

    /// Starts `command` as a login would: its three streams are the terminal, which controls
    /// it and tells it of a new size.
    pub fn run(&self, command: &Command) -> Child {
        let slave = ioctl_tiocgptpeer(&self.0, FLAGS).unwrap();
        let mut login = Command::new("setsid");
        login.arg("--ctty").arg(command.get_program());
        login
            .args(command.get_args())
            .stdin(slave.try_clone().unwrap())
            .stdout(slave.try_clone().unwrap())
            .stderr(slave);
        login.spawn().expect("cannot start setsid")
    }

    /// What is written is typed, what is read is shown.
    pub fn keyboard(&self) -> File {
        self.0.try_clone().unwrap().into()
    }

    /// Its settings, all of them, to be compared.
    pub fn settings(&self) -> String {
        format!("{:?}", tcgetattr(&self.0).unwrap())
    }

    /// Whether keys pass unchanged, unseen and at once.
    pub fn is_raw(&self) -> bool {
        let cooked = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        !tcgetattr(&self.0).unwrap().local_modes.intersects(cooked)
    }

    /// Makes it `rows` high and `columns` wide.
    pub fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.0, size).unwrap();
    }
}
