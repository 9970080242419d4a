//! What the page's script reads: the numbers of the plots, and what views showed.
//!
//! One JSON object in the page. The plots' texts are made of the series that are drawn, at most 500
//! a line, and the views are those of [`models::trace::look`], at most 241 moments a run. What
//! stays the same from one moment to the next is not written again.

use std::collections::BTreeMap;

use models::trace::fact::ServerId;
use models::trace::look::{Look, Shown};
use models::trace::table::Table;
use models::trace::{FaultSpan, Run};
use serde::Serialize;
use serde_json::{Value, json};

use crate::picture::Picture;
use crate::plots::Chart;
use crate::plots::hover::{Hover, seconds};
use crate::{ReportError, theme, variant_names};

/// The views, and of each the columns that are left out unless somebody wants them all: who and
/// where, which stays the same, and what physical replication has no use for.
const VIEWS: [(&str, &[&str]); 2] = [
    (
        "pg_stat_replication",
        &[
            "pid",
            "usesysid",
            "usename",
            "client_addr",
            "client_hostname",
            "client_port",
            "backend_start",
            "backend_xmin",
            "reply_time",
        ],
    ),
    (
        "pg_replication_slots",
        &[
            "plugin",
            "slot_type",
            "datoid",
            "database",
            "temporary",
            "xmin",
            "catalog_xmin",
            "confirmed_flush_lsn",
            "two_phase",
            "two_phase_at",
            "conflicting",
            "failover",
            "synced",
        ],
    ),
];

/// Everything.
#[derive(Serialize)]
struct Data<'a> {
    /// The variants' names.
    variants: &'a [String],
    /// The end of the axes of time, in seconds.
    end: String,
    /// How series are drawn.
    theme: Theme,
    /// In the order of the page; nothing for a plot that says itself what there is to say.
    plots: Vec<Option<Hover>>,
    /// What views showed, by variant.
    looks: Vec<Looks>,
}

