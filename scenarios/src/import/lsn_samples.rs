//! LSN samples, `now(), pg_current_wal_lsn()` from cron and psql: how much WAL came when.
//!
//! Columns are found by their names, or else by what is in the first row: the first time stamp
//! and the first position. What the rows come to, and what happens to rows out of order, gaps and
//! positions that go back, is [`wal_history`](super::wal_history)'s to know.

use models::units::{Lsn, TimelineId};

use super::moment::{self, Moment};
use super::table::{CUT, EMPTY, MOST_ROWS, Row, Rows, TIME_HELP, TIME_NAMES};
use super::wal_history::{Counts, Making, Sample};
pub use super::wal_history::{LsnSample, Stretch, WalHistory};
use super::{File, Input, Told, reading};
use crate::error::{Finding, Findings, Problems};

const ROW_HELP: &str = "a row is what SELECT now(), pg_current_wal_lsn() gives in psql --csv: \
                        2026-11-23 05:59:58.343596+00,0/1A0161A8";
const LSN_HELP: &str = "a position is what pg_current_wal_lsn() gives, such as 0/1A0161A8";

/// Names of the column of positions, the likeliest first.
const LSN_NAMES: [&str; 11] = [
    "lsn_position",
    "pg_current_wal_lsn",
    "pg_current_wal_flush_lsn",
    "pg_current_wal_insert_lsn",
    "current_wal_lsn",
    "wal_lsn",
    "lsn",
    "pg_last_wal_receive_lsn",
    "pg_last_wal_replay_lsn",
    "position",
    "pg_wal_lsn_diff",
];
/// Names of a column of timelines.
const TIMELINE_NAMES: [&str; 4] = ["timeline_id", "timeline", "tli", "pg_walfile_name"];

