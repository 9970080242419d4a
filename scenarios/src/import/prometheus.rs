//! What Prometheus kept of postgres_exporter or Patroni: WAL positions, WAL kept, lags.
//!
//! Either the JSON of a range query (`/api/v1/query_range`), or a CSV: a column of time and a
//! column a series whose name has the metric in it (as Grafana writes it), or columns `metric` and
//! `value`. The best series of WAL positions is the history; of the other metrics that are known
//! there are quantiles. Where several series have one metric (a standby each) the foremost
//! position counts, and every value of the rest.
//!
//! **Source.** postgres_exporter `collector/pg_replication_slot.go`, `pg_wal.go`,
//! `pg_replication.go` and `queries.go`; Patroni `api.py:do_GET_metrics`; Prometheus HTTP API,
//! *Range queries*.
//!
//! **Not modelled.** Without a standby or a slot postgres_exporter has no WAL position at all.
//! Values are floating point there: positions beyond 8 PB lose bytes.

use std::collections::BTreeMap;

use models::units::Lsn;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::moment::{self, Moment};
use super::spread::Spread;
use super::table::{Rows, TIME_NAMES};
use super::wal_history::{Counts, Making, Sample, WalHistory};
use super::{File, Told};
use crate::error::{Finding, Findings, enumerate};

/// What was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// WAL by time, if a series has positions.
    pub history: Option<WalHistory>,
    /// The other metrics, in the order of [`METRICS`], each in its [`unit()`].
    pub others: Vec<(&'static str, Spread)>,
    /// What became of the values.
    pub told: Told,
}

/// Metrics of WAL positions, the best first.
pub const POSITIONS: [&str; 3] = [
    "pg_stat_replication_pg_current_wal_lsn_bytes",
    "pg_replication_slots_slot_current_wal_lsn",
    "patroni_xlog_location",
];

/// Other metrics that are known.
pub const METRICS: [&str; 8] = [
    "pg_stat_replication_pg_wal_lsn_diff",
    "pg_replication_slots_pg_wal_lsn_diff",
    "pg_replication_slots_safe_wal_size_bytes",
    "pg_replication_slot_safe_wal_size_bytes",
    "pg_wal_size_bytes",
    "pg_wal_segments",
    "pg_replication_lag_seconds",
    "pg_replication_last_replay_seconds",
];

const QUERY_HELP: &str = "take the whole answer of /api/v1/query_range?query=...&step=60";
const VALUE_HELP: &str = "a value is a time and a text, such as [1795410000, \"437346728\"]";

/// Why a value is none.
const NAN: &str = "NaN: the exporter had no value";

/// What the values of a metric are kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Thousandths of a second; Prometheus has seconds.
    Milliseconds,
    /// So many.
    Count,
}

/// What the values of a metric are kept in.
pub fn unit(metric: &str) -> Unit {
    if metric.ends_with("_seconds") {
        Unit::Milliseconds
    } else if metric.ends_with("_segments") {
        Unit::Count
    } else {
        Unit::Bytes
    }
}

/// A value of a series.
#[derive(Clone, Copy)]
struct Point {
    moment: Moment,
    value: u64,
    file: usize,
    line: usize,
}

#[derive(Default)]
struct Points {
    by_metric: BTreeMap<&'static str, Vec<Point>>,
    told: Told,
}

/// The answer to a range query.
#[derive(Deserialize)]
struct Answer<'a> {
    status: String,
    error: Option<String>,
    #[serde(borrow)]
    data: Option<Data<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(rename = "resultType")]
    kind: String,
    #[serde(borrow)]
    result: Vec<Series<'a>>,
}

#[derive(Deserialize)]
struct Series<'a> {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    #[serde(borrow, default)]
    values: Vec<&'a RawValue>,
}

