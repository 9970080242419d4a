//! The verdict a scenario asks for: comparisons on paths into the summary.
//!
//! A path is one of [`METRICS`], with a name where a list stands: servers and standbys by their
//! name, slots by `server/slot_name`, failovers by number from 1. A comparison is an operator and
//! an operand in the metric's unit, or with a unit (`'< 5ms'` on `latency_ms.p50`). A path that
//! cannot exist is reported when the file is read; one that a run did not fill (no such slot, no
//! failover) does not hold, and what was measured is then `null`.
//!
//! `order` compares variants with each other, see [`order`]; `share(...)` is about many runs, see
//! [`mod@share`].

mod metrics;
pub mod order;
pub mod share;

use models::trace::law::Law;
use models::trace::summary::{ExpectationSummary, Summary};
use models::units::{Lsn, LsnError};

use crate::error::{Finding, choices, enumerate, nearest};
use crate::limits;
use crate::quantity;
use crate::resolve::Context;
use crate::tree::{Entry, Table};

pub use metrics::{METRICS, Metric};

/// One line of `[expect]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Path into the summary, such as `latency_ms.p50` or `standbys.pg2.lost`.
    pub metric: String,
    /// The comparison as written, such as `< 5`.
    pub wanted: String,
}

/// What a metric is, which decides what it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number.
    Number,
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// `true` or `false`.
    Bool,
    /// A WAL position.
    Lsn,
    /// One of these words; any word if there are none.
    Word(&'static [&'static str]),
    /// A list of these words: `==` asks whether it has one.
    Words(&'static [&'static str]),
}

/// Lists whose entries are addressed by name.
const LISTS: [&str; 6] = ["servers", "standbys", "slots", "failovers", "laws", "statements"];

/// What a path may begin with.
const TOPS: [&str; 12] = [
    "commits",
    "latency_ms",
    "tps",
    "servers",
    "standbys",
    "slots",
    "failovers",
    "laws",
    "simulated_seconds",
    "events",
    "digest",
    "statements",
];

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// The longer spelling first, so that `<=` is not read as `<`.
const OPERATORS: [(&str, Operator); 6] = [
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("<", Operator::Below),
    (">", Operator::Above),
];

/// What a metric is compared with.
#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Null,
    Number(f64),
    Bool(bool),
    Lsn(Lsn),
    Word(String),
}

impl Expectation {
    /// Looks the path up and compares. A path that leads nowhere does not hold, and says so.
    pub fn judge(&self, summary: &Summary) -> ExpectationSummary {
        let measured = toml::Value::try_from(summary).ok().and_then(|v| look_up(&v, &self.metric));
        let unit = unit(&self.metric).unwrap_or(Unit::Word(&[]));
        let met = comparison(&self.wanted, unit)
            .is_ok_and(|(operator, operand)| holds(measured.as_ref(), operator, &operand));
        ExpectationSummary {
            metric: self.metric.clone(),
            wanted: self.wanted.clone(),
            measured: measured.map_or("null".to_owned(), |value| show(&value, unit)),
            met,
        }
    }
}

/// The unit of a path; `None` if no summary has it.
pub fn unit(metric: &str) -> Option<Unit> {
    let general = match metric.split_once('.') {
        Some((list, rest)) if LISTS.contains(&list) => match rest.split_once('.')?.1 {
            rows if list == "servers" && rows.starts_with("rows.") => "servers.X.rows.Y".to_owned(),
            field => format!("{list}.X.{field}"),
        },
        _ => metric.to_owned(),
    };
    METRICS.iter().find(|metric| metric.path == general).map(|metric| metric.unit)
}

fn look_up(summary: &toml::Value, path: &str) -> Option<toml::Value> {
    let mut at = summary;
    for part in path.split('.') {
        at = match at {
            toml::Value::Table(table) => table.get(part)?,
            toml::Value::Array(items) => match part.parse::<usize>() {
                Ok(number) => items.get(number.checked_sub(1)?)?,
                Err(_) => items.iter().find(|item| is_called(item, part))?,
            },
            _ => return None,
        };
    }
    Some(at.clone())
}

/// Every metric that a summary has, by its path, in the order of the summary; what is absent in it
/// is left out. Of statements of one name the first.
pub fn values(summary: &Summary) -> Vec<(String, Measured)> {
    let mut found = Vec::new();
    if let Ok(toml::Value::Table(table)) = toml::Value::try_from(summary) {
        for (key, value) in table {
            collect(key, value, &mut found);
        }
    }
    found
}

