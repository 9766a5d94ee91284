//! Other VMMs beside ours: the same guest booted by each (`vmm bench --suite boot|disk`).
//!
//! - [`template`], [`place`]: how each is told what to boot
//! - [`guest`]: what that is
//! - [`running`], [`cost`]: a process until it prints something, and what it took until then
//! - [`fio`]: what the guest's fio has printed
//! - [`machine`]: all of it as a [`Target`](super::target::Target)

pub mod cost;
pub mod fio;
pub mod guest;
pub mod machine;
pub mod place;
pub mod running;
pub mod template;
