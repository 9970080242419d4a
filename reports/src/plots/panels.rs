//! From runs to panels: which lines share a pair of axes, and what stands beside them.
//!
//! Few lines share one panel, each variant with a colour of its own. Many become a panel a variant,
//! below one another with the same scales, so that twenty variants stay as readable as two. Plots
//! with several lines for every standby have a panel for each of those.

use models::trace::series::{Merge, Series};
use models::trace::{FaultSpan, Run};
use models::units::{Duration, SimTime};

use super::marks::{Limit, Moment};
use super::over_time::{Line, Panel};
use crate::picture::shortened;
use crate::theme;

/// How many points a line has at most.
const POINTS: usize = 500;
/// The same for rates: in a shorter span they would be noise.
const RATES: usize = 125;
/// How many panels a plot has at most, where every standby or server has one.
const PANELS: usize = 12;
/// How many lines share a panel at most, where every variant has one.
const SHARED: usize = 6;
/// The same, where lines are those of servers, standbys or slots: the variants' often lie on top
/// of one another.
const SHARED_OF_SERVERS: usize = 4;

/// Start of a span of time, and the value there, if any; in order.
pub type Points = Vec<(SimTime, Option<u64>)>;

/// What a line is called within its variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// It is the variant's only line.
    Variant,
    /// A server.
    Server(String),
}

impl Label {
    /// The line of a server.
    pub fn of(server: &str) -> Label {
        Label::Server(shortened(server, 32))
    }
}

/// The longest duration among the runs.
pub fn longest(runs: &[Run]) -> Duration {
    runs.iter().map(|run| run.duration).max().unwrap_or(Duration::ZERO)
}

/// A series in at most 500 spans: the largest or the last of its buckets, or for a sum in at most
/// 125 the rate a second.
pub fn thinned(series: &Series, merge: Merge, duration: Duration) -> Points {
    let buckets = series.buckets();
    let points = if merge == Merge::Sum { RATES } else { POINTS };
    let group = buckets.div_ceil(points).max(1);
    let period = series.period().0;
    let reduce = |from: usize| {
        let to = (from + group).min(buckets);
        let mut values = (from..to).filter_map(|bucket| series.get(bucket));
        let start = from as u64 * period;
        let value = match merge {
            Merge::Peak => values.max(),
            Merge::Last => values.next_back(),
            Merge::Sum => {
                // The last bucket ends with the run.
                let end = (to as u64 * period).min(duration.0).max(start + 1);
                let sum = u128::from(values.sum::<u64>());
                let rate = sum * 1_000_000_000 / u128::from(end - start);
                Some(u64::try_from(rate).unwrap_or(u64::MAX))
            }
        };
        (SimTime(start), value)
    };
    (0..buckets).step_by(group).map(reduce).collect()
}

/// The mean over at most 125 spans, of a sum and the count it is of; none without a count, or where
/// the sum is 0.
pub fn mean(sums: &Series, counts: &Series) -> Points {
    let buckets = sums.buckets();
    let group = buckets.div_ceil(RATES).max(1);
    let reduce = |from: usize| {
        let to = (from + group).min(buckets);
        let total = |series: &Series| (from..to).filter_map(|b| series.get(b)).sum::<u64>();
        let mean = total(sums).checked_div(total(counts)).filter(|&mean| mean > 0);
        (SimTime(from as u64 * sums.period().0), mean)
    };
    (0..buckets).step_by(group).map(reduce).collect()
}

