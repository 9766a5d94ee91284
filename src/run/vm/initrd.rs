//! The initrd of a guest, made for it on the fly: our init, what it is to do, and the
//! modules of a kernel that has its drivers in such.

use std::fs::File;
use std::io::{self, Write};

use cpio::newc;
use rustix::fs::{MemfdFlags, memfd_create};
use wire::Setup;

use super::modules::Module;
use crate::guest::INIT;

const PROGRAM: u32 = 0o100_755;
const DATA: u32 = 0o100_644;
const DIRECTORY: u32 = 0o040_755;
const CHARACTER_DEVICE: u32 = 0o020_666;

/// Makes the initrd, in memory.
///
/// # Errors
/// There is no memory for it.
pub fn make(setup: &Setup, modules: &[Module]) -> io::Result<File> {
    let mut archive = File::from(memfd_create("initrd", MemfdFlags::CLOEXEC)?);
    add_null(&mut archive)?;
    add(&mut archive, "init", PROGRAM, INIT)?;
    add(
        &mut archive,
        "setup.json",
        DATA,
        &serde_json::to_vec(setup)?,
    )?;
    if !modules.is_empty() {
        add_modules(&mut archive, modules)?;
    }
    newc::trailer(&mut archive)?;
    Ok(archive)
}

/// A kernel whose console is not there yet starts init without streams; a program of Rust
/// then opens this for them, or aborts.
fn add_null(archive: &mut File) -> io::Result<()> {
    add(archive, "dev", DIRECTORY, &[])?;
    let null = newc::Builder::new("dev/null").mode(CHARACTER_DEVICE);
    let null = null.nlink(1).rdev_major(1).rdev_minor(3);
    null.write(archive, 0).finish().map(drop)
}

/// The modules, and the list of them in the order of their needs.
fn add_modules(archive: &mut File, modules: &[Module]) -> io::Result<()> {
    add(archive, "modules", DIRECTORY, &[])?;
    let mut list = String::new();
    for Module { name, content } in modules {
        add(archive, &format!("modules/{name}"), DATA, content)?;
        list += &format!("/modules/{name}\n");
    }
    add(archive, "modules.list", DATA, list.as_bytes())
}

fn add(archive: &mut File, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
    let size = u32::try_from(content.len()).map_err(io::Error::other)?;
    let mut entry = newc::Builder::new(name)
        .mode(mode)
        .nlink(1)
        .write(archive, size);
    entry.write_all(content)?;
    entry.finish().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek};

    fn entries(mut archive: File) -> Vec<(String, Vec<u8>)> {
        archive.rewind().unwrap();
        let mut entries = Vec::new();
        loop {
            let mut reader = newc::Reader::new(&mut archive).unwrap();
            if reader.entry().is_trailer() {
                return entries;
            }
            let name = reader.entry().name().to_owned();
            let mut content = Vec::new();
            reader.read_to_end(&mut content).unwrap();
            reader.finish().unwrap();
            entries.push((name, content));
        }
    }

    #[test]
    fn it_has_the_init_and_what_it_is_to_do() {
        let setup = Setup {
            base: "base".into(),
            ..Default::default()
        };
        let entries = entries(make(&setup, &[]).unwrap());
        let names: Vec<_> = entries.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["dev", "dev/null", "init", "setup.json"]);
        assert_eq!(entries[2].1, INIT);
        let read: Setup = serde_json::from_slice(&entries[3].1).unwrap();
        assert_eq!(read, setup);
    }

    #[test]
    fn modules_are_listed_in_their_order() {
        let module = |name: &str| Module {
            name: name.to_owned(),
            content: b"\x7fELF".to_vec(),
        };
        let made = make(&Setup::default(), &[module("b.ko"), module("a.ko")]).unwrap();
        let (name, list) = entries(made).pop().unwrap();
        assert_eq!(name, "modules.list");
        assert_eq!(list, b"/modules/b.ko\n/modules/a.ko\n");
    }
}