fn collect(path: String, value: toml::Value, found: &mut Vec<(String, Measured)>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                collect(format!("{path}.{key}"), value, found);
            }
        }
        toml::Value::Array(items) if LISTS.contains(&path.as_str()) => {
            for (index, item) in items.into_iter().enumerate() {
                let below = format!("{path}.{}", name_of(&item, index));
                collect(below, item, found);
            }
        }
        value => {
            let is_new = || found.iter().all(|(known, _)| *known != path);
            if let Some(unit) = unit(&path).filter(|_| is_new()) {
                found.push((path, Measured::of(&value, unit)));
            }
        }
    }
}

/// What one run measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// A number in the metric's unit.
    Number(f64),
    /// Anything else, as text.
    Word(String),
}

impl Measured {
    fn of(value: &toml::Value, unit: Unit) -> Measured {
        match value {
            toml::Value::Integer(n) => Measured::Number(*n as f64),
            toml::Value::Float(n) => Measured::Number(*n),
            other => Measured::Word(show(other, unit)),
        }
    }
}

/// What an entry of a list is addressed by.
fn name_of(item: &toml::Value, index: usize) -> String {
    let text = |key: &str| item.get(key).and_then(toml::Value::as_str);
    match (text("server"), text("slot_name"), text("name")) {
        (Some(server), Some(slot), _) => format!("{server}/{slot}"),
        (_, _, Some(name)) => name.to_owned(),
        (_, _, None) => (index + 1).to_string(),
    }
}

fn is_called(item: &toml::Value, name: &str) -> bool {
    let text = |key: &str| item.get(key).and_then(toml::Value::as_str);
    match (text("server"), text("slot_name")) {
        (Some(server), Some(slot)) => name.split_once('/') == Some((server, slot)),
        _ => text("name") == Some(name),
    }
}

