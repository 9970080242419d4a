//! What was set: where servers differ from PostgreSQL's defaults, and variants from one another.

use maud::{Markup, html};
use models::trace::Run;

use super::table_markup;
use crate::{tables, variant_names};

/// Both tables.
pub fn section(runs: &[Run]) -> Markup {
    let version = runs.first().map_or(String::new(), |run| run.pg_version.to_string());
    let table = tables::settings(runs);
    html! {
        section id="settings" {
            h2 { "Settings" }
            @if table.rows.is_empty() {
                p { "Every server has the defaults of PostgreSQL " (version) "." }
            } @else {
                (table_markup(&table, &format!(
                    "Settings that are not the default of PostgreSQL {version}, at the start."
                )))
            }
            (variants(runs))
        }
    }
}

fn variants(runs: &[Run]) -> Markup {
    let names = variant_names(runs);
    html! {
        @if runs.iter().any(|run| !run.summary.settings.is_empty()) {
            div.wide { table {
                caption { "What each variant changes in the scenario’s file." }
                thead { tr {
                    th.text scope="col" { "variant" }
                    th.text scope="col" { "key" }
                    th.text scope="col" { "value" }
                } }
                tbody {
                    @for (i, (run, name)) in runs.iter().zip(&names).enumerate() {
                        @for (path, value) in &run.summary.settings {
                            tr data-run=(i) {
                                th scope="row" { (name) }
                                td.text { code { (path) } }
                                td.text { code { (value) } }
                            }
                        }
                    }
                }
            } }
        } @else if runs.len() == 1 {
            p { "The scenario was run as it stands in its file." }
        }
    }
}
