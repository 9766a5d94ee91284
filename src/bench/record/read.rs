//! A record that was written before, as far as it is whole. Whoever wrote it may be hostile.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Take};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::check::Checker;
use super::{Begin, Entry, FORMAT, Record, VERSION};

/// The most that is read of a file: many times what a long bench writes.
const MAX_RECORD: u64 = 256 << 20;
/// The longest line.
const MAX_LINE: u64 = 1 << 20;

/// Why a file cannot be used as a record.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("cannot read the record {0}")]
    File(PathBuf, #[source] io::Error),
    /// It is something else.
    #[error("{0} is no record of `vmm bench`: its first line does not say that it is one")]
    Other(PathBuf),
    /// A newer vmm has written it.
    #[error(
        "the record {0} has version {1}, and this vmm knows {VERSION} at most: \
         use the vmm that wrote it, or a newer one"
    )]
    Newer(PathBuf, u64),
    /// What was measured is not known.
    #[error("the record {0} cannot be used, because its first line cannot: {1}")]
    Begin(PathBuf, String),
}

/// As much of the first line as every version has.
#[derive(Deserialize)]
struct Head {
    begin: Mark,
}

#[derive(Deserialize)]
struct Mark {
    format: String,
    version: u64,
}

impl Record {
    /// Reads the record at `path`. What is not whole of it is left out, and said to be.
    ///
    /// # Errors
    /// It is no record, or one of a newer version, or has no beginning.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let unreadable = |error| ReadError::File(path.to_owned(), error);
        let mut lines = Lines::of(File::open(path).map_err(unreadable)?);
        let first = lines.next().map_err(unreadable)?.unwrap_or_default();
        let (begin, mut checker) = begin(&first.bytes, path)?;
        let mut entries = Vec::new();
        let mut flaws = Flaws::default();
        while let Some(line) = lines.next().map_err(unreadable)? {
            match line.entry(&mut checker) {
                Ok(entry) => entries.push(entry),
                Err(why) => flaws.note(line.number, why),
            }
        }
        if lines.reader.get_ref().limit() == 0 {
            flaws.note(lines.number, "nothing is read beyond 256 MiB".to_owned());
        }
        Ok(Self {
            begin,
            entries,
            flaw: flaws.sentence(),
        })
    }
}

fn begin(line: &[u8], path: &Path) -> Result<(Begin, Checker), ReadError> {
    let unusable = |why| ReadError::Begin(path.to_owned(), why);
    let other = || ReadError::Other(path.to_owned());
    let head: Head = serde_json::from_slice(line).map_err(|_| other())?;
    match head.begin {
        Mark { format, .. } if format != FORMAT => Err(other()),
        Mark { version, .. } if version > u64::from(VERSION) => {
            Err(ReadError::Newer(path.to_owned(), version))
        }
        _ => match serde_json::from_slice(line) {
            Ok(Entry::Begin(begin)) => {
                let checker = Checker::of(&begin).map_err(unusable)?;
                Ok((*begin, checker))
            }
            Ok(_) => Err(other()),
            Err(error) => Err(unusable(error.to_string())),
        },
    }
}

/// The lines of a file, one at a time.
struct Lines {
    reader: BufReader<Take<File>>,
    number: u64,
}

#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    /// From 1.
    number: u64,
}

impl Lines {
    fn of(file: File) -> Self {
        Self {
            reader: BufReader::new(file.take(MAX_RECORD)),
            number: 0,
        }
    }

    /// The next; of one that is longer than [`MAX_LINE`], its beginning.
    fn next(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        let mut limited = self.reader.by_ref().take(MAX_LINE);
        if limited.read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        if limited.limit() == 0 && !bytes.ends_with(b"\n") {
            self.reader.skip_until(b'\n')?;
        }
        self.number += 1;
        let number = self.number;
        Ok(Some(Line { bytes, number }))
    }
}

impl Line {
    fn entry(&self, checker: &mut Checker) -> Result<Entry, String> {
        let entry = serde_json::from_slice(&self.bytes).map_err(|error| {
            let is_cut = error.is_eof() && !self.bytes.ends_with(b"\n");
            match is_cut {
                true => "it is cut off, as by a crash".to_owned(),
                false => error.to_string(),
            }
        })?;
        checker.check(&entry).map(|()| entry)
    }
}

/// What is not whole.
#[derive(Default)]
struct Flaws {
    /// The number of the first line, and what is wrong with it.
    first: Option<(u64, String)>,
    count: u64,
}

impl Flaws {
    fn note(&mut self, line: u64, why: String) {
        self.first.get_or_insert((line, why));
        self.count += 1;
    }

