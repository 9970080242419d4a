//! A sweep for programs: a table of every number, and an object of what they come to.

use std::collections::BTreeMap;

use scenarios::expect::Measured;
use serde::Serialize;
use sim::sweep::{Around, Metric, Spread, Sweep, Verdict};

use super::Answer;
use crate::errors::Failure;
use crate::stored::hex;

/// Every number of every run: a row a run, a column a metric; empty where a run has none.
pub fn csv(sweep: &Sweep) -> Result<String, Failure> {
    let mut paths: Vec<&str> = Vec::new();
    for metric in sweep.variants.iter().flat_map(|variant| &variant.metrics) {
        if !paths.contains(&metric.path.as_str()) {
            paths.push(&metric.path);
        }
    }
    let head = ["seed", "scenario", "variant"].into_iter().chain(paths.iter().copied());
    let mut rows = vec![head.map(str::to_owned).collect::<Vec<_>>()];
    for (place, seed) in sweep.seeds.iter().enumerate() {
        for variant in &sweep.variants {
            let value = |path: &&str| {
                let metric = variant.metric(path);
                match metric.and_then(|metric| metric.values[place].as_ref()) {
                    Some(Measured::Number(number)) => number.to_string(),
                    Some(Measured::Word(word)) => word.clone(),
                    None => String::new(),
                }
            };
            let fixed = [seed.to_string(), variant.scenario.clone(), variant.name.clone()];
            rows.push(fixed.into_iter().chain(paths.iter().map(value)).collect());
        }
    }
    reports::export::csv(rows).map_err(|error| Failure::Internal { message: error.to_string() })
}

/// What they come to.
pub fn json(answer: &Answer<'_>) -> Result<String, Failure> {
    let sweep = answer.sweep;
    let seed = |place: usize| sweep.seeds[place];
    let variants = sweep.variants.iter().map(|variant| VariantJson {
        scenario: &variant.scenario,
        name: &variant.name,
        metrics: variant
            .metrics
            .iter()
            .map(|metric| (metric.path.as_str(), measured(metric, &seed)))
            .collect(),
        claims: variant
            .claims
            .iter()
            .map(|claim| ClaimJson {
                metric: &claim.metric,
                wanted: &claim.wanted,
                held: claim.broken.is_empty(),
                broken: claim.broken.len(),
                first_seed: claim.broken.first().map(|(place, _)| seed(*place)),
                measured: claim.broken.first().map(|(_, measured)| measured.as_str()),
            })
            .collect(),
        shares: variant
            .shares
            .iter()
            .map(|asked| {
                let share = asked.measured(sweep.seeds.len(), answer.looks);
                ShareJson {
                    metric: asked.share.metric(),
                    wanted: &asked.share.wanted,
                    of: share.of,
                    hits: share.hits,
                    share: share.value(),
                    low: share.low,
                    high: share.high,
                    verdict: word(asked.verdict(sweep.seeds.len(), answer.looks)),
                    first_seed: asked.so.first().map(|place| seed(*place)),
                }
            })
            .collect(),
    });
    let whole = Whole {
        schema: "walden.sweep/1",
        walden: sim::VERSION,
        scenario: &answer.plan.name,
        verdict: word(answer.verdict()),
        first_seed: answer.plan.seed,
        seeds: sweep.seeds.len(),
        digest: hex(sweep.digest),
        variants: variants.collect(),
        repeat_with: answer.repeat(),
    };
    serde_json::to_string_pretty(&whole)
        .map_err(|error| Failure::Internal { message: error.to_string() })
}

/// As `summary.json` has it.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Met => "met",
        Verdict::Failed => "failed",
        Verdict::Undecided => "undecided",
    }
}

fn measured(metric: &Metric, seed: &dyn Fn(usize) -> u64) -> MeasuredJson {
    let Some(spread) = metric.spread() else {
        let words = metric.words();
        return MeasuredJson::Words {
            words: words
                .into_iter()
                .map(|(value, count, first)| WordJson {
                    value: value.to_owned(),
                    count,
                    first_seed: seed(first),
                })
                .collect(),
        };
    };
    let end = |(value, place): (f64, usize)| EndJson { value, seed: seed(place) };
    MeasuredJson::Numbers(NumbersJson {
        count: spread.count(),
        mean: spread.mean(),
        least: end(spread.least()),
        most: end(spread.most()),
        p5: AroundJson::of(&spread, 0.95),
        p50: AroundJson::of(&spread, 0.5),
        p95: AroundJson::of(&spread, 0.05),
        p99: AroundJson::of(&spread, 0.01),
    })
}

#[derive(Serialize)]
struct Whole<'a> {
    schema: &'static str,
    walden: &'static str,
    scenario: &'a str,
    verdict: &'static str,
    first_seed: u64,
    seeds: usize,
    digest: String,
    variants: Vec<VariantJson<'a>>,
    repeat_with: String,
}

#[derive(Serialize)]
struct VariantJson<'a> {
    scenario: &'a str,
    name: &'a str,
    metrics: BTreeMap<&'a str, MeasuredJson>,
    claims: Vec<ClaimJson<'a>>,
    shares: Vec<ShareJson<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum MeasuredJson {
    Numbers(NumbersJson),
    Words { words: Vec<WordJson> },
}

#[derive(Serialize)]
struct NumbersJson {
    count: usize,
    mean: f64,
    least: EndJson,
    most: EndJson,
    p5: AroundJson,
    p50: AroundJson,
    p95: AroundJson,
    p99: AroundJson,
}

#[derive(Serialize)]
struct EndJson {
    value: f64,
    seed: u64,
}

#[derive(Serialize)]
struct AroundJson {
    value: f64,
    low: Option<f64>,
    high: Option<f64>,
}

impl AroundJson {
    fn of(spread: &Spread, above: f64) -> AroundJson {
        let Around { value, low, high } = spread.quantile(above);
        AroundJson { value, low, high }
    }
}

#[derive(Serialize)]
struct WordJson {
    value: String,
    count: usize,
    first_seed: u64,
}

#[derive(Serialize)]
struct ClaimJson<'a> {
    metric: &'a str,
    wanted: &'a str,
    held: bool,
    broken: usize,
    first_seed: Option<u64>,
    measured: Option<&'a str>,
}

#[derive(Serialize)]
struct ShareJson<'a> {
    metric: String,
    wanted: &'a str,
    of: usize,
    hits: usize,
    share: f64,
    low: f64,
    high: f64,
    verdict: &'static str,
    first_seed: Option<u64>,
}
