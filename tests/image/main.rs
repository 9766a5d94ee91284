//! Images and the store: what real tools make is imported, and what is hostile is refused.

#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

mod directories;
mod fixture;
mod hostile;
mod layers;
mod registry;
mod store;
mod tarball;
mod tools;
