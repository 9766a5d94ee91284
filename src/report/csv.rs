//! Every figure of a record, one in each line: RFC 4180, for spreadsheets and statistics.

use std::io::Write;

use csv::{Terminator, Writer, WriterBuilder};
use serde::Serialize;

use crate::bench::record::{Entry, Record};
use crate::bench::sample::{Measure, Outcome, Sample};
use crate::bench::workload::Unit;

/// A line: a measure of a sample, or why there is none.
#[derive(Serialize)]
struct Line<'a> {
    workload: &'a str,
    target: &'a str,
    /// Empty for warm-ups.
    round: Option<u32>,
    started_us: u64,
    measure: Option<&'a str>,
    unit: Option<Unit>,
    value: Option<f64>,
    host_ns: Option<u64>,
    inside_ns: Option<u64>,
    cpu_ns: Option<u64>,
    /// In a sentence of ours, so that no spreadsheet takes what a guest wrote for a formula.
    outcome: String,
}

/// Writes all samples of `record`.
///
/// # Errors
/// They cannot be written.
pub fn write(record: &Record, out: &mut dyn Write) -> Result<(), csv::Error> {
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .from_writer(out);
    for entry in &record.entries {
        if let Entry::Sample(sample) = entry {
            self::sample(&mut writer, sample)?;
        }
    }
    Ok(writer.flush()?)
}

fn sample(writer: &mut Writer<&mut dyn Write>, sample: &Sample) -> Result<(), csv::Error> {
    match &sample.outcome {
        Outcome::Measured(reading) => reading.measures.iter().try_for_each(|measure| {
            writer.serialize(Line {
                host_ns: Some(reading.host_ns),
                inside_ns: reading.inside_ns,
                cpu_ns: reading.cpu_ns,
                ..line(sample, Some(measure), "measured".to_owned())
            })
        }),
        Outcome::Failed(reason) => {
            writer.serialize(line(sample, None, format!("failed: {reason}")))
        }
    }
}

fn line<'a>(sample: &'a Sample, measure: Option<&'a Measure>, outcome: String) -> Line<'a> {
    Line {
        workload: &sample.workload,
        target: &sample.target,
        round: sample.round,
        started_us: sample.started_us,
        measure: measure.map(|measure| measure.name.as_str()),
        unit: measure.map(|measure| measure.unit),
        value: measure.map(|measure| measure.value),
        host_ns: None,
        inside_ns: None,
        cpu_ns: None,
        outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    fn written(record: &Record) -> Vec<Vec<String>> {
        let mut out = Vec::new();
        write(record, &mut out).unwrap();
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(out.as_slice());
        let lines = reader.records().map(|line| line.unwrap());
        lines
            .map(|line| line.iter().map(str::to_owned).collect())
            .collect()
    }

    #[test]
    fn every_measure_of_every_sample_is_a_line() {
        let record = example::record();
        let measures = record.entries.iter().map(|entry| match entry {
            Entry::Sample(Sample {
                outcome: Outcome::Measured(reading),
                ..
            }) => reading.measures.len(),
            Entry::Sample(_) => 1,
            _ => 0,
        });
        let wanted: usize = measures.sum();
        assert_eq!(written(&record).len(), wanted + 1);
    }

    #[test]
    fn a_failed_run_has_a_reason_and_no_figure() {
        let lines = written(&example::record());
        let failed = lines
            .iter()
            .find(|line| line[10].starts_with("failed"))
            .unwrap();
        assert_eq!(failed[10], "failed: it took longer than 10 s");
        assert_eq!(failed[4..10].concat(), "");
    }

    #[test]
    fn what_a_guest_wrote_stays_in_its_field() {
        let mut record = example::record();
        let hostile = "=1+1\",\r\n\"x";
        record.entries = vec![Entry::Sample(Sample {
            workload: "a,b".into(),
            target: "vm".into(),
            round: None,
            started_us: 0,
            outcome: Outcome::Failed(hostile.into()),
        })];
        let lines = written(&record);
        assert_eq!((lines.len(), lines[1][0].as_str()), (2, "a,b"));
        assert_eq!(lines[1][10], format!("failed: {hostile}"));
    }
}
