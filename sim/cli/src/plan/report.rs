//! The answer as `reports` takes it: the same sentences and numbers, and the curves behind them.
//!
//! Told and measured answers differ in their parts; the WAL over the season and where the worst
//! outages begin are worked out here for both.

use models::units::{Bytes, Duration, human};
use reports::plan::{
    Alert, Clock, Disk, DiskRow, Distribution, Figure, Part, Plan, Season, SeasonPart, Survival,
    SurvivalLine, Tried, TriedRow,
};
use sim::estimate::Share;
use sim::plan::disk;
use sim::plan::measure::Quantity;
use sim::plan::room::Room;

use super::Searched;
use super::given::Given;
use super::measured::Measured;
use super::sought::Looked;
use super::told::{RELOAD, Told, not_modelled, outages, setting, source, volume, worst};

const DAY: Duration = Duration::s(86_400);
const WEEK: Duration = Duration::s(7 * 86_400);
/// Parts of a day and of a week.
const STEPS: (Duration, Duration) = (Duration::s(1_800), Duration::s(3_600));
/// Parts of a season that is shorter than a day: the first of these of which it has no more than
/// 48, in seconds.
const SHORT_STEPS: [u64; 10] = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800];
const MOST_STEPS: u64 = 48;
/// Lengths of outages on a survival curve: a multiple of those in the table.
const LENGTHS: u64 = 60;
/// Times that an alarm may leave, in minutes.
const ALARMS: (u64, u64) = (5, 120);

/// The answer to what a setting has to be.
pub fn told(told: &Told<'_>, disk: &[disk::Disk]) -> Plan {
    let (given, answer) = (told.given, told.answer);
    let name = told.keep.name();
    let trials = answer.trials.len();
    let found = answer.value;
    let line = told.line();
    let needs_most = match found {
        Some(_) => worst(&answer.trials, |trial| trial.needed_to_survive()),
        None => Vec::new(),
    };
    let season = season(given, &needs_most, "that need most");
    let mut parts = vec![part("Because", told.because(), season.into_iter().collect())];
    if let Some(value) = found {
        parts.push(part("Risk", told.risk(), vec![survival(told)]));
        let row = |disk: &disk::Disk| DiskRow {
            label: setting(disk.value),
            value: disk.value,
            median: disk.median,
            most: disk.most,
        };
        let rows = disk.iter().map(row).collect();
        let disk = Figure::Disk(Disk {
            setting: name,
            rows,
            enough: value,
            is_recommended: line.is_some(),
            volume: given.volume,
        });
        parts.push(part("It takes", told.takes(), vec![disk, alert(told)]));
        parts.extend(both(given, found, told.room, "lost"));
    }
    parts.extend(closing(given, trials));
    Plan {
        name: name.to_owned(),
        question: format!("How large must {name} be?"),
        is_line: line.is_some(),
        is_found: line.is_some(),
        answer: line.unwrap_or_else(|| told.none()),
        paste: paste(told.alter_system()),
        facts: facts(given, &of_outages(given), trials),
        parts,
        repeat: told.repeat.clone(),
    }
}

/// What puts a setting in force, if that needs a statement.
fn paste(alter_system: Option<String>) -> Vec<String> {
    alter_system.map_or(Vec::new(), |alter| vec![alter, RELOAD.to_owned()])
}

/// The other risk, if the size of the volume is known.
fn both(given: &Given, value: Option<Bytes>, room: Option<&Room>, bad: &str) -> Option<Part> {
    let (size, room) = given.volume.zip(room)?;
    Some(part("pg_wal's volume", volume(size, value, room, bad), Vec::new()))
}

