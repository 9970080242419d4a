//! The curves of a page for a program: the same numbers, each with its unit in its name.

use models::units::Duration;
use reports::plan::{Clock, Distribution, Figure, Plan, SeasonPart, Survival, SurvivalLine};
use serde::Serialize;

/// Every curve of a page; those that it has not are left out.
#[derive(Debug, Default, Serialize)]
pub struct Curves {
    #[serde(skip_serializing_if = "Option::is_none")]
    season: Option<Season>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    survival: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    disk: Vec<Disk>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alert: Vec<Alert>,
    #[serde(skip_serializing_if = "Option::is_none")]
    distribution: Option<Values>,
}

#[derive(Debug, Serialize)]
struct Season {
    clock: &'static str,
    times: usize,
    parts: Vec<Part>,
}

#[derive(Debug, Serialize)]
struct Part {
    from_seconds: f64,
    to_seconds: f64,
    median_bytes_per_second: Option<u64>,
    most_bytes_per_second: Option<u64>,
    worst_outages: usize,
}

#[derive(Debug, Serialize)]
struct Value {
    value_bytes: u64,
    points: Vec<Point>,
}

/// The interval is known of the recommended value alone.
#[derive(Debug, Serialize)]
struct Point {
    outage_seconds: f64,
    share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Disk {
    value_bytes: u64,
    p50: u64,
    most: u64,
}

#[derive(Debug, Serialize)]
struct Alert {
    minutes: f64,
    behind_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Values {
    trials: usize,
    values: Vec<f64>,
}

impl Curves {
    /// Those of this plan.
    pub fn of(plan: &Plan) -> Curves {
        let mut curves = Curves::default();
        for figure in plan.parts.iter().flat_map(|part| &part.figures) {
            match figure {
                Figure::Season(season) => curves.season = Some(of_season(season)),
                Figure::Survival(survival) => curves.survival = of_survival(survival),
                Figure::Disk(disk) => {
                    let row = |row: &reports::plan::DiskRow| Disk {
                        value_bytes: row.value.0,
                        p50: row.median.0,
                        most: row.most.0,
                    };
                    curves.disk = disk.rows.iter().map(row).collect();
                }
                Figure::Alert(alert) => {
                    let rows = alert.rows.iter().map(|(time, behind)| Alert {
                        minutes: time.as_seconds() / 60.0,
                        behind_bytes: behind.map(|bytes| bytes.0),
                    });
                    curves.alert = rows.collect();
                }
                Figure::Distribution(of) => curves.distribution = Some(of_distribution(of)),
                // Its numbers are the answer's own `curve`.
                Figure::Tried(_) => {}
            }
        }
        curves
    }
}

fn of_season(season: &reports::plan::Season) -> Season {
    let part = |part: &SeasonPart| Part {
        from_seconds: part.from.as_seconds(),
        to_seconds: part.to.as_seconds(),
        median_bytes_per_second: part.median,
        most_bytes_per_second: part.most,
        worst_outages: part.worst,
    };
    let clock = match season.clock {
        Clock::Week => "week",
        Clock::Day => "day",
        Clock::Unknown => "unknown",
    };
    Season { clock, times: season.times, parts: season.parts.iter().map(part).collect() }
}

fn of_survival(survival: &Survival) -> Vec<Value> {
    let last = survival.lines.len().saturating_sub(1);
    let interval = |n: usize, length: Duration| {
        let mut known = survival.interval.iter().filter(|_| n == last);
        known.find(|point| point.0 == length).map(|point| (point.1, point.2))
    };
    let value = |(n, line): (usize, &SurvivalLine)| {
        let point = |(length, share): &(Duration, Option<f64>)| Point {
            outage_seconds: length.as_seconds(),
            share: *share,
            low: interval(n, *length).map(|interval| interval.0),
            high: interval(n, *length).map(|interval| interval.1),
        };
        Value { value_bytes: line.value.0, points: line.points.iter().map(point).collect() }
    };
    survival.lines.iter().enumerate().map(value).collect()
}

/// Bytes, or seconds.
fn of_distribution(of: &Distribution) -> Values {
    let per = if of.is_bytes { 1.0 } else { 1e9 };
    let values = of.values.iter().map(|value| *value as f64 / per).collect();
    Values { trials: of.trials, values }
}
