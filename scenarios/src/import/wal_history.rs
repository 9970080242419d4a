//! How much WAL came when: what every source that has positions or counters comes to.
//!
//! Rows are put in order of time. Between two rows the WAL is taken to come evenly, so a history
//! may be as coarse as it likes. What cannot be true of one server is not counted, and told:
//!
//! * A position that goes back means a failover, a restore or `pg_resetwal`: how much WAL was
//!   written in that stretch nobody knows, it counts as none, and the count goes on from the lower
//!   position. If the next position is above the old one again, the row was another server's and
//!   is dropped. One that runs ahead faster than any server writes is a restore, too.
//! * A counter that goes back was reset (`pg_stat_reset_shared`, a crash): what it has counted
//!   since is taken; what came before the reset is lost.
//! * A stretch without rows longer than five times the usual distance of two rows is a gap; its
//!   WAL counts, evenly.
//! * Local time without a zone goes back by an hour once a year: if every row that goes back in
//!   time goes forward in WAL, it was the clock. An hour back moves the rows behind it on by an
//!   hour; anything else drops rows until the clock has caught up.
//!
//! **Not modelled.** A failover that loses less WAL than the next row gains cannot be seen but in
//! a column of timelines or of WAL file names, where every switch is told.

use models::units::{Bytes, Duration, Lsn, TimelineId};

use super::moment::Moment;
use super::{File, Remark, Told};
use crate::error::{Finding, Findings};
use crate::limits;
use crate::source::Span;

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
impl WalHistory {
    /// Time from the first sample to the last; never zero.
    pub fn length(&self) -> Duration {
        self.samples.last().map_or(Duration::ZERO, |s| s.at)
    }

    /// WAL from the first sample to the last.
    pub fn bytes(&self) -> Bytes {
        self.samples.last().map_or(Bytes(0), |s| s.bytes)
    }

    /// WAL of each `step` from the first sample on; the last one may be cut short. Between two
    /// samples WAL comes evenly.
    pub fn per(&self, step: Duration) -> Vec<Bytes> {
        let mut list = Vec::new();
        let (mut before, mut next) = (Bytes(0), step);
        for pair in self.samples.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            while next <= to.at && step > Duration::ZERO {
                let part = u128::from((next - from.at).0) * u128::from(to.bytes.0 - from.bytes.0)
                    / u128::from((to.at - from.at).0);
                let until = Bytes(from.bytes.0 + u64::try_from(part).unwrap_or(u64::MAX));
                list.push(Bytes(until.0 - before.0));
                before = until;
                next += step;
            }
        }
        let rest = Bytes(self.bytes().0 - before.0);
        if rest > Bytes(0) {
            list.push(rest);
        }
        list
    }

    /// WAL of the busiest minute, counted from the first sample; nothing if it is shorter.
    pub fn busiest_minute(&self) -> Option<Bytes> {
        let minute = Duration::s(60);
        let whole = usize::try_from(self.length().0 / minute.0).unwrap_or(usize::MAX);
        self.per(minute).into_iter().take(whole).max()
    }

    /// The first thing that keeps the file from being a history as it stands: a row that was
    /// dropped or moved, a stretch that nobody knows.
    pub(crate) fn doubt(&self) -> Option<&Remark> {
        let doubtful =
            |remark: &&Remark| [SORTED, AN_HOUR, BACK, RESET, TOO_FAR].contains(&&*remark.what);
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

/// An hour back on the clock, give or take the distance of two rows.
const HOUR: Duration = Duration::s(3_600);

/// A row that was understood.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// When.
    pub moment: Moment,
    /// The position, or the count.
    pub lsn: Lsn,
    /// The timeline, if the row says so.
    pub timeline: Option<TimelineId>,
    /// Its file's number.
    pub file: usize,
    /// Its line.
    pub line: usize,
}

/// What rows count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counts {
    /// Positions of a server in its WAL.
    Positions,
    /// Bytes since a counter was reset.
    SinceReset,
}

/// A history in the making.
pub(super) struct Making<'a> {
    /// The files that the rows are from.
    pub files: &'a [File<'a>],
    /// What became of the rows so far.
    pub told: Told,
    /// What the rows count.
    pub counts: Counts,
}

impl Making<'_> {
    /// The history that rows come to. `row_help` says what a row is, if there are too few.
    pub fn finish(
        mut self,
        samples: Vec<Sample>,
        row_help: &str,
        findings: &Findings,
    ) -> Option<WalHistory> {
        let first_line = self.files.first().map_or(Span::default(), File::first_line);
        let mut samples = self.in_order(samples);
        if self.counts == Counts::Positions {
            samples = self.of_one_server(samples);
        }
        self.timelines(&samples);
        let history = self.history(&samples);
        let wrong = match history.samples.len() {
            n @ ..2 => {
                Some((format!("a WAL history needs at least two rows, this has {n}"), row_help))
            }
            _ if history.length() > limits::LONGEST => {
                let message = "from the first row to the last are more than ten years";
                Some((message.to_owned(), "one of the time stamps is wrong"))
            }
            _ if u128::from(history.bytes().0) > limits::MOST_WAL => {
                let message = "from the first row to the last are more than 262144TB of WAL";
                Some((message.to_owned(), "one of the positions is wrong"))
            }
            _ => None,
        };
        if let Some((message, help)) = wrong {
            findings.push(Finding::new(first_line, message).help(help));
            return None;
        }
        Some(history)
    }

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
                let possible = |bytes: &u64| u128::from(*bytes) <= most;
                let (ahead, doubt) = match (ahead, self.counts) {
                    (Some(ahead), _) if possible(&ahead) => (Some(ahead), None),
                    (Some(_), _) => (None, Some(TOO_FAR)),
                    (None, Counts::Positions) => (None, Some(BACK)),
                    (None, Counts::SinceReset) => {
                        (Some(sample.lsn.0).filter(possible), Some(RESET))
                    }
                };
                if let Some(ahead) = ahead {
                    bytes = Bytes(bytes.0.saturating_add(ahead));
                } else {
                    unknown.push(stretch);
                }
                if let Some(doubt) = doubt {
                    self.remark(sample, doubt);
                } else if to - from > Duration(usual.0.saturating_mul(GAP)) {
                    gaps.push(stretch);
                    self.remark(sample, EVENLY);
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

pub(super) const SORTED: &str = "out of order: rows were sorted by time";
pub(super) const AN_HOUR: &str =
    "the clock goes back by an hour: all that follows was taken an hour later";
pub(super) const EVENLY: &str = "a gap before the row: its WAL was taken to come evenly";
pub(super) const BACK: &str =
    "the position goes back (failover, restore): no WAL was counted up to the row";
const RESET: &str = "the counter was reset before the row: what came just before that is lost";
const TOO_FAR: &str = "the position runs ahead by more than a server can write (a restore): no \
                       WAL was counted up to the row";

/// The median of the time between two rows that follow each other.
fn usual_distance(samples: &[Sample]) -> Duration {
    let mut distances: Vec<Duration> =
        samples.windows(2).map(|pair| pair[1].moment.since(pair[0].moment)).collect();
    distances.sort_unstable();
    distances.get(distances.len() / 2).copied().unwrap_or(Duration::ZERO)
}
