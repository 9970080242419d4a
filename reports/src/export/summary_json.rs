//! `summary.json`: the numbers, under names that are an interface.
//!
//! Floats are written in the shortest form that reads back as the same number, which is the same
//! on every machine; what is not a number is null.

use models::trace::Run;
use models::trace::summary::Summary;
use serde::Serialize;

use crate::{ReportError, Verdict, scenario_name, variant_names, verdict};

/// The name and version of the format.
pub const SCHEMA: &str = "walden.summary/1";

/// The whole document, in the order of its keys.
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    walden: String,
    scenario: String,
    seed: u64,
    verdict: Verdict,
    variants: Vec<Summary>,
}

/// `summary.json` of `runs`, ending in a newline.
pub fn summary_json(runs: &[Run]) -> Result<String, ReportError> {
    let named = |(run, name): (&Run, String)| Summary { name, ..run.summary.clone() };
    let document = Document {
        schema: SCHEMA,
        walden: runs.first().map_or(String::new(), |run| run.walden.clone()),
        scenario: scenario_name(runs),
        seed: runs.first().map_or(0, |run| run.seed),
        verdict: verdict(runs),
        variants: runs.iter().zip(variant_names(runs)).map(named).collect(),
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}
