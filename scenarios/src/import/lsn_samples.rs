//! LSN samples, `now(), pg_current_wal_lsn()` from cron and psql: how much WAL came when.
//!
//! Columns are found by their names, or else by what is in the first row: the first time stamp
//! and the first position. Rows are put in order of time. Between two rows the WAL is taken to
//! come evenly, so a history may be as coarse as it likes.
//!
//! What cannot be true of one server is not counted, and told. A position that goes back means a
//! failover, a restore or `pg_resetwal`: how much WAL was written in that stretch nobody knows, it
//! counts as none, and the count goes on from the lower position. If the positions that follow
//! are above the old one again at once, the row was another server's and is dropped. A position
//! that runs ahead faster than any server writes is a restore, too. A stretch without rows longer
//! than five times the usual distance of two rows is a gap; its WAL counts, evenly.
//!
//! Local time without a zone goes back by an hour once a year: if every row that goes back in
//! time goes forward in WAL, it was the clock. An hour back moves the rows behind it on by an
//! hour; anything else drops rows until the clock has caught up.
//!
//! **Not modelled.** A failover that loses less WAL than the next row's gains cannot be seen but
//! in a column of timelines or of WAL file names, where every switch is told.

use models::units::{Bytes, Duration, Lsn, TimelineId};

use super::moment::{self, Moment};
use super::table::{Row, Rows};
use super::{File, Input, Remark, Told, reading};
use crate::error::{Finding, Findings, Problems};
use crate::limits;

/// How much WAL came when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalHistory {
    /// The first sample's moment.
    pub starts: Moment,
    /// At least two, in order of time, no two of one moment; bytes never fall.
    pub samples: Vec<LsnSample>,
    /// Stretches in which rows are missing; their WAL counts, evenly.
    pub gaps: Vec<Stretch>,
    /// Stretches of which nobody knows how much WAL they had; it counts as none.
    pub unknown: Vec<Stretch>,
    /// What became of the rows.
    pub told: Told,
}

/// A moment of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LsnSample {
    /// Since the first sample.
    pub at: Duration,
    /// WAL since the first sample.
    pub bytes: Bytes,
}

/// From one sample to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Since the first sample.
    pub from: Duration,
    /// Since the first sample; later than `from`.
    pub to: Duration,
}

/// So many times the usual distance of two rows is a gap.
const GAP: u64 = 5;
/// Most rows of one import: half a year of one a second.
const MOST_ROWS: u64 = 16_000_000;
/// An hour back on the clock, give or take the distance of two rows.
const HOUR: Duration = Duration::s(3_600);

const ROW_HELP: &str = "a row is what SELECT now(), pg_current_wal_lsn() gives in psql --csv: \
                        2026-11-23 05:59:58.343596+00,0/1A0161A8";
const TIME_HELP: &str = "a time stamp is such as 2026-11-23 05:59:58.343596+00 (datestyle = \
                         'ISO'), or seconds since 1970";
const LSN_HELP: &str = "a position is what pg_current_wal_lsn() gives, such as 0/1A0161A8";

/// Names of the column of time, the likeliest first.
const TIME_NAMES: [&str; 11] = [
    "timestamp",
    "now",
    "time",
    "ts",
    "clock_timestamp",
    "current_timestamp",
    "sampled_at",
    "collected_at",
    "created_at",
    "date",
    "epoch",
];
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

    /// Time from the first sample to the last; never zero.
    pub fn length(&self) -> Duration {
        self.samples.last().map_or(Duration::ZERO, |s| s.at)
    }

    /// WAL from the first sample to the last.
    pub fn bytes(&self) -> Bytes {
        self.samples.last().map_or(Bytes(0), |s| s.bytes)
    }

    /// The first thing that keeps the file from being a history as it stands: a row that was
    /// dropped or moved, a stretch that nobody knows.
    pub(crate) fn doubt(&self) -> Option<&Remark> {
        let doubtful = |remark: &&Remark| [SORTED, AN_HOUR, BACK, TOO_FAR].contains(&&*remark.what);
        self.told.dropped.first().or_else(|| self.told.remarks.iter().find(doubtful))
    }

    /// Times since the first sample and bytes until then, both multiplied by
    /// `numerator / denominator`.
    pub(crate) fn profile(&self, numerator: u64, denominator: u64) -> Vec<(Duration, Bytes)> {
        let scale = |value: u64| {
            let scaled = u128::from(value) * u128::from(numerator) / u128::from(denominator.max(1));
            u64::try_from(scaled).unwrap_or(u64::MAX)
        };
        self.samples.iter().map(|s| (Duration(scale(s.at.0)), Bytes(scale(s.bytes.0)))).collect()
    }
}

