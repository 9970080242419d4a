//! The answer of a plan, as plain numbers and sentences: all that its page shows.
//!
//! Who plans fills a [`Plan`]; [`plan_page`] makes one page of it that needs nothing else. Each
//! [`Part`] has sentences, and the figures that they are read from.

use models::units::{Bytes, Duration};

use crate::{ReportError, page};

/// An answer and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What was asked for, as the command line has it: `wal_keep_size`.
    pub name: String,
    /// The question in words.
    pub question: String,
    /// The answer: a line for `postgresql.conf`, or a sentence.
    pub answer: String,
    /// Whether the answer is a line to paste.
    pub is_line: bool,
    /// Whether there is an answer.
    pub is_found: bool,
    /// What else can be pasted: statements, a line each.
    pub paste: Vec<String>,
    /// What it is asked of, in a word or two: a name and a value.
    pub facts: Vec<(&'static str, String)>,
    /// The rest of it, in the order in which people ask.
    pub parts: Vec<Part>,
    /// The command that gives the same answer.
    pub repeat: String,
}

/// A part of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its title.
    pub title: &'static str,
    /// Its sentences.
    pub said: Vec<String>,
    /// What they are read from.
    pub figures: Vec<Figure>,
}

/// Numbers with a plot.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// WAL over the week or the day.
    Season(Season),
    /// Standbys that survive.
    Survival(Survival),
    /// What a setting takes.
    Disk(Disk),
    /// How early a warning has to come.
    Alert(Alert),
    /// What outages came to.
    Distribution(Distribution),
    /// What became of the values that were tried.
    Tried(Tried),
}

/// WAL over the time after which a history looks the same again.
#[derive(Clone, Debug, PartialEq)]
pub struct Season {
    /// What time of it is known.
    pub clock: Clock,
    /// How often the history has it, begun ones counted.
    pub times: usize,
    /// Its parts in order, from 0, one as long as another but for the last.
    pub parts: Vec<SeasonPart>,
    /// What the outages that were counted have in common: "that need most".
    pub worst: &'static str,
}

/// What a place in a history's season is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The season is a week, which begins with Monday (UTC).
    Week,
    /// The season is a day, which begins at midnight (UTC).
    Day,
    /// Only the time since the first sample is known.
    Unknown,
}

/// Part of a season.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeasonPart {
    /// Where it begins.
    pub from: Duration,
    /// Where it ends.
    pub to: Duration,
    /// WAL in bytes a second, in the median of the times; `None`: nothing is known.
    pub median: Option<u64>,
    /// The same in the largest of them.
    pub most: Option<u64>,
    /// How many of the worst outages begin here.
    pub worst: usize,
}

/// Which share of standbys is not lost, by the length of the outage.
#[derive(Clone, Debug, PartialEq)]
pub struct Survival {
    /// The setting.
    pub setting: &'static str,
    /// The share of standbys that may be lost.
    pub risk: f64,
    /// Trials in all.
    pub trials: usize,
    /// A line for each value, the one that is enough last.
    pub lines: Vec<SurvivalLine>,
    /// Whether that one is recommended: it may be too much for the volume.
    pub is_recommended: bool,
    /// By the length of the outage: the interval of the last value's share.
    pub interval: Vec<(Duration, f64, f64)>,
}

/// One value of a setting.
#[derive(Clone, Debug, PartialEq)]
pub struct SurvivalLine {
    /// The value as a setting takes it.
    pub label: String,
    /// The value.
    pub value: Bytes,
    /// By the length of the outage, from 0 to the longest: the share that survives; `None`: no
    /// outage was as long.
    pub points: Vec<(Duration, Option<f64>)>,
}

/// How large pg_wal grows.
#[derive(Clone, Debug, PartialEq)]
pub struct Disk {
    /// The setting.
    pub setting: &'static str,
    /// By its values, in their order.
    pub rows: Vec<DiskRow>,
    /// The one that is enough.
    pub enough: Bytes,
    /// Whether it is recommended: it may be too much for the volume.
    pub is_recommended: bool,
    /// The size of pg_wal's volume, if it is known.
    pub volume: Option<Bytes>,
}

/// One value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskRow {
    /// The value as a setting takes it.
    pub label: String,
    /// The value.
    pub value: Bytes,
    /// The largest pg_wal of an outage, in the median of them.
    pub median: Bytes,
    /// The same in the one with most.
    pub most: Bytes,
}

/// From how far behind a warning leaves how much time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The time that was asked for.
    pub asked: Duration,
    /// Times, in their order, and how far behind a standby may be for them; `None`: more WAL than
    /// the setting keeps comes in that time.
    pub rows: Vec<(Duration, Option<Bytes>)>,
}

/// What outages came to, one by one.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// The title of its plot.
    pub title: &'static str,
    /// What was measured, as the title of an axis.
    pub measure: &'static str,
    /// Whether that is bytes, else nanoseconds.
    pub is_bytes: bool,
    /// Whether it is worst where it is small: the share is of what is larger.
    pub is_falling: bool,
    /// What each outage came to, in order of size; those in which it never came are left out.
    pub values: Vec<u64>,
    /// All outages.
    pub trials: usize,
    /// The share of outages that may be worse.
    pub risk: f64,
    /// The answer, which is the safe end of the interval; `None`: no end is known.
    pub value: Option<u64>,
    /// The other end.
    pub other: Option<u64>,
}

/// Values of a setting that were tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// The setting.
    pub setting: &'static str,
    /// What is bad about a trial.
    pub bad: String,
    /// Whether values are a bandwidth, else a size.
    pub is_bandwidth: bool,
    /// By its values, in their order.
    pub rows: Vec<TriedRow>,
    /// The one that is enough, which is the upper end of the interval.
    pub enough: u64,
    /// Whether it is recommended: it may be too much for the volume.
    pub is_recommended: bool,
    /// The lower end.
    pub low: u64,
    /// Trials in all.
    pub trials: usize,
    /// The share of trials that may be bad.
    pub risk: f64,
}

/// One value of a setting.
#[derive(Clone, Debug, PartialEq)]
pub struct TriedRow {
    /// The value as a setting takes it.
    pub label: String,
    /// The value: bytes, or bytes a second.
    pub value: u64,
    /// The share of trials that are bad.
    pub bad: f64,
    /// Its interval.
    pub interval: (f64, f64),
}

/// The page of a plan.
///
/// # Errors
/// If a plot cannot be drawn.
pub fn plan_page(plan: &Plan) -> Result<String, ReportError> {
    page::planned::page(plan)
}
