//! The answer, in the one shape that every plan has: the line to paste, because, risk, what is not
//! modelled, the command that repeats it.

use std::cmp::Reverse;

use models::units::human::share;
use models::units::{Bytes, Duration, human};
use reports::plan::Plan;
use serde::Serialize;
use sim::estimate::Share;
use sim::plan::outage::Outages;
use sim::plan::room::{Risks, Room};
use sim::plan::trial::Trial;
use sim::plan::{Answer, Keep};

use super::curves::Curves;
use super::given::Given;
use super::{Goal, Searched};
use crate::errors::Failure;
use crate::screen::grid;
use crate::terminal::{Style, Terminal, plain, wrap};

/// An answer and where it comes from.
pub struct Told<'a> {
    /// What was asked.
    pub given: &'a Given,
    /// The setting.
    pub keep: Keep,
    /// What came of it.
    pub answer: &'a Answer,
    /// The other risk.
    pub room: Option<&'a Room>,
    /// The command that gives the same answer.
    pub repeat: String,
}

/// A length of outages, and the share of standbys that survive it with each value.
pub(super) type Survival = (Duration, Vec<(Bytes, Option<f64>)>);

/// What puts a setting in force.
pub const RELOAD: &str = "SELECT pg_reload_conf();";
/// The outages that need most: one in so many.
const WORST: usize = 20;
/// Lengths of outages in the table, in parts of the longest.
const PARTS: u64 = 6;

