//! Memory of our own, in pages of the size that is wanted.

use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

use super::failure::Failure;
use super::room;

/// 4 KiB, as x86-64 has it.
pub const PAGE: usize = 4 << 10;
/// 2 MiB.
const HUGE_PAGE: usize = 2 << 20;

/// In what pages memory comes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pages {
    /// Of 4 KiB.
    Small,
    /// Of 2 MiB, or not at all.
    Huge,
    /// Of 2 MiB where the kernel has them.
    HugeIfAny,
}

/// Zeroes, and no page of them there yet; gone when this is dropped.
pub struct Mapping {
    whole: NonNull<c_void>,
    whole_length: usize,
    start: NonNull<u8>,
    length: usize,
}

impl Mapping {
    /// So many bytes; refused where there is no room for them.
    pub fn new(length: usize, pages: Pages) -> Result<Self, Failure> {
        room::must_be_for(length)?;
        let mapping = Self::anywhere(length)?;
        let advice = match pages {
            Pages::Small => Advice::LinuxNoHugepage,
            Pages::Huge | Pages::HugeIfAny => Advice::LinuxHugepage,
        };
        // SAFETY: it is ours, and this advice changes no byte of it.
        let advised = unsafe { madvise(mapping.whole.as_ptr(), mapping.whole_length, advice) };
        match advised {
            Err(error) if pages == Pages::Huge => {
                Err(Failure::to("have transparent huge pages")(error))
            }
            // A kernel that has none gives pages of 4 KiB anyway.
            _ => Ok(mapping),
        }
    }

    /// Its start and its end are where huge pages may be.
    fn anywhere(length: usize) -> Result<Self, Failure> {
        let whole_length = length.next_multiple_of(HUGE_PAGE) + HUGE_PAGE;
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: the kernel chooses where it is, so nothing else is there.
        let whole = unsafe { mmap_anonymous(null_mut(), whole_length, protection, flags) };
        let whole = whole.map_err(Failure::to("map memory"))?;
        let whole = NonNull::new(whole).ok_or(Failure::Wrong("memory was mapped at 0"))?;
        let first = whole.cast::<u8>();
        // SAFETY: `whole_length` has room for this and `length`.
        let start = unsafe { first.add(first.align_offset(HUGE_PAGE)) };
        Ok(Self {
            whole,
            whole_length,
            start,
            length,
        })
    }

    /// Writes a byte into each page.
    pub fn touch(&mut self) {
        for offset in (0..self.length).step_by(PAGE) {
            // SAFETY: `offset` is less than `length`.
            let byte = unsafe { self.start.add(offset) };
            // SAFETY: it is within the mapping, which is ours alone while `self` is borrowed.
            unsafe { byte.write_volatile(1) };
        }
    }

    /// All of it as bytes.
    pub fn bytes(&mut self) -> &mut [u8] {
        self.slice()
    }

    /// All of it as indexes.
    pub fn indexes(&mut self) -> &mut [usize] {
        self.slice()
    }

    /// All of it as numbers.
    pub fn numbers(&mut self) -> &mut [f64] {
        self.slice()
    }

    fn slice<T: Number>(&mut self) -> &mut [T] {
        let (start, count) = (self.start.cast::<T>(), self.length / size_of::<T>());
        // SAFETY: it is mapped, aligned to a huge page, and any bits of it are a number.
        unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), count) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: nothing that was borrowed of it is left.
        let _ = unsafe { munmap(self.whole.as_ptr(), self.whole_length) };
    }
}

/// Any bits are one.
trait Number {}
impl Number for u8 {}
impl Number for usize {}
impl Number for f64 {}
