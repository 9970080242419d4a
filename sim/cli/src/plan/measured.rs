//! What outages do with the settings as they are: pg_wal, the way back, a full disk.

use models::units::Bytes;
use models::units::human::{self, share};
use reports::plan::Plan;
use serde::Serialize;
use sim::plan::measure::{Found, Quantity};

use super::curves::Curves;
use super::given::Given;
use super::told::{Counted, counted, not_modelled, outages, section, source};
use crate::errors::Failure;
use crate::terminal::{Style, Terminal};

/// What was measured and where it comes from.
pub struct Measured<'a> {
    /// What was asked.
    pub given: &'a Given,
    /// What was measured.
    pub quantity: Quantity,
    /// What came of it.
    pub found: &'a Found,
    /// The command that gives the same answer.
    pub repeat: String,
}

impl Measured<'_> {
    /// The number alone.
    pub fn value(&self) -> String {
        self.found.value.map_or_else(|| "never".to_owned(), |value| self.shown(value))
    }

    fn shown(&self, value: u64) -> String {
        match self.quantity {
            Quantity::PgWal => human::bytes(value),
            Quantity::CaughtUp | Quantity::DiskFull(_) => human::duration(value),
        }
    }

    /// The answer in a sentence.
    pub(super) fn answer(&self) -> String {
        let question = &self.given.question;
        let of = format!(
            "In all but {} of the outages ({})",
            share(question.sampling.risk),
            outages(&question.stage.outages)
        );
        match (self.quantity, self.found.value) {
            (Quantity::PgWal, _) => format!("{of} pg_wal takes at most {}.", self.value()),
            (Quantity::CaughtUp, Some(_)) => {
                format!("{of} the standby has caught up {} after its return.", self.value())
            }
            (Quantity::CaughtUp, None) => "The standby does not catch up.".to_owned(),
            (Quantity::DiskFull(size), Some(_)) => format!(
                "{of} pg_wal does not take {} sooner than {} after the standby left.",
                human::bytes(size.0),
                self.value()
            ),
            (Quantity::DiskFull(size), None) => {
                format!("{of} pg_wal does not take {}.", human::bytes(size.0))
            }
        }
    }

    /// Prints it.
    pub fn print(&self, terminal: &mut Terminal) {
        terminal.line(terminal.paint(Style::Bold, &self.answer()));
        section(terminal, "Because", &self.because());
        section(terminal, "From", &source(self.given, self.found.trials.len()));
        section(terminal, "Not modelled", &not_modelled(self.given));
        section(terminal, "Repeat with", std::slice::from_ref(&self.repeat));
    }

    /// What it is read from.
    pub(super) fn because(&self) -> Vec<String> {
        let question = &self.given.question;
        let written = question.written(&question.stage.outages);
        let mut said = vec![format!(
            "in all but {} of the outages at most {} of WAL is written, by the history alone",
            share(question.sampling.risk),
            human::bytes(written.0)
        )];
        said.extend(self.at_least(written));
        let never = self.found.trials.iter().filter(|trial| trial.caught_up.is_none());
        let lost = self.found.trials.iter().filter(|trial| trial.lost).count();
        let (never, of) = (never.count(), self.found.trials.len());
        if lost > 0 {
            said.push(format!("{lost} of {of} standbys were lost: the WAL they need was gone"));
        }
        if never > lost {
            said.push(format!(
                "{} of {of} standbys had not caught up after four times as long, or an hour: link \
                 or replay are slower than the WAL",
                never - lost
            ));
        }
        let ends = (self.found.other, self.found.value, self.found.middle);
        if let (Some(other), Some(value), Some(middle)) = ends {
            said.push(format!(
                "played by the models it is {}, between {} and {} (95 %)",
                self.shown(middle),
                self.shown(other.min(value)),
                self.shown(other.max(value))
            ));
        }
        said.push(format!("beyond that: {}", counted(&self.found.beyond)));
        said
    }

    /// What follows from so much WAL without any model.
    fn at_least(&self, written: Bytes) -> Option<String> {
        let stage = &self.given.question.stage;
        let standby = &stage.scenario.servers[stage.standby];
        let link = stage.scenario.link(standby.upstream?, stage.standby)?;
        match self.quantity {
            Quantity::PgWal => Some(
                "a slot or wal_keep_size keeps it, max_slot_wal_keep_size cuts it off, and files \
                 that checkpoints use again come in addition"
                    .to_owned(),
            ),
            Quantity::CaughtUp => {
                let rate = link.bandwidth.min(standby.replay);
                let by = if rate == standby.replay { "replay" } else { "the link" };
                Some(format!(
                    "{by} takes {} for that, at {}/s; meanwhile more is written",
                    human::duration(rate.time_for(written).0),
                    human::bytes(rate.bytes_per_second())
                ))
            }
            Quantity::DiskFull(_) => None,
        }
    }

    /// All of it for a program.
    pub fn json(&self, report: Option<&Plan>) -> Result<String, Failure> {
        let (quantity, unit, per) = match self.quantity {
            Quantity::PgWal => ("pg_wal", "bytes", 1.0),
            Quantity::CaughtUp => ("caught_up", "seconds", 1e9),
            Quantity::DiskFull(_) => ("disk_full", "seconds", 1e9),
        };
        let number = |value: Option<u64>| value.map(|value| value as f64 / per);
        let whole = Whole {
            schema: "walden.plan/1",
            walden: sim::VERSION,
            quantity,
            unit,
            value: number(self.found.value),
            middle: number(self.found.middle),
            other: number(self.found.other),
            accepted_risk: self.given.question.sampling.risk,
            beyond: (&self.found.beyond).into(),
            curves: report.map(Curves::of),
            repeat_with: &self.repeat,
        };
        serde_json::to_string_pretty(&whole)
            .map_err(|error| Failure::Internal { message: error.to_string() })
    }
}

#[derive(Serialize)]
struct Whole<'a> {
    schema: &'static str,
    walden: &'static str,
    quantity: &'static str,
    unit: &'static str,
    value: Option<f64>,
    middle: Option<f64>,
    other: Option<f64>,
    accepted_risk: f64,
    beyond: Counted,
    #[serde(skip_serializing_if = "Option::is_none")]
    curves: Option<Curves>,
    repeat_with: &'a str,
}