fn holds(measured: Option<&toml::Value>, operator: Operator, operand: &Operand) -> bool {
    use std::cmp::Ordering;
    let order = match (measured, operand) {
        (None, Operand::Null) => Some(Ordering::Equal),
        // Nothing is equal to an absent value, and everything differs from it.
        (None, _) | (Some(_), Operand::Null) => None,
        (Some(toml::Value::Integer(n)), Operand::Number(m)) => (*n as f64).partial_cmp(m),
        (Some(toml::Value::Float(n)), Operand::Number(m)) => n.partial_cmp(m),
        (Some(toml::Value::Boolean(a)), Operand::Bool(b)) if a == b => Some(Ordering::Equal),
        (Some(toml::Value::String(text)), Operand::Lsn(lsn)) => {
            text.parse::<Lsn>().ok().map(|at| at.cmp(lsn))
        }
        (Some(toml::Value::String(text)), Operand::Word(word)) if text == word => {
            Some(Ordering::Equal)
        }
        (Some(toml::Value::Array(items)), Operand::Word(word)) => {
            let has = items.iter().any(|item| item.as_str() == Some(word));
            has.then_some(Ordering::Equal)
        }
        _ => None,
    };
    match operator {
        Operator::Equal => order == Some(Ordering::Equal),
        Operator::Unequal => order != Some(Ordering::Equal),
        Operator::Below => order == Some(Ordering::Less),
        Operator::AtMost => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Operator::Above => order == Some(Ordering::Greater),
        Operator::AtLeast => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

/// A measured value for people.
fn show(value: &toml::Value, unit: Unit) -> String {
    let number = match value {
        toml::Value::Integer(n) => *n as f64,
        toml::Value::Float(n) => *n,
        toml::Value::String(text) => return text.clone(),
        toml::Value::Array(items) => {
            let words: Vec<&str> = items.iter().filter_map(toml::Value::as_str).collect();
            return words.join(", ");
        }
        other => return other.to_string(),
    };
    unit.show(number)
}

impl Unit {
    /// A number of this unit for people, such as `4.25ms`.
    pub fn show(self, number: f64) -> String {
        match self {
            Unit::Millis => format!("{}ms", decimals(number)),
            Unit::Seconds => format!("{}s", decimals(number)),
            Unit::Bytes => size(number),
            Unit::Number | Unit::Bool | Unit::Lsn | Unit::Word(_) | Unit::Words(_) => {
                decimals(number)
            }
        }
    }
}

/// At most three decimals, none that say nothing.
fn decimals(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn size(bytes: f64) -> String {
    let units = [("TB", 40), ("GB", 30), ("MB", 20), ("kB", 10)];
    let large = units.iter().find(|(_, shift)| bytes.abs() >= (1u64 << shift) as f64);
    match large {
        Some((unit, shift)) => {
            format!("{}{unit}", decimals((bytes / (1u64 << shift) as f64 * 10.0).round() / 10.0))
        }
        None => format!("{}B", decimals(bytes)),
    }
}

/// Reads `< 5ms`; on a mistake what is wrong and what is allowed.
fn comparison(text: &str, unit: Unit) -> Result<(Operator, Operand), (String, String)> {
    let text = text.trim();
    let operators = || enumerate(OPERATORS.iter().map(|(o, _)| *o));
    let Some((spelling, operator)) = OPERATORS.iter().find(|(s, _)| text.starts_with(s)) else {
        let value = text.trim_start_matches('=').trim();
        let help = match operand(value, unit) {
            Ok(_) => format!("it begins with one of {}: '== {value}'", operators()),
            Err(help) => format!("it begins with one of {}; {help}", operators()),
        };
        return Err((format!("`{text}` is no comparison"), help));
    };
    let rest = text[spelling.len()..].trim();
    let operand = operand(rest, unit)
        .map_err(|help| (format!("`{rest}` cannot be compared with this metric"), help))?;
    let ordered = matches!(operand, Operand::Number(_) | Operand::Lsn(_));
    if !ordered && !matches!(operator, Operator::Equal | Operator::Unequal) {
        let message = format!("`{spelling}` does not work with `{rest}`");
        return Err((message, "only `==` and `!=` do".to_owned()));
    }
    Ok((*operator, operand))
}

fn operand(text: &str, unit: Unit) -> Result<Operand, String> {
    if text == "null" {
        return Ok(Operand::Null);
    }
    let plain = || {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1.0, digits),
            None => (1.0, text),
        };
        quantity::decimal(digits).map(|(n, d)| sign * (n as f64) / (d as f64))
    };
    let number =
        |value: Option<f64>, help: &str| value.map(Operand::Number).ok_or_else(|| help.to_owned());
    let nanos = || quantity::duration(text).ok().map(|d| d.0 as f64);
    match unit {
        Unit::Number => number(plain(), "it is a number without a unit"),
        Unit::Millis => number(
            plain().or_else(|| nanos().map(|ns| ns / 1e6)),
            "it is a time: '5ms', or a bare number of milliseconds",
        ),
        Unit::Seconds => number(
            plain().or_else(|| nanos().map(|ns| ns / 1e9)),
            "it is a time: '5s', or a bare number of seconds",
        ),
        Unit::Bytes => number(
            plain().or_else(|| quantity::size(text).ok().map(|b| b.0 as f64)),
            "it is a size: '16MB', or a bare number of bytes",
        ),
        Unit::Bool => match text {
            "true" => Ok(Operand::Bool(true)),
            "false" => Ok(Operand::Bool(false)),
            _ => Err("it is `true` or `false`".to_owned()),
        },
        Unit::Lsn => text
            .parse()
            .map(Operand::Lsn)
            .map_err(|e: LsnError| format!("{e}; a WAL position is written 0/3000028")),
        Unit::Word([]) if text.is_empty() => Err("name a value".to_owned()),
        Unit::Word([]) => Ok(Operand::Word(text.to_owned())),
        Unit::Word(words) | Unit::Words(words) => {
            if words.contains(&text) {
                Ok(Operand::Word(text.to_owned()))
            } else {
                Err(choices(text, "it is one of", words.iter().copied()))
            }
        }
    }
}

/// The servers that a path may name.
#[derive(Clone, Copy)]
struct Names<'a> {
    servers: &'a [&'a str],
    primary: Option<&'a str>,
}

