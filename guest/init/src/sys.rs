//! What the C library has and rustix has not: signals as events, `fork` and `execve`.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd};

use rustix::io::Errno;
use rustix::process::Pid;

/// Every signal that can wait, as events of a file descriptor.
pub struct Signals(File);

/// A signal that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Its number.
    pub signal: i32,
    /// Whether the kernel sent it, as a terminal does to its whole foreground.
    pub from_kernel: bool,
}

impl Signals {
    /// Takes all signals from this thread. Those of our own faults still end us.
    ///
    /// # Errors
    /// There is no file descriptor left.
    pub fn take_all() -> io::Result<Self> {
        let set = set_of(|set| {
            // SAFETY: it fills a set of ours.
            unsafe { libc::sigfillset(set) };
            for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE] {
                // SAFETY: the set has just been filled.
                unsafe { libc::sigdelset(set, fault) };
            }
        });
        set_mask(&set);
        // SAFETY: the set is initialized, and -1 asks for a new descriptor.
        let fd =
            unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us alone.
        Ok(Self(unsafe { File::from_raw_fd(fd) }))
    }

    /// The next signal that has come.
    pub fn next(&mut self) -> Option<Arrived> {
        let mut info = [0; size_of::<libc::signalfd_siginfo>()];
        self.0.read_exact(&mut info).ok()?;
        // `struct signalfd_siginfo` begins with u32 signo, s32 errno, s32 code.
        let (signal, rest) = info.split_first_chunk()?;
        let code = rest.get(4..)?.first_chunk()?;
        Some(Arrived {
            signal: i32::from_ne_bytes(*signal),
            from_kernel: i32::from_ne_bytes(*code) == libc::SI_KERNEL,
        })
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Lets all signals through, and gives those their usual meaning that somebody may have
/// ignored for us: Rust (PIPE), `nohup` (HUP), a script that starts us with `&`.
pub fn restore_signals() {
    for signal in [libc::SIGPIPE, libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
        // SAFETY: no handler is installed by this, and none was.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: it empties a set of ours.
    set_mask(&set_of(|set| unsafe {
        libc::sigemptyset(set);
    }));
}

fn set_of(fill: impl FnOnce(*mut libc::sigset_t)) -> libc::sigset_t {
    let mut set = MaybeUninit::zeroed();
    fill(set.as_mut_ptr());
    // SAFETY: it is plain bits, zeroed and then filled.
    unsafe { set.assume_init() }
}

fn set_mask(set: &libc::sigset_t) {
    // SAFETY: the set is initialized, and the old mask is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, set, std::ptr::null_mut()) };
}

/// Divides this process in two: `None` in the child.
///
/// `init` has one thread, so the child may do all that the parent may.
///
/// # Errors
/// There is no process left to be had.
pub fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: there are no other threads whose locks the child could find taken.
    let pid = unsafe { libc::fork() };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Pid::from_raw(pid))
}

/// Becomes `program`; returns only to say why not.
pub fn execve(program: &CStr, argv: &[CString], env: &[CString]) -> Errno {
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: all three end with a null, and what they point to outlives the call.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::NOEXEC)
}

/// Pointers to `words`, and the null that ends them.
fn pointers(words: &[CString]) -> Vec<*const libc::c_char> {
    let pointers = words.iter().map(|word| word.as_ptr());
    pointers.chain([std::ptr::null()]).collect()
}

/// Ends this process and runs nothing on the way: what is to be run is our parent's.
pub fn exit_now(status: u8) -> ! {
    // SAFETY: it does not return, and touches no memory.
    unsafe { libc::_exit(status.into()) }
}

/// Lets no file descriptor from 3 on survive an exec.
pub fn close_on_exec_from_3() {
    // SAFETY: it only sets a flag, on descriptors that Rust has anyway set it on. Where the
    // kernel is too old for it, they stay as they are.
    unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3,
            libc::c_uint::MAX,
            CLOSE_RANGE_CLOEXEC,
        )
    };
}

/// `linux/close_range.h`
const CLOSE_RANGE_CLOEXEC: libc::c_uint = 1 << 2;

/// Sends `signal`, any number, to `process`; one that has gone hears nothing.
pub fn kill(process: Pid, signal: i32) {
    // SAFETY: it touches no memory; a number that is no signal is refused.
    unsafe { libc::kill(process.as_raw_nonzero().get(), signal) };
}

/// Ends every process but this one.
pub fn kill_all() {
    // SAFETY: it touches no memory; PID 1 itself is spared by the kernel.
    unsafe { libc::kill(-1, libc::SIGKILL) };
}
