//! What a sweep prints: each metric with a row a variant, then what was expected.
//!
//! A metric that was the same in every run of every variant takes one line, so that what luck or a
//! variant changes is not lost among what nothing changes.

use models::units::human::share;
use scenarios::expect::Unit;
use sim::sweep::{Around, Metric, Spread, Variant, Verdict};

use super::Answer;
use crate::screen::{fitting, grid, quoted};
use crate::stored::hex;
use crate::terminal::{Style, Terminal, plain, wrap};

/// Shown without being asked for, beside what is expected.
const ALWAYS: [&str; 6] = [
    "tps",
    "latency_ms.p50",
    "latency_ms.p99",
    "latency_ms.max",
    "commits.lost",
    "commits.unknown",
];
/// What is shown of every entry of a list.
const OF_ALL: [(&str, &str); 6] = [
    ("standbys.", ".lag_bytes.max"),
    ("standbys.", ".lost"),
    ("servers.", ".pg_wal_bytes.max"),
    ("slots.", ".wal_status"),
    ("failovers.", ".lost_commits"),
    ("failovers.", ".downtime_seconds"),
];

/// All that is shown.
pub struct Screen<'a>(pub &'a Answer<'a>);

impl Screen<'_> {
    /// Prints it.
    pub fn print(&self, terminal: &mut Terminal) {
        self.heading(terminal);
        let paths = self.paths();
        let (same, differing): (Vec<&str>, Vec<&str>) =
            paths.into_iter().partition(|path| self.constant(path).is_some());
        for path in differing {
            self.metric(terminal, path);
        }
        if !same.is_empty() {
            heading(terminal, "The same in every run");
            let line = |path: &&str| Some(vec![(*path).to_owned(), self.constant(path)?]);
            let rows: Vec<_> = same.iter().filter_map(line).collect();
            grid(&rows).iter().for_each(|line| terminal.line(format!("  {line}")));
        }
        self.expectations(terminal);
        self.closing(terminal);
    }

    fn heading(&self, terminal: &mut Terminal) {
        let Answer { args, plan, sweep, .. } = self.0;
        let Some(first) = plan.scenarios.first() else { return };
        let one = plan.scenarios.iter().all(|scenario| scenario.name == first.name);
        let titled = one && !first.title.is_empty() && first.title != plan.name;
        let title = if titled { format!(": {}", first.title) } else { String::new() };
        let title = plain(&format!("{}{title}", plan.name));
        terminal.line(terminal.paint(Style::Bold, &title));
        if one && !first.question.is_empty() {
            terminal.line(plain(&first.question));
        }
        let last = sweep.seeds.last().copied().unwrap_or(plan.seed);
        let decided = match args.decide && sweep.seeds.len() < args.seeds as usize {
            true => ", then it was decided",
            false => "",
        };
        let what = format!(
            "PostgreSQL {}, seeds {} to {last}{decided}, {} simulated each, Walden {}",
            first.pg_version,
            plan.seed,
            first.duration,
            sim::VERSION
        );
        terminal.line(terminal.paint(Style::Dim, &what));
    }

    /// The metrics that are shown, in the order of the summary.
    fn paths(&self) -> Vec<&str> {
        let Answer { args, sweep, .. } = self.0;
        let expected = |path: &str| {
            sweep.variants.iter().any(|variant| {
                let claims = variant.claims.iter().map(|claim| claim.metric.as_str());
                let shares = variant.shares.iter().map(|asked| asked.share.of.metric.as_str());
                let expected = claims.filter(|metric| !metric.starts_with("laws."));
                expected.chain(shares).any(|metric| metric == path)
            })
        };
        let usual = |path: &str| {
            let of_all =
                |(list, field): &(&str, &str)| path.starts_with(list) && path.ends_with(field);
            ALWAYS.contains(&path) || OF_ALL.iter().any(of_all)
        };
        let mut paths: Vec<&str> = Vec::new();
        for metric in sweep.variants.iter().flat_map(|variant| &variant.metrics) {
            let path = metric.path.as_str();
            let asked = match args.metric.is_empty() {
                true => usual(path),
                false => args.metric.iter().any(|asked| asked == path),
            };
            if (asked || expected(path)) && !paths.contains(&path) {
                paths.push(path);
            }
        }
        paths
    }

    /// What a metric was, if it was the same in every run.
    fn constant(&self, path: &str) -> Option<String> {
        let mut shown = self.0.sweep.variants.iter().map(|variant| {
            let metric = variant.metric(path)?;
            if metric.values.iter().any(Option::is_none) {
                return None;
            }
            match (metric.spread(), &metric.words()[..]) {
                (Some(spread), []) if spread.is_constant() => {
                    Some(metric.unit.show(spread.least().0))
                }
                (None, [(word, ..)]) => Some((*word).to_owned()),
                (Some(_) | None, _) => None,
            }
        });
        let first = shown.next()??;
        shown.all(|other| other.as_ref() == Some(&first)).then_some(first)
    }

    fn metric(&self, terminal: &mut Terminal, path: &str) {
        heading(terminal, path);
        let variants = &self.0.sweep.variants;
        let numbers = variants.iter().any(|v| v.metric(path).is_some_and(|m| m.spread().is_some()));
        if !numbers {
            for variant in variants {
                self.words(terminal, variant, path);
            }
            return;
        }
        let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
        let base = variants.first().and_then(|base| base.metric(path));
        if variants.len() > 1 {
            rows[0].push(format!("more than {}", self.name(&variants[0])));
        }
        for (index, variant) in variants.iter().enumerate() {
            let metric = variant.metric(path);
            let Some(spread) = metric.and_then(Metric::spread) else {
                rows.push(vec![self.name(variant), "absent".to_owned()]);
                continue;
            };
            let mut row = self.row(variant, &spread, metric.map_or(Unit::Number, |m| m.unit));
            if let Some((own, base)) = metric.zip(base).filter(|_| index > 0) {
                row.push(own.against(base).map_or(String::new(), |more| differs(&more, own.unit)));
            }
            rows.push(row);
        }
        let room = terminal.width().saturating_sub(2);
        let lines = fitting(&[rows], room);
        lines.iter().for_each(|line| terminal.line(format!("  {}", plain(line))));
    }

    fn row(&self, variant: &Variant, spread: &Spread, unit: Unit) -> Vec<String> {
        let (most, place) = spread.most();
        let name = match spread.count() == self.0.sweep.seeds.len() {
            true => self.name(variant),
            false => format!("{} ({} runs)", self.name(variant), spread.count()),
        };
        vec![
            name,
            unit.show(spread.mean()),
            around(spread.quantile(0.5), unit),
            around(spread.quantile(0.05), unit),
            unit.show(most),
            self.0.sweep.seeds[place].to_string(),
        ]
    }

    /// What share of runs had which word.
    fn words(&self, terminal: &mut Terminal, variant: &Variant, path: &str) {
        let all = self.0.sweep.seeds.len();
        let words = variant.metric(path).map_or(Vec::new(), Metric::words);
        let said: Vec<String> = words
            .into_iter()
            .map(|(word, times, first)| match times == all {
                true => format!("{word} in every run"),
                false => {
                    let share = counted(&sim::estimate::Share::new(times, all));
                    let seed = self.0.sweep.seeds[first];
                    format!("{word} in {share}, first with seed {seed}")
                }
            })
            .collect();
        let said = if said.is_empty() { "absent".to_owned() } else { said.join("; ") };
        let line = plain(&format!("{}  {said}", self.name(variant)));
        indented(terminal, &line);
    }

    /// A variant's name, with that of its scenario if there are several.
    fn name(&self, variant: &Variant) -> String {
        let one = self.0.sweep.variants.iter().all(|other| other.scenario == variant.scenario);
        if one { variant.name.clone() } else { format!("{}/{}", variant.scenario, variant.name) }
    }

    fn expectations(&self, terminal: &mut Terminal) {
        let Answer { sweep, looks, .. } = self.0;
        let seeds = sweep.seeds.len();
        let mut lines = Vec::new();
        let mut laws = Vec::new();
        for variant in &sweep.variants {
            for claim in &variant.claims {
                let is_law = claim.metric.starts_with("laws.");
                let (verdict, found) = match claim.broken.first() {
                    None => (Verdict::Met, format!("in each of {seeds} runs")),
                    Some((place, measured)) => {
                        let of = estimate(claim.broken.len(), seeds);
                        let seed = sweep.seeds[*place];
                        (
                            Verdict::Failed,
                            format!("not in {of}, first with seed {seed}: {measured}"),
                        )
                    }
                };
                let what = format!("{}  {} {}", self.name(variant), claim.metric, claim.wanted);
                match (is_law, verdict) {
                    (true, Verdict::Met) => {}
                    (true, _) => laws.push((verdict, what, found)),
                    (false, _) => lines.push((verdict, what, found)),
                }
            }
            for asked in &variant.shares {
                let found = counted(&asked.measured(seeds, *looks));
                let (name, metric) = (self.name(variant), asked.share.metric());
                let what = format!("{name}  {metric} {}", asked.share.wanted);
                lines.push((asked.verdict(seeds, *looks), what, found));
            }
        }
        let met = lines.iter().filter(|(verdict, ..)| *verdict == Verdict::Met).count();
        let undecided = lines.iter().filter(|(v, ..)| *v == Verdict::Undecided).count();
        let title = match (lines.len(), undecided) {
            (0, _) => "No expectations".to_owned(),
            (all, 0) => format!("Expectations: {met} of {all} met"),
            (all, n) => format!("Expectations: {met} of {all} met, {n} undecided"),
        };
        heading(terminal, &title);
        for (verdict, what, found) in lines.iter().chain(&laws) {
            let (mark, style) = match verdict {
                Verdict::Met => ("✓", Style::Good),
                Verdict::Undecided => ("?", Style::Bold),
                Verdict::Failed => ("✗", Style::Bad),
            };
            let mark = terminal.paint(style, mark);
            terminal.line(format!("  {mark} {}", plain(&format!("{what}  ({found})"))));
        }
        if undecided > 0 {
            let more = "The interval has the limit in it: more seeds decide (--seeds).";
            terminal.line(format!("  {more}"));
        }
        if !laws.is_empty() {
            let bug =
                "That a law is broken is a bug of Walden: the numbers are not to be believed.";
            terminal.line(format!("  {bug}"));
        }
    }

    fn closing(&self, terminal: &mut Terminal) {
        let Answer { args, sweep, .. } = self.0;
        terminal.line("");
        terminal.line(format!("digest  {}", hex(sweep.digest)));
        terminal.line(format!("repeat  {}", self.0.repeat()));
        let claims = sweep.variants.iter().flat_map(|variant| &variant.claims);
        let broken = claims.filter_map(|claim| claim.broken.first()).map(|(place, _)| *place).min();
        let shares = sweep.variants.iter().flat_map(|variant| &variant.shares);
        let so = shares.filter_map(|asked| asked.so.first().copied()).min();
        if let Some(place) = broken.or(so) {
            let files: Vec<String> = args.scenarios.iter().map(|file| quoted(file)).collect();
            let sets = args.set.iter().map(|(path, value)| format!("{path}={value}"));
            let sets: String = sets.map(|set| format!(" --set {}", quoted(&set))).collect();
            let seed = sweep.seeds[place];
            terminal.line(format!("look    walden run {}{sets} --seed {seed}", files.join(" ")));
        }
        if let Some(path) = &args.csv {
            terminal.line(format!("csv     {}", plain(&path.display().to_string())));
        }
    }
}

