//! Samples of `pg_stat_wal`: how much WAL came when, and how much of it was full-page images.
//!
//! The columns of time and `wal_bytes` are needed; `wal_records`, `wal_fpi` and the rest are taken
//! where they are. Counters count since the last reset; what `wal_bytes` came to is a
//! [`WalHistory`], which also knows resets, gaps and rows out of order.
//!
//! **Source.** `monitoring.sgml`, *pg_stat_wal*: 14 to 17 with `wal_write`, `wal_sync` and their
//! times, which 18 has in `pg_stat_io`.
//!
//! **Not modelled.** How large an image is: bytes of images are not counted apart from records.

use models::units::{Duration, Lsn};

use super::table::{Row, Rows, TIME_NAMES};
use super::wal_history::{Counts, Making, Sample, WalHistory};
use super::{File, Told};
use crate::error::{Finding, Findings, enumerate};

/// What `pg_stat_wal` counted from the first sample to the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalStatistics {
    /// WAL by time.
    pub history: WalHistory,
    /// Records.
    pub records: Option<u64>,
    /// Full-page images.
    pub images: Option<u64>,
    /// How often `wal_buffers` was full.
    pub buffers_full: Option<u64>,
    /// How often WAL was flushed.
    pub flushes: Option<u64>,
    /// Mean time of a flush; only with `track_wal_io_timing` and not in 18.
    pub mean_flush: Option<Duration>,
}

/// Counters beside `wal_bytes`.
const COUNTERS: [&str; 4] = ["wal_records", "wal_fpi", "wal_buffers_full", "wal_sync"];
const ROW_HELP: &str = "a row is what SELECT now(), wal_bytes FROM pg_stat_wal gives in psql --csv";

/// A row: its sample, its counters, and its time of flushes in microseconds.
type Counted = (Sample, [Option<u64>; 4], Option<u64>);

/// Reads samples; what is wrong is left in `findings`.
pub(super) fn parse(files: &[File<'_>], findings: &Findings) -> Option<WalStatistics> {
    let mut told = Told::default();
    let mut rows: Vec<Counted> = Vec::new();
    for (number, file) in files.iter().enumerate() {
        read_file(*file, number, &mut rows, &mut told, findings);
    }
    if !findings.is_empty() {
        return None;
    }
    rows.sort_by_key(|(sample, ..)| sample.moment);
    let total = |value: &dyn Fn(&Counted) -> Option<u64>| {
        let values = rows.iter().map(value).collect::<Option<Vec<u64>>>()?;
        // A counter that goes back was reset: it counts from zero.
        let since = |pair: &[u64]| pair[1].checked_sub(pair[0]).unwrap_or(pair[1]);
        (values.len() > 1).then(|| values.windows(2).map(since).fold(0, u64::saturating_add))
    };
    let [records, images, buffers_full, flushes] = [0, 1, 2, 3].map(|n| total(&|row| row.1[n]));
    let micros = total(&|row| row.2).filter(|micros| *micros > 0);
    let mean_flush = micros
        .zip(flushes)
        .and_then(|(micros, flushes)| micros.saturating_mul(1_000).checked_div(flushes))
        .map(Duration);
    let samples = rows.iter().map(|(sample, ..)| *sample).collect();
    let making = Making { files, told, counts: Counts::SinceReset };
    let history = making.finish(samples, ROW_HELP, findings)?;
    Some(WalStatistics { history, records, images, buffers_full, flushes, mean_flush })
}

fn read_file(
    file: File<'_>,
    number: usize,
    samples: &mut Vec<Counted>,
    told: &mut Told,
    findings: &Findings,
) {
    let mut rows = Rows::new(file);
    let Some(header) = rows.header(&["wal_bytes"], told, findings) else { return };
    let (Some(time), Some(bytes)) = (header.any_of(&TIME_NAMES), header.column("wal_bytes")) else {
        let help = format!("it is one of {}", enumerate(TIME_NAMES));
        let finding = Finding::new(file.first_line(), "there is no column of time");
        findings.push(finding.help(help));
        return;
    };
    let counters = COUNTERS.map(|name| header.column(name));
    let sync_time = header.column("wal_sync_time");
    while let Some(row) = rows.data(&header, told, findings) {
        let Some(moment) = rows.moment(&row, time, told, findings) else { continue };
        if row.fields[bytes].is_empty() {
            told.drop_row(super::table::EMPTY, file.name, row.line);
            continue;
        }
        let counted = |column: &Option<usize>| rows.number(&row, (*column)?, findings);
        let Some(value) = counted(&Some(bytes)) else { continue };
        let others = [0, 1, 2, 3].map(|n| counted(&counters[n]));
        let sync_time = sync_time.and_then(|column| millis(&rows, &row, column, findings));
        let line = row.line;
        let sample = Sample { moment, lsn: Lsn(value), timeline: None, file: number, line };
        samples.push((sample, others, sync_time));
    }
}

/// Milliseconds with a fraction, in microseconds.
fn millis(rows: &Rows<'_>, row: &Row, column: usize, findings: &Findings) -> Option<u64> {
    let text = row.fields.get(column).filter(|text| !text.is_empty())?;
    let micros = super::in_unit(text, 1_000);
    if micros.is_none() {
        findings.push(rows.wrong(row, column, "no time", "milliseconds, such as 12.5"));
    }
    micros
}