/// Reads `[expect]` of a file whose variant's replacements are already in it.
pub(crate) fn read(cx: Context<'_>, servers: &[&str], primary: Option<&str>) -> Vec<Expectation> {
    let names = Names { servers, primary };
    let Some(node) = cx.root.get("expect") else { return Vec::new() };
    let Some(table) = node.table() else {
        let message = format!("`expect` is a table of comparisons, not {}", node.kind());
        cx.findings.push(Finding::new(node.span, message));
        return Vec::new();
    };
    lines(cx, table, names)
}

fn lines(cx: Context<'_>, table: &Table, names: Names<'_>) -> Vec<Expectation> {
    let mut flat = table.flatten();
    if flat.len() > limits::MOST_EXPECTATIONS {
        let message = format!("{} expectations are too many", flat.len());
        cx.findings.push(Finding::new(table.span, message).help("at most 1,000"));
        return Vec::new();
    }
    flat.retain(|(metric, _)| !metric.starts_with(order::PREFIX) && !share::is_one(metric));
    flat.into_iter().filter_map(|(metric, entry)| line(cx, metric, entry, names)).collect()
}

fn line(cx: Context<'_>, metric: String, entry: &Entry, names: Names<'_>) -> Option<Expectation> {
    let found = check_path(&metric, names);
    let unit = match found {
        Ok(unit) => unit,
        Err((message, help)) => {
            cx.findings.push(Finding::new(entry.key_span, message).help(help));
            return None;
        }
    };
    let wanted = match &entry.node.value {
        crate::tree::Value::Text(text) => text.clone(),
        // A bare value is what it has to be.
        _ => match entry.node.scalar() {
            Some(value) => format!("== {value}"),
            None => {
                let message =
                    format!("`{metric}` is compared with one value, not {}", entry.node.kind());
                let finding = Finding::new(entry.node.span, message);
                cx.findings.push(finding.help("write a comparison: '< 5'"));
                return None;
            }
        },
    };
    if let Err((message, help)) = comparison(&wanted, unit) {
        let finding = Finding::new(entry.node.span, format!("`{metric}`: {message}"));
        cx.findings.push(finding.help(help));
        return None;
    }
    Some(Expectation { metric, wanted })
}

/// Whether some run could have this path.
fn check_path(metric: &str, names: Names<'_>) -> Result<Unit, (String, String)> {
    let shown = metric.escape_debug();
    let (list, rest) = metric.split_once('.').unwrap_or((metric, ""));
    if !LISTS.contains(&list) {
        let plain = || METRICS.iter().map(|m| m.path).filter(|m| !m.contains(".X."));
        return unit(metric).ok_or_else(|| {
            let below: Vec<&str> = plain().filter(|m| m.starts_with(&format!("{list}."))).collect();
            let help = match nearest(metric, plain()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if below.is_empty() => choices(list, "a path begins with one of", TOPS),
                None => choices(metric, "there are", below),
            };
            (format!("there is no metric `{shown}`"), help)
        });
    }
    let (name, field) = rest.split_once('.').unwrap_or((rest, ""));
    check_name(list, name, names)?;
    unit(metric).ok_or_else(|| {
        let prefix = format!("{list}.X.");
        let fields: Vec<&str> =
            METRICS.iter().filter_map(|m| m.path.strip_prefix(&prefix)).collect();
        (format!("there is no metric `{shown}`"), choices(field, &format!("{list} have"), fields))
    })
}

