//! `report.html`: everything on one page that needs nothing else.
//!
//! The question and the verdict come first, then the comparison, the plots, the expectations,
//! what happened, and how to repeat it. No script, no request, no font to load; colours are CSS
//! variables that follow the reader's light or dark setting. Nothing is said by colour alone, and
//! behind every plot stands its table.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use models::trace::Run;

use crate::picture::Picture;
use crate::plots::Chart;
use crate::tables::{self, Entry, Outcome, Table};
use crate::{
    Context, ReportError, Verdict, have_commits, human, scenario_name, theme, variant_names,
    verdict,
};

/// How many entries of a variant's timeline the page shows.
const TIMELINE: usize = 120;

/// The page.
pub fn page(
    runs: &[Run],
    figures: &[(Chart, Picture)],
    context: &Context,
) -> Result<String, ReportError> {
    let title = runs.first().map_or("No run", |run| run.title.as_str());
    let plots = figures.iter().map(figure).collect::<Result<Vec<_>, _>>()?;
    let body = html! {
        header {
            p.kicker { "Walden · simulated PostgreSQL replication · " (scenario_name(runs)) }
            h1 { (title) }
            @if let Some(run) = runs.first().filter(|run| !run.question.is_empty()) {
                p.question { (run.question) }
            }
            (verdict_box(runs))
            @for remark in context.remarks { p.remark { strong { "Note: " } (remark) "." } }
            (conditions(runs, context))
        }
        main {
            (comparison(runs))
            section {
                h2 { "Plots" }
                @for plot in &plots { (plot) }
            }
            (servers_and_slots(runs))
            (expectations(runs))
            (events(runs))
            (settings(runs))
            (not_modelled(context))
            (repeat(context))
        }
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Walden" }
                style {
                    (PreEscaped(theme::css_variables()))
                    (PreEscaped(include_str!("page.css")))
                }
            }
            body { (body) }
        }
    };
    Ok(page.into_string())
}