/// The answer to what a setting has to be that the run feeds back on.
pub fn sought(looked: &Looked<'_>) -> Plan {
    let (given, sight) = (looked.given, looked.sight);
    let (name, bad, line) = (given.goal.name(), looked.bad(), looked.line());
    let row = |(value, share): &(u64, Share)| TriedRow {
        label: looked.shown(*value),
        value: *value,
        bad: share.value(),
        interval: (share.low, share.high),
    };
    let tried = sight.value.zip(sight.low).map(|(enough, low)| {
        Figure::Tried(Tried {
            setting: name,
            bad: bad.clone(),
            is_bandwidth: matches!(looked.searched, Searched::Bandwidth { .. }),
            rows: sight.curve.iter().map(row).collect(),
            enough,
            is_recommended: line.is_some(),
            low,
            trials: sight.trials,
            risk: given.question.sampling.risk,
        })
    });
    let season = season(given, &[], "").into_iter().collect();
    let mut parts = vec![
        part("Because", looked.because(), season),
        part("Risk", looked.risk(), tried.into_iter().collect()),
    ];
    if !looked.brings.is_empty() {
        parts.push(part("It takes", looked.takes(), Vec::new()));
    }
    parts.extend(both(given, sight.value.map(Bytes), looked.room, &bad));
    parts.extend(closing(given, sight.trials));
    Plan {
        name: name.to_owned(),
        question: match looked.searched {
            Searched::Bandwidth { .. } => "How much bandwidth does the standby need?".to_owned(),
            Searched::MaxWalSize => format!("How large must {name} be?"),
        },
        is_line: line.is_some(),
        is_found: line.is_some(),
        answer: line.unwrap_or_else(|| looked.none()),
        paste: paste(looked.alter_system()),
        facts: facts(given, &looked.trial(), sight.trials),
        parts,
        repeat: looked.repeat.clone(),
    }
}

/// What outages come to with the settings as they are.
pub fn measured(measured: &Measured<'_>, is_found: bool) -> Plan {
    let (given, found, quantity) = (measured.given, measured.found, measured.quantity);
    let (name, question, title, measure, has_worst) = match quantity {
        Quantity::PgWal => (
            "pg_wal",
            "How large does pg_wal grow while a standby is away?",
            "Size of pg_wal",
            "pg_wal at its largest",
            "in which pg_wal grows largest",
        ),
        Quantity::CaughtUp => (
            "--until caught_up",
            "When has the standby caught up?",
            "Time to catch up",
            "from the standby's return",
            "after which it takes longest",
        ),
        Quantity::DiskFull(_) => (
            "--until disk_full",
            "When is pg_wal's volume full?",
            "Time until the volume is full",
            "from the moment the standby leaves",
            "that fill the volume soonest",
        ),
    };
    let trials = found.trials.len();
    let worst = match found.value {
        Some(_) => worst(&found.trials, |trial| quantity.of(trial)),
        None => Vec::new(),
    };
    let mut values: Vec<u64> =
        found.trials.iter().filter_map(|trial| quantity.shown(trial)).collect();
    values.sort_unstable();
    let distribution = Figure::Distribution(Distribution {
        title,
        measure,
        is_bytes: quantity == Quantity::PgWal,
        is_falling: matches!(quantity, Quantity::DiskFull(_)),
        values,
        trials,
        risk: given.question.sampling.risk,
        value: found.value,
        other: found.other,
    });
    let season = season(given, &worst, has_worst);
    let figures = std::iter::once(distribution).chain(season).collect();
    let mut parts = vec![part("Because", measured.because(), figures)];
    parts.extend(closing(given, trials));
    Plan {
        name: name.to_owned(),
        question: question.to_owned(),
        answer: measured.answer(),
        is_line: false,
        is_found,
        paste: Vec::new(),
        facts: facts(given, &of_outages(given), trials),
        parts,
        repeat: measured.repeat.clone(),
    }
}

fn part(title: &'static str, said: Vec<String>, figures: Vec<Figure>) -> Part {
    Part { title, said, figures }
}

fn closing(given: &Given, trials: usize) -> [Part; 2] {
    [
        part("From", source(given, trials), Vec::new()),
        part("Not modelled", not_modelled(given), Vec::new()),
    ]
}

fn of_outages(given: &Given) -> String {
    format!("outages ({})", outages(&given.question.stage.outages))
}