impl Told<'_> {
    /// The value that meets all that is asked for.
    pub fn value(&self) -> Option<Bytes> {
        let value = self.answer.value?;
        let fits = |room: &Room| room.largest.is_some_and(|largest| value <= largest);
        self.room.is_none_or(fits).then_some(value)
    }

    /// The line for `postgresql.conf`; `None`: no value is enough, or none meets both risks.
    pub fn line(&self) -> Option<String> {
        Some(format!("{} = '{}'", self.keep.name(), setting(self.value()?)))
    }

    /// The statement that sets it.
    pub(super) fn alter_system(&self) -> Option<String> {
        Some(alter_system(self.keep.name(), &setting(self.value()?)))
    }

    /// What is said if no value is enough, or none meets both risks.
    pub(super) fn none(&self) -> String {
        let what = if self.answer.value.is_some() { "meets both risks" } else { "is enough" };
        format!("No {} {what}.", self.keep.name())
    }

    /// Prints it.
    pub fn print(&self, terminal: &mut Terminal) {
        match (self.line(), self.alter_system()) {
            (Some(line), Some(alter)) => {
                terminal.line(terminal.paint(Style::Bold, &line));
                terminal.line("");
                terminal.line(format!("  {alter}"));
                terminal.line(format!("  {RELOAD}"));
            }
            _ => {
                terminal.line(terminal.paint(Style::Bold, &self.none()));
            }
        }
        section(terminal, "Because", &self.because());
        if self.answer.value.is_some() {
            section(terminal, "Risk", &self.risk());
            section(terminal, "It takes", &self.takes());
            if let (Some(size), Some(room)) = (self.given.volume, self.room) {
                let said = volume(size, self.answer.value, room, "lost");
                section(terminal, "pg_wal's volume", &said);
            }
            self.survival(terminal);
        }
        section(terminal, "From", &source(self.given, self.answer.trials.len()));
        section(terminal, "Not modelled", &not_modelled(self.given));
        section(terminal, "Repeat with", std::slice::from_ref(&self.repeat));
    }

    /// Why it is that value.
    pub(super) fn because(&self) -> Vec<String> {
        let question = &self.given.question;
        let written = question.written(&question.stage.outages);
        let of = share(question.sampling.risk);
        let mut said = vec![format!(
            "in all but {of} of the outages ({}) at most {} of WAL is written, by the history \
             alone",
            outages(&question.stage.outages),
            human::bytes(written.0),
        )];
        let (low, high) = self.answer.interval;
        let Some(value) = self.answer.value else {
            let never = self.answer.trials.iter().filter(|t| t.caught_up.is_none()).count();
            said.push(format!(
                "{never} of {} standbys had not caught up after four times as long, or an hour: \
                 link or replay are slower than the WAL",
                self.answer.trials.len()
            ));
            return said;
        };
        said.push(format!(
            "the standby needs all from the segment it left in to the end of the last checkpoint \
             that ends before it has read it again: the value that loses exactly {of} lies \
             between {} and {} (95 %)",
            setting(low),
            setting(high)
        ));
        said.extend(self.when());
        let middle = self.answer.middle;
        let apart = human::bytes(middle.0.abs_diff(written.0));
        said.push(if middle.0.abs_diff(written.0) <= 2 * self.answer.segment.bytes() {
            format!("in the middle of it is {}, as by the history", setting(middle))
        } else if middle < written {
            format!(
                "in the middle of it is {}, {apart} less than by the history: WAL after the last \
                 checkpoint that ends before its return is not at risk",
                setting(middle)
            )
        } else {
            format!(
                "in the middle of it is {}, {apart} more than by the history: WAL comes while it \
                 catches up",
                setting(middle)
            )
        });
        said.push(format!("{} is the upper end: more trials bring it down", setting(value)));
        said
    }

    /// The hour at which the outages begin that need most.
    fn when(&self) -> Option<String> {
        let season = self.given.question.history.season();
        let starts = self.given.starts.filter(|_| season >= Duration::s(86_400))?;
        let worst = worst(&self.answer.trials, Trial::needed_to_survive);
        let mut hours = [0; 24];
        for left in &worst {
            let second = starts + left.0 / 1_000_000_000;
            hours[(second / 3_600 % 24) as usize] += 1;
        }
        let (hour, &most) = hours.iter().enumerate().max_by_key(|(hour, n)| (**n, 23 - hour))?;
        if 2 * most < worst.len() {
            return None;
        }
        Some(format!(
            "of the {} outages that need most, {most} begin between {hour:02}:00 and {:02}:00 UTC",
            worst.len(),
            (hour + 1) % 24
        ))
    }

    /// What may go wrong all the same.
    pub(super) fn risk(&self) -> Vec<String> {
        let answer = self.answer;
        vec![
            format!(
                "lost: {}; accepted: {}",
                counted(&answer.lost),
                share(self.given.question.sampling.risk)
            ),
            format!("with one segment less: {}", counted(&answer.lost_below)),
            format!(
                "{} of {} trials played again with the setting in force came out as predicted",
                answer.as_predicted(),
                answer.again.len()
            ),
        ]
    }

    /// What it takes: disk, time, a warning.
    pub(super) fn takes(&self) -> Vec<String> {
        let mut said = Vec::new();
        if let Some((median, most)) = self.answer.pg_wal() {
            let (median, most) = (human::bytes(median.0), human::bytes(most.0));
            said.push(format!("pg_wal grows to {median}, at most {most}"));
        }
        if let Some((median, most)) = self.answer.catch_up() {
            said.push(format!(
                "the standby catches up in {}, at most {}",
                human::duration(median.0),
                human::duration(most.0)
            ));
        }
        if let Some(behind) = self.alert(self.given.alert) {
            said.push(format!(
                "warn when it is more than {} behind: that leaves {}",
                human::bytes(behind.0),
                human::duration(self.given.alert.0)
            ));
        } else {
            said.push(format!(
                "no warning leaves {}: more WAL than that comes in less time",
                human::duration(self.given.alert.0)
            ));
        }
        said
    }

    /// How far behind a standby may be for the time that a warning has to leave.
    pub(super) fn alert(&self, leaves: Duration) -> Option<Bytes> {
        let soon = self.given.question.written(&Outages::Fixed(leaves));
        let behind = self.answer.value?.0.checked_sub(soon.0 + self.answer.segment.bytes())?;
        (behind > 0).then_some(Bytes(behind))
    }

    /// The points of the survival curve at so many parts of the longest outage: outages, values,
    /// shares.
    pub(super) fn curve(&self, parts: u64) -> Vec<Survival> {
        let Some(value) = self.answer.value else { return Vec::new() };
        let segment = self.answer.segment.bytes();
        let of = |quarters: u64| Bytes(value.0 * quarters / 4 / segment * segment);
        let longest = self.answer.trials.iter().map(|trial| trial.outage).max();
        let longest = longest.unwrap_or_default();
        let lengths = (1..=parts).map(|part| Duration(longest.0 / PARTS * PARTS * part / parts));
        let row = |length: Duration| {
            let shares = (1..=4).map(|quarters| {
                let value = of(quarters);
                (value, self.answer.survival(length, value))
            });
            let mut shares: Vec<_> = shares.collect();
            // A part is never better than the whole, though a sample may say so.
            let mut most = None;
            for (_, share) in shares.iter_mut().rev() {
                *share = share.map(|share| most.map_or(share, |most: f64| most.min(share)));
                most = *share;
            }
            (length, shares)
        };
        lengths.map(row).collect()
    }

    fn survival(&self, terminal: &mut Terminal) {
        let curve = self.curve(PARTS);
        let Some((_, first)) = curve.first() else { return };
        terminal.line("");
        terminal.line(terminal.paint(Style::Bold, "Standbys that survive an outage of"));
        let mut header = vec![format!("with {}", self.keep.name())];
        header.extend(first.iter().map(|(value, _)| setting(*value)));
        let mut rows = vec![header];
        rows.extend(curve.iter().map(|(length, shares)| {
            let mut row = vec![human::duration(length.0)];
            row.extend(shares.iter().map(|(_, s)| s.map_or("-".to_owned(), share)));
            row
        }));
        for line in grid(&rows) {
            terminal.line(format!("  {line}"));
        }
    }

    /// All of it for a program.
    pub fn json(&self, report: Option<&Plan>) -> Result<String, Failure> {
        let (low, high) = self.answer.interval;
        let question = &self.given.question;
        let whole = Whole {
            schema: "walden.plan/1",
            walden: sim::VERSION,
            setting: self.keep.name(),
            value_bytes: self.value().map(|value| value.0),
            line: self.line(),
            alter_system: self.alter_system(),
            accepted_risk: question.sampling.risk,
            lost: (&self.answer.lost).into(),
            lost_one_segment_less: (&self.answer.lost_below).into(),
            edge_bytes: Edge { low: low.0, middle: self.answer.middle.0, high: high.0 },
            written_bytes: question.written(&question.stage.outages).0,
            checked: Checked {
                trials: self.answer.again.len(),
                as_predicted: self.answer.as_predicted(),
            },
            pg_wal_bytes: self
                .answer
                .pg_wal()
                .map(|(p50, most)| Spread { p50: p50.0, most: most.0 }),
            catch_up_seconds: self
                .answer
                .catch_up()
                .map(|(p50, most)| Spread { p50: p50.as_seconds(), most: most.as_seconds() }),
            alert: Alert {
                minutes: self.given.alert.as_seconds() / 60.0,
                behind_bytes: self.alert(self.given.alert).map(|behind| behind.0),
            },
            survival: self.points(),
            volume: self.given.volume.zip(self.room).map(|(size, room)| Volume::new(size, room)),
            curves: report.map(Curves::of),
            repeat_with: &self.repeat,
        };
        serde_json::to_string_pretty(&whole)
            .map_err(|error| Failure::Internal { message: error.to_string() })
    }

    fn points(&self) -> Vec<Point> {
        let points = self.curve(PARTS).into_iter().flat_map(|(length, shares)| {
            let point = move |(value, share): (Bytes, Option<f64>)| Point {
                outage_seconds: length.as_seconds(),
                value_bytes: value.0,
                share,
            };
            shares.into_iter().map(point)
        });
        points.collect()
    }
}