    fn sentence(self) -> Option<String> {
        let (line, why) = self.first?;
        Some(match self.count {
            1 => format!("Line {line} of the record is left out: {why}"),
            count => format!(
                "{count} lines of the record are left out, the first of them line {line}: {why}"
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{begin, sample};
    use super::*;
    use serde_json::{Value, json};

    /// Reads a file of the lines `entries`, and whatever else.
    fn read(entries: &[Entry], more: &[u8]) -> Result<Record, ReadError> {
        let lines = entries
            .iter()
            .map(|entry| serde_json::to_vec(entry).unwrap());
        let mut bytes: Vec<u8> = lines
            .flat_map(|line| [line, b"\n".to_vec()].concat())
            .collect();
        bytes.extend_from_slice(more);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        std::fs::write(&path, bytes).unwrap();
        Record::read(&path)
    }

    fn first() -> Entry {
        Entry::Begin(Box::new(begin()))
    }

    fn line(entry: &Entry) -> Vec<u8> {
        serde_json::to_vec(entry).unwrap()
    }

    /// The line of a sample, with the value at `pointer` replaced.
    fn bent(pointer: &str, value: Value) -> Vec<u8> {
        let mut sample = serde_json::to_value(sample(1, 10.0)).unwrap();
        *sample.pointer_mut(pointer).unwrap() = value;
        serde_json::to_vec(&sample).unwrap()
    }

    #[test]
    fn a_line_that_a_crash_cut_off_is_left_out_and_said_wherever_the_cut_was() {
        let whole = line(&sample(2, 11.0));
        for cut in 1..whole.len() {
            let record = read(&[first(), sample(1, 10.0)], &whole[..cut]).unwrap();
            assert_eq!(record.entries, [sample(1, 10.0)]);
            let flaw = "Line 3 of the record is left out: it is cut off, as by a crash";
            assert_eq!(record.flaw.as_deref(), Some(flaw));
        }
    }

    #[test]
    fn a_last_line_that_lacks_but_its_end_is_whole() {
        let record = read(&[first()], &line(&sample(1, 10.0))).unwrap();
        assert_eq!((record.entries.len(), record.flaw), (1, None));
    }

    #[test]
    fn lines_that_cannot_be_read_are_counted_and_the_rest_is_used() {
        let mut lines = b"\xff\xfe\n{\"from\":\"elsewhere\"}\n\n".to_vec();
        lines.extend(line(&sample(1, 10.0)));
        let record = read(&[first()], &lines).unwrap();
        assert_eq!(record.entries, [sample(1, 10.0)]);
        let flaw = record.flaw.unwrap();
        let wanted = "3 lines of the record are left out, the first of them line 2: ";
        assert!(flaw.starts_with(wanted), "{flaw}");
    }

    #[test]
    fn what_is_no_figure_is_left_out() {
        let value = "/sample/outcome/measured/measures/0/value";
        for bad in [-1.0, 1e-300, 1e300]
            .map(|bad| json!(bad))
            .into_iter()
            .chain([json!(null), json!("7"), json!({})])
        {
            let record = read(&[first()], &bent(value, bad)).unwrap();
            assert!(record.entries.is_empty() && record.flaw.is_some());
        }
        let text = String::from_utf8(bent(value, json!(12345))).unwrap();
        let record = read(&[first()], text.replace("12345", "1e999").as_bytes()).unwrap();
        assert!(record.entries.is_empty() && record.flaw.is_some());
    }

    #[test]
    fn a_sample_of_nothing_that_was_measured_is_left_out() {
        for place in ["/sample/workload", "/sample/target"] {
            let record = read(&[first()], &bent(place, json!("other"))).unwrap();
            let flaw = record.flaw.unwrap();
            assert!(flaw.ends_with("\"other\""), "{flaw}");
        }
        let record = read(
            &[first()],
            &bent("/sample/outcome/measured/measures", json!([])),
        );
        assert!(record.unwrap().entries.is_empty());
    }

    #[test]
    fn a_line_that_does_not_end_is_not_held() {
        let mut lines = vec![b'['; 3 << 20];
        lines.push(b'\n');
        lines.extend(line(&sample(1, 10.0)));
        let record = read(&[first()], &lines).unwrap();
        assert_eq!(record.entries.len(), 1);
        let flaw = record.flaw.unwrap();
        assert!(
            flaw.starts_with("Line 2 of the record is left out"),
            "{flaw}"
        );
    }

    #[test]
    fn no_bytes_whatever_do_more_than_fail() {
        let whole = [
            line(&first()),
            line(&sample(1, 10.0)),
            line(&sample(2, 11.0)),
        ]
        .join(&b'\n');
        for seed in 0..2000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut bytes = whole.clone();
            for _ in 0..=random.usize(0..4) {
                let at = random.usize(0..bytes.len());
                bytes[at] = random.u8(..);
            }
            let _ = read(&[], &bytes);
        }
    }

    #[test]
    fn a_newer_version_is_refused_whatever_its_beginning_looks_like() {
        let newer = br#"{"begin":{"format":"vmm-bench","version":7,"all":"else"}}"#;
        let error = read(&[], newer).unwrap_err();
        assert!(matches!(error, ReadError::Newer(_, 7)));
        let sentence = error.to_string();
        assert!(sentence.contains("version 7") && sentence.contains("a newer one"));
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let others: [&[u8]; 6] = [
            b"",
            b"\n",
            b"{}",
            b"\x7fELF",
            br#"{"begin":{"format":"other","version":1}}"#,
            &line(&sample(1, 10.0)),
        ];
        for other in others {
            assert!(matches!(read(&[], other), Err(ReadError::Other(_))));
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(
            Record::read(folder.path()),
            Err(ReadError::File(..))
        ));
    }

    #[test]
    fn a_record_without_its_beginning_is_refused_and_says_why() {
        let begin = |bend: &dyn Fn(&mut Begin)| {
            let mut begin = begin();
            bend(&mut begin);
            read(&[Entry::Begin(Box::new(begin))], b"")
                .unwrap_err()
                .to_string()
        };
        let none = begin(&|begin| begin.targets.clear());
        assert!(none.ends_with("it has no targets"), "{none}");
        let twice = begin(&|begin| begin.targets.push(begin.targets[0].clone()));
        assert!(twice.ends_with("two are called \"process\""), "{twice}");
        let many = begin(&|begin| begin.workloads = (0..300).map(|n| n.to_string()).collect());
        assert!(many.ends_with("more than 256 workloads"), "{many}");
        let cut = read(&[], br#"{"begin":{"format":"vmm-bench","version":1}}"#);
        assert!(matches!(cut, Err(ReadError::Begin(..))));
    }
}
