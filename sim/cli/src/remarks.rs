//! What a reader should know before the numbers: a name that nobody has, commits without answers.
//!
//! PostgreSQL accepts all of it, so it is no mistake of the scenario; but it is seldom what was
//! meant, and the numbers alone do not say why they are what they are.

use models::postgres::syncrep::StandbyNames;
use models::trace::{OperatorAction, Run};
use models::units::SimTime;
use scenarios::scenario::Scenario;

/// The remarks on what was played, each once, with the variants it is about unless that is all.
pub fn remarks(scenarios: &[Scenario], runs: &[Run]) -> Vec<String> {
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    let names = reports::variant_names(runs);
    for ((scenario, run), name) in scenarios.iter().zip(runs).zip(&names) {
        let whole = nobody_named(scenario).into_iter().chain(nothing_answered(run));
        for remark in whole.chain(unfinished(run)) {
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

/// Names in the primary's `synchronous_standby_names` that no standby goes by.
fn nobody_named(scenario: &Scenario) -> Option<String> {
    let primary = scenario.servers.iter().find(|server| server.upstream.is_none())?;
    let wanted = StandbyNames::parse(&primary.settings.synchronous_standby_names).ok()?;
    let standbys = || scenario.servers.iter().filter(|server| server.upstream.is_some());
    let is = |name: &str, called: &str| name == "*" || name.eq_ignore_ascii_case(called);
    let unknown: Vec<&str> = wanted
        .names()
        .iter()
        .map(String::as_str)
        .filter(|name| !standbys().any(|standby| is(name, &standby.settings.cluster_name)))
        .collect();
    let listed =
        standbys().filter(|standby| wanted.priority(&standby.settings.cluster_name) > 0).count();
    let need = usize::try_from(wanted.number()).unwrap_or(usize::MAX);
    let blocked = "commits that wait for a standby wait until the end";
    let of = format!("synchronous_standby_names of {}", primary.name);
    if unknown.is_empty() {
        let short = listed < need;
        return short
            .then(|| format!("{of} asks for {need} standbys and lists {listed}: {blocked}"));
    }
    let nobody = format!("{of} names {}: no standby is called that", unknown.join(", "));
    Some(if listed < need { format!("{nobody}, and {blocked}") } else { nobody })
}

/// What the operator had not ended when the run was over: a wait that never came true, mostly.
fn unfinished(run: &Run) -> Vec<String> {
    let told = |(action, since): (&OperatorAction, SimTime)| {
        format!("the run ended in {} ({}), which began at {since}", action.place, action.what)
    };
    run.unfinished().into_iter().map(told).collect()
}

fn nothing_answered(run: &Run) -> Option<String> {
    let commits = &run.summary.commits;
    let none = commits.attempted > 0 && commits.acknowledged == 0;
    none.then(|| {
        format!("none of {} commits was answered", reports::human::count(commits.attempted))
    })
}
