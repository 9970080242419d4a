//! Samples of `pg_stat_replication`: how far behind the standbys are, and at which stage.
//!
//! Needed are the columns of time and `sent_lsn`; the rest is taken where it is. Rows belong to the
//! standby that `application_name` (or `pid`, or `client_addr`) says, and all of them to one. Lags
//! are empty while nothing is written, which is no missing value. What a standby replays a second
//! while it is behind is measured between two rows that both find it behind. `sent_lsn` of the
//! foremost standby is a WAL history for want of a better one.
//!
//! **Source.** `walsender.c:pg_stat_get_wal_senders`; `monitoring.sgml`, *pg_stat_replication*
//! (PostgreSQL 13 to 18).
//!
//! **Not modelled.** `write_lag` has the round trip, the write on the standby and the time until
//! the next answer in it: as a round trip time it is an upper bound.

use std::collections::BTreeMap;

use models::units::{Bytes, Duration, Lsn};

use super::moment::{self, Moment};
use super::spread::Spread;
use super::table::{EMPTY, Row, Rows, TIME_NAMES};
use super::wal_history::{Counts, Making, Sample, WalHistory};
use super::{File, Told};
use crate::error::{Finding, Findings, enumerate};

/// What became of standbys over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standbys {
    /// `sent_lsn` by time, of the standby that is foremost.
    pub history: WalHistory,
    /// Each standby, by name.
    pub list: Vec<Standby>,
}

/// One standby.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standby {
    /// What its rows call it.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// `write_lag`, `flush_lag` and `replay_lag` in nanoseconds, of the rows that have them.
    pub lags: [Option<Spread>; 3],
    /// Bytes from `sent_lsn` to `replay_lsn`.
    pub behind: Option<Spread>,
    /// The most that it replayed a second while it was behind, in bytes.
    pub replayed: Option<u64>,
}

/// The columns of positions and of lags.
const POSITIONS: [&str; 2] = ["sent_lsn", "replay_lsn"];
const LAGS: [&str; 3] = ["write_lag", "flush_lag", "replay_lag"];
const NAMES: [&str; 3] = ["application_name", "pid", "client_addr"];
const ROW_HELP: &str = "a row is what SELECT now(), application_name, sent_lsn, replay_lsn, \
                        write_lag FROM pg_stat_replication gives in psql --csv";
/// Replay is measured over at least this much WAL: less says more of the moment of sampling.
const ENOUGH: Bytes = Bytes::mb(1);

#[derive(Default)]
struct Draft {
    rows: u64,
    lags: [Vec<u64>; 3],
    behind: Vec<u64>,
    /// Moment, sent and replayed.
    replay: Vec<(Moment, Lsn, Lsn)>,
}

/// Reads samples; what is wrong is left in `findings`.
pub(super) fn parse(files: &[File<'_>], findings: &Findings) -> Option<Standbys> {
    let mut told = Told::default();
    let mut samples: Vec<Sample> = Vec::new();
    let mut drafts: BTreeMap<String, Draft> = BTreeMap::new();
    for (number, file) in files.iter().enumerate() {
        read_file(*file, number, &mut samples, &mut drafts, &mut told, findings);
    }
    if !findings.is_empty() {
        return None;
    }
    // Rows of one query have one moment: the foremost standby's counts.
    let mut foremost: Vec<Sample> = Vec::with_capacity(samples.len());
    for sample in samples {
        match foremost.last_mut() {
            Some(last) if last.moment == sample.moment => {
                if sample.lsn > last.lsn {
                    *last = sample;
                }
            }
            _ => foremost.push(sample),
        }
    }
    let making = Making { files, told, counts: Counts::Positions };
    let history = making.finish(foremost, ROW_HELP, findings)?;
    let list = drafts.into_iter().map(|(name, draft)| draft.finish(name)).collect();
    Some(Standbys { history, list })
}

fn read_file(
    file: File<'_>,
    number: usize,
    samples: &mut Vec<Sample>,
    drafts: &mut BTreeMap<String, Draft>,
    told: &mut Told,
    findings: &Findings,
) {
    let mut rows = Rows::new(file);
    let Some(header) = rows.header(&["sent_lsn"], told, findings) else { return };
    let Some(time) = header.any_of(&TIME_NAMES) else {
        let help = format!("it is one of {}", enumerate(TIME_NAMES));
        let finding = Finding::new(file.first_line(), "there is no column of time");
        findings.push(finding.help(help));
        return;
    };
    let (name, state) = (header.any_of(&NAMES), header.column("state"));
    let positions = POSITIONS.map(|name| header.column(name));
    let lags = LAGS.map(|name| header.column(name));
    while let Some(row) = rows.data(&header, told, findings) {
        let Some(moment) = rows.moment(&row, time, told, findings) else { continue };
        let [sent, replayed] = positions.map(|column| lsn(&rows, &row, column?, findings));
        let Some(sent) = sent else {
            if row.fields[positions[0].unwrap_or(0)].is_empty() {
                told.drop_row(EMPTY, file.name, row.line);
            }
            continue;
        };
        if state.is_some_and(|state| &row.fields[state] == "backup") {
            told.drop_row("a base backup, no standby", file.name, row.line);
            continue;
        }
        let name = name.map_or("", |name| &row.fields[name]).to_owned();
        let draft = drafts.entry(name).or_default();
        draft.rows += 1;
        if let Some(replayed) = replayed {
            draft.behind.push(sent.since(replayed).0);
            draft.replay.push((moment, sent, replayed));
        }
        for (stage, column) in lags.iter().enumerate() {
            let Some(column) = column.filter(|column| !row.fields[*column].is_empty()) else {
                continue;
            };
            match moment::interval(&row.fields[column]) {
                Some(lag) => draft.lags[stage].push(lag.0),
                None => {
                    let help =
                        "an interval is such as 00:00:00.024875 (intervalstyle = 'postgres')";
                    findings.push(rows.wrong(&row, column, "no interval", help));
                }
            }
        }
        let line = row.line;
        samples.push(Sample { moment, lsn: sent, timeline: None, file: number, line });
    }
}

fn lsn(rows: &Rows<'_>, row: &Row, column: usize, findings: &Findings) -> Option<Lsn> {
    let text = row.fields.get(column).filter(|text| !text.is_empty())?;
    let lsn = text.parse().ok();
    if lsn.is_none() {
        findings.push(rows.wrong(
            row,
            column,
            "no WAL position",
            "a position is such as 0/1A0161A8",
        ));
    }
    lsn
}

impl Draft {
    fn finish(mut self, name: String) -> Standby {
        self.replay.sort_by_key(|(moment, ..)| *moment);
        let rate = |pair: &[(Moment, Lsn, Lsn)]| {
            let [(before, sent, from), (after, _, to)] = [pair[0], pair[1]];
            // Behind at both ends: all the time between it had something to replay.
            let busy = sent.since(from) >= ENOUGH && to >= from && to <= sent;
            let over = after.since(before);
            let bytes = to.0.saturating_sub(from.0);
            if !busy || over == Duration::ZERO || bytes < ENOUGH.0 {
                return None;
            }
            u64::try_from(u128::from(bytes) * 1_000_000_000 / u128::from(over.0)).ok()
        };
        Standby {
            name,
            rows: self.rows,
            lags: self.lags.map(Spread::of),
            behind: Spread::of(self.behind),
            replayed: self.replay.windows(2).filter_map(rate).max(),
        }
    }
}
