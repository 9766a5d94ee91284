//! A VMM as a line of words with places for what it boots: `--vmm NAME='CMD'`.

use std::path::PathBuf;
use std::process::Command;

use super::guest::Guest;
use super::place::{self, Piece, Place};

/// The VMMs that need not be spelled out, and the lines for them. Ours is the first.
pub const KNOWN: [(&str, &str); 6] = [
    ("vmm", OURS),
    ("qemu", QEMU_MICROVM),
    ("firecracker", "firecracker --no-api --config-file {config}"),
    ("cloud-hypervisor", CLOUD_HYPERVISOR),
    ("crosvm", CROSVM),
    ("kvmtool", KVMTOOL),
];

const OURS: &str = "vmm --kernel {kernel} --rootfs {rootfs} --readonly --memory {memory}M \
    --cmdline {words} [ --disk path={disk},cache=direct,format=raw ]";
const QEMU_MICROVM: &str = "qemu-system-x86_64 \
    -M microvm,x-option-roms=off,rtc=on,pic=off,pit=off,isa-serial=on -accel kvm -cpu host \
    -nodefaults -no-user-config -nographic -no-reboot -serial stdio -m {memory} \
    -kernel {kernel} -append {serial-words} \
    -drive file={rootfs},format=raw,if=none,id=root,readonly=on -device virtio-blk-device,drive=root \
    [ -drive file={disk},format=raw,if=none,id=disk,cache=none,aio=io_uring \
    -device virtio-blk-device,drive=disk ]";
const CLOUD_HYPERVISOR: &str = "cloud-hypervisor --kernel {kernel} --cmdline {serial-words} \
    --cpus boot=1 --memory size={memory}M --serial tty --console off \
    --disk path={rootfs},readonly=on [ path={disk},direct=on ]";
const CROSVM: &str = "crosvm run --disable-sandbox --cpus 1 --mem {memory} \
    --serial type=stdout,hardware=serial,num=1,console --params {serial-words} \
    --block path={rootfs},ro [ --block path={disk},direct ] {kernel}";
/// It takes a bzImage and no ELF.
const KVMTOOL: &str = "lkvm run --kernel {kernel} --params {serial-words} --cpus 1 --mem {memory} \
    --console serial --network mode=none --disk {rootfs},ro [ --disk {disk},direct ]";

/// How a VMM is told to boot a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// What it is called in tables.
    pub name: String,
    words: Vec<Word>,
}

/// A word of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    pieces: Vec<Piece>,
    /// Whether it is left out where the guest has no second disk.
    of_disk: bool,
}

/// Why a text names no VMM.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is no known one.
    #[error("'{0}' is no VMM that is known ({known}): use NAME='CMD'", known = known_names())]
    Unknown(String),
    /// Its line is none.
    #[error("the line of VMM '{0}' is empty, or has a quote or bracket too many")]
    Line(String),
    /// It has a place that nothing is put into.
    #[error("the line of VMM '{0}' has {1}, which is none of {places}", places = place::names())]
    Place(String, String),
}

fn known_names() -> String {
    KNOWN.map(|(name, _)| name).join(", ")
}

impl std::str::FromStr for Template {
    type Err = TemplateError;

    /// `NAME` of a known VMM, or `NAME=CMD`.
    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let (name, line) = match text.split_once('=') {
            Some((name, line)) => (name, line),
            None => KNOWN
                .into_iter()
                .find(|(name, _)| *name == text)
                .ok_or_else(|| TemplateError::Unknown(text.to_owned()))?,
        };
        let words = words(line).filter(|words| !words.is_empty() && !name.is_empty());
        let words = words.ok_or_else(|| TemplateError::Line(name.to_owned()))?;
        let words = words.into_iter().map(|(word, of_disk)| {
            let pieces = place::pieces(&word)?;
            Ok(Word { pieces, of_disk })
        });
        let words: Result<_, String> = words.collect();
        Ok(Self {
            name: name.to_owned(),
            words: words.map_err(|place| TemplateError::Place(name.to_owned(), place))?,
        })
    }
}

