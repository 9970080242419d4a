//! What happened: faults and changes of state in order, each in plain words and in those of
//! PostgreSQL's own log, with repetitions folded.

use maud::{Markup, html};
use models::trace::Run;

use crate::tables::{self, Entry};
use crate::{human, variant_names};

/// How many entries of a variant's timeline the page shows.
const TIMELINE: usize = 120;

/// A timeline a variant.
pub fn section(runs: &[Run]) -> Markup {
    let names = variant_names(runs);
    html! {
        section id="story" {
            h2 { "What happened" }
            p.small {
                "In plain words, and in those of PostgreSQL’s own log where it has a message. \
                 Checkpoints and other routine are in facts.jsonl and in the servers’ logs."
            }
            @for (i, (run, name)) in runs.iter().zip(&names).enumerate() {
                @if runs.len() == 1 {
                    (timeline(run, name))
                } @else {
                    details.variant open[i == 0] data-run=(i) {
                        summary { h3 { (name) } }
                        (timeline(run, name))
                    }
                }
            }
        }
    }
}

fn timeline(run: &Run, name: &str) -> Markup {
    let timeline = tables::timeline(run, TIMELINE);
    if timeline.entries.is_empty() {
        return html! { p { "Nothing out of the ordinary." } };
    }
    html! {
        div.wide { table {
            caption { "Timeline of " (name) ", in seconds of simulated time." }
            thead { tr {
                th scope="col" { "time" }
                th.text scope="col" { "what happened" }
                th.text scope="col" { "PostgreSQL’s log" }
            } }
            tbody { @for entry in &timeline.entries { (row(entry)) } }
        } }
        @if timeline.left_out > 0 {
            p { (human::count(timeline.left_out)) " later facts are in facts.jsonl." }
        }
        @if timeline.minor > 0 {
            p.small { "Not shown: " (human::count(timeline.minor)) " facts of routine." }
        }
    }
}

fn row(entry: &Entry) -> Markup {
    html! {
        tr.fault[entry.fault] {
            th.time scope="row" { (human::moment(entry.at.0)) }
            td.text.words {
                (entry.plain)
                @if entry.times > 1 {
                    span.note {
                        (human::count(entry.times)) " times, until " (human::moment(entry.until.0))
                    }
                }
            }
            td.text { @if let Some(quote) = &entry.quote { code { (quote) } } }
        }
    }
}