/// The lines and the markers of series.
#[derive(Serialize)]
struct Theme {
    /// Dash patterns; a series' colour repeats with the next one.
    dashes: [&'static [u32]; 4],
    /// For each colour the corners of its marker, around its centre; none: a dot.
    markers: Vec<&'static [(i32, i32)]>,
}

/// The looks at one run.
#[derive(Serialize)]
struct Looks {
    /// Their moments, in seconds.
    at: Vec<String>,
    /// Faults: their names, from when, and until when unless they last to the end.
    faults: Vec<(String, String, Option<String>)>,
    /// The servers that were looked at.
    servers: Vec<Server>,
}

/// The looks at one server.
#[derive(Serialize)]
struct Server {
    name: String,
    views: Vec<View>,
}

/// What a view showed.
#[derive(Serialize)]
struct View {
    name: &'static str,
    columns: Vec<String>,
    /// The columns that are left out unless somebody wants them all.
    folded: Vec<usize>,
    /// For every moment: the rows, what psql says if it gets no session, or 0 for what was before.
    /// A row's texts are those of [`cell`].
    shown: Vec<Value>,
}

/// The object, so that it may stand in a page.
pub fn json(runs: &[Run], figures: &[(Chart, Picture)]) -> Result<String, ReportError> {
    let names = variant_names(runs);
    let end = runs.iter().map(|run| run.duration.0).max().unwrap_or(0);
    let data = Data {
        variants: &names,
        end: seconds(end),
        theme: Theme {
            dashes: [0, 1, 2, 3].map(|n| theme::dashes(theme::style(0, n))),
            markers: (0..theme::SERIES).map(theme::marker).collect(),
        },
        plots: figures.iter().map(|(chart, _)| hover(chart)).collect(),
        looks: runs.iter().map(looks).collect(),
    };
    // A name may say "</script>".
    Ok(serde_json::to_string(&data)?.replace('<', "\\u003c"))
}

fn hover(chart: &Chart) -> Option<Hover> {
    if chart.nothing().is_some() {
        return None;
    }
    chart.hover()
}

fn looks(run: &Run) -> Looks {
    let mut at: Vec<String> = Vec::new();
    let mut servers: BTreeMap<_, Vec<&Look>> = BTreeMap::new();
    for look in &run.looks {
        let moment = seconds(look.at.0);
        if at.last() != Some(&moment) {
            at.push(moment);
        }
        servers.entry(look.server).or_default().push(look);
    }
    let server = |(id, looks): (ServerId, Vec<&Look>)| Server {
        name: run.servers.get(id.index()).cloned().unwrap_or_default(),
        views: vec![
            view(0, &looks, |shown| &shown.stat_replication),
            view(1, &looks, |shown| &shown.replication_slots),
        ],
    };
    let fault = |fault: &FaultSpan| {
        let until = if fault.momentary { Some(fault.from) } else { fault.until };
        (fault.name.clone(), seconds(fault.from.0), until.map(|until| seconds(until.0)))
    };
    let faults = run.faults.iter().map(fault).collect();
    Looks { at, faults, servers: servers.into_iter().map(server).collect() }
}

fn view(which: usize, looks: &[&Look], table: fn(&Shown) -> &Table) -> View {
    let (name, folded) = VIEWS[which];
    let first = looks.iter().find_map(|look| look.shown.as_ref().ok());
    let columns = first.map_or(&[][..], |shown| &table(shown).columns);
    let columns: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let folded = (0..columns.len()).filter(|i| folded.contains(&columns[*i].as_str())).collect();
    let mut rows: &[Vec<Option<String>>] = &[];
    let mut before: Option<Result<&Table, &String>> = None;
    let mut shown = Vec::with_capacity(looks.len());
    for look in looks {
        let now = look.shown.as_ref().map(table);
        if before == Some(now) {
            shown.push(json!(0));
            continue;
        }
        before = Some(now);
        match now {
            Err(why) => shown.push(json!(why)),
            Ok(table) => {
                shown.push(
                    table.rows.iter().enumerate().map(|(i, row)| texts(row, rows.get(i))).collect(),
                );
                rows = &table.rows;
            }
        }
    }
    View { name, columns, folded, shown }
}

fn texts(row: &[Option<String>], before: Option<&Vec<Option<String>>>) -> Value {
    let before = |i: usize| before.and_then(|before| before.get(i));
    row.iter().enumerate().map(|(i, text)| cell(text, before(i))).collect()
}

/// A text of a row, after what stood there in the last rows that there were: null for NULL, 0 for
/// the same, else how many of its first characters are the same (as the ASCII character that many
/// after `0`), and the others.
fn cell(text: &Option<String>, before: Option<&Option<String>>) -> Value {
    /// The last one is `Z`.
    const MOST: usize = 42;
    if before == Some(text) {
        return json!(0);
    }
    let Some(text) = text else { return Value::Null };
    let before = before.and_then(Option::as_deref).unwrap_or_default();
    let same = text.bytes().zip(before.bytes()).take_while(|(a, b)| a == b && a.is_ascii()).count();
    let same = same.min(MOST);
    json!(format!("{}{}", char::from(b'0' + same as u8), &text[same..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_written_as_what_is_new_in_it() {
        let some = |text: &str| Some(text.to_owned());
        let cases = [
            (some("0/5A10"), None, json!("00/5A10")),
            (some("0/5A10"), Some(some("0/5A08")), json!("410")),
            (some("0/5A10"), Some(some("0/5A10")), json!(0)),
            (some("pg2"), Some(None), json!("0pg2")),
            (None, Some(None), json!(0)),
            (None, Some(some("x")), Value::Null),
            (
                some(&"y".repeat(50)),
                Some(some(&"y".repeat(49))),
                json!(format!("Z{}", "y".repeat(8))),
            ),
        ];
        for (text, before, expected) in cases {
            assert_eq!(cell(&text, before.as_ref()), expected, "{text:?} after {before:?}");
        }
    }
}