/// A row that was understood.
#[derive(Clone, Copy, Debug)]
struct Sample {
    moment: Moment,
    lsn: Lsn,
    timeline: Option<TimelineId>,
    /// Its file's number and its line.
    file: usize,
    line: usize,
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
    let mut making = Making { files, told };
    let samples = making.in_order(samples);
    let samples = making.of_one_server(samples);
    making.timelines(&samples);
    let history = making.history(&samples);
    if history.samples.len() < 2 {
        let message =
            format!("a WAL history needs at least two rows, this has {}", history.samples.len());
        let span = files.first().map_or(Default::default(), File::first_line);
        findings.push(Finding::new(span, message).help(ROW_HELP));
        return None;
    }
    if history.length() > limits::LONGEST {
        let message = "from the first row to the last are more than ten years";
        let span = files.first().map_or(Default::default(), File::first_line);
        findings.push(Finding::new(span, message).help("one of the time stamps is wrong"));
        return None;
    }
    Some(history)
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
            told.drop_row("the file ends within the row", file.name, row.line);
            return Ok(None);
        }
        let message = format!("this row has {} of {} fields", row.fields.len(), columns.width);
        return Err(Finding::new(file.span(row.span.clone()), message).help(ROW_HELP));
    }
    let (time, position) = (&row.fields[columns.time], &row.fields[columns.lsn]);
    if time.is_empty() || position.is_empty() {
        told.drop_row("an empty field", file.name, row.line);
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
            told.drop_row("the file ends within the row", file.name, row.line);
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

/// A history in the making.
struct Making<'a> {
    files: &'a [File<'a>],
    told: Told,
}

