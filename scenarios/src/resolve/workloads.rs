//! `[workload.X]`: what writes, when and how much.

use models::latency::{ONE, Quantiles};
use models::postgres::PgVersion;
use models::postgres::guc::SynchronousCommit;
use models::units::{Bytes, Duration, human};

use super::{Context, Fields, Finding, Span, Value, keys, limits};
use crate::error::{choices, enumerate};
use crate::presets::{self, COMMIT_RECORD};
use crate::quantity;
use crate::read::named;
use crate::workload::{Arrivals, Load, TransactionWal, WalProfile, Workload};

/// Backend time of a transaction: parse, plan and run two small statements.
const DEFAULT_SERVICE: Duration = Duration::us(40);
/// How long a bulk transaction writes unless the file says.
const DEFAULT_OVER: Duration = Duration::s(1);
/// Runs up to this long come in steps of 100 ms.
const SHORT_RUN: Duration = Duration::s(600);

/// What the workloads of a variant add up to.
#[derive(Default)]
struct Totals {
    transactions: u128,
    steps: u128,
    wal: u128,
    clients: u64,
}

/// Reads all workloads.
pub(super) fn read(
    cx: Context<'_>,
    duration: Option<(Duration, Span)>,
    _version: PgVersion,
) -> Vec<Workload> {
    let run = duration.map_or(Duration::s(1), |(d, _)| d);
    let mut totals = Totals::default();
    let mut workloads = Vec::new();
    for (entry, table) in named(cx.root, "workload", limits::MOST_WORKLOADS, cx.findings) {
        let title = format!("[workload.{}]", entry.key);
        let fields = Fields::new(table, &keys::WORKLOAD, &title, entry.key_span, cx.findings);
        let Some(kind) = kind(cx, &fields) else { continue };
        let wal = match kind {
            "rate" | "clients" => transaction_wal(cx, &fields),
            _ => Some(TransactionWal { records: Quantiles::constant(0), pages: Vec::new() }),
        };
        let service = fields.time_quantiles("service");
        let service = service.unwrap_or_else(|| Quantiles::constant(DEFAULT_SERVICE.0));
        let synchronous_commit = level(&fields);
        let load = load(cx, &fields, kind, run, &service);
        let (Some(load), Some(wal)) = (load, wal) else { continue };
        let checked = totals.within_limits();
        add_up(&mut totals, &load, &wal, run);
        let name = entry.key.clone();
        let (transactions, rows) = (fields.count("transactions"), fields.count("rows"));
        workloads.push(Workload {
            name,
            load,
            wal,
            synchronous_commit,
            service,
            transactions,
            rows: rows.unwrap_or(1),
        });
        if checked {
            totals.check(cx, entry.key_span, duration);
        }
    }
    workloads
}

/// Which of the keys that say the kind is given: exactly one.
fn kind(cx: Context<'_>, fields: &Fields<'_>) -> Option<&'static str> {
    let kinds = || keys::LOADS.iter().map(|(kind, _)| *kind);
    let given: Vec<(&'static str, Span)> =
        kinds().filter_map(|k| Some((k, fields.table.entry(k)?.key_span))).collect();
    match given.as_slice() {
        [] => {
            let message = format!("{} does not say how much it writes", fields.title);
            let help = format!("it takes one of {}", enumerate(kinds()));
            cx.report(Finding::new(fields.span, message).help(help));
            None
        }
        [(kind, _)] => {
            let (_, with) = keys::LOADS.iter().find(|(k, _)| k == kind)?;
            for entry in fields.table.entries.iter().filter(|e| e.key != *kind) {
                if fields.section.key(&entry.key).is_some() && !with.contains(&entry.key.as_str()) {
                    let message = format!("`{}` does not go with `{kind}`", entry.key);
                    let help =
                        format!("beside `{kind}` it takes {}", enumerate(with.iter().copied()));
                    cx.report(Finding::new(entry.key_span, message).help(help));
                }
            }
            Some(kind)
        }
        [(first, there), (second, span), ..] => {
            let message = format!("{} has both `{first}` and `{second}`", fields.title);
            let finding = Finding::new(*span, message)
                .label(*there, "the other one")
                .help("make two workloads of it: they run side by side");
            cx.report(finding);
            None
        }
    }
}