/// The words of `line`, and whether they are of the disk: those between brackets.
fn words(line: &str) -> Option<Vec<(String, bool)>> {
    let mut of_disk = false;
    let mut words = Vec::new();
    for text in shlex::split(line)? {
        match (text.as_str(), of_disk) {
            ("[", false) => of_disk = true,
            ("]", true) => of_disk = false,
            ("[" | "]", _) => return None,
            _ => words.push((text, of_disk)),
        }
    }
    (!of_disk).then_some(words)
}

impl Template {
    /// What it is called when it is measured over again.
    pub fn again(&self) -> String {
        format!("{} again", self.name)
    }

    /// Whether its program is there.
    ///
    /// # Errors
    /// It is not.
    pub fn find(&self) -> Result<(), String> {
        let program = match self.words.first().and_then(|word| word.pieces.first()) {
            Some(Piece::Text(program)) => program,
            _ => "",
        };
        let found = Command::new(program_of(program)).arg("--version").output();
        found
            .map(drop)
            .map_err(|error| format!("cannot run {program}: {error}"))
    }

    /// Whether it is told `what`.
    pub fn tells(&self, what: Place) -> bool {
        let mut pieces = self.words.iter().flat_map(|word| &word.pieces);
        pieces.any(|piece| *piece == Piece::Place(what))
    }

    /// How it boots `guest`, with the console on standard output.
    pub fn command(&self, guest: &Guest) -> Command {
        let has_disk = guest.disk.is_some();
        let words = self.words.iter().filter(|word| has_disk || !word.of_disk);
        let mut words = words.map(|word| word.filled_in(guest));
        let mut command = Command::new(program_of(&words.next().unwrap_or_default()));
        command.args(words);
        command
    }
}

impl Word {
    /// With what `guest` has in its places.
    fn filled_in(&self, guest: &Guest) -> String {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Place(place) => guest.value(*place),
        });
        pieces.collect()
    }
}

/// Our own name stands for the program that runs.
fn program_of(name: &str) -> PathBuf {
    let ours = std::env::current_exe().ok().filter(|_| name == "vmm");
    ours.unwrap_or_else(|| name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest() -> Guest {
        Guest {
            kernel: "k".into(),
            rootfs: "r".into(),
            disk: None,
            memory_mib: 64,
            words: "a b".to_owned(),
            config: "c".into(),
        }
    }

    fn arguments(template: &str, guest: &Guest) -> Vec<String> {
        let command = template.parse::<Template>().unwrap().command(guest);
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn places_are_filled_in_and_stay_one_word() {
        let words = arguments("x=mon -k {kernel} -m {memory}M '{words}'", &guest());
        assert_eq!(
            words,
            ["mon", "-k", "k", "-m", "64M", "root=/dev/vda ro a b"]
        );
    }

    #[test]
    fn what_is_put_into_a_place_has_no_places() {
        let guest = Guest {
            kernel: "a{rootfs}b".into(),
            ..guest()
        };
        assert_eq!(arguments("x=mon {kernel}", &guest), ["mon", "a{rootfs}b"]);
        assert_eq!(arguments("x=mon {", &guest), ["mon", "{"]);
    }

    #[test]
    fn what_is_of_the_disk_is_there_with_a_disk_only() {
        let without = arguments("x=mon [ -d {disk} ] -k {kernel}", &guest());
        assert_eq!(without, ["mon", "-k", "k"]);
        let with = Guest {
            disk: Some("d".into()),
            ..guest()
        };
        let with = arguments("x=mon [ -d {disk} ] -k {kernel}", &with);
        assert_eq!(with, ["mon", "-d", "d", "-k", "k"]);
    }

    #[test]
    fn every_known_vmm_has_a_line() {
        for (name, _) in KNOWN {
            assert_eq!(name.parse::<Template>().unwrap().name, name);
        }
    }

    #[test]
    fn what_names_no_vmm_is_refused() {
        let error = |text: &str| text.parse::<Template>().unwrap_err();
        assert_eq!(error("bochs"), TemplateError::Unknown("bochs".into()));
        for line in ["x=", "=mon", "x=mon '", "x=mon [", "x=mon ]", "x=mon [ [ ]"] {
            assert!(matches!(error(line), TemplateError::Line(_)), "{line}");
        }
        let place = TemplateError::Place("x".into(), "{kernle}".into());
        assert_eq!(error("x=mon {kernle}"), place);
        assert_eq!(error("x=mon {kernel}{kernle}"), place);
    }
}