impl Making<'_> {
    fn drop_row(&mut self, sample: &Sample, why: &str) {
        let file = self.files.get(sample.file).map_or("", |file| file.name);
        self.told.drop_row(why, file, sample.line);
    }

    fn remark(&mut self, sample: &Sample, what: &str) {
        let file = self.files.get(sample.file).map_or("", |file| file.name);
        self.told.remark(what, file, sample.line);
    }

    /// Rows in order of time, each moment once.
    fn in_order(&mut self, mut samples: Vec<Sample>) -> Vec<Sample> {
        let pairs = || samples.windows(2).filter(|pair| pair[1].moment < pair[0].moment);
        if pairs().next().is_some() && pairs().all(|pair| pair[1].lsn > pair[0].lsn) {
            samples = self.with_one_clock(samples);
        } else {
            let back: Vec<Sample> = pairs().map(|pair| pair[1]).collect();
            for sample in &back {
                self.remark(sample, SORTED);
            }
            samples.sort_by_key(|sample| sample.moment);
        }
        let mut kept: Vec<Sample> = Vec::with_capacity(samples.len());
        for sample in samples {
            match kept.last_mut() {
                Some(last) if last.moment == sample.moment => {
                    // Of two rows of one moment the one that is further.
                    let less = if sample.lsn > last.lsn {
                        std::mem::replace(last, sample)
                    } else {
                        sample
                    };
                    self.drop_row(&less, "another row has the same moment");
                }
                _ => kept.push(sample),
            }
        }
        kept
    }

    /// Rows whose clock was set back while the WAL went on.
    fn with_one_clock(&mut self, samples: Vec<Sample>) -> Vec<Sample> {
        let usual = usual_distance(&samples);
        let mut kept: Vec<Sample> = Vec::with_capacity(samples.len());
        let mut ahead = Duration::ZERO;
        for mut sample in samples {
            let moment = |ahead: Duration| Moment(sample.moment.0 + ahead.0);
            match kept.last() {
                Some(last) if moment(ahead) < last.moment => {
                    let next = last.moment.0 + usual.0.max(1) * GAP;
                    let an_hour_on = moment(ahead + HOUR);
                    if an_hour_on > last.moment && an_hour_on.0 <= next {
                        ahead += HOUR;
                        self.remark(&sample, AN_HOUR);
                    } else {
                        self.drop_row(&sample, "the clock was set back, and had been here before");
                        continue;
                    }
                }
                _ => {}
            }
            sample.moment = Moment(sample.moment.0 + ahead.0);
            kept.push(sample);
        }
        kept
    }

    /// Without rows of another server among them.
    fn of_one_server(&mut self, samples: Vec<Sample>) -> Vec<Sample> {
        let mut kept: Vec<Sample> = Vec::with_capacity(samples.len());
        for (n, sample) in samples.iter().enumerate() {
            let other = kept.last().is_some_and(|last| {
                sample.lsn < last.lsn && samples.get(n + 1).is_some_and(|next| next.lsn >= last.lsn)
            });
            if other {
                let why = "the position goes back in this row alone: another server's";
                self.drop_row(sample, why);
            } else {
                kept.push(*sample);
            }
        }
        kept
    }

    fn timelines(&mut self, samples: &[Sample]) {
        for pair in samples.windows(2) {
            if let (Some(old), Some(new)) = (pair[0].timeline, pair[1].timeline)
                && old != new
            {
                self.remark(&pair[1], &format!("timeline {old} ends, {new} begins"));
            }
        }
    }

    fn history(mut self, samples: &[Sample]) -> WalHistory {
        let starts = samples.first().map_or(Moment(0), |s| s.moment);
        let usual = usual_distance(samples);
        let mut bytes = Bytes(0);
        let (mut made, mut gaps, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        let mut last: Option<&Sample> = None;
        for sample in samples {
            if let Some(last) = last {
                let from = last.moment.since(starts);
                let to = sample.moment.since(starts);
                let stretch = Stretch { from, to };
                let most = u128::from(limits::FASTEST) * u128::from((to - from).0) / 1_000_000_000;
                let ahead = sample.lsn.0.checked_sub(last.lsn.0);
                match ahead.filter(|ahead| u128::from(*ahead) <= most) {
                    Some(ahead) => {
                        bytes = Bytes(bytes.0.saturating_add(ahead));
                        if to - from > Duration(usual.0.saturating_mul(GAP)) {
                            gaps.push(stretch);
                            self.remark(sample, EVENLY);
                        }
                    }
                    None => {
                        unknown.push(stretch);
                        self.remark(sample, if ahead.is_none() { BACK } else { TOO_FAR });
                    }
                }
            }
            made.push(LsnSample { at: sample.moment.since(starts), bytes });
            last = Some(sample);
        }
        let mut told = self.told;
        told.used = told.rows - told.rows_dropped();
        WalHistory { starts, samples: made, gaps, unknown, told }
    }
}

const SORTED: &str = "out of order: rows were sorted by time";
const AN_HOUR: &str = "the clock goes back by an hour: all that follows was taken an hour later";
const EVENLY: &str = "a gap before the row: its WAL was taken to come evenly";
const BACK: &str = "the position goes back (failover, restore): no WAL was counted up to the row";
const TOO_FAR: &str = "the position runs ahead by more than a server can write (a restore): no \
                       WAL was counted up to the row";

/// The median of the time between two rows that follow each other.
fn usual_distance(samples: &[Sample]) -> Duration {
    let mut distances: Vec<Duration> =
        samples.windows(2).map(|pair| pair[1].moment.since(pair[0].moment)).collect();
    distances.sort_unstable();
    distances.get(distances.len() / 2).copied().unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
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
