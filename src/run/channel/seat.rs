//! Who may be at a channel, and how the two find each other: there is no daemon.
//!
//! ```text
//! RUNTIME/channels.lock            held by whoever sits down, meets or leaves
//! RUNTIME/channels/NAME/seat-0     locked as long as the process lives that sits there
//! RUNTIME/channels/NAME/seat-1
//! RUNTIME/channels/NAME/meeting    the keeper listens here, the other is its visitor
//! ```
//!
//! The kernel lets go of a seat and closes the socket however a process ends; files that a
//! killed one has left mean nothing, and go with the next who leaves or looks.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::{ChannelError, ChannelName, address};
use crate::run::InstanceName;

const SEATS: [&str; 2] = ["seat-0", "seat-1"];
const MEETING: &str = "meeting";

/// One of the two seats of a channel, as long as this lives.
#[derive(Debug)]
pub struct Seat {
    place: Place,
    /// For addresses: its path may be too long for one.
    directory: File,
    _lock: File,
}

/// Where the two of a channel meet.
#[derive(Clone, Debug)]
struct Place {
    runtime: PathBuf,
    directory: PathBuf,
}

/// What a process is to the other one of its channel.
#[derive(Debug)]
pub enum Role {
    /// The connections of both come together here.
    Keeper {
        /// Where the visitor comes.
        listener: UnixListener,
        /// The way from the visitor, if he is there.
        visitor: Option<UnixStream>,
    },
    /// They come together at the other one: the way to it.
    Visitor(UnixStream),
}

impl Seat {
    /// Takes a seat of channel `name` for `instance`, in the directory `runtime`.
    ///
    /// # Errors
    /// Both are taken, or the files cannot be made.
    pub fn take(
        runtime: &Path,
        name: &ChannelName,
        instance: &InstanceName,
    ) -> Result<Self, ChannelError> {
        let failed = |error| ChannelError::Open(name.clone(), error);
        let place = Place::of(runtime, name);
        let _sitting_down = place.lock().map_err(failed)?;
        match place.sit_down(instance).map_err(failed)? {
            Ok(lock) => Ok(Self {
                directory: File::open(&place.directory).map_err(failed)?,
                place,
                _lock: lock,
            }),
            Err([first, second]) => Err(ChannelError::Full {
                name: name.clone(),
                first,
                second,
            }),
        }
    }

    /// Finds the other one, or waits where it will come.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn meet(&self) -> io::Result<Role> {
        let _meeting = self.place.lock()?;
        let address = address(&self.directory, MEETING);
        match UnixStream::connect(&address) {
            Ok(way) => {
                way.set_nonblocking(true)?;
                return Ok(Role::Visitor(way));
            }
            // Nobody, or one that was killed.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                fs::remove_file(&address)?;
            }
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(&address)?;
        listener.set_nonblocking(true)?;
        Ok(Role::Keeper {
            listener,
            visitor: None,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // What stays is cleared by whoever looks next.
        let _ = self.place.leave(1);
    }
}

/// Takes away what is left of channel `name` where nobody sits at it any more.
///
/// # Errors
/// It cannot be taken away.
pub fn clear(runtime: &Path, name: &ChannelName) -> io::Result<()> {
    Place::of(runtime, name).leave(0)
}

impl Place {
    fn of(runtime: &Path, name: &ChannelName) -> Self {
        Self {
            runtime: runtime.to_owned(),
            directory: runtime.join("channels").join(name.as_str()),
        }
    }

    /// One process at a time sits down, meets or leaves, at any channel.
    fn lock(&self) -> io::Result<File> {
        let lock = File::create(self.runtime.join("channels.lock"))?;
        lock.lock()?;
        Ok(lock)
    }

    /// A seat with the name of who sits there, or the names of both who do.
    fn sit_down(&self, instance: &InstanceName) -> io::Result<Result<File, [String; 2]>> {
        let mut builder = DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)?;
        let mut names = [const { String::new() }; 2];
        for (seat, name) in SEATS.iter().zip(&mut names) {
            let mut options = File::options();
            options.create(true).read(true).write(true).truncate(false);
            let mut file = options.open(self.directory.join(seat))?;
            if is_free(&file)? {
                file.set_len(0)?;
                file.write_all(instance.as_str().as_bytes())?;
                return Ok(Ok(file));
            }
            file.read_to_string(name)?;
        }
        Ok(Err(names))
    }

    /// Takes the files away if no more than `present` sit here.
    fn leave(&self, present: usize) -> io::Result<()> {
        let _leaving = self.lock()?;
        let mut taken = 0;
        for seat in SEATS {
            match File::open(self.directory.join(seat)) {
                Ok(file) if !is_free(&file)? => taken += 1,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if taken > present {
            return Ok(());
        }
        match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Whether nobody has the lock of `seat`; it is then ours as long as `seat` is open.
fn is_free(seat: &File) -> io::Result<bool> {
    match seat.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Host(tempfile::TempDir);

    impl Host {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn sit(&self, instance: &str) -> Result<Seat, ChannelError> {
            Seat::take(self.0.path(), &name(), &instance.parse().unwrap())
        }

        fn has_files(&self) -> bool {
            self.0.path().join("channels/db").exists()
        }
    }

    fn name() -> ChannelName {
        "db".parse().unwrap()
    }

    #[test]
    fn the_first_waits_for_the_second() {
        let host = Host::new();
        let (first, second) = (host.sit("a").unwrap(), host.sit("b").unwrap());
        let Role::Keeper { listener, .. } = first.meet().unwrap() else {
            panic!("nobody was there");
        };
        assert!(matches!(second.meet().unwrap(), Role::Visitor(_)));
        assert!(listener.accept().is_ok());
    }

    #[test]
    fn a_third_is_refused_by_the_names_of_the_two() {
        let host = Host::new();
        let _two = (host.sit("a").unwrap(), host.sit("b").unwrap());
        assert_eq!(
            host.sit("c").unwrap_err().to_string(),
            "channel db has two ends already, a and b: choose another name"
        );
    }

    #[test]
    fn whoever_leaves_last_takes_the_files_along() {
        let host = Host::new();
        let (first, second) = (host.sit("a").unwrap(), host.sit("b").unwrap());
        drop(first);
        assert!(host.has_files());
        drop(second);
        assert!(!host.has_files());
    }

    #[test]
    fn the_other_one_keeps_the_meeting_when_its_keeper_has_gone() {
        let host = Host::new();
        let (first, second) = (host.sit("a").unwrap(), host.sit("b").unwrap());
        drop((first.meet().unwrap(), first));
        assert!(matches!(second.meet().unwrap(), Role::Keeper { .. }));
        assert!(host.sit("c").is_ok());
    }

    #[test]
    fn what_a_killed_one_has_left_is_cleared_and_what_is_used_is_not() {
        let host = Host::new();
        let seat = host.sit("a").unwrap();
        clear(host.0.path(), &name()).unwrap();
        assert!(host.has_files());
        drop(seat);
        fs::create_dir_all(host.0.path().join("channels/db")).unwrap();
        clear(host.0.path(), &name()).unwrap();
        assert!(!host.has_files());
    }
}
