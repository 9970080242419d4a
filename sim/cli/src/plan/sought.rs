//! A bandwidth, or `max_wal_size`, in the one shape that every plan has.

use models::units::human::share;
use models::units::{Bytes, Duration, human};
use reports::plan::Plan;
use serde::Serialize;
use sim::plan::max_wal_size::{Brings, MaxWalSize};
use sim::plan::outage::Outages;
use sim::plan::room::Room;
use sim::plan::search::Sight;

use super::Searched;
use super::curves::Curves;
use super::given::Given;
use super::told::{
    Counted, RELOAD, Volume, alter_system, counted, not_modelled, outages, section, setting,
    source, volume,
};
use crate::errors::Failure;
use crate::screen::grid;
use crate::terminal::{Style, Terminal};

/// What was found and where it comes from.
pub struct Looked<'a> {
    /// What was asked.
    pub given: &'a Given,
    /// Which of them.
    pub searched: Searched,
    /// What was found.
    pub sight: &'a Sight,
    /// What `max_wal_size` brings with it.
    pub brings: &'a [Brings],
    /// The other risk.
    pub room: Option<&'a Room>,
    /// The command that gives the same answer.
    pub repeat: String,
}

/// Values in the table, at most.
const ROWS: usize = 8;

impl Looked<'_> {
    fn name(&self) -> &'static str {
        self.searched.name()
    }

    /// The value that meets all that is asked for.
    pub fn value(&self) -> Option<u64> {
        let value = self.sight.value?;
        let fits = |room: &Room| room.largest.is_some_and(|largest| value <= largest.0);
        self.room.is_none_or(fits).then_some(value)
    }

    /// The line for `postgresql.conf`, or for a link of a scenario.
    pub fn line(&self) -> Option<String> {
        self.value().map(|value| format!("{} = '{}'", self.name(), self.shown(value)))
    }

    /// The statement that sets it.
    pub(super) fn alter_system(&self) -> Option<String> {
        let value = self.value().filter(|_| self.searched == Searched::MaxWalSize)?;
        Some(alter_system(self.name(), &self.shown(value)))
    }

    /// A value as the setting takes it.
    pub(super) fn shown(&self, value: u64) -> String {
        match self.searched {
            Searched::Bandwidth { .. } => human::bits(value),
            Searched::MaxWalSize => setting(Bytes(value)),
        }
    }

    /// What a trial is.
    pub(super) fn trial(&self) -> String {
        let question = &self.given.question;
        match self.searched {
            Searched::Bandwidth { outage: true, .. } => {
                format!("outages ({})", outages(&question.stage.outages))
            }
            Searched::Bandwidth { within, .. } => {
                let stretch = sim::plan::bandwidth::stretch(within);
                format!("stretches of {}", human::duration(stretch.0))
            }
            Searched::MaxWalSize => {
                format!("stretches of {} (checkpoint_timeout)", human::duration(self.timeout().0))
            }
        }
    }

    fn timeout(&self) -> Duration {
        let scenario = &self.given.question.stage.scenario;
        scenario.servers[scenario.primary()].settings.checkpoint_timeout
    }

    /// What a trial comes to that is not good.
    pub(super) fn bad(&self) -> String {
        match self.searched {
            Searched::Bandwidth { within, outage: true } => {
                format!("not caught up after {}", human::duration(within.0))
            }
            Searched::Bandwidth { within, .. } => {
                format!("more than {} behind", human::duration(within.0))
            }
            Searched::MaxWalSize => "a checkpoint because of WAL".to_owned(),
        }
    }

    /// What is said if no value is enough, or none meets both risks.
    pub(super) fn none(&self) -> String {
        let what = if self.sight.value.is_some() { "meets both risks" } else { "is enough" };
        format!("No {} {what}.", self.name())
    }

    /// Prints it.
    pub fn print(&self, terminal: &mut Terminal) {
        match (self.line(), self.alter_system()) {
            (Some(line), alter) => {
                terminal.line(terminal.paint(Style::Bold, &line));
                if let Some(alter) = alter {
                    terminal.line("");
                    terminal.line(format!("  {alter}"));
                    terminal.line(format!("  {RELOAD}"));
                }
            }
            (None, _) => {
                terminal.line(terminal.paint(Style::Bold, &self.none()));
            }
        }
        section(terminal, "Because", &self.because());
        section(terminal, "Risk", &self.risk());
        if !self.brings.is_empty() {
            section(terminal, "It takes", &self.takes());
        }
        if let (Some(size), Some(room)) = (self.given.volume, self.room) {
            let value = self.sight.value.map(Bytes);
            section(terminal, "pg_wal's volume", &volume(size, value, room, &self.bad()));
        }
        self.curve(terminal);
        section(terminal, "From", &source(self.given, self.sight.trials));
        section(terminal, "Not modelled", &not_modelled(self.given));
        section(terminal, "Repeat with", std::slice::from_ref(&self.repeat));
    }

    /// The history's own answer, without any model.
    fn by_history(&self) -> u64 {
        by_history(self.given, self.searched)
    }

    /// Why it is that value.
    pub(super) fn because(&self) -> Vec<String> {
        let question = &self.given.question;
        let of = format!("in all but {} of the {}", share(question.sampling.risk), self.trial());
        let alone = self.shown(self.by_history());
        let mut said = vec![match self.searched {
            Searched::Bandwidth { within, outage: true } => format!(
                "{of} what is written meanwhile and in the {} after it goes through {alone} in \
                 that time, by the history alone",
                human::duration(within.0)
            ),
            Searched::Bandwidth { within, .. } => format!(
                "{of} {alone} is enough that no WAL waits longer than {}, by the history alone",
                human::duration(within.0)
            ),
            Searched::MaxWalSize => {
                let written = question.written(&Outages::Fixed(self.timeout()));
                format!(
                    "{of} at most {} of WAL is written, by the history alone; with \
                     checkpoint_completion_target that is a max_wal_size of {alone}",
                    human::bytes(written.0)
                )
            }
        }];
        let ends = (self.sight.low, self.sight.middle, self.sight.value);
        let (Some(low), Some(middle), Some(value)) = ends else {
            said.push(format!(
                "{} trials: {} however large it is: {}",
                self.sight.trials,
                self.bad(),
                match self.searched {
                    Searched::Bandwidth { .. } =>
                        "the way there and back, the window or replay decide",
                    Searched::MaxWalSize => "more is not tried",
                }
            ));
            return said;
        };
        said.push(format!(
            "played by the models it is {}, between {} and {} (95 %)",
            self.shown(middle),
            self.shown(low),
            self.shown(value)
        ));
        said.extend(self.apart(middle));
        said.push(format!("{} is the upper end: more trials bring it down", self.shown(value)));
        said
    }

    /// Why models and history say different things, if they do by more than a twentieth.
    fn apart(&self, middle: u64) -> Option<String> {
        let alone = self.by_history();
        let (more, of) = (middle > alone, alone.max(1) as f64);
        let by = middle.abs_diff(alone) as f64 / of;
        let why = match (self.searched, more) {
            _ if by <= APART => return None,
            (Searched::Bandwidth { .. }, true) => {
                "the standby is not there at once, headers take their share, and replay its time"
            }
            (Searched::Bandwidth { .. }, false) => "it connects in quiet minutes, and paths differ",
            (_, true) => "checkpoints that come early, and fresh ones, write full-page images anew",
            (_, false) => "fewer checkpoints than there were write fewer full-page images",
        };
        Some(format!("that is {} {} than by the history: {why}", share(by), more_or_less(more)))
    }

    /// What may go wrong all the same.
    pub(super) fn risk(&self) -> Vec<String> {
        let accepted = share(self.given.question.sampling.risk);
        let (played, as_expected) = self.sight.checked;
        vec![
            format!("{}: {}; accepted: {accepted}", self.bad(), counted(&self.sight.bad)),
            format!("with the next smaller value: {}", counted(&self.sight.bad_below)),
            format!(
                "{as_expected} of {played} trials played at other values came out as they must if \
                 a larger one is never worse"
            ),
        ]
    }

    /// What it takes: disk, and time to recover from a crash.
    pub(super) fn takes(&self) -> Vec<String> {
        let of = |of: fn(&Brings) -> u64| {
            let mut all: Vec<u64> = self.brings.iter().map(of).collect();
            all.sort_unstable();
            (all[all.len() / 2], all[all.len() - 1])
        };
        let (pg_wal, most) = of(|brings| brings.pg_wal.0);
        let (redo, most_redo) = of(|brings| brings.redo.0);
        let (recovery, longest) = of(|brings| brings.recovery.0);
        vec![
            format!("pg_wal grows to {}, at most {}", human::bytes(pg_wal), human::bytes(most)),
            format!(
                "a crash has up to {} of WAL to recover from, at most {}: {}, at most {} at the \
                 primary's replay rate",
                human::bytes(redo),
                human::bytes(most_redo),
                human::duration(recovery),
                human::duration(longest)
            ),
        ]
    }

    fn curve(&self, terminal: &mut Terminal) {
        let mut points: Vec<_> = self.sight.curve.iter().collect();
        while points.len() > ROWS {
            // What lies closest together says least.
            let gap = |n: usize| points[n + 1].1.value() - points[n - 1].1.value();
            let least = (1..points.len() - 1).min_by(|a, b| gap(*b).total_cmp(&gap(*a)));
            points.remove(least.unwrap_or(1));
        }
        terminal.line("");
        let title = format!("Of the {}", self.trial());
        terminal.line(terminal.paint(Style::Bold, &title));
        let mut rows = vec![vec![format!("with {}", self.name()), self.bad()]];
        rows.extend(points.iter().map(|(value, bad)| vec![self.shown(*value), share(bad.value())]));
        for line in grid(&rows) {
            terminal.line(format!("  {line}"));
        }
    }

    /// All of it for a program.
    pub fn json(&self, report: Option<&Plan>) -> Result<String, Failure> {
        let sight = self.sight;
        let whole = Whole {
            schema: "walden.plan/1",
            walden: sim::VERSION,
            setting: self.name(),
            unit: match self.searched {
                Searched::Bandwidth { .. } => "bytes a second",
                Searched::MaxWalSize => "bytes",
            },
            value: self.value(),
            line: self.line(),
            alter_system: self.alter_system(),
            accepted_risk: self.given.question.sampling.risk,
            edge: Edge { low: sight.low, middle: sight.middle, high: sight.value },
            by_history: self.by_history(),
            bad: (&sight.bad).into(),
            bad_one_step_less: (&sight.bad_below).into(),
            checked: Checked { trials: sight.checked.0, as_predicted: sight.checked.1 },
            curve: sight
                .curve
                .iter()
                .map(|(v, bad)| Point { value: *v, bad: bad.into() })
                .collect(),
            volume: self.given.volume.zip(self.room).map(|(size, room)| Volume::new(size, room)),
            curves: report.map(Curves::of),
            repeat_with: &self.repeat,
        };
        serde_json::to_string_pretty(&whole)
            .map_err(|error| Failure::Internal { message: error.to_string() })
    }
}