/// Over the columns of numbers.
const HEAD: [&str; 6] =
    ["variant", "mean", "p50 (95 % interval)", "p95 (95 % interval)", "max", "its seed"];

fn heading(terminal: &mut Terminal, title: &str) {
    terminal.line("");
    terminal.line(terminal.paint(Style::Bold, &plain(title)));
}

fn indented(terminal: &mut Terminal, line: &str) {
    for (n, part) in wrap(line, terminal.width().saturating_sub(4)).iter().enumerate() {
        terminal.line(format!("  {}{part}", if n == 0 { "" } else { "  " }));
    }
}

/// `4.2ms (4.1ms to 4.4ms)`.
fn around(around: Around, unit: Unit) -> String {
    let value = unit.show(around.value);
    match (around.low, around.high) {
        (Some(low), Some(high)) if low == high => value,
        (Some(low), Some(high)) => format!("{value} ({} to {})", unit.show(low), unit.show(high)),
        (Some(low), None) => format!("{value} (from {})", unit.show(low)),
        (None, Some(high)) => format!("{value} (up to {})", unit.show(high)),
        (None, None) => value,
    }
}

/// The median of the differences of pairs, if it is known to be one.
fn differs(more: &Spread, unit: Unit) -> String {
    let median = more.quantile(0.5);
    match (median.low, median.high) {
        (Some(low), Some(high)) if low > 0.0 || high < 0.0 => around(median, unit),
        (Some(_) | None, Some(_) | None) => "no difference".to_owned(),
    }
}

/// `3 of 100 runs`.
fn estimate(hits: usize, of: usize) -> String {
    format!("{hits} of {of} runs")
}

/// The same with its interval.
fn counted(found: &sim::estimate::Share) -> String {
    format!(
        "{}, {} (95 %: {} to {})",
        estimate(found.hits, found.of),
        share(found.value()),
        share(found.low),
        share(found.high)
    )
}