impl WalHistory {
    /// Reads files of samples; those of several files make one history.
    ///
    /// # Errors
    ///
    /// Every row that cannot be understood; that there are not two samples.
    pub fn read(inputs: &[Input<'_>]) -> Result<WalHistory, Problems> {
        reading(inputs, parse)
    }
}

/// Reads files; what is wrong is left in `findings`.
pub(crate) fn parse(files: &[File<'_>], findings: &Findings) -> Option<WalHistory> {
    let mut told = Told::default();
    let mut samples: Vec<Sample> = Vec::new();
    for (number, file) in files.iter().enumerate() {
        read_file(*file, number, &mut samples, &mut told, findings);
    }
    if !findings.is_empty() {
        return None;
    }
    Making { files, told, counts: Counts::Positions }.finish(samples, ROW_HELP, findings)
}

/// Which field of a row is what.
#[derive(Clone, Copy, Debug)]
struct Columns {
    time: usize,
    lsn: usize,
    timeline: Option<usize>,
    /// How many fields a row has.
    width: usize,
}

fn read_file(
    file: File<'_>,
    number: usize,
    samples: &mut Vec<Sample>,
    told: &mut Told,
    findings: &Findings,
) {
    let mut rows = Rows::new(file);
    let mut names: Option<Row> = None;
    let mut columns: Option<Columns> = None;
    while let Some(row) = rows.next(told, findings) {
        if names.as_ref().is_some_and(|names| names.fields == row.fields) {
            // `\watch` writes the names again every time.
            continue;
        }
        if columns.is_none() {
            columns = find_columns(names.as_ref(), &row);
        }
        let Some(columns) = columns else {
            if names.is_none() {
                names = Some(row);
                continue;
            }
            let message = "no timestamp and WAL position in this row";
            findings.push(Finding::new(file.span(row.span), message).help(ROW_HELP));
            return;
        };
        told.rows += 1;
        if told.rows > MOST_ROWS {
            let help = "keep every tenth row: between two rows WAL comes evenly";
            let message = "more than 16,000,000 rows";
            findings.push(Finding::new(file.span(row.span), message).help(help));
            return;
        }
        match sample(&rows, &row, columns, file, told) {
            Ok(Some((moment, lsn, timeline))) => {
                samples.push(Sample { moment, lsn, timeline, file: number, line: row.line });
            }
            Ok(None) => {}
            Err(finding) => findings.push(finding),
        }
    }
}

/// What a row says; nothing if it is to be dropped, which is told.
fn sample(
    rows: &Rows<'_>,
    row: &Row,
    columns: Columns,
    file: File<'_>,
    told: &mut Told,
) -> Result<Option<(Moment, Lsn, Option<TimelineId>)>, Finding> {
    let wrong = |field: usize, what: String, help: &str| {
        Finding::new(file.span(rows.field(row, field)), what).help(help)
    };
    let needed = columns.time.max(columns.lsn);
    if row.fields.len() <= needed {
        if rows.is_cut(row) {
            told.drop_row(CUT, file.name, row.line);
            return Ok(None);
        }
        let message = format!("this row has {} of {} fields", row.fields.len(), columns.width);
        return Err(Finding::new(file.span(row.span.clone()), message).help(ROW_HELP));
    }
    let (time, position) = (&row.fields[columns.time], &row.fields[columns.lsn]);
    if time.is_empty() || position.is_empty() {
        told.drop_row(EMPTY, file.name, row.line);
        return Ok(None);
    }
    let cut = rows.is_cut(row) && columns.lsn + 1 == columns.width;
    let Some(stamp) = moment::stamp(time) else {
        let message = format!("`{}` is no timestamp", time.escape_debug());
        return Err(wrong(columns.time, message, TIME_HELP));
    };
    let lsn = match position_of(position) {
        Some(lsn) => lsn,
        None if cut => {
            told.drop_row(CUT, file.name, row.line);
            return Ok(None);
        }
        None => {
            let message = format!("`{}` is no WAL position", position.escape_debug());
            return Err(wrong(columns.lsn, message, LSN_HELP));
        }
    };
    if lsn == Lsn::INVALID {
        told.drop_row("0/0 is no position of a server", file.name, row.line);
        return Ok(None);
    }
    if !stamp.zoned {
        told.remark("no time zone: taken as UTC", file.name, row.line);
    }
    let timeline = columns.timeline.and_then(|c| row.fields.get(c)).and_then(timeline_of);
    Ok(Some((stamp.moment, lsn, timeline)))
}

/// `0/1A0161A8`, or the same as a number of bytes.
fn position_of(text: &str) -> Option<Lsn> {
    text.parse::<Lsn>().ok().or_else(|| text.parse::<u64>().ok().map(Lsn))
}

/// A timeline's number, or the one that a WAL file's name begins with.
fn timeline_of(text: &str) -> Option<TimelineId> {
    match text.len() {
        24 => u32::from_str_radix(text.get(..8)?, 16).ok().map(TimelineId),
        _ => text.parse().ok().map(TimelineId),
    }
}

/// Finds the columns by their names, or by what is in a row.
fn find_columns(names: Option<&Row>, row: &Row) -> Option<Columns> {
    let fields = || row.fields.iter();
    let named = |wanted: &[&str]| {
        let names = &names?.fields;
        let is = |name: &str, wanted: &str| name.eq_ignore_ascii_case(wanted);
        wanted.iter().find_map(|wanted| names.iter().position(|name| is(name, wanted)))
    };
    let time = named(&TIME_NAMES).or_else(|| fields().position(|f| moment::stamp(f).is_some()))?;
    let lsn = named(&LSN_NAMES)
        .or_else(|| fields().position(|f| f.contains('/') && f.parse::<Lsn>().is_ok()))?;
    let timeline = named(&TIMELINE_NAMES);
    let width = names.map_or(row.fields.len(), |names| names.fields.len());
    Some(Columns { time, lsn, timeline, width })
}

#[cfg(test)]
mod tests {
    use models::units::{Bytes, Duration};

    use super::super::wal_history::{AN_HOUR, BACK, EVENLY, SORTED};
    use super::*;

    fn read(text: &str) -> WalHistory {
        let input = Input { file: "wal.csv", text };
        WalHistory::read(&[input]).unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// Seconds since the start and bytes.
    fn series(history: &WalHistory) -> Vec<(u64, u64)> {
        history.samples.iter().map(|s| (s.at.0 / 1_000_000_000, s.bytes.0)).collect()
    }

    fn said(history: &WalHistory) -> Vec<(&str, u64, usize)> {
        let told = history.told.dropped.iter().chain(&history.told.remarks);
        told.map(|r| (r.what.as_str(), r.rows, r.line)).collect()
    }

    #[test]
    fn a_psql_csv_is_read_with_its_zone() {
        let history = read(
            "now,pg_current_wal_lsn\n2026-11-23 05:59:58.5+00,0/1000\n\
             2026-11-23 07:00:00+01,0/3000\n",
        );
        assert_eq!(history.length(), Duration::ms(1500));
        assert_eq!(history.profile(2, 1)[1], (Duration::s(3), Bytes(0x4000)));
        assert_eq!(history.starts.to_string(), "2026-11-23 05:59:58.5+00");
        assert_eq!((history.told.rows, history.told.used), (2, 2));
        assert_eq!(history.doubt(), None);
    }

    #[test]
    fn what_watch_prints_is_a_table_with_much_around_it() {
        let history = read(
            "Timing is on.\n        Mon Nov 23 05:00:00 2026 (every 1s)\n\n\
             \x20             now              | lsn \n------------+-----\n \
             2026-11-23 05:00:00+00 | 0/1000\n(1 row)\n\nTime: 0.2 ms\n\
             \x20       Mon Nov 23 05:00:01 2026 (every 1s)\n\n\
             \x20             now              | lsn \n------------+-----\n \
             2026-11-23 05:00:01+00 | 0/1800\n(1 row)\n\n\
             psql: error: connection to server at \"h\", port 5432 failed: FATAL:  gone\n",
        );
        assert_eq!(series(&history), [(0, 0), (1, 0x800)]);
        assert_eq!(said(&history), [("a message in place of a row", 1, 17)]);
    }

    #[test]
    fn columns_may_stand_in_any_order_without_names() {
        for text in [
            "7,0/1000,2026-11-23 05:00:00Z\n7,0/1800,2026-11-23 05:00:01Z\n",
            "lsn;host;ts\n4096;a;1795410000\n6144;a;1795410001\n",
            "0/1000\tx\t2026-11-23 05:00:00+00\n0/1800\tx\t2026-11-23 05:00:01+00",
            "\u{feff}host|lsn|at\n\na|0/1000|2026-11-23 05:00:00+00\r\na|0/1800|2026-11-23 \
             05:00:01+00\r\n",
        ] {
            assert_eq!(series(&read(text)), [(0, 0), (1, 0x800)], "{text}");
        }
    }

    /// Rows `second position` of one minute, with seconds and hexadecimal positions.
    fn rows(rows: &str) -> WalHistory {
        let mut text = "now,lsn\n".to_owned();
        for row in rows.split(", ") {
            let (second, position) = row.split_once(' ').expect("a second and a position");
            text += &format!("2026-11-23 05:00:{second}+00,0/{position}\n");
        }
        read(&text)
    }

    #[test]
    fn rows_are_put_in_order_and_of_one_moment_the_furthest_counts() {
        let history = rows("02 30, 00 10, 01 20, 01 28, 01 20");
        assert_eq!(series(&history), [(0, 0), (1, 0x18), (2, 0x20)]);
        assert_eq!(said(&history), [("another row has the same moment", 2, 4), (SORTED, 1, 3)]);
        assert_eq!((history.told.rows, history.told.used), (5, 3));
        assert!(history.doubt().is_some());
    }

    #[test]
    fn a_position_that_goes_back_for_good_begins_a_new_count() {
        let history = rows("00 1000, 01 1100, 02 100, 03 180, 04 200");
        assert_eq!(series(&history), [(0, 0), (1, 0x100), (2, 0x100), (3, 0x180), (4, 0x200)]);
        assert_eq!(history.unknown, [Stretch { from: Duration::s(1), to: Duration::s(2) }]);
        assert_eq!(said(&history), [(BACK, 1, 4)]);
    }

    #[test]
    fn a_row_of_another_server_is_dropped() {
        let history = rows("00 1000, 01 1100, 02 50, 03 1300");
        assert_eq!(series(&history), [(0, 0), (1, 0x100), (3, 0x300)]);
        assert_eq!(history.told.rows_dropped(), 1);
    }

    #[test]
    fn a_gap_is_told_and_its_wal_counts() {
        let history = rows("00 10, 01 20, 02 30, 03 40, 30 90, 31 a0");
        assert_eq!(history.gaps, [Stretch { from: Duration::s(3), to: Duration::s(30) }]);
        assert_eq!(history.bytes(), Bytes(0x90));
        assert_eq!(said(&history), [(EVENLY, 1, 6)]);
        assert_eq!(history.doubt(), None);
    }

    #[test]
    fn an_hour_back_on_a_local_clock_is_no_hour_back_in_time() {
        let history = read(
            "now,lsn\n2026-10-25 02:59:58,0/10\n2026-10-25 02:59:59,0/20\n\
             2026-10-25 02:00:00,0/30\n2026-10-25 02:00:01,0/40\n",
        );
        assert_eq!(series(&history), [(0, 0), (1, 0x10), (2, 0x20), (3, 0x30)]);
        assert!(said(&history).contains(&(AN_HOUR, 1, 4)));
        let history = rows("00 10, 01 20, 05 30, 03 40, 04 50, 06 60");
        assert_eq!(series(&history), [(0, 0), (1, 0x10), (5, 0x20), (6, 0x50)]);
        assert_eq!(history.told.rows_dropped(), 2);
    }

    #[test]
    fn a_timeline_is_told() {
        let history = read(
            "now,lsn,pg_walfile_name\n2026-11-23 05:00:00Z,0/10,000000010000000000000001\n\
             2026-11-23 05:00:01Z,0/20,000000020000000000000001\n",
        );
        assert_eq!(said(&history), [("timeline 1 ends, 2 begins", 1, 3)]);
    }

    #[test]
    fn what_cannot_be_understood_is_refused_with_its_place() {
        for (text, wanted) in [
            ("t,l\n2026-11-23 05:00:01+00,0/20\ntomorrow,0/30\n", "wal.csv:3:1: `tomorrow` is"),
            ("now,lsn\n2026-11-23 05:00:01+00,0/G0\n", "wal.csv:2:24: `0/G0` is no WAL"),
            ("now,lsn\n2026-11-23 05:00:01+00,0/20\n", "wal.csv:1:1: a WAL history needs at"),
            ("a,b\nc,d\n", "wal.csv:2:1: no timestamp and WAL position in this row"),
            ("now,lsn\n\"2026,0/10\n", "wal.csv:2:1: a quote is opened here"),
            ("", "wal.csv:1:1: a WAL history needs at least two rows, this has 0"),
        ] {
            let problems = WalHistory::read(&[Input { file: "wal.csv", text }]);
            let problems = problems.map(|_| ()).expect_err(text).to_string();
            assert!(problems.starts_with(wanted), "{problems}");
        }
    }
}
