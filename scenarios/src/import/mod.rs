//! Real data on its way into a scenario: one file a source.
//!
//! * [`source`]: THE list of sources. [`profile`]: what they come to together, and the files that
//!   are written. [`sql`]: the statements that collect it.
//! * [`lsn_samples`]: `now(), pg_current_wal_lsn()`, the one history that everybody can make.
//! * [`pg_settings`] and [`postgresql_conf`]: a server's [`settings`].
//! * [`pg_stat_wal`], [`pg_stat_replication`], [`prometheus`]: what monitoring has kept.
//! * [`pg_test_fsync`], [`ping`]: the disk and the way. [`pgbench_log`], [`pgbench_aggregate`],
//!   [`pgbench_summary`]: a load.
//! * [`wal_history`]: how much WAL came when. [`spread`]: quantiles. [`moment`]: time stamps.
//!   `table`: rows as psql and spreadsheets write them.
//!
//! Every source is a function from texts to what they say and what there is to tell about them
//! ([`Told`]): how many rows were read, how many were used, which were dropped and why. What
//! cannot be understood is an error with its place; what is understood and cannot be used is
//! dropped and told; nothing is passed over in silence.

pub mod lsn_samples;
pub mod moment;
pub mod pg_settings;
pub mod pg_stat_replication;
pub mod pg_stat_wal;
pub mod pg_test_fsync;
pub mod pgbench_aggregate;
pub mod pgbench_log;
pub mod pgbench_summary;
pub mod ping;
pub mod postgresql_conf;
pub mod profile;
pub mod prometheus;
pub mod settings;
pub mod source;
pub mod spread;
pub mod sql;
mod table;
pub mod wal_history;

use std::ops::Range;

use crate::error::{Findings, Problems};
use crate::quantity;
use crate::source::{Sources, Span};

/// A file as it was handed over.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// What it is called in messages.
    pub file: &'a str,
    /// What it says.
    pub text: &'a str,
}

/// What became of the rows that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Rows of data, without headers and what psql writes around a table.
    pub rows: u64,
    /// Rows that count; with those dropped they make up `rows`.
    pub used: u64,
    /// Why rows were dropped.
    pub dropped: Vec<Remark>,
    /// What else should be known: gaps, rows that were put in order.
    pub remarks: Vec<Remark>,
}

/// Something about rows that were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// What there is to say.
    pub what: String,
    /// How many rows it is true of.
    pub rows: u64,
    /// The file that the first of them is in.
    pub file: String,
    /// The line of the first of them, from 1.
    pub line: usize,
}

impl Told {
    /// One row more that was dropped.
    pub(crate) fn drop_row(&mut self, why: &str, file: &str, line: usize) {
        count(&mut self.dropped, why, file, line);
    }

    /// One row more of which something should be known.
    pub(crate) fn remark(&mut self, what: &str, file: &str, line: usize) {
        count(&mut self.remarks, what, file, line);
    }

    /// How many rows were dropped.
    pub fn rows_dropped(&self) -> u64 {
        self.dropped.iter().map(|remark| remark.rows).sum()
    }
}

fn count(list: &mut Vec<Remark>, what: &str, file: &str, line: usize) {
    match list.iter_mut().find(|remark| remark.what == what) {
        Some(remark) => {
            remark.rows += 1;
            if remark.file == file {
                remark.line = remark.line.min(line);
            }
        }
        None => {
            let (what, file) = (what.to_owned(), file.to_owned());
            list.push(Remark { what, rows: 1, file, line });
        }
    }
}

/// A file that is being read: where its numbering begins, for places in messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File<'a> {
    /// What it is called in messages.
    pub name: &'a str,
    /// What it says.
    pub text: &'a str,
    /// Where its numbering begins.
    pub base: usize,
}

impl<'a> File<'a> {
    /// Its lines, each with its number from 1 and its bytes.
    pub fn lines(&self) -> impl Iterator<Item = (usize, Range<usize>, &'a str)> + use<'a> {
        let mut at = 0;
        self.text.split_inclusive('\n').enumerate().map(move |(n, whole)| {
            let line = whole.trim_end_matches(['\n', '\r']);
            let start = at;
            at += whole.len();
            (n + 1, start..start + line.len(), line)
        })
    }

    /// A place in it.
    pub fn span(&self, range: Range<usize>) -> Span {
        Span::at(self.base, range)
    }

    /// Its first line, for what is wrong with all of it.
    pub fn first_line(&self) -> Span {
        self.span(0..self.text.lines().next().map_or(0, str::len))
    }
}

/// A decimal number of a unit, rounded down, such as `0.254` ms in nanoseconds.
fn in_unit(text: &str, unit: u64) -> Option<u64> {
    let (numerator, denominator) = quantity::decimal(text)?;
    u64::try_from(u128::from(numerator) * u128::from(unit) / u128::from(denominator)).ok()
}

/// Hands files over to a reader, which leaves what it finds wrong.
fn reading<T>(
    inputs: &[Input<'_>],
    read: impl FnOnce(&[File<'_>], &Findings) -> Option<T>,
) -> Result<T, Problems> {
    let mut sources = Sources::default();
    let bases: Vec<usize> = inputs.iter().map(|i| sources.add(i.file, i.text)).collect();
    let files: Vec<File<'_>> = inputs
        .iter()
        .zip(bases)
        .map(|(input, base)| File { name: input.file, text: input.text, base })
        .collect();
    let findings = Findings::default();
    let result = read(&files, &findings);
    let findings = findings.take();
    match result {
        Some(result) if findings.is_empty() => Ok(result),
        _ => Err(Problems::new(findings, &sources)),
    }
}