fn level(fields: &Fields<'_>) -> Option<SynchronousCommit> {
    Some(match fields.word("synchronous_commit")? {
        "off" => SynchronousCommit::Off,
        "local" => SynchronousCommit::Local,
        "remote_write" => SynchronousCommit::RemoteWrite,
        "on" => SynchronousCommit::On,
        _ => SynchronousCommit::RemoteApply,
    })
}

fn load(
    cx: Context<'_>,
    fields: &Fields<'_>,
    kind: &str,
    run: Duration,
    service: &Quantiles,
) -> Option<Load> {
    match kind {
        "rate" => {
            let arrivals = match fields.word("arrivals") {
                Some("constant") => Arrivals::Constant,
                _ => Arrivals::Poisson,
            };
            Some(Load::Open { gap: fields.event_gap("rate")?, arrivals })
        }
        "clients" => closed(cx, fields, service),
        "bulk" => bulk(cx, fields, run),
        _ => {
            let step = step(cx, fields, run);
            let profile = match kind {
                "wal_rate" => {
                    WalProfile::Constant(fields.byte_rate("wal_rate")?.bytes_per_second())
                }
                "daily" => WalProfile::Daily(fields.byte_rates("daily")?),
                _ => WalProfile::History(history(cx, fields)?),
            };
            Some(Load::Wal { step: step?, profile })
        }
    }
}

fn closed(cx: Context<'_>, fields: &Fields<'_>, service: &Quantiles) -> Option<Load> {
    let think = match fields.get("think") {
        Some(_) => fields.time_quantiles("think")?,
        None => Quantiles::constant(0),
    };
    let cycle = service.mean() + think.mean();
    if cycle < limits::SHORTEST_CYCLE.0 {
        let node = fields.get("service").or(fields.get("think"));
        let span = node.map_or(fields.span, |n| n.span);
        let message = match cycle {
            0 => "clients that take no time at all would commit for ever in one moment".to_owned(),
            _ => format!("{} has clients that commit more often than once in 1us", fields.title),
        };
        let help = "give `service` (backend time of a transaction) or `think` a value: \
                    service = '40us'";
        cx.report(Finding::new(span, message).help(help));
        return None;
    }
    let clients = u32::try_from(fields.count("clients")?).ok()?;
    Some(Load::Closed { clients, think })
}

fn bulk(cx: Context<'_>, fields: &Fields<'_>, run: Duration) -> Option<Load> {
    let bytes = fields.size("bulk")?;
    let at = fields.duration("at").unwrap_or(Duration::ZERO);
    let over = match fields.get("over") {
        Some(_) => fields.positive_duration("over")?,
        None => DEFAULT_OVER,
    };
    let every = match fields.get("every") {
        Some(_) => Some(fields.positive_duration("every")?),
        None => None,
    };
    let span = |key: &str| fields.get(key).map_or(fields.span, |n| n.span);
    if at >= run {
        let message = format!("{} starts at {at}, when the run is over", fields.title);
        cx.report(Finding::new(span("at"), message).help(format!("the run ends at {run}")));
    }
    if every.is_some_and(|every| every < over) {
        let message = "`every` is shorter than `over`: the next one would start before this ends";
        cx.report(Finding::new(span("every"), message).label(span("over"), "it writes this long"));
    }
    let rate = u128::from(bytes.0) * 1_000_000_000 / u128::from(over.0.max(1));
    if bytes == Bytes(0) || rate > u128::from(limits::FASTEST) {
        let message = format!("{bytes} over {over} cannot be written");
        let help = "more than nothing, and at most 100GB a second: give `over` a longer time";
        cx.report(Finding::new(span("bulk"), message).help(help));
    }
    Some(Load::Bulk { at, every, bytes, over })
}

