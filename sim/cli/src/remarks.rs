//! What a reader should know before the numbers: a name that nobody has, commits without answers.
//!
//! What can be known without playing comes from the rules of `walden check` that explain numbers;
//! the rest was seen in the runs. The numbers alone do not say why they are what they are.

use models::trace::{OperatorAction, Run};
use models::units::SimTime;
use scenarios::ScenarioFile;
use scenarios::check::{Finding, Report};
use scenarios::scenario::Scenario;

/// The remarks on what was played, each once, with the variants it is about unless that is all.
pub fn remarks(files: &[ScenarioFile], scenarios: &[Scenario], runs: &[Run]) -> Vec<String> {
    let checked: Vec<(&str, Report)> =
        files.iter().map(|file| (file.name(), file.check())).collect();
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    let names = reports::variant_names(runs);
    for ((scenario, run), name) in scenarios.iter().zip(runs).zip(&names) {
        let of_file = checked.iter().filter(|(name, _)| *name == scenario.name);
        let found = of_file.flat_map(|(_, report)| told(report, &scenario.variant));
        let of_run = nothing_answered(run).into_iter().chain(unfinished(run));
        for remark in found.chain(of_run).chain(for_a_sweep(scenario)) {
            match all.iter_mut().find(|(known, _)| *known == remark) {
                Some((_, variants)) => variants.push(name.clone()),
                None => all.push((remark, vec![name.clone()])),
            }
        }
    }
    let told = |(remark, variants): (String, Vec<String>)| {
        if variants.len() == runs.len() {
            remark
        } else {
            format!("{}: {remark}", variants.join(", "))
        }
    };
    all.into_iter().map(told).collect()
}

/// What a check finds about a variant and a run should tell, with the code to look up.
fn told(report: &Report, variant: &str) -> Vec<String> {
    let is_told = |finding: &&Finding| {
        let variants = &finding.variants;
        finding.rule.in_run && (variants.is_empty() || variants.iter().any(|v| v == variant))
    };
    let say = |finding: &Finding| format!("{} ({})", finding.problem.message, finding.rule.code);
    report.findings().iter().filter(is_told).map(say).collect()
}

/// What the operator had not ended when the run was over: a wait that never came true, mostly.
fn unfinished(run: &Run) -> Vec<String> {
    let told = |(action, since): (&OperatorAction, SimTime)| {
        format!("the run ended in {} ({}), which began at {since}", action.place, action.what)
    };
    run.unfinished().into_iter().map(told).collect()
}

/// What is expected of many runs, which one cannot answer.
fn for_a_sweep(scenario: &Scenario) -> Option<String> {
    let what = match scenario.shares.len() {
        0 => return None,
        1 => "one expectation is".to_owned(),
        n => format!("{n} expectations are"),
    };
    Some(format!("{what} about a share of many runs, which `walden sweep` decides"))
}

fn nothing_answered(run: &Run) -> Option<String> {
    let commits = &run.summary.commits;
    let none = commits.attempted > 0 && commits.acknowledged == 0;
    none.then(|| {
        format!("none of {} commits was answered", reports::human::count(commits.attempted))
    })
}
