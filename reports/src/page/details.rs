//! Each variant by itself: its commits, standbys, servers and slots.

use maud::{Markup, html};
use models::trace::Run;

use super::table_markup;
use crate::{human, tables, variant_names};

/// Details of every variant; of several only the first is unfolded.
pub fn section(runs: &[Run]) -> Markup {
    let names = variant_names(runs);
    html! {
        section id="details" {
            h2 { (if runs.len() > 1 { "Each variant in detail" } else { "In detail" }) }
            @for (i, (run, name)) in runs.iter().zip(&names).enumerate() {
                @if runs.len() == 1 {
                    (variant(run))
                } @else {
                    details.variant open[i == 0] data-run=(i) {
                        summary { h3 { (name) } }
                        (variant(run))
                    }
                }
            }
        }
    }
}

fn variant(run: &Run) -> Markup {
    let (commits, standbys) = (tables::commits(run), tables::standbys(run));
    let (servers, slots) = (tables::servers(run), tables::slots(run));
    html! {
        @if !run.summary.settings.is_empty() {
            p {
                "Sets "
                @for (i, (path, value)) in run.summary.settings.iter().enumerate() {
                    @if i > 0 { ", " }
                    code { (path) " = " (value) }
                }
                "."
            }
        }
        @if !commits.rows.is_empty() {
            (table_markup(&commits, "Commits, by what became of them, and their latency from the \
                                     intended start."))
        } @else {
            p { "No commits: WAL was written by nobody who waits for an answer." }
        }
        (table_markup(&servers, "Every server."))
        @if standbys.rows.is_empty() {
            p { "There is no standby." }
        } @else {
            (table_markup(&standbys, "Every standby. Good: less than 1MB and less than 1s \
                                      behind. Concerning: more than 100MB, or more than 10s. “!” \
                                      marks a standby that has to be rebuilt."))
        }
        @if slots.rows.is_empty() {
            p { "There are no replication slots." }
        } @else {
            (table_markup(&slots, "Every slot, as pg_replication_slots shows it. Retained: \
                                   insert position less restart_lsn."))
        }
        p.small {
            "Digest " code { (run.summary.digest) } ", "
            (human::count(run.summary.events)) " events."
        }
    }
}
