//! The variants side by side: the table, then every plot with the numbers behind it.

use maud::{Markup, PreEscaped, html};
use models::trace::Run;

use super::table_markup;
use crate::picture::Picture;
use crate::plots::Chart;
use crate::{ReportError, have_commits, tables, variant_names};

/// The table, also as Markdown.
pub fn section(runs: &[Run]) -> Markup {
    let table = tables::comparison(runs);
    let first = variant_names(runs).into_iter().next().unwrap_or_default();
    let caption = if runs.len() > 1 {
        format!(
            "One row a variant. Small print: how it differs from “{first}”, and whether that is \
             better or worse; or which standby it is. “!” marks a loss."
        )
    } else {
        "“!” marks a loss.".to_owned()
    };
    html! {
        section id="comparison" {
            h2 { (if runs.len() > 1 { "The variants compared" } else { "In numbers" }) }
            p.small {
                @if have_commits(runs) {
                    "p50, p99 and slowest are commit latencies, from the intended start of a \
                     commit to its acknowledgement. A commit is lost if it was acknowledged and \
                     the primary no longer has it, cancelled if its wait for standbys was, and \
                     unknown if the connection ended before the answer. "
                }
                "Worst lag is the primary’s flush_lsn less replay_lsn; replay_lag is what \
                 pg_stat_replication shows. kB = 1024 bytes."
            }
            (table_markup(&table, &caption))
            details {
                summary { "The same as Markdown, for an issue or a wiki" }
                pre { (table.markdown()) }
            }
        }
    }
}

/// Every plot.
pub fn plots(figures: &[(Chart, Picture)]) -> Result<Markup, ReportError> {
    let numbered = figures.iter().enumerate().map(|(number, of)| figure(of, Some(number)));
    let plots = numbered.collect::<Result<Vec<_>, _>>()?;
    Ok(html! {
        section id="plots" {
            h2 { "Plots" }
            @for plot in &plots { (plot) }
        }
    })
}

/// A plot and the numbers behind it; with its number, where a script knows what is in it.
pub fn figure(
    (chart, picture): &(Chart, Picture),
    number: Option<usize>,
) -> Result<Markup, ReportError> {
    if let Some(why) = chart.nothing() {
        return Ok(html! {
            div.plot { h3 { (chart.title()) } p.small { "No data: " (why) "." } }
        });
    }
    let table = chart.table();
    let label = format!("Plot: {}", chart.title());
    let description = format!("{} The table below has its numbers.", chart.reading());
    let svg = picture.inline_svg(&label, &description)?;
    Ok(html! {
        div.plot {
            // The picture has its title in it; this one is for who navigates by headings.
            h3.hidden { (chart.title()) }
            figure data-plot=[number] {
                div.wide { (PreEscaped(svg)) }
                figcaption { (chart.reading()) }
            }
            @if !table.rows.is_empty() {
                details {
                    summary { "Numbers behind “" (chart.title()) "”" }
                    (table_markup(&table, chart.title()))
                }
            }
        }
    })
}
