//! The verdict: what was expected, what was measured, and the laws that every run must keep.

use maud::{Markup, html};
use models::trace::Run;

use crate::tables::{self, Outcome};
use crate::{Verdict, verdict};

/// How many outcomes the page shows openly; the rest unfolds.
const SHOWN: usize = 40;

/// The verdict in one sentence, with what was missed.
pub fn headline(runs: &[Run]) -> Markup {
    let all = tables::expectations(runs);
    let broken = tables::laws(runs);
    let missed = all.iter().filter(|outcome| !outcome.met).count();
    let headline = match (verdict(runs), all.len()) {
        (_, 0) if broken.is_empty() && laws(runs) > 0 => {
            "No expectation was set; every law held.".to_owned()
        }
        (_, 0) if broken.is_empty() => "No expectation was set.".to_owned(),
        (Verdict::Met, 1) => "The expectation is met.".to_owned(),
        (Verdict::Met, 2) => "Both expectations are met.".to_owned(),
        (Verdict::Met, n) => format!("All {n} expectations are met."),
        (Verdict::Failed, _) if missed == 0 => "A law of replication was broken.".to_owned(),
        (Verdict::Failed, 1) => "The expectation is not met.".to_owned(),
        (Verdict::Failed, n) => format!("{missed} of {n} expectations are not met."),
    };
    let law = match missed > 0 && !broken.is_empty() {
        true => " A law of replication was broken.",
        false => "",
    };
    let failed = verdict(runs) == Verdict::Failed;
    let several = runs.len() > 1;
    html! {
        div.verdict.failed[failed] role="status" {
            p { strong { (if failed { "✗ " } else { "✓ " }) (headline) (law) } }
            @for outcome in all.iter().filter(|o| !o.met).take(5) {
                p {
                    @if several { (outcome.variant) ": " }
                    code { (outcome.what) } " should be " code { (outcome.wanted) }
                    " and is " strong { (outcome.measured) } "."
                }
            }
            @for law in &broken {
                p {
                    @if several { (law.variant) ": " }
                    "law " code { (law.law) } " " (law.found) "."
                }
                @if !law.before.is_empty() {
                    p.small { "Before that:" }
                    ul.small { @for line in &law.before { li { (line) } } }
                }
            }
        }
    }
}

/// How many laws the runs were held against.
fn laws(runs: &[Run]) -> usize {
    runs.iter().map(|run| run.summary.laws.len()).sum()
}

/// Every expectation, those that are not met first, and the laws.
pub fn section(runs: &[Run]) -> Markup {
    let mut all = tables::expectations(runs);
    all.sort_by_key(|outcome| outcome.met);
    let several = runs.len() > 1;
    let (shown, folded) = all.split_at(all.len().min(SHOWN));
    html! {
        section id="verdict" {
            h2 { "The verdict" }
            @if all.is_empty() {
                p { "The scenario expects nothing in particular." }
            } @else {
                (outcomes(shown, several))
            }
            @if !folded.is_empty() {
                details {
                    summary { (folded.len()) " more, all met" }
                    (outcomes(folded, several))
                }
            }
            (laws_held(runs))
        }
    }
}

fn outcomes(outcomes: &[Outcome], several: bool) -> Markup {
    html! {
        div.wide { table {
            caption { "What the scenario expects, and what was measured." }
            thead { tr {
                th.text scope="col" { "verdict" }
                @if several { th.text scope="col" { "variant" } }
                th.text scope="col" { "metric" }
                th.text scope="col" { "expected" }
                th.text scope="col" { "measured" }
            } }
            tbody { @for o in outcomes {
                tr data-run=(o.run) {
                    td.text.verdict-mark { (if o.met { "✓ met" } else { "✗ not met" }) }
                    @if several { td.text { (o.variant) } }
                    th.text scope="row" { code { (o.what) } }
                    td.text { code { (o.wanted) } }
                    td.text.alarming[!o.met] { (o.measured) }
                }
            } }
        } }
    }
}

fn laws_held(runs: &[Run]) -> Markup {
    let checks = laws(runs);
    let broken = tables::laws(runs).len();
    let mut names: Vec<&str> = Vec::new();
    for law in runs.iter().flat_map(|run| &run.summary.laws) {
        if !names.contains(&law.name) {
            names.push(law.name);
        }
    }
    html! {
        @if checks > 0 {
            p {
                @if broken == 0 {
                    "✓ Every law that a run is held against held"
                } @else {
                    "✗ " (broken) " of " (checks) " checks of laws found one broken"
                }
                " (" (checks) " checks): "
                @for (i, name) in names.iter().enumerate() {
                    @if i > 0 { ", " }
                    code { (name) }
                }
                "."
            }
        }
    }
}