/// The answer in short: so many trials, of what.
fn facts(given: &Given, of: &str, trials: usize) -> Vec<(&'static str, String)> {
    let stage = &given.question.stage;
    vec![
        ("trials", format!("{} {of}", human::count(trials as u64))),
        ("accepted risk", human::share(given.question.sampling.risk)),
        ("PostgreSQL", stage.scenario.pg_version.to_string()),
        ("seed", stage.seed.to_string()),
        ("Walden", sim::VERSION.to_owned()),
    ]
}

/// WAL over the season; `None`: it comes at a constant rate.
fn season(given: &Given, worst: &[Duration], are: &'static str) -> Option<Figure> {
    let history = &given.question.history;
    if history.samples().len() <= 2 {
        return None;
    }
    let length = history.season();
    let (clock, step) = match given.starts {
        Some(_) if length == WEEK => (Clock::Week, STEPS.1),
        Some(_) if length == DAY => (Clock::Day, STEPS.0),
        _ if length == WEEK => (Clock::Unknown, STEPS.1),
        _ if length == DAY => (Clock::Unknown, STEPS.0),
        _ => {
            let fits = |seconds: &u64| length.0.div_ceil(Duration::s(*seconds).0) <= MOST_STEPS;
            (Clock::Unknown, Duration::s(SHORT_STEPS.into_iter().find(fits).unwrap_or(3_600)))
        }
    };
    // The first sample's place in the season as the clock has it.
    let first = match (clock, given.starts) {
        (Clock::Week | Clock::Day, Some(seconds)) => Duration::s(seconds).0 % length.0,
        (Clock::Week | Clock::Day, None) | (Clock::Unknown, _) => 0,
    };
    let begins: Vec<u64> = worst.iter().map(|left| (first + left.0) % length.0).collect();
    let part = |from: u64| {
        let to = (from + step.0).min(length.0);
        let of_season = Duration((from + length.0 - first) % length.0);
        let mut rates = history.rates(of_season, Duration(to - from));
        rates.sort_unstable();
        SeasonPart {
            from: Duration(from),
            to: Duration(to),
            median: rates.get(rates.len() / 2).copied(),
            most: rates.last().copied(),
            worst: begins.iter().filter(|&&at| from <= at && at < to).count(),
        }
    };
    let parts = (0..length.0.div_ceil(step.0)).map(|n| part(n * step.0)).collect();
    let times = (history.length().0 / length.0).max(1) as usize;
    Some(Figure::Season(Season { clock, times, parts, worst: are }))
}

/// The survival curve, with the interval of the recommended value.
fn survival(told: &Told<'_>) -> Figure {
    let mut curve = told.curve(LENGTHS);
    let values = curve.first().map_or(Vec::new(), |(_, shares)| shares.clone());
    let at_once = |(value, _): &(Bytes, _)| (*value, told.answer.survival(Duration::ZERO, *value));
    curve.insert(0, (Duration::ZERO, values.iter().map(at_once).collect()));
    let line = |(n, (value, _)): (usize, &(Bytes, _))| SurvivalLine {
        label: setting(*value),
        value: *value,
        points: curve.iter().map(|(length, shares)| (*length, shares[n].1)).collect(),
    };
    let interval = |(length, _): &(Duration, _)| {
        let (low, high) = told.answer.survival_interval(*length, told.answer.value?)?;
        Some((*length, low, high))
    };
    Figure::Survival(Survival {
        setting: told.keep.name(),
        risk: told.given.question.sampling.risk,
        trials: told.answer.trials.len(),
        lines: values.iter().enumerate().map(line).collect(),
        is_recommended: told.value().is_some(),
        interval: curve.iter().filter_map(interval).collect(),
    })
}

/// How far behind a standby may be for each time that an alarm may leave.
fn alert(told: &Told<'_>) -> Figure {
    let asked = told.given.alert;
    let mut times: Vec<Duration> =
        (1..=ALARMS.1 / ALARMS.0).map(|n| Duration::s(60 * ALARMS.0 * n)).collect();
    times.push(asked);
    times.sort_unstable();
    times.dedup();
    let rows = times.into_iter().map(|time| (time, told.alert(time))).collect();
    Figure::Alert(Alert { asked, rows })
}
