//! What a bench has found, as it is read. It measures nothing and decides nothing: all that it
//! says stands in the [`Summary`].

pub mod csv;
mod date;
pub mod diff;
pub mod example;
pub mod html;
pub mod markdown;
pub mod progress;
pub mod references;
pub mod text;
mod words;

use std::io::{self, Write};

use crate::bench::record::Record;
use crate::bench::summary::Summary;

/// What a report can be exported as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// The record itself, one JSON value in each line
    Json,
    /// Every figure, one in each line
    Csv,
    /// The table, for a page of text
    Markdown,
    /// One page with tables and plots
    Html,
}

/// Writes what is known as `format`, but for [`Format::Json`]: the record is JSON already, and
/// whoever keeps it has its bytes.
///
/// # Errors
/// It cannot be written, or it is to be JSON.
pub fn write(
    format: Format,
    summary: &Summary,
    record: &Record,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        Format::Json => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a record is JSON already: copy it",
        )),
        Format::Csv => Ok(csv::write(record, out)?),
        Format::Markdown => out.write_all(markdown::markdown(summary).as_bytes()),
        Format::Html => html::write(summary, record, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        write(format, &example::summary(), &example::record(), &mut out)?;
        Ok(out)
    }

    #[test]
    fn each_format_is_written_but_the_one_that_a_record_is() {
        for format in [Format::Csv, Format::Markdown, Format::Html] {
            assert!(!written(format).unwrap().is_empty(), "{format:?}");
        }
        let error = written(Format::Json).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    }
}
