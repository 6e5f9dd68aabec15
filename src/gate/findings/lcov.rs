//! LCOV's tracefiles: how many lines tests covered.
//!
//! Read by hand, because the `lcov` crate refuses a file with any record that it does not know, and LCOV 2 has new ones.

use std::collections::BTreeMap;

use crate::gate::findings::problem::Gathered;
use crate::gate::findings::report::{Coverage, ReportError};

const FORMAT: &str = "lcov";

/// One source file. It has a section for each test.
#[derive(Default)]
struct File {
    lines: BTreeMap<u32, bool>,
    /// From its summary.
    said: Coverage,
}

pub(super) fn read(text: &str) -> Result<Gathered, ReportError> {
    let mut files: BTreeMap<&str, File> = BTreeMap::new();
    let mut open: Option<&str> = None;
    for line in text.lines().map(str::trim) {
        let (record, value) = line.split_once(':').unwrap_or((line, ""));
        match (record, open) {
            ("SF", None) => {
                files.entry(value).or_default();
                open = Some(value);
            }
            ("SF", Some(_)) => return Err(ReportError::BrokenOff { format: FORMAT }),
            ("end_of_record", _) => open = None,
            (record, Some(name)) => add(files.entry(name).or_default(), record, value)?,
            (_, None) => {}
        }
    }
    match (open, files.is_empty()) {
        (Some(_), _) => Err(ReportError::BrokenOff { format: FORMAT }),
        (None, true) => Err(ReportError::Missing { format: FORMAT }),
        (None, false) => Ok(Gathered::covered(sum(&files))),
    }
}

fn add(file: &mut File, record: &str, value: &str) -> Result<(), ReportError> {
    let number = |text: &str| {
        text.parse().map_err(|e: std::num::ParseIntError| ReportError::Unreadable {
            format: FORMAT,
            cause: Box::new(e),
        })
    };
    match record {
        "DA" => {
            let (line, hits) = value.split_once(',').unwrap_or((value, ""));
            let hits = hits.split(',').next().unwrap_or_default();
            let line = u32::try_from(number(line)?).unwrap_or(u32::MAX);
            // Some count below 0 or beyond every type.
            let hit = !hits.starts_with('-') && hits.contains(|c: char| ('1'..='9').contains(&c));
            *file.lines.entry(line).or_default() |= hit;
        }
        "LF" => file.said.total = file.said.total.max(number(value)?),
        "LH" => file.said.covered = file.said.covered.max(number(value)?),
        _ => {}
    }
    Ok(())
}

fn sum(files: &BTreeMap<&str, File>) -> Coverage {
    let coverages = files.values().map(|file| match file.lines.is_empty() {
        true => file.said,
        false => Coverage {
            covered: file.lines.values().filter(|hit| **hit).count() as u64,
            total: file.lines.len() as u64,
        },
    });
    coverages.fold(Coverage::default(), |sum, of_file| Coverage {
        covered: sum.covered.saturating_add(of_file.covered),
        total: sum.total.saturating_add(of_file.total),
    })
}