/// The lines of all runs, in one panel if they are few.
pub fn panels(
    runs: &[Run],
    names: &[String],
    series: fn(&Run) -> Vec<(Label, Points)>,
) -> Vec<Panel> {
    let all: Vec<_> = runs.iter().map(series).collect();
    let lines: usize = all.iter().map(Vec::len).sum();
    let of_variants = all.iter().flatten().all(|(label, _)| *label == Label::Variant);
    let shared = if of_variants { SHARED } else { SHARED_OF_SERVERS };
    if lines > shared && runs.len() > 1 {
        // What has the same name looks the same in every panel.
        let mut known: Vec<Label> = Vec::new();
        for (label, _) in all.iter().flatten() {
            if !known.contains(label) {
                known.push(label.clone());
            }
        }
        let line = |run, (label, points)| {
            let style = known.iter().position(|other| *other == label).unwrap_or(0);
            let label = match label {
                Label::Variant => String::new(),
                Label::Server(server) => server,
            };
            Line { run, label, style, points, strip: Vec::new() }
        };
        let panel = |(i, (run, (name, lines))): (usize, (&Run, (&String, Vec<_>)))| Panel {
            run: Some(i),
            name: Some(shortened(name, 100)),
            note: None,
            lines: lines.into_iter().map(|of| line(i, of)).collect(),
            faults: run.faults.clone(),
            limits: Vec::new(),
            moments: Vec::new(),
        };
        return runs.iter().zip(names.iter().zip(all)).enumerate().map(panel).collect();
    }
    let mut faults: Vec<FaultSpan> = Vec::new();
    for fault in runs.iter().flat_map(|run| &run.faults) {
        if !faults.contains(fault) {
            faults.push(fault.clone());
        }
    }
    let full = |name: &str, label| match label {
        Label::Variant => shortened(name, 48),
        Label::Server(server) if runs.len() == 1 => server,
        Label::Server(server) => format!("{} · {server}", shortened(name, 48)),
    };
    // A colour for each variant, a dash pattern for each of its servers.
    let lines = names.iter().zip(all).enumerate().flat_map(|(i, (name, lines))| {
        (0..).zip(lines).map(move |(j, (label, points))| {
            let style = if runs.len() == 1 { j } else { theme::style(i, j) };
            Line { run: i, label: full(name, label), style, points, strip: Vec::new() }
        })
    });
    let lines = lines.collect();
    vec![Panel {
        run: None,
        name: None,
        note: None,
        lines,
        faults,
        limits: Vec::new(),
        moments: Vec::new(),
    }]
}

/// Gives every panel the limits of its runs, each once. A limit of 0 is none; one that not every
/// run of the panel has carries the name of its variant.
pub fn add_limits(
    panels: &mut [Panel],
    runs: &[Run],
    names: &[String],
    limits: fn(&Run) -> Vec<Limit>,
) {
    for panel in panels {
        let shown: Vec<_> = (0..).zip(runs.iter().zip(names)).collect();
        let of_panel = |i: usize| panel.run.is_none_or(|run| run == i);
        let shown: Vec<_> = shown.into_iter().filter(|&(i, _)| of_panel(i)).collect();
        for (_, (run, name)) in &shown {
            for mut limit in limits(run).into_iter().filter(|limit| limit.value > 0) {
                if shown.iter().any(|(_, (run, _))| !limits(run).contains(&limit)) {
                    limit.label = format!("{} · {}", shortened(name, 32), limit.label);
                }
                if !panel.limits.contains(&limit) {
                    panel.limits.push(limit);
                }
            }
        }
    }
}

/// Gives every panel the moments of its runs: what happened, in a word or two, and when.
pub fn add_moments(
    panels: &mut [Panel],
    runs: &[Run],
    names: &[String],
    moments: fn(&Run) -> Vec<(String, SimTime)>,
) {
    for (i, (run, name)) in runs.iter().zip(names).enumerate() {
        let of_run = |panel: &&mut Panel| panel.run.is_none_or(|run| run == i);
        let Some(panel) = panels.iter_mut().find(of_run) else { continue };
        for (what, at) in moments(run) {
            let label = match panel.run.is_none() && runs.len() > 1 {
                true => format!("{} · {what}", shortened(name, 32)),
                false => what,
            };
            panel.moments.push(Moment { run: i, label, at });
        }
    }
}

/// What a panel of its own shows: its name, and its lines with theirs.
pub type Part = (String, Vec<(&'static str, Points)>);

/// A panel for each part of every run, such as one of its standbys. Of very many the last are
/// left out, and the name of the last that is shown says so.
pub fn panel_each(runs: &[Run], names: &[String], parts: fn(&Run) -> Vec<Part>) -> Vec<Panel> {
    let mut panels = Vec::new();
    let mut left_out = 0;
    for (i, (run, name)) in runs.iter().zip(names).enumerate() {
        for (part, lines) in parts(run) {
            if panels.len() == PANELS {
                left_out += 1;
                continue;
            }
            let full = match (runs.len() > 1, part.is_empty()) {
                (true, false) => format!("{name} · {part}"),
                (true, true) => name.clone(),
                (false, _) => part,
            };
            let line = |(style, (label, points)): (usize, (&str, Points))| Line {
                run: i,
                label: label.to_owned(),
                style,
                points,
                strip: Vec::new(),
            };
            panels.push(Panel {
                run: Some(i),
                name: (!full.is_empty()).then(|| shortened(&full, 100)),
                note: None,
                lines: (0..).zip(lines).map(line).collect(),
                faults: run.faults.clone(),
                limits: Vec::new(),
                moments: Vec::new(),
            });
        }
    }
    if let (Some(Panel { name: Some(name), .. }), 1..) = (panels.last_mut(), left_out) {
        name.push_str(&format!(" (and {left_out} more, not shown)"));
    }
    panels
}
