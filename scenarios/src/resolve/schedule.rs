//! When a fault begins, how long it holds, and how often.
//!
//! What the file leaves to chance is drawn here, from the scenario's seed and the fault's name: the
//! n-th time has its own throws. So every variant has the same schedule, and a stored run repeats
//! it.

use models::latency::Quantiles;
use models::units::{Die, Duration};

use super::{Fields, Finding, Span, keys, limits};
use crate::quantity;

/// A schedule as the file has it.
pub(super) struct Schedule {
    at: Quantiles,
    lasts: Option<Quantiles>,
    every: Option<Duration>,
    times: u64,
}

impl Schedule {
    /// Reads `at`, `for`, `every` and `times`. Without `heals` the fault takes no `for`.
    pub fn read(
        fields: &Fields<'_>,
        heals: bool,
        duration: Option<(Duration, Span)>,
    ) -> Option<Schedule> {
        let at = at(fields);
        let lasts = match fields.get("for").map(|node| node.table().is_some()) {
            None => None,
            Some(false) => Some(Quantiles::constant(fields.positive_duration("for")?.0)),
            Some(true) => Some(fields.time_quantiles("for")?),
        };
        let every = fields.positive_duration("every");
        let times = fields.count("times");
        let at = at?;
        let (end, span) = duration?;
        if let (None, Some(node)) = (every, fields.get("times")) {
            let finding =
                Finding::new(node.span, "`times` says how often, but not at which distance");
            fields.findings.push(finding.help("add every = '10min', or leave `times` out"));
            return None;
        }
        let last_of = |times: u64| {
            at.max().saturating_add(every.map_or(0, |e| e.0.saturating_mul(times - 1)))
        };
        let fit = match every {
            None => 1,
            Some(every) => 1 + end.0.saturating_sub(at.max() + 1) / every.0,
        };
        let times = times.unwrap_or(fit);
        if last_of(times) >= end.0 {
            let last = Duration(last_of(times));
            let message = format!("{} begins at {last}, when the run is over", fields.title);
            let node = fields.get(if times > 1 { "times" } else { "at" })?;
            let finding = Finding::new(node.span, message).label(span, format!("it ends at {end}"));
            fields.findings.push(finding.help("let it begin earlier, or `duration` be longer"));
            return None;
        }
        let schedule = Schedule { at, lasts, every, times };
        schedule.check_distance(fields, heals)?;
        Some(schedule)
    }

    /// One has healed before the next begins.
    fn check_distance(&self, fields: &Fields<'_>, heals: bool) -> Option<()> {
        let Some(every) = self.every else { return Some(()) };
        let node = fields.get("every")?;
        let apart = self.at.max() - self.at.quantile(0);
        let report = |message: String, help: &str| {
            fields.findings.push(Finding::new(node.span, message).help(help));
            None
        };
        if self.times > limits::MOST_FAULTS as u64 {
            return report(format!("that is {} times", self.times), "at most 1000");
        }
        match &self.lasts {
            None if heals => report(
                "a fault that lasts to the end cannot come again".to_owned(),
                "say how long each holds: for = '10s'",
            ),
            Some(lasts) if lasts.max().saturating_add(apart) >= every.0 => report(
                "the next may begin before one has healed".to_owned(),
                "make `every` longer than `for`, and than what `at` leaves open",
            ),
            Some(_) | None => Some(()),
        }
    }

    /// Each time: when it begins, and how long it holds.
    pub fn times(&self, seed: u64, name: &str) -> Vec<(Duration, Option<Duration>)> {
        let die = Die::new(seed, "fault", name);
        let nth = |n: u64| {
            let at = self.at.drawn_with(|| die.at(2 * n + 1)) + self.every.map_or(0, |e| e.0) * n;
            let lasts = self.lasts.as_ref().map(|lasts| lasts.drawn_with(|| die.at(2 * n + 2)));
            (Duration(at), lasts.map(Duration))
        };
        (0..self.times).map(nth).collect()
    }
}

/// `at`: a moment, or a stretch of time in which it lies.
fn at(fields: &Fields<'_>) -> Option<Quantiles> {
    let Some(node) = fields.get("at") else {
        fields.missing("at", "say when it begins: at = '30s'");
        return None;
    };
    let Some(table) = node.table() else {
        return fields.duration("at").map(|at| Quantiles::constant(at.0));
    };
    let own = Fields::new(table, &keys::MOMENT, "`at`", node.span, fields.findings);
    if own.get("between").is_none() {
        own.missing("between", "say between which moments: at = { between = ['10s', '60s'] }");
        return None;
    }
    let read = own.two_names("between")?.map(|(text, span)| match quantity::duration(text) {
        Ok(moment) => Some(moment.0),
        Err(wrong) => {
            let message = format!("`between`: {}", wrong.message);
            fields.findings.push(Finding::new(span, message).help(wrong.help));
            None
        }
    });
    let [Some(from), Some(to)] = read else { return None };
    if from > to {
        let finding =
            Finding::new(own.get("between")?.span, "the second moment is the earlier one");
        fields.findings.push(finding.help("write between = ['10s', '60s']"));
        return None;
    }
    Some(Quantiles::uniform(from, to))
}