/// Where in the history the outages begin that are worst: one in so many of all.
pub fn worst<T: Ord>(trials: &[Trial], bad: impl Fn(&Trial) -> T) -> Vec<Duration> {
    let mut worst: Vec<_> = trials.iter().collect();
    worst.sort_by_key(|trial| Reverse(bad(trial)));
    worst.truncate(trials.len().div_ceil(WORST));
    worst.into_iter().map(|trial| trial.left).collect()
}

/// Where the WAL of a plan comes from.
pub fn source(given: &Given, trials: usize) -> Vec<String> {
    let question = &given.question;
    let stage = &question.stage;
    let length = human::duration(question.history.length().0);
    let wal = question.history.samples().last().map_or(0, |sample| sample.bytes.0);
    let what = if given.has_outages() { "outages" } else { "stretches" };
    let over = |of| format!("{what} are placed evenly over the hours of a {of}");
    let mut said = vec![match question.history.season() {
        _ if given.constant => format!("{}/s of WAL, always", human::bytes(wal / 3_600)),
        season if season == Duration::s(7 * 86_400) => {
            format!("{} of WAL in {length}; {}", human::bytes(wal), over("week"))
        }
        season if season == Duration::s(86_400) => {
            format!("{} of WAL in {length}; {}", human::bytes(wal), over("day"))
        }
        _ => format!(
            "{} of WAL in {length}, which is too short to have hours of a day",
            human::bytes(wal)
        ),
    }];
    said.extend(given.remarks.iter().map(|remark| plain(remark)));
    let primary = &stage.scenario.servers[stage.scenario.primary()].settings;
    said.push(format!(
        "PostgreSQL {}, checkpoint_timeout = '{}s', max_wal_size = '{}', seed {}, {} trials",
        stage.scenario.pg_version,
        primary.checkpoint_timeout.0 / 1_000_000_000,
        setting(primary.max_wal_size),
        stage.seed,
        trials
    ));
    said
}

