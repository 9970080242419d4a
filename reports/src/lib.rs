//! Plots, tables and the report of one or more runs, or of a plan.
//!
//! [`render`] writes everything that people and programs read about a set of runs, usually the
//! variants of one scenario, into a directory: the page, the plots, the numbers, the series, the
//! facts and the servers' logs. It reads the runs and nothing else, and the same runs give the
//! same bytes on every machine: integers wherever something is placed or rounded, an embedded
//! font, no clock, no system fonts, no platform mathematics.
//!
//! Reading order: [`tables`] and [`plots`] (runs become numbers), [`picture`] (numbers become
//! shapes), [`page`] (everything on one page), [`export`] (the same for programs). The answer of a
//! plan is no run: [`plan`] has its numbers and makes a page of them.

pub mod export;
pub mod files;
pub mod page;
pub mod picture;
pub mod plan;
pub mod plots;
pub mod psql;
pub mod stats;
pub mod tables;
pub mod theme;

use std::fs;
use std::path::{Path, PathBuf};

use models::trace::Run;
use models::trace::messages::format_log;
use serde::Serialize;

pub use export::summary_json::summary_json;
pub use models::units::human;

/// What a report says beyond its runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// The command line that repeats it.
    pub command: &'a str,
    /// The digest of all variants.
    pub digest: &'a str,
    /// What to know before the numbers, a sentence each.
    pub remarks: &'a [String],
    /// Settings that were given and that no model reads.
    pub not_modelled: &'a [String],
    /// What the models leave out.
    pub omissions: &'a [Omission],
}

/// Something that the models leave out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Omission {
    /// What, and how much it weighs, in a sentence or two.
    pub what: String,
    /// Whether these runs are of a kind for which it weighs something.
    pub touches: bool,
}

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file could not be written.
    #[error("could not write {path}: {source}")]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A plot could not be drawn.
    #[error("could not draw a plot: {0}")]
    Drawing(String),
    /// Numbers could not be written as JSON.
    #[error("could not write JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Series could not be written as CSV.
    #[error("could not write CSV: {0}")]
    Csv(#[from] csv::Error),
}

/// What the runs say about their expectations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every expectation is met and every law held.
    Met,
    /// An expectation is not met, or a law was broken.
    Failed,
}

/// The verdict over all variants.
pub fn verdict(runs: &[Run]) -> Verdict {
    let summaries = || runs.iter().map(|run| &run.summary);
    let met = summaries().all(|s| s.expectations.iter().all(|expectation| expectation.met));
    let held = summaries().all(|s| s.laws.iter().all(|law| law.held));
    if met && held { Verdict::Met } else { Verdict::Failed }
}

/// Whether any run had commits to measure; those of WAL alone have none.
pub fn have_commits(runs: &[Run]) -> bool {
    runs.iter().any(|run| run.summary.commits.attempted > 0)
}

/// The scenarios' names joined by `+`, each once.
pub fn scenario_name(runs: &[Run]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for run in runs {
        if !names.contains(&run.scenario.as_str()) {
            names.push(&run.scenario);
        }
    }
    names.join("+")
}

/// What each run is called: its variant, behind its scenario's name where there are several.
pub fn variant_names(runs: &[Run]) -> Vec<String> {
    let several = runs.windows(2).any(|pair| pair[0].scenario != pair[1].scenario);
    let name = |run: &Run| {
        let behind = format!("{}/", run.scenario);
        if several && !run.variant.starts_with(&behind) {
            format!("{behind}{}", run.variant)
        } else {
            run.variant.clone()
        }
    };
    runs.iter().map(name).collect()
}

/// The directory of each run below the report's.
pub fn variant_directories(runs: &[Run]) -> Vec<String> {
    let taken = ["plots", "report.html", "summary.json", "run.toml"];
    files::safe_names(&variant_names(runs), &taken)
}

/// Writes the report of `runs` into `dir`, which exists: `report.html`, `summary.json`, `plots/`,
/// and for each variant `samples.csv`, `facts.jsonl`, `log/`, and
/// `observations.jsonl` if an operator looked at views.
pub fn render(runs: &[Run], dir: &Path, context: &Context) -> Result<(), ReportError> {
    write(&dir.join("summary.json"), summary_json(runs)?)?;
    let names = variant_names(runs);
    let commits = have_commits(runs);
    let plots = dir.join("plots");
    create(&plots)?;
    let mut figures = Vec::with_capacity(plots::PLOTS.len());
    for plot in &plots::PLOTS {
        let chart = (plot.chart)(runs, &names);
        let picture = chart.draw();
        write(&plots.join(format!("{}.svg", plot.file)), picture.svg(chart.title())?)?;
        write(&plots.join(format!("{}.png", plot.file)), picture.png()?)?;
        if commits || !plot.of_commits {
            figures.push((chart, picture));
        }
    }
    write(&dir.join("report.html"), page::page(runs, &figures, context)?)?;
    for (run, name) in runs.iter().zip(variant_directories(runs)) {
        render_variant(run, &dir.join(name))?;
    }
    Ok(())
}

fn render_variant(run: &Run, dir: &Path) -> Result<(), ReportError> {
    let logs = dir.join("log");
    create(&logs)?;
    write(&dir.join("samples.csv"), export::samples_csv::samples_csv(run)?)?;
    write(&dir.join("facts.jsonl"), export::facts_jsonl::facts_jsonl(run)?)?;
    if let Some(text) = export::observations_jsonl::observations_jsonl(run)? {
        write(&dir.join("observations.jsonl"), text)?;
    }
    for (server, file) in run.servers.iter().zip(files::safe_names(&run.servers, &[])) {
        write(&logs.join(format!("{file}.log")), format_log(run, server))?;
    }
    Ok(())
}

fn create(dir: &Path) -> Result<(), ReportError> {
    fs::create_dir_all(dir).map_err(|source| ReportError::Write { path: dir.to_owned(), source })
}

fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), ReportError> {
    fs::write(path, content).map_err(|source| ReportError::Write { path: path.to_owned(), source })
}