/// Reads answers and tables; what is wrong is left in `findings`.
pub(super) fn parse(files: &[File<'_>], findings: &Findings) -> Option<Kept> {
    let mut points = Points::default();
    for (number, file) in files.iter().enumerate() {
        if file.text.trim_start().starts_with(['{', '[']) {
            json(*file, number, &mut points, findings);
        } else {
            csv(*file, number, &mut points, findings);
        }
    }
    if !findings.is_empty() {
        return None;
    }
    let Points { mut by_metric, told } = points;
    let positions = POSITIONS.iter().find_map(|metric| by_metric.remove(metric));
    let others: Vec<(&'static str, Spread)> = METRICS
        .iter()
        .filter_map(|metric| {
            let values = by_metric.get(metric)?.iter().map(|point| point.value).collect();
            Some((*metric, Spread::of(values)?))
        })
        .collect();
    let Some(positions) = positions else {
        if others.is_empty() {
            let known = enumerate(POSITIONS.iter().chain(&METRICS).copied());
            let finding = Finding::new(files.first()?.first_line(), "no value of a known metric");
            findings.push(finding.help(format!("metrics are {known}")));
            return None;
        }
        return Some(Kept { history: None, others, told });
    };
    let making = Making { files, told, counts: Counts::Positions };
    let history = making.finish(foremost(positions), "two moments of a WAL position", findings)?;
    let told = history.told.clone();
    Some(Kept { history: Some(history), others, told })
}

/// One position a moment, in order of time: the largest.
fn foremost(points: Vec<Point>) -> Vec<Sample> {
    let mut by_moment: BTreeMap<Moment, Sample> = BTreeMap::new();
    for Point { moment, value, file, line } in points {
        let sample = Sample { moment, lsn: Lsn(value), timeline: None, file, line };
        let kept = by_moment.entry(moment).or_insert(sample);
        if sample.lsn > kept.lsn {
            *kept = sample;
        }
    }
    by_moment.into_values().collect()
}

/// The metric that a name is, or has in it.
fn metric_in(name: &str) -> Option<&'static str> {
    let known = || POSITIONS.into_iter().chain(METRICS);
    let words = || name.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    known().find(|metric| words().any(|word| word == *metric))
}

fn json(file: File<'_>, number: usize, points: &mut Points, findings: &Findings) {
    let answer: Answer<'_> = match serde_json::from_str(file.text) {
        Ok(answer) => answer,
        Err(error) => {
            let line = file.lines().nth(error.line().saturating_sub(1));
            let (_, span, text) = line.unwrap_or((1, 0..0, ""));
            let at = span.start + error.column().saturating_sub(1).min(text.len());
            let whole = error.to_string();
            let what = whole.split(" at line ").next().unwrap_or("");
            let message = format!("this is no answer of Prometheus: {what}");
            let finding = Finding::new(file.span(at..(at + 1).min(file.text.len())), message);
            findings.push(finding.help(QUERY_HELP));
            return;
        }
    };
    let wrong = |message: String, help: &str| {
        findings.push(Finding::new(file.first_line(), message).help(help));
    };
    let Some(data) = answer.data.filter(|_| answer.status == "success") else {
        let why = answer.error.unwrap_or_else(|| format!("status {}", answer.status));
        wrong(format!("Prometheus answered with an error: {}", why.escape_debug()), QUERY_HELP);
        return;
    };
    if data.kind != "matrix" {
        let message = format!("this is a {}, not values over time", data.kind.escape_debug());
        wrong(message, QUERY_HELP);
        return;
    }
    let (mut seen, mut line) = (0, 1);
    for series in &data.result {
        let name = series.metric.get("__name__").map_or("", String::as_str);
        let Some(metric) = metric_in(name) else {
            points.told.rows += series.values.len() as u64;
            for _ in &series.values {
                points.told.drop_row("a value of an unknown metric", file.name, line);
            }
            continue;
        };
        for raw in &series.values {
            let at = offset(file.text, raw.get());
            line += file.text.get(seen..at).unwrap_or("").matches('\n').count();
            seen = at.max(seen);
            points.told.rows += 1;
            let pair: Result<(serde_json::Number, String), _> = serde_json::from_str(raw.get());
            let pair = pair
                .ok()
                .and_then(|(time, value)| Some((moment::epoch(&time.to_string())?, value)));
            let Some((moment, value)) = pair else {
                let span = file.span(at..at + raw.get().len());
                let message = format!("`{}` is no value", raw.get().escape_debug());
                findings.push(Finding::new(span, message).help(VALUE_HELP));
                continue;
            };
            let point = |value| Point { moment, value, file: number, line };
            match points.take(metric, &value, point) {
                Ok(true) => points.told.used += 1,
                Ok(false) => points.told.drop_row(NAN, file.name, line),
                Err(message) => {
                    let span = file.span(at..at + raw.get().len());
                    findings.push(Finding::new(span, message).help(VALUE_HELP));
                }
            }
        }
    }
}

