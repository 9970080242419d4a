//! What `pg_test_fsync` prints: how long the disk takes to make a write durable.
//!
//! A commit is one write of a few blocks and one flush of the method that `wal_sync_method` names,
//! so what counts is the first comparison, *using one 8kB write*. The time of one is taken from
//! operations a second, which has more digits than microseconds an operation; the two have to
//! agree. Several runs give a spread.
//!
//! **Source.** `pg_test_fsync.c`: `print_elapse`, `test_sync` (PostgreSQL 13 to 18).
//!
//! **Not modelled.** A run gives a mean and no tail: a disk with a rare second of silence looks
//! like one without.

use super::spread::Spread;
use super::{File, Told, in_unit};
use crate::error::{Finding, Findings, choices};

/// How long a flush takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlushTimes {
    /// Every method that was measured, in the order of the text, and its times in nanoseconds:
    /// one a run.
    pub methods: Vec<(String, Vec<u64>)>,
    /// What became of the lines of measurements.
    pub told: Told,
}

/// The method where `wal_sync_method` is not known: the default on Linux.
pub const DEFAULT_METHOD: &str = "fdatasync";
/// Every method that PostgreSQL has.
const METHODS: [&str; 5] =
    ["open_datasync", "fdatasync", "fsync", "fsync_writethrough", "open_sync"];
const HEADING: &str = "Compare file sync methods using one 8kB write:";
const LINE_HELP: &str = "a line is: fdatasync 7168.634 ops/sec 139 usecs/op";

impl FlushTimes {
    /// The times of a method as they spread over runs.
    pub fn of(&self, method: &str) -> Option<Spread> {
        let (_, times) = self.methods.iter().find(|(name, _)| name == method)?;
        Spread::of(times.clone())
    }
}

/// Reads runs; what is wrong is left in `findings`.
pub(super) fn parse(files: &[File<'_>], findings: &Findings) -> Option<FlushTimes> {
    let mut times = FlushTimes { methods: Vec::new(), told: Told::default() };
    for file in files {
        read_file(*file, &mut times, findings);
    }
    let times = times;
    if findings.is_empty() { Some(times) } else { None }
}

fn read_file(file: File<'_>, times: &mut FlushTimes, findings: &Findings) {
    let mut within = false;
    let (mut headings, mut measured, mut failed) = (0, 0, false);
    for (number, span, line) in file.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if line.starts_with("Compare") || line.starts_with("Test if") {
            within = line.trim_end() == HEADING;
            headings += usize::from(within);
        }
        let is_measurement = words.contains(&"ops/sec") || words.contains(&"usecs/op");
        let not_available = matches!(words.as_slice(), [_, "n/a" | "n/a*"]);
        if !is_measurement && !not_available {
            let indented = line.starts_with("  ") && !words.is_empty();
            if within && indented {
                failed = true;
                let message = "no measurement in this line";
                findings.push(Finding::new(file.span(span), message).help(LINE_HELP));
            }
            continue;
        }
        times.told.rows += 1;
        if !within {
            times.told.drop_row("not one write of 8kB, which a commit is", file.name, number);
        } else if not_available {
            times.told.drop_row("a method that the system does not have", file.name, number);
        } else {
            match measurement(&words) {
                Ok((method, nanos)) => {
                    measured += 1;
                    times.told.used += 1;
                    match times.methods.iter_mut().find(|(name, _)| name == method) {
                        Some((_, list)) => list.push(nanos),
                        None => times.methods.push((method.to_owned(), vec![nanos])),
                    }
                }
                Err((message, help)) => {
                    failed = true;
                    findings.push(Finding::new(file.span(span), message).help(help));
                }
            }
        }
    }
    let message = match (headings, measured) {
        (0, _) => format!("there is no \"{HEADING}\" in it"),
        (_, 0) if !failed => "no method was measured".to_owned(),
        _ => return,
    };
    let help = "take the whole output: pg_test_fsync -f PGDATA/pg_wal/test > pg_test_fsync.txt";
    findings.push(Finding::new(file.first_line(), message).help(help));
}

/// A method and its time in nanoseconds.
fn measurement<'a>(words: &[&'a str]) -> Result<(&'a str, u64), (String, String)> {
    let help = || LINE_HELP.to_owned();
    let &[method, rate, "ops/sec", micros, "usecs/op"] = words else {
        return Err(("this line has another shape".to_owned(), help()));
    };
    if !METHODS.contains(&method) {
        let message = format!("`{}` is no method", method.escape_debug());
        return Err((message, choices(method, "methods are", METHODS)));
    }
    let rate_of = |text: &str| in_unit(text, 1_000).filter(|rate| *rate > 0);
    let Some(per_thousand_seconds) = rate_of(rate) else {
        return Err((format!("`{}` is no rate", rate.escape_debug()), help()));
    };
    let Some(micros) = micros.parse::<u64>().ok() else {
        return Err((format!("`{}` is no time", micros.escape_debug()), help()));
    };
    let nanos = 1_000_000_000_000 / per_thousand_seconds;
    if (nanos / 1_000).abs_diff(micros) > 1 {
        let message = format!("{rate} ops/sec take {} usecs/op, not {micros}", nanos / 1_000);
        return Err((message, "one of the two numbers was changed".to_owned()));
    }
    Ok((method, nanos))
}
