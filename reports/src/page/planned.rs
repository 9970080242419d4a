//! The page of a plan: the answer first, then why, and what it is read from.

use maud::{Markup, html};

use super::comparison::figure;
use super::document;
use crate::ReportError;
use crate::plan::{Part, Plan};
use crate::plots::planned::chart;

/// The page.
pub fn page(plan: &Plan) -> Result<String, ReportError> {
    let parts = plan.parts.iter().map(part).collect::<Result<Vec<_>, _>>()?;
    let body = html! {
        header {
            p.kicker { "Walden · plan · " (plan.name) }
            h1 { (plan.question) }
            (answer(plan))
            dl.facts {
                @for (name, value) in &plan.facts { div { dt { (name) } dd { (value) } } }
            }
            (contents(plan))
        }
        main {
            @for part in &parts { (part) }
            section id="repeat" {
                h2 { "Repeat it" }
                p { "The same command gives the same answer, on any machine:" }
                pre { code { (plan.repeat) } }
            }
        }
    };
    Ok(document(&plan.name, &body))
}

fn answer(plan: &Plan) -> Markup {
    html! {
        div.verdict.failed[!plan.is_found] role="status" {
            p { strong {
                (if plan.is_found { "✓ " } else { "✗ " })
                @if plan.is_line { code { (plan.answer) } } @else { (plan.answer) }
            } }
            @if !plan.paste.is_empty() {
                pre { code { (plan.paste.join("\n")) } }
            }
        }
    }
}

/// The title as it stands in an address.
fn place(part: &Part) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    part.title.chars().map(safe).collect()
}

fn contents(plan: &Plan) -> Markup {
    html! {
        nav aria-label="On this page" {
            @for part in &plan.parts { a href={ "#" (place(part)) } { (part.title) } " " }
            a href="#repeat" { "Repeat it" }
        }
    }
}

fn part(part: &Part) -> Result<Markup, ReportError> {
    let figures = part.figures.iter().map(chart).map(|chart| {
        let picture = chart.draw();
        figure(&(chart, picture), None)
    });
    let figures = figures.collect::<Result<Vec<_>, _>>()?;
    Ok(html! {
        section id=(place(part)) {
            h2 { (part.title) }
            ul { @for sentence in &part.said { li { (sentence) } } }
            @for figure in &figures { (figure) }
        }
    })
}