/// How far models and history may be apart without a word.
const APART: f64 = 0.05;

fn more_or_less(more: bool) -> &'static str {
    if more { "more" } else { "less" }
}

/// The history's own answer, without any model; the search begins there.
pub fn by_history(given: &Given, searched: Searched) -> u64 {
    let question = &given.question;
    match searched {
        Searched::Bandwidth { within, outage } => question.carried(outage, within),
        Searched::MaxWalSize => {
            let scenario = &question.stage.scenario;
            let timeout = scenario.servers[scenario.primary()].settings.checkpoint_timeout;
            let written = question.written(&Outages::Fixed(timeout));
            MaxWalSize::for_wal(&question.stage, written).0
        }
    }
}

#[derive(Serialize)]
struct Whole<'a> {
    schema: &'static str,
    walden: &'static str,
    setting: &'static str,
    unit: &'static str,
    value: Option<u64>,
    line: Option<String>,
    alter_system: Option<String>,
    accepted_risk: f64,
    edge: Edge,
    by_history: u64,
    bad: Counted,
    bad_one_step_less: Counted,
    checked: Checked,
    curve: Vec<Point>,
    volume: Option<Volume>,
    #[serde(skip_serializing_if = "Option::is_none")]
    curves: Option<Curves>,
    repeat_with: &'a str,
}

#[derive(Serialize)]
struct Edge {
    low: Option<u64>,
    middle: Option<u64>,
    high: Option<u64>,
}

#[derive(Serialize)]
struct Checked {
    trials: usize,
    as_predicted: usize,
}

#[derive(Serialize)]
struct Point {
    value: u64,
    bad: Counted,
}