/// Where a piece of a text begins in it.
fn offset(text: &str, piece: &str) -> usize {
    (piece.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

impl Points {
    /// Takes a value as Prometheus writes it; whether there was one.
    fn take(
        &mut self,
        metric: &'static str,
        text: &str,
        point: impl Fn(u64) -> Point,
    ) -> Result<bool, String> {
        let scale = if unit(metric) == Unit::Milliseconds { 1_000.0 } else { 1.0 };
        match number(text, scale) {
            Some(Some(value)) => {
                self.by_metric.entry(metric).or_default().push(point(value));
                Ok(true)
            }
            Some(None) => Ok(false),
            None => Err(format!("`{}` is no number", text.escape_debug())),
        }
    }
}

/// A number times `scale`, rounded down; nothing in it for NaN.
fn number(text: &str, scale: f64) -> Option<Option<u64>> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<u64>()
        && scale == 1.0
    {
        return Some(Some(whole));
    }
    // Exporters write 4.37346728e+08, which is whole all the same.
    let value = text.parse::<f64>().ok()? * scale;
    if value.is_nan() {
        return Some(None);
    }
    let small = (0.0..9e15).contains(&value);
    small.then_some(Some(value as u64))
}

fn csv(file: File<'_>, number: usize, points: &mut Points, findings: &Findings) {
    let mut rows = Rows::new(file);
    let Some(header) = rows.header(&[], &mut points.told, findings) else { return };
    let wrong = |message: &str, help: String| {
        findings.push(Finding::new(file.first_line(), message).help(help));
    };
    let Some(time) = header.any_of(&TIME_NAMES) else {
        wrong("there is no column of time", format!("it is one of {}", enumerate(TIME_NAMES)));
        return;
    };
    let named = header.any_of(&["metric", "name", "__name__"]);
    let long = named.zip(header.column("value"));
    let wide: Vec<(usize, &'static str)> =
        header.names().enumerate().filter_map(|(n, name)| Some((n, metric_in(name)?))).collect();
    if long.is_none() && wide.is_empty() {
        let known = enumerate(POSITIONS.iter().chain(&METRICS).copied());
        wrong("no column is a known metric", format!("metrics are {known}"));
        return;
    }
    while let Some(row) = rows.data(&header, &mut points.told, findings) {
        let Some(moment) = rows.moment(&row, time, &mut points.told, findings) else { continue };
        let cells = match long {
            Some((name, value)) => match metric_in(&row.fields[name]) {
                Some(metric) => vec![(value, metric)],
                None => {
                    points.told.drop_row("a value of an unknown metric", file.name, row.line);
                    continue;
                }
            },
            None => wide.clone(),
        };
        let cells: Vec<_> = cells.into_iter().filter(|(c, _)| !row.fields[*c].is_empty()).collect();
        let mut taken = 0;
        for (column, metric) in &cells {
            let point = |value| Point { moment, value, file: number, line: row.line };
            match points.take(metric, &row.fields[*column], point) {
                Ok(is_number) => taken += u64::from(is_number),
                Err(_) => {
                    findings.push(rows.wrong(&row, *column, "no number", "a number from zero on"));
                }
            }
        }
        match (cells.len(), taken) {
            (0, _) => points.told.drop_row(super::table::EMPTY, file.name, row.line),
            (_, 0) => points.told.drop_row(NAN, file.name, row.line),
            _ => points.told.used += 1,
        }
    }
}