fn check_name(list: &str, name: &str, all: Names<'_>) -> Result<(), (String, String)> {
    let Names { servers, primary } = all;
    let known = |server: &str| servers.is_empty() || servers.contains(&server);
    let names = || servers.iter().copied();
    let shown = name.escape_debug();
    match list {
        "servers" | "standbys" if !known(name) => {
            Err((format!("there is no server `{shown}`"), choices(name, "the file has", names())))
        }
        "standbys" if Some(name) == primary => {
            let help = format!("a primary is addressed as servers.{name}");
            Err((format!("`{shown}` is the primary, not a standby"), help))
        }
        "slots" => match name.split_once('/') {
            Some((server, _)) if known(server) => Ok(()),
            Some((server, _)) => {
                let message = format!("there is no server `{}`", server.escape_debug());
                Err((message, choices(server, "the file has", names())))
            }
            None => {
                let help = "a slot is addressed by its server and its name: \
                            'slots.pg1/standby_slot.wal_status'";
                Err((format!("`{shown}` is no slot"), help.to_owned()))
            }
        },
        "statements" if name.is_empty() || name == "0" => {
            let help = "a statement is addressed by its number, from 1, or by the name of its \
                        [action.X]: 'statements.1.sqlstate'";
            Err((format!("`{shown}` is no statement"), help.to_owned()))
        }
        "laws" if !Law::ALL.iter().any(|law| law.name() == name) => {
            let laws = Law::ALL.into_iter().map(Law::name);
            Err((format!("there is no law `{shown}`"), choices(name, "there are", laws)))
        }
        "failovers" if !name.parse::<u32>().is_ok_and(|n| n > 0) => {
            let help = "failovers are addressed by number, from 1: 'failovers.1.lost_commits'";
            Err((format!("`{shown}` is no failover"), help.to_owned()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use models::trace::law::Violations;
    use models::trace::summary::{
        Commits, FailoverSummary, LagBands, LatencyMs, MaxEnd, ServerSummary, SlotSummary,
        StandbySummary, StatementSummary,
    };
    use models::units::TimelineId;

    use super::*;

    fn summary() -> Summary {
        let standby = StandbySummary {
            name: "pg2".to_owned(),
            upstream: "pg1".to_owned(),
            connected: true,
            lost: false,
            sent_lsn: Lsn(0x300_0148),
            write_lsn: Lsn(0x300_0148),
            flush_lsn: Lsn(0x300_0148),
            replay_lsn: Lsn(0x300_0148),
            lag_bytes: MaxEnd { max: 5 << 20, end: 0 },
            replay_lag_seconds: MaxEnd { max: 1.5, end: 0.0 },
            lag_bands: LagBands::default(),
            sync_state: "sync",
            wal_needed_bytes: 1 << 30,
        };
        let slot = SlotSummary {
            server: "pg1".to_owned(),
            slot_name: "standby_slot".to_owned(),
            active: true,
            restart_lsn: None,
            wal_status: Some("extended"),
            wal_status_seen: vec!["reserved", "extended"],
            safe_wal_size: Some(-(16 << 20)),
            retained_bytes: MaxEnd { max: 1 << 30, end: 1 << 20 },
            wal_needed_bytes: 1 << 30,
        };
        let server = ServerSummary {
            name: "pg1".to_owned(),
            role: "primary",
            timeline: TimelineId(1),
            insert_lsn: Lsn(0x300_0148),
            flush_lsn: Lsn(0x300_0148),
            pg_wal_bytes: MaxEnd { max: 80 << 20, end: 80 << 20 },
            checkpoints: 2,
            downtime_seconds: 0.0,
            rows: [("orders".to_owned(), 100)].into(),
        };
        let statement = StatementSummary {
            name: "count".to_owned(),
            server: "pg1".to_owned(),
            at_seconds: 1.5,
            sql: "select count(*) from orders".to_owned(),
            value: Some("t"),
            count: Some(100),
            sqlstate: Some("00000"),
            message: None,
        };
        let failover = FailoverSummary {
            at_seconds: 3.0,
            from: "pg1".to_owned(),
            to: "pg2".to_owned(),
            timeline: TimelineId(2),
            lost_commits: 7,
            downtime_seconds: 2.0,
        };
        Summary {
            commits: Commits { attempted: 10, acknowledged: 9, unknown: 1, ..Commits::default() },
            latency_ms: LatencyMs { p50: 4.25, ..LatencyMs::default() },
            servers: vec![server],
            standbys: vec![standby],
            slots: vec![slot],
            failovers: vec![failover],
            statements: vec![statement],
            laws: Violations::default().summary(),
            ..Summary::default()
        }
    }

    fn judge(metric: &str, wanted: &str) -> (bool, String) {
        let expectation = Expectation { metric: metric.to_owned(), wanted: wanted.to_owned() };
        let ExpectationSummary { met, measured, .. } = expectation.judge(&summary());
        (met, measured)
    }

    #[test]
    fn comparisons_convert_units() {
        for (metric, wanted, met, measured) in [
            ("commits.lost", "== 0", true, "0"),
            ("commits.acknowledged", ">= 10", false, "9"),
            ("latency_ms.p50", "< 5ms", true, "4.25ms"),
            ("latency_ms.p50", "< 5", true, "4.25ms"),
            ("latency_ms.p50", "> 4300us", false, "4.25ms"),
            ("standbys.pg2.lag_bytes.max", "<= 5MB", true, "5MB"),
            ("standbys.pg2.lag_bytes.max", "< 5242880", false, "5MB"),
            ("standbys.pg2.replay_lag_seconds.max", "< 2s", true, "1.5s"),
            ("standbys.pg2.replay_lag_seconds.max", "< 1", false, "1.5s"),
            ("standbys.pg2.lost", "== false", true, "false"),
            ("standbys.pg2.sync_state", "!= sync", false, "sync"),
            ("standbys.pg2.replay_lsn", ">= 0/3000000", true, "0/3000148"),
            ("servers.pg1.role", "== primary", true, "primary"),
            ("slots.pg1/standby_slot.safe_wal_size", "< 0", true, "-16MB"),
            ("failovers.1.lost_commits", "== 7", true, "7"),
            ("failovers.1.to", "== pg2", true, "pg2"),
            ("servers.pg1.rows.orders", ">= 100", true, "100"),
            ("statements.1.count", "< 100", false, "100"),
            ("statements.count.at_seconds", "< 2s", true, "1.5s"),
            ("statements.1.sqlstate", "== 00000", true, "00000"),
        ] {
            assert!(unit(metric).is_some(), "{metric}");
            assert_eq!(judge(metric, wanted), (met, measured.to_owned()), "{metric} {wanted}");
        }
    }

    #[test]
    fn absent_values_are_null_and_differ_from_everything_else() {
        let slot = |field: &str| format!("slots.pg1/standby_slot.{field}");
        assert_eq!(judge(&slot("restart_lsn"), "== null"), (true, "null".to_owned()));
        assert!(!judge(&slot("restart_lsn"), "> 0/1").0);
        assert!(judge(&slot("restart_lsn"), "!= 0/1").0);
        assert!(!judge(&slot("wal_status"), "== null").0);
        assert_eq!(judge("failovers.2.lost_commits", "== 0"), (false, "null".to_owned()));
        assert_eq!(judge("standbys.pg3.lost", "== false"), (false, "null".to_owned()));
        assert_eq!(judge("no.such.path", "== 0"), (false, "null".to_owned()));
    }

    #[test]
    fn every_value_is_found_by_the_path_that_expectations_use() {
        let values = values(&summary());
        let number = |path: &str| values.iter().find(|(p, _)| p == path).map(|(_, v)| v.clone());
        assert_eq!(number("latency_ms.p50"), Some(Measured::Number(4.25)));
        assert_eq!(number("failovers.1.lost_commits"), Some(Measured::Number(7.0)));
        assert_eq!(number("standbys.pg2.lost"), Some(Measured::Word("false".to_owned())));
        let seen = number("slots.pg1/standby_slot.wal_status_seen");
        assert_eq!(seen, Some(Measured::Word("reserved, extended".to_owned())));
        assert_eq!(number("servers.pg1.rows.orders"), Some(Measured::Number(100.0)));
        for (path, value) in values {
            let summary = toml::Value::try_from(summary()).expect("a table");
            let found = look_up(&summary, &path).expect("it is there");
            assert_eq!(Measured::of(&found, unit(&path).expect("a metric")), value, "{path}");
        }
    }

    #[test]
    fn a_list_is_asked_whether_it_has_a_word() {
        let seen = "slots.pg1/standby_slot.wal_status_seen";
        assert_eq!(judge(seen, "== reserved"), (true, "reserved, extended".to_owned()));
        assert!(judge(seen, "!= lost").0);
        assert!(!judge(seen, "!= extended").0);
    }

    #[test]
    fn every_metric_is_one_of_the_summary() {
        let value = toml::Value::try_from(summary()).expect("a table");
        for Metric { path: metric, .. } in METRICS {
            let (list, _) = metric.split_once('.').unwrap_or((metric, ""));
            let name = match list {
                "standbys" => "pg2",
                "servers" => "pg1",
                "slots" => "pg1/standby_slot",
                "failovers" => "1",
                "statements" => "count",
                "laws" => Law::Forward.name(),
                _ => "",
            };
            // A slot's position may be absent.
            if *metric == "slots.X.restart_lsn" {
                continue;
            }
            let path = metric.replace(".X.", &format!(".{name}.")).replace(".Y", ".orders");
            assert!(look_up(&value, &path).is_some(), "{path}");
        }
    }
}