fn step(cx: Context<'_>, fields: &Fields<'_>, run: Duration) -> Option<Duration> {
    let Some(node) = fields.get("step") else {
        return Some(if run <= SHORT_RUN { Duration::ms(100) } else { Duration::s(1) });
    };
    let step = fields.positive_duration("step")?;
    if step < Duration::ms(1) || step > Duration::s(3_600) {
        let message = format!("`step` is {step}");
        cx.report(Finding::new(node.span, message).help("it is from 1ms to 1h"));
        return None;
    }
    Some(step)
}

fn history(cx: Context<'_>, fields: &Fields<'_>) -> Option<Vec<(Duration, Bytes)>> {
    let path = fields.text("history")?;
    let span = fields.get("history")?.span;
    let history = cx.library.history(path, span, cx.findings)?;
    let (numerator, denominator) = match fields.get("stretch") {
        None => (1, 1),
        Some(_) => stretch(cx, fields, history.length())?,
    };
    let longest = u128::from(history.length().0) * u128::from(numerator);
    let most = u128::from(history.bytes().0) * u128::from(numerator) / u128::from(denominator);
    if longest / u128::from(denominator) > u128::from(limits::LONGEST.0) || most > limits::MOST_WAL
    {
        let span = fields.get("stretch").map_or(span, |n| n.span);
        cx.report(Finding::new(span, "the stretched history is too long or has too much WAL"));
        return None;
    }
    Some(history.profile(numerator, denominator))
}

/// The factor of `stretch`: a number, or the length to reach.
fn stretch(cx: Context<'_>, fields: &Fields<'_>, length: Duration) -> Option<(u64, u64)> {
    let node = fields.get("stretch")?;
    let text = match &node.value {
        Value::Text(text) | Value::Integer(text) | Value::Float(text) => text.as_str(),
        _ => "",
    };
    let factor = match quantity::decimal(text.trim()) {
        Some(factor) => Some(factor),
        None => quantity::duration(text).ok().map(|target| (target.0, length.0)),
    };
    let good = factor.filter(|(n, d)| *n > 0 && *d > 0 && *n / *d <= 1_000_000);
    if good.is_none() {
        let message = format!("`stretch` cannot be `{}`", node.show());
        let help = "a factor up to 1,000,000 (stretch = 48) or the length to reach \
                    (stretch = '24h'); the rate of WAL stays what it was";
        cx.report(Finding::new(node.span, message).help(help));
    }
    good
}

/// `wal`: a preset, a size, or a size's quantiles.
fn transaction_wal(cx: Context<'_>, fields: &Fields<'_>) -> Option<TransactionWal> {
    let Some(node) = fields.get("wal") else {
        return presets::workload(presets::DEFAULT_WORKLOAD);
    };
    if let Value::Text(text) = &node.value {
        if let Some(preset) = presets::workload(text) {
            return Some(preset);
        }
        if !text.trim_start().starts_with(|c: char| c.is_ascii_digit() || c == '.' || c == '-') {
            let help = choices(text, "presets are", presets::workload_names());
            let message = format!("there is no workload preset `{}`", text.escape_debug());
            let help = format!("{help}; or a size, such as wal = '1kB'");
            cx.report(Finding::new(node.span, message).help(help));
            return None;
        }
    }
    let whole = fields.size_quantiles("wal")?;
    if whole.max() < COMMIT_RECORD.0 || whole.max() > MOST_OF_A_TRANSACTION.0 {
        let message = format!("`wal` of a transaction is up to {}", Bytes(whole.max()));
        let help = "from 40B, which a commit record alone takes, to 1GB; for more use `bulk`";
        cx.report(Finding::new(node.span, message).help(help));
        return None;
    }
    Some(TransactionWal { records: without_commit(&whole)?, pages: Vec::new() })
}

