//! Many seeds and every scenario of the catalogue: do the laws hold?

mod scenes;

use models::trace::Run;
use models::trace::law::{Law, Violation};
use scenarios::catalog;
use scenarios::scenario::Scenario;
use sim::checkers::Checks;
use sim::{Options, Outside, sweep};

/// Everything that has a die or an order.
const STORMY: &str = include_str!("scenes/stormy.toml");

/// Plays all, at two at once, and looks at the laws as often as that.
fn play(scenarios: &[Scenario], laws: Checks) -> Vec<Run> {
    let outside: Vec<Outside> = scenarios.iter().map(|_| Outside::default()).collect();
    let options = Options { laws, ..Options::default() };
    let runs = sweep::run_all(scenarios, 2, options, &outside);
    runs.into_iter().map(|run| run.unwrap_or_else(|error| panic!("{error}"))).collect()
}

fn assert_lawful(run: &Run) {
    scenes::assert_sane(run);
    let what = format!("{} {} seed {}", run.scenario, run.variant, run.seed);
    assert_eq!(run.summary.laws.len(), Law::ALL.len(), "{what}");
    for law in &run.summary.laws {
        let found = |v: &Violation| format!("{} {} {}", v.at, v.law.name(), v.found);
        let found: Vec<String> = run.violations.iter().map(found).collect();
        assert!(law.held, "{what}: {law:?}: {found:#?}");
    }
}

#[test]
fn forty_storms_keep_the_laws_at_every_moment() {
    for level in ["remote_write", "on", "remote_apply", "local"] {
        let text = STORMY
            .replace("[postgresql]", &format!("[postgresql]\nsynchronous_commit = '{level}'"));
        let scenario = scenes::scenario(&text);
        let seeds = (1..=10).map(|seed| Scenario { seed, ..scenario.clone() }).collect::<Vec<_>>();
        play(&seeds, Checks::Moments).iter().for_each(assert_lawful);
    }
}

#[test]
fn every_scenario_of_the_catalogue_keeps_the_laws() {
    for entry in catalog::all() {
        let file = entry.parse().unwrap_or_else(|problems| panic!("{problems}"));
        let variants = file.variants().unwrap_or_else(|problems| panic!("{problems}"));
        play(&variants, Checks::Looks).iter().for_each(assert_lawful);
    }
}
