//! The end of the page: how far to trust it, and how to repeat it.

use maud::{Markup, html};
use models::trace::Run;

use crate::Context;

/// What is not modelled: what touches these runs first.
pub fn not_modelled(context: &Context) -> Markup {
    let (touching, rest): (Vec<_>, Vec<_>) =
        context.omissions.iter().partition(|omission| omission.touches);
    html! {
        section id="not-modelled" {
            h2 { "What is not modelled" }
            p { "A simulation answers for what it models." }
            @if !context.not_modelled.is_empty() {
                p { "These settings are accepted, and no model reads them:" }
                ul { @for what in context.not_modelled { li { code { (what) } } } }
            }
            @if !touching.is_empty() {
                p { "Left out, and of some weight for what was run here:" }
                ul { @for omission in &touching { li { (omission.what) } } }
            }
            @if !rest.is_empty() {
                details {
                    summary { "Left out as well, and hardly of weight here (" (rest.len()) ")" }
                    ul { @for omission in &rest { li { (omission.what) } } }
                }
            }
        }
    }
}

/// How to repeat it.
pub fn repeat(runs: &[Run], context: &Context) -> Markup {
    html! {
        section id="repeat" {
            h2 { "Repeat it" }
            p { "The same command gives the same bytes, on any machine:" }
            pre { code { (context.command) } }
            @if let Some(run) = runs.first() {
                p.small {
                    "Walden " (run.walden) ", PostgreSQL " (run.pg_version) ", seed " (run.seed)
                    "; digest of all variants: " code { (context.digest) }
                    ". Beside this page: summary.json (every number), plots/ (SVG and PNG), \
                     run.toml (what " code { "walden replay" } " takes), and for each variant \
                     samples.csv, facts.jsonl and the servers’ logs."
                }
            }
        }
    }
}
