//! The table, and the files beside it, which are opened before the first run.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::Failure;
use crate::bench::behind::workplace;
use crate::bench::record::{Begin, Entry, Record};
use crate::bench::sample::Outcome;
use crate::bench::summary::Summary;
use crate::image::Store;
use crate::output::{print, say};
use crate::report::{self, Format, text};
use crate::terminal;

/// How wide a table is where no terminal says.
const WIDTH: u16 = 120;

/// A file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {0}")]
pub struct ExportError(PathBuf, #[source] io::Error);

/// Files that results go to. Dropped before they are written, none is left that was not there.
pub struct Exports {
    files: Vec<Export>,
    /// Where the record itself is to be.
    records: Vec<PathBuf>,
}

/// A file that is open, and as it was.
struct Export {
    format: Format,
    path: PathBuf,
    file: File,
    /// Whether it was not there before.
    is_new: bool,
}

impl Exports {
    /// Opens every file that is not a record, and changes none; those are made by whoever writes
    /// them.
    ///
    /// # Errors
    /// One cannot be made.
    pub fn open(wanted: Vec<(Format, PathBuf)>) -> Result<Self, ExportError> {
        let (records, files): (Vec<_>, Vec<_>) = wanted
            .into_iter()
            .partition(|(format, _)| *format == Format::Json);
        let mut exports = Self {
            files: Vec::new(),
            records: records.into_iter().map(|(_, path)| path).collect(),
        };
        for (format, path) in files {
            let (file, is_new) = open(&path).map_err(|error| ExportError(path.clone(), error))?;
            exports.files.push(Export {
                format,
                path,
                file,
                is_new,
            });
        }
        Ok(exports)
    }

    /// The first place of the record itself: one in `store` where nobody has named any.
    ///
    /// # Errors
    /// That has no directory for records.
    pub fn record(&self, store: &Store, begin: &Begin) -> io::Result<PathBuf> {
        if let Some(path) = self.records.first() {
            return Ok(path.clone());
        }
        let directory = workplace::records(store.directory());
        fs::create_dir_all(&directory)?;
        Ok(directory.join(format!("{}-{}.json", begin.started, std::process::id())))
    }

    /// Copies the record at `path` to wherever it is to be as well.
    ///
    /// # Errors
    /// It cannot be copied, or would be written over.
    pub fn copy_record(&self, path: &Path) -> Result<(), ExportError> {
        let others = self.records.iter().filter(|other| *other != path);
        for other in others {
            let copied = File::create_new(other)
                .and_then(|mut copy| io::copy(&mut File::open(path)?, &mut copy));
            copied.map_err(|error| ExportError(other.clone(), error))?;
        }
        Ok(())
    }

    /// Writes what is known by `record`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(mut self, record: &Record) -> Result<(), ExportError> {
        let summary = Summary::of(record);
        for Export {
            format, path, file, ..
        } in self.files.drain(..)
        {
            let written = empty(&file).and_then(|()| {
                let mut out = BufWriter::new(file);
                report::write(format, &summary, record, &mut out)?;
                out.flush()
            });
            written.map_err(|error| ExportError(path, error))?;
        }
        Ok(())
    }
}

impl Drop for Exports {
    fn drop(&mut self) {
        for export in self.files.iter().filter(|export| export.is_new) {
            let _ = fs::remove_file(&export.path);
        }
    }
}

/// The file at `path`, as it is, and whether it was not there.
fn open(path: &Path) -> io::Result<(File, bool)> {
    match File::create_new(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok((File::options().write(true).open(path)?, false))
        }
        file => Ok((file?, true)),
    }
}

/// What it had before is gone, where it can have something: a pipe or a terminal has not.
fn empty(file: &File) -> io::Result<()> {
    match file.metadata()?.is_file() {
        true => file.set_len(0),
        false => Ok(()),
    }
}

/// Shows `record`, which lies at `path`, and writes it to all files beside.
///
/// # Errors
/// One of them cannot be written.
pub fn publish(
    record: &Record,
    path: &Path,
    exports: Exports,
    details: bool,
) -> Result<(), Failure> {
    show(record, details)?;
    say(format_args!("record: {}", path.display()));
    exports.copy_record(path)?;
    Ok(exports.write(record)?)
}

/// Something was measured, or nothing, or a signal has ended it.
pub fn status(record: &Record, signal: Option<i32>) -> ExitCode {
    let is_figure = |entry: &Entry| match entry {
        Entry::Sample(sample) => matches!(sample.outcome, Outcome::Measured(_)),
        Entry::Density(_) => true,
        _ => false,
    };
    match signal {
        Some(signal) => ExitCode::from(128 + u8::try_from(signal).unwrap_or(0)),
        None if record.entries.iter().any(is_figure) => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    }
}

/// Prints the table of `record`.
///
/// # Errors
/// Standard output cannot be written.
pub fn show(record: &Record, details: bool) -> Result<(), Failure> {
    let is_terminal = io::stdout().is_terminal();
    let width = match terminal::window_size().columns {
        columns if is_terminal && columns > 0 => columns,
        _ => WIDTH,
    };
    let look = text::Look {
        width,
        colour: is_terminal && std::env::var_os("NO_COLOR").is_none(),
        detail: match details {
            true => text::Detail::Full,
            false => text::Detail::Compact,
        },
    };
    Ok(print(text::text(&Summary::of(record), look))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_made_is_told_at_once() {
        let error = Exports::open(vec![(Format::Csv, "/no/such/a.csv".into())])
            .err()
            .unwrap();
        assert_eq!(error.to_string(), "cannot write /no/such/a.csv");
    }

    #[test]
    fn a_bench_that_never_starts_changes_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let [old, new] = ["old.csv", "new.csv"].map(|name| folder.path().join(name));
        fs::write(&old, "mine").unwrap();
        let both = [&old, &new].map(|path| (Format::Csv, path.clone()));
        drop(Exports::open(both.to_vec()).unwrap());
        assert_eq!(fs::read_to_string(&old).unwrap(), "mine");
        assert!(!new.exists());
        let failed = Exports::open(vec![
            (Format::Csv, new.clone()),
            (Format::Csv, "/no/such/a.csv".into()),
        ]);
        assert!(failed.is_err() && !new.exists());
    }

    #[test]
    fn what_was_there_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.md");
        fs::write(&path, "x".repeat(1 << 20)).unwrap();
        let exports = Exports::open(vec![(Format::Markdown, path.clone())]).unwrap();
        exports.write(&report::example::record()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("xxx") && text.len() > 100);
    }

    #[test]
    fn a_record_is_copied_and_nothing_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["a.json", "b.json"].map(|name| folder.path().join(name));
        fs::write(&from, "{}").unwrap();
        let exports = Exports::open(vec![(Format::Json, to.clone())]).unwrap();
        exports.copy_record(&from).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "{}");
        assert!(exports.copy_record(&from).is_err());
    }
}