/// What no plan knows.
pub fn not_modelled(given: &Given) -> Vec<String> {
    let longer = if given.has_outages() { ", --stress for longer outages" } else { "" };
    let second = match given.goal {
        Goal::Keep(_) | Goal::Measure(_) => {
            "what the outage does to the clients; other standbys and slots that keep WAL"
        }
        Goal::Search(Searched::Bandwidth { .. }) => {
            "other traffic on the link; what is slow makes clients wait"
        }
        Goal::Search(Searched::MaxWalSize) => {
            "checkpoints that somebody asks for; other databases on the volume"
        }
    };
    vec![
        format!("a future unlike the history: --growth asks for more WAL{longer}"),
        second.to_owned(),
    ]
}

/// The two risks of a setting that takes disk, side by side.
pub fn volume(size: Bytes, value: Option<Bytes>, room: &Room, bad: &str) -> Vec<String> {
    let size = human::bytes(size.0);
    let risks =
        |risks: &Risks| format!("full: {}; {bad}: {}", counted(&risks.full), counted(&risks.bad));
    let mut said = Vec::new();
    if let (Some(value), Some(at)) = (value, &room.at_value) {
        said.push(format!("{size} with {}: {}", setting(value), risks(at)));
    }
    said.push(match (room.largest, &room.at_largest) {
        (Some(largest), Some(at)) => {
            format!(
                "the largest value that fits into {size} is {}: {}",
                setting(largest),
                risks(at)
            )
        }
        _ => format!("{size} becomes full with any value"),
    });
    said
}

/// The statement that sets it.
pub fn alter_system(name: &str, value: &str) -> String {
    format!("ALTER SYSTEM SET {name} = '{value}';")
}