fn verdict_box(runs: &[Run]) -> Markup {
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
    let failed = verdict(runs) == Verdict::Failed;
    let several = runs.len() > 1;
    html! {
        div.verdict.failed[failed] role="status" {
            p { strong { (if failed { "✗ " } else { "✓ " }) (headline) } }
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

fn conditions(runs: &[Run], context: &Context) -> Markup {
    let Some(run) = runs.first() else { return html! {} };
    let events: u64 = runs.iter().map(|run| run.summary.events).sum();
    html! {
        dl.facts {
            div { dt { "PostgreSQL" } dd { (run.pg_version) } }
            div { dt { "simulated" } dd { (human::duration(run.duration.0)) } }
            div { dt { "variants" } dd { (runs.len()) } }
            div { dt { "events" } dd { (human::count(events)) } }
            div { dt { "seed" } dd { (run.seed) } }
            div { dt { "Walden" } dd { (run.walden) } }
            div { dt { "digest" } dd { code { (context.digest) } } }
        }
    }
}

fn table_markup(table: &Table, caption: &str) -> Markup {
    html! {
        div.wide {
            table {
                caption { (caption) }
                thead { tr { @for column in &table.columns { th scope="col" { (column) } } } }
                tbody {
                    @for row in &table.rows {
                        tr {
                            @for (i, cell) in row.iter().enumerate() {
                                @if i == 0 {
                                    th scope="row" { (cell.text) }
                                } @else {
                                    td.alarming[cell.alarming] {
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

fn comparison(runs: &[Run]) -> Markup {
    let table = tables::comparison(runs);
    let caption = if runs.len() > 1 {
        "One row a variant. Small print: the difference from the first row, or which standby. \
         “!” marks a loss."
    } else {
        "“!” marks a loss."
    };
    html! {
        section {
            h2 { (if runs.len() > 1 { "The variants compared" } else { "In numbers" }) }
            p.small {
                @if have_commits(runs) {
                    "p50, p99 and slowest are commit latencies, from the intended start of a \
                     commit to its acknowledgement. A commit is lost if it was acknowledged and \
                     the primary no longer has it, unknown if the connection ended before the \
                     answer. "
                }
                "Worst lag is the primary’s flush_lsn less replay_lsn; replay_lag is what \
                 pg_stat_replication shows. kB = 1024 bytes."
            }
            (table_markup(&table, caption))
            details {
                summary { "The same as Markdown, for an issue or a wiki" }
                pre { (table.markdown()) }
            }
        }
    }
}

fn figure((chart, picture): &(Chart, Picture)) -> Result<Markup, ReportError> {
    let table = chart.table();
    let label =
        format!("Plot: {}. {} The table below has its numbers.", chart.title(), chart.reading());
    let svg = picture.inline_svg(&label)?;
    Ok(html! {
        // The picture has its title in it; this one is for who navigates by headings.
        h3.hidden { (chart.title()) }
        figure {
            div.wide { (PreEscaped(svg)) }
            figcaption { (chart.reading()) }
        }
        @if !table.rows.is_empty() {
            details {
                summary { "Numbers behind “" (chart.title()) "”" }
                (table_markup(&table, chart.title()))
            }
        }
    })
}

fn servers_and_slots(runs: &[Run]) -> Markup {
    let (servers, slots) = (tables::servers(runs), tables::slots(runs));
    html! {
        @if !servers.rows.is_empty() {
            section {
                h2 { "Servers and slots" }
                (table_markup(
                    &servers,
                    "Every server. “!” marks a standby that has to be rebuilt.",
                ))
                @if slots.rows.is_empty() {
                    p.small { "There are no replication slots." }
                } @else {
                    (table_markup(&slots, "Every slot, as pg_replication_slots shows it. Retained: \
                                           insert position less restart_lsn."))
                }
            }
        }
    }
}

fn expectations(runs: &[Run]) -> Markup {
    let all = tables::expectations(runs);
    let several = runs.len() > 1;
    let row = |o: &Outcome| {
        html! {
            tr {
                td.text { (if o.met { "✓ met" } else { "✗ not met" }) }
                @if several { td.text { (o.variant) } }
                td.text { code { (o.what) } }
                td.text { code { (o.wanted) } }
                td { (o.measured) }
            }
        }
    };
    let laws = laws(runs);
    let broken = tables::laws(runs);
    html! {
        section {
            h2 { "Expectations" }
            @if all.is_empty() {
                p { "The scenario sets none." }
            } @else {
                div.wide { table {
                    caption { "What the scenario expects, and what was measured." }
                    thead { tr {
                        th.text scope="col" { "verdict" }
                        @if several { th.text scope="col" { "variant" } }
                        th.text scope="col" { "metric" }
                        th.text scope="col" { "expected" }
                        th scope="col" { "measured" }
                    } }
                    tbody { @for outcome in &all { (row(outcome)) } }
                } }
            }
            @if laws > 0 && broken.is_empty() {
                p.small { "Every law that each run is held against held, too (" (laws) " checks)." }
            }
        }
    }
}

fn events(runs: &[Run]) -> Markup {
    let names = variant_names(runs);
    html! {
        section {
            h2 { "What happened" }
            p.small {
                "In plain words, and in those of PostgreSQL’s own log where it has a message. \
                 Checkpoints and other routine are in facts.jsonl and in the servers’ logs."
            }
            @for (i, (run, name)) in runs.iter().zip(&names).enumerate() {
                @if runs.len() == 1 {
                    (timeline(run, name))
                } @else {
                    details.variant open[i == 0] {
                        summary { (name) }
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
            tbody { @for entry in &timeline.entries { (timeline_row(entry)) } }
        } }
        @if timeline.left_out > 0 {
            p { (human::count(timeline.left_out)) " later facts are in facts.jsonl." }
        }
        @if timeline.minor > 0 {
            p.small { "Not shown: " (human::count(timeline.minor)) " facts of routine." }
        }
    }
}

fn timeline_row(entry: &Entry) -> Markup {
    html! {
        tr.fault[entry.fault] {
            td.time { (human::moment(entry.at.0)) }
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

fn settings(runs: &[Run]) -> Markup {
    let names = variant_names(runs);
    let any = runs.iter().any(|run| !run.summary.settings.is_empty());
    html! {
        section {
            h2 { "What the variants set" }
            @if any {
                div.wide { table {
                    caption { "Settings that differ from the scenario’s base." }
                    thead { tr {
                        th.text scope="col" { "variant" }
                        th.text scope="col" { "setting" }
                        th.text scope="col" { "value" }
                    } }
                    tbody {
                        @for (run, name) in runs.iter().zip(&names) {
                            @for (path, value) in &run.summary.settings {
                                tr {
                                    th scope="row" { (name) }
                                    td.text { code { (path) } }
                                    td.text { code { (value) } }
                                }
                            }
                        }
                    }
                } }
            } @else {
                p { "Nothing: the scenario was run as it stands in its file." }
            }
        }
    }
}

fn not_modelled(context: &Context) -> Markup {
    html! {
        @if !context.not_modelled.is_empty() {
            section {
                h2 { "What is not modelled" }
                p { "A simulation answers for what it models. These are left out here:" }
                ul { @for what in context.not_modelled { li { (what) } } }
            }
        }
    }
}

fn repeat(context: &Context) -> Markup {
    html! {
        section {
            h2 { "Repeat it" }
            p { "The same command gives the same bytes, on any machine:" }
            pre { code { (context.command) } }
            p.small {
                "Digest of all variants: " code { (context.digest) }
                ". Beside this page: summary.json (every number), plots/ (SVG and PNG), and for \
                 each variant samples.csv, facts.jsonl and the servers’ logs."
            }
        }
    }
}