/// Most WAL of a transaction that comes in one piece.
const MOST_OF_A_TRANSACTION: Bytes = Bytes::gb(1);

/// The same quantiles less the commit record, which the models add.
fn without_commit(whole: &Quantiles) -> Option<Quantiles> {
    if whole.is_constant() {
        return Some(Quantiles::constant(whole.max().saturating_sub(COMMIT_RECORD.0)));
    }
    let at = |p: u64| whole.quantile(p.min(ONE - 1) << 32).saturating_sub(COMMIT_RECORD.0);
    let inner = [0, ONE / 2, ONE / 10 * 9, ONE / 100 * 99, ONE / 1000 * 999];
    let mut points: Vec<(u64, u64)> = inner.iter().map(|p| (*p, at(*p))).collect();
    points.push((ONE, whole.max().saturating_sub(COMMIT_RECORD.0)));
    Quantiles::new(&points)
}

fn add_up(totals: &mut Totals, load: &Load, wal: &TransactionWal, run: Duration) {
    let images: u64 =
        wal.pages.iter().map(|p| p.image.0 * u64::from(p.touches_per_thousand) / 1000).sum();
    let each = u128::from(wal.records.mean() + images + COMMIT_RECORD.0);
    let run_ns = u128::from(run.0);
    match load {
        Load::Open { gap, .. } => {
            let transactions = run_ns / u128::from(gap.0.max(1));
            totals.transactions += transactions;
            totals.wal += transactions * each;
        }
        Load::Closed { clients, .. } => totals.clients += u64::from(*clients),
        Load::Wal { step, profile } => {
            totals.steps += run_ns / u128::from(step.0.max(1));
            let rate = match profile {
                WalProfile::Constant(rate) => u128::from(*rate),
                WalProfile::Daily(rates) => u128::from(rates.iter().copied().max().unwrap_or(0)),
                WalProfile::History(points) => points.last().map_or(0, |(at, bytes)| {
                    u128::from(bytes.0) * 1_000_000_000 / u128::from(at.0.max(1))
                }),
            };
            totals.wal += rate * run_ns / 1_000_000_000;
        }
        Load::Bulk { bytes, every, .. } => {
            let times = every.map_or(1, |every| 1 + run_ns / u128::from(every.0.max(1)));
            totals.wal += times * u128::from(bytes.0);
            totals.transactions += times;
        }
    }
}

impl Totals {
    fn within_limits(&self) -> bool {
        self.transactions <= u128::from(limits::MOST_TRANSACTIONS)
            && self.steps <= u128::from(limits::MOST_STEPS)
            && self.wal <= limits::MOST_WAL
            && self.clients <= limits::MOST_CLIENTS
    }

    /// Reports what no run could finish.
    fn check(&self, cx: Context<'_>, span: Span, duration: Option<(Duration, Span)>) {
        let too_much = if self.transactions > u128::from(limits::MOST_TRANSACTIONS) {
            let help = "at most 2,000,000,000 in a run: shorten `duration` or lower the rate";
            let transactions = u64::try_from(self.transactions).unwrap_or(u64::MAX);
            Some((format!("{} transactions are too many", human::count(transactions)), help))
        } else if self.steps > u128::from(limits::MOST_STEPS) {
            let help = "at most 200,000,000 in a run: make `step` longer";
            Some((format!("{} steps of WAL are too many", self.steps), help))
        } else if self.wal > limits::MOST_WAL {
            Some(("that is more than 262144TB of WAL".to_owned(), "lower the rate"))
        } else if self.clients > limits::MOST_CLIENTS {
            Some((format!("{} clients are too many", self.clients), "at most 100,000 together"))
        } else {
            None
        };
        let Some((message, help)) = too_much else { return };
        let mut finding = Finding::new(span, message).help(help);
        if let Some((end, place)) = duration {
            finding = finding.label(place, format!("the run is {end} long"));
        }
        cx.report(finding);
    }
}