/// A size as a setting takes it.
pub fn setting(size: Bytes) -> String {
    if size.0.is_multiple_of(1 << 30) {
        format!("{}GB", size.0 >> 30)
    } else {
        format!("{}MB", size.0.div_ceil(1 << 20))
    }
}

/// A share of trials with its interval.
pub fn counted(lost: &Share) -> String {
    format!(
        "{} of {} trials, {} (95 %: {} to {})",
        lost.hits,
        lost.of,
        share(lost.value()),
        share(lost.low),
        share(lost.high)
    )
}

/// Lengths of outages in words.
pub fn outages(outages: &Outages) -> String {
    let length = |length: Duration| human::duration(length.0);
    match outages {
        Outages::Fixed(fixed) => length(*fixed),
        Outages::Spread(_) => format!("up to {}", length(outages.longest())),
        Outages::Past(past) => {
            format!("one of {}, up to {}", past.len(), length(outages.longest()))
        }
    }
}

/// A titled paragraph.
pub fn section(terminal: &mut Terminal, title: &str, lines: &[String]) {
    terminal.line("");
    terminal.line(terminal.paint(Style::Bold, title));
    for line in lines {
        let room = terminal.width().saturating_sub(4);
        for (n, part) in wrap(line, room).iter().enumerate() {
            terminal.line(format!("  {}{part}", if n == 0 { "" } else { "  " }));
        }
    }
}

#[derive(Serialize)]
struct Whole<'a> {
    schema: &'static str,
    walden: &'static str,
    setting: &'static str,
    value_bytes: Option<u64>,
    line: Option<String>,
    alter_system: Option<String>,
    accepted_risk: f64,
    lost: Counted,
    lost_one_segment_less: Counted,
    edge_bytes: Edge,
    written_bytes: u64,
    checked: Checked,
    pg_wal_bytes: Option<Spread<u64>>,
    catch_up_seconds: Option<Spread<f64>>,
    alert: Alert,
    survival: Vec<Point>,
    #[serde(skip_serializing_if = "Option::is_none")]
    volume: Option<Volume>,
    #[serde(skip_serializing_if = "Option::is_none")]
    curves: Option<Curves>,
    repeat_with: &'a str,
}

/// A share of trials for a program.
#[derive(Serialize)]
pub struct Counted {
    trials: usize,
    of: usize,
    share: f64,
    low: f64,
    high: f64,
}

impl From<&Share> for Counted {
    fn from(share: &Share) -> Counted {
        let Share { hits, of, low, high } = *share;
        Counted { trials: hits, of, share: share.value(), low, high }
    }
}

/// Both risks for a program.
#[derive(Serialize)]
pub struct Volume {
    size_bytes: u64,
    largest_bytes: Option<u64>,
    at_largest: Option<Both>,
    at_value: Option<Both>,
}

impl Volume {
    /// Of a volume of this size.
    pub fn new(size: Bytes, room: &Room) -> Volume {
        let both = |risks: &Risks| Both { full: (&risks.full).into(), bad: (&risks.bad).into() };
        Volume {
            size_bytes: size.0,
            largest_bytes: room.largest.map(|largest| largest.0),
            at_largest: room.at_largest.as_ref().map(both),
            at_value: room.at_value.as_ref().map(both),
        }
    }
}

#[derive(Serialize)]
struct Both {
    full: Counted,
    bad: Counted,
}

#[derive(Serialize)]
struct Edge {
    low: u64,
    middle: u64,
    high: u64,
}

#[derive(Serialize)]
struct Checked {
    trials: usize,
    as_predicted: usize,
}

#[derive(Serialize)]
struct Spread<T> {
    p50: T,
    most: T,
}

#[derive(Serialize)]
struct Alert {
    minutes: f64,
    behind_bytes: Option<u64>,
}

#[derive(Serialize)]
struct Point {
    outage_seconds: f64,
    value_bytes: u64,
    share: Option<f64>,
}
