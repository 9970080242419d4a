//! `report.html`: everything on one page that needs nothing else.
//!
//! In the order in which a reader asks: the question and the verdict, the variants compared in a
//! table and in plots, what happened, each variant by itself, what was set, what is not modelled,
//! how to repeat it. No request, no font to load; colours are CSS variables that follow the
//! reader's light or dark setting. Nothing is said by colour alone, and behind every plot stands
//! its table.
//!
//! The page is complete without its script, `page.js`, which makes its own controls: a cursor that
//! moves through time, and variants that can be hidden. It reads `data`, and of the markup only
//! `data-run`, which says of what is of one run of which, and `data-plot`, the number of a plot.

mod closing;
mod comparison;
mod data;
mod details;
pub mod planned;
mod settings;
mod story;
mod verdict;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use models::trace::Run;

use crate::picture::Picture;
use crate::plots::Chart;
use crate::tables::Table;
use crate::{Context, ReportError, human, scenario_name, theme};

/// What the page may load: nothing but what is in it.
const NOTHING_LOADED: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// The page.
pub fn page(
    runs: &[Run],
    figures: &[(Chart, Picture)],
    context: &Context,
) -> Result<String, ReportError> {
    let title = title(runs);
    let plots = comparison::plots(figures)?;
    let data = data::json(runs, figures)?;
    let body = html! {
        header {
            p.kicker { "Walden · simulated PostgreSQL replication · " (scenario_name(runs)) }
            h1 { (title) }
            (questions(runs))
            (verdict::headline(runs))
            @for remark in context.remarks { p.remark { strong { "Note: " } (remark) "." } }
            (conditions(runs, context))
            (contents(runs))
        }
        main {
            (verdict::section(runs))
            (comparison::section(runs))
            (plots)
            (story::section(runs))
            (details::section(runs))
            (settings::section(runs))
            (closing::not_modelled(context))
            (closing::repeat(runs, context))
        }
        script type="application/json" id="data" { (PreEscaped(data)) }
        script { (PreEscaped(include_str!("page.js"))) }
    };
    Ok(document(&title, &body))
}

/// A whole page with all that it needs.
fn document(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(NOTHING_LOADED);
                title { (title) " · Walden" }
                style {
                    (PreEscaped(theme::css_variables()))
                    (PreEscaped(include_str!("page.css")))
                }
            }
            body { (body) }
        }
    };
    page.into_string()
}

/// The scenario's title; those of several joined.
fn title(runs: &[Run]) -> String {
    let mut titles: Vec<&str> = Vec::new();
    for run in runs {
        if !titles.contains(&run.title.as_str()) {
            titles.push(&run.title);
        }
    }
    match titles[..] {
        [] => "No run".to_owned(),
        [one] => one.to_owned(),
        [first, second] => format!("{first} / {second}"),
        [first, ..] => format!("{first}, and {} more", titles.len() - 1),
    }
}

/// The first comment of every scenario, which is the question that it answers.
fn questions(runs: &[Run]) -> Markup {
    let mut questions: Vec<&str> = Vec::new();
    for run in runs.iter().filter(|run| !run.question.is_empty()) {
        if !questions.contains(&run.question.as_str()) {
            questions.push(&run.question);
        }
    }
    html! { @for question in questions { p.question { (question) } } }
}

fn conditions(runs: &[Run], context: &Context) -> Markup {
    let Some(run) = runs.first() else { return html! {} };
    let events: u64 = runs.iter().map(|run| run.summary.events).sum();
    let longest = runs.iter().map(|run| run.duration.0).max().unwrap_or(0);
    html! {
        dl.facts {
            div { dt { "PostgreSQL" } dd { (run.pg_version) } }
            div { dt { "simulated" } dd { (human::duration(longest)) } }
            div { dt { "variants" } dd { (runs.len()) } }
            div { dt { "events" } dd { (human::count(events)) } }
            div { dt { "seed" } dd { (run.seed) } }
            div { dt { "Walden" } dd { (run.walden) } }
            div { dt { "digest" } dd { code { (context.digest) } } }
        }
    }
}

/// Where everything is, for who scrolls.
fn contents(runs: &[Run]) -> Markup {
    let compared = if runs.len() > 1 { "Comparison" } else { "Numbers" };
    let places = [
        ("verdict", "Verdict"),
        ("comparison", compared),
        ("plots", "Plots"),
        ("story", "What happened"),
        ("details", "Details"),
        ("settings", "Settings"),
        ("not-modelled", "Not modelled"),
        ("repeat", "Repeat it"),
    ];
    html! {
        nav aria-label="On this page" {
            @for (place, name) in places { a href={ "#" (place) } { (name) } " " }
        }
    }
}

fn table_markup(table: &Table, caption: &str) -> Markup {
    html! {
        div.wide {
            table {
                caption { (caption) }
                thead { tr {
                    @for (i, column) in table.columns.iter().enumerate() {
                        th.text[table.is_text(i)] scope="col" { (column) }
                    }
                } }
                tbody {
                    @for (n, row) in table.rows.iter().enumerate() {
                        tr data-run=[table.runs.get(n)] {
                            @for (i, cell) in row.iter().enumerate() {
                                @if i == 0 {
                                    th scope="row" { (cell.text) }
                                } @else {
                                    td.alarming[cell.alarming].text[table.is_text(i)] {
                                        @if cell.alarming { "!\u{a0}" }
                                        (cell.text)
                                        @if let Some(note) = &cell.note { span.note { (note) } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
