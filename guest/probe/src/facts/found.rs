//! What was found, and what makes it the same thing as elsewhere.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use wire::{Fact, Value};

/// What a kernel divides, by the names in `/proc/self/ns`.
pub const NAMESPACES: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

/// What was found.
pub struct Found {
    value: Value,
    identity: String,
}

impl Found {
    /// A word or a number that a kernel tells: the same only of the same kernel.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            identity: of_this_kernel(&text),
            value: Value::Text(text),
        }
    }

    /// Names that a kernel tells: the same only of the same kernel.
    pub fn set(names: BTreeSet<String>) -> Self {
        let joined: Vec<&str> = names.iter().map(String::as_str).collect();
        Self {
            identity: of_this_kernel(&joined.join(" ")),
            value: Value::Set(names),
        }
    }

    /// It is the same wherever the namespace of this `kind` is, whatever it looks like.
    pub fn of_namespace(self, kind: &str) -> io::Result<Self> {
        let link = fs::read_link(format!("/proc/self/ns/{kind}"))?;
        Ok(self.exactly(of_this_kernel(&link.to_string_lossy())))
    }

    /// It is the same wherever the file system at `path` is, whatever it looks like.
    pub fn of_file_system(self, path: &str) -> io::Result<Self> {
        let device = fs::metadata(path)?.dev();
        Ok(self.exactly(of_this_kernel(&device.to_string())))
    }

    /// It is the same wherever `identity` is the same.
    pub fn exactly(mut self, identity: String) -> Self {
        self.identity = identity;
        self
    }
}

/// The fact that `found` is about `name`; an error is one too.
pub fn fact(name: &str, found: io::Result<Found>) -> Fact {
    let found = found.unwrap_or_else(|error| Found {
        identity: of_this_kernel(&error.to_string()),
        value: Value::Unknown(error.to_string()),
    });
    Fact {
        name: name.to_owned(),
        value: found.value,
        identity: found.identity,
    }
}

/// Numbers are a kernel's own: every kernel has the same ones for its first namespaces.
fn of_this_kernel(what: &str) -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    format!("{} {what}", boot.trim())
}
