//! What is to rise from one variant to the next: `order` in `[expect]`.
//!
//! An order is a metric and a list of variants. Each variant after the first is held against the
//! one before it and must measure more; where the list says `'<= NAME'` it may measure the same.
//! The outcome is one of the later variant's expectations: `latency_ms.p50 > off's 0.2ms`.

use models::trace::summary::{ExpectationSummary, Summary};

use super::{Names, Operand, Operator, Unit, check_path, holds, look_up, show, unit};
use crate::error::{Finding, choices};
use crate::resolve::{Case, Context};
use crate::scenario::Scenario;
use crate::tree::{Entry, Node, Table, Value};

/// One line of `order`: from each variant to the next the metric rises.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// Path into the summary, such as `latency_ms.p50`.
    pub metric: String,
    /// The variants, two at least.
    pub steps: Vec<Step>,
}

/// One variant of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub variant: String,
    /// Whether it may measure the same as the one before.
    pub or_equal: bool,
}

/// What keys of `[expect]` begin with that are orders.
pub(crate) const PREFIX: &str = "order.";

/// What [`judge`] judges of this variant, in its order: metrics and comparisons, without numbers.
pub fn claims(scenario: &Scenario) -> impl Iterator<Item = (String, String)> {
    steps(scenario).map(|(metric, before, step)| {
        (metric.to_owned(), format!("{} {}'s", sign(step).0, before.variant))
    })
}

/// The pairs of an order in which this variant is the later one.
fn steps<'a>(scenario: &'a Scenario) -> impl Iterator<Item = (&'a str, &'a Step, &'a Step)> {
    let pairs = |order: &'a Order| {
        order.steps.windows(2).map(move |pair| (order.metric.as_str(), &pair[0], &pair[1]))
    };
    let all = scenario.order.iter().flat_map(pairs);
    all.filter(|(_, _, step)| step.variant == scenario.variant)
}

fn sign(step: &Step) -> (&'static str, Operator) {
    match step.or_equal {
        true => (">=", Operator::AtLeast),
        false => (">", Operator::Above),
    }
}

/// Judges what a variant is to be more than: an outcome for each order in which it follows another.
/// `other` finds the other variants' summaries.
pub fn judge<'a>(
    scenario: &Scenario,
    own: &Summary,
    other: impl Fn(&str) -> Option<&'a Summary>,
) -> Vec<ExpectationSummary> {
    let outcome = |(metric, before, step): (&str, &Step, &Step)| {
        compare(metric, before, step, own, other(&before.variant))
    };
    steps(scenario).map(outcome).collect()
}

fn compare(
    metric: &str,
    before: &Step,
    step: &Step,
    own: &Summary,
    other: Option<&Summary>,
) -> ExpectationSummary {
    let unit = unit(metric).unwrap_or(Unit::Number);
    let value = |summary: &Summary| {
        toml::Value::try_from(summary).ok().and_then(|value| look_up(&value, metric))
    };
    let (measured, base) = (value(own), other.and_then(value));
    let operand = base.as_ref().and_then(|base| match base {
        toml::Value::Integer(n) => Some(Operand::Number(*n as f64)),
        toml::Value::Float(n) => Some(Operand::Number(*n)),
        toml::Value::String(text) => text.parse().ok().map(Operand::Lsn),
        _ => None,
    });
    let (sign, operator) = sign(step);
    let shown = |value: Option<&toml::Value>| value.map_or("null".to_owned(), |v| show(v, unit));
    ExpectationSummary {
        metric: metric.to_owned(),
        wanted: format!("{sign} {}'s {}", before.variant, shown(base.as_ref())),
        met: operand.is_some_and(|operand| holds(measured.as_ref(), operator, &operand)),
        measured: shown(measured.as_ref()),
    }
}

/// Reads the orders of `[expect]`, as far as they name this variant.
pub(crate) fn read(
    cx: Context<'_>,
    case: Case<'_>,
    servers: &[&str],
    primary: Option<&str>,
) -> Vec<Order> {
    let Some(table) = cx.root.get("expect").and_then(Node::table) else { return Vec::new() };
    let names = Names { servers, primary };
    lines(table).filter_map(|(metric, entry)| line(cx, case, metric, entry, names)).collect()
}

/// The lines of an `[expect]` that are orders, by metric.
pub(crate) fn lines(table: &Table) -> impl Iterator<Item = (String, &Entry)> {
    let all = table.flatten().into_iter();
    all.filter_map(|(key, entry)| Some((key.strip_prefix(PREFIX)?.to_owned(), entry)))
}

fn line(
    cx: Context<'_>,
    case: Case<'_>,
    metric: String,
    entry: &Entry,
    names: Names<'_>,
) -> Option<Order> {
    let report = |finding: Finding| {
        cx.findings.push(finding);
        None
    };
    let Value::List(items) = &entry.node.value else {
        let message = format!("the order of `{metric}` is {}", entry.node.kind());
        let help = "a list of variants: order = { 'latency_ms.p50' = ['off', 'local'] }";
        return report(Finding::new(entry.node.span, message).help(help));
    };
    if items.len() < 2 {
        let message = format!("the order of `{metric}` has less than two variants");
        let help = "list those from which to which it rises: ['off', 'local']";
        return report(Finding::new(entry.node.span, message).help(help));
    }
    let mut order = Order { metric, steps: Vec::new() };
    for item in items {
        match step(case, &order, item) {
            Ok(step) => order.steps.push(step),
            Err(finding) => return report(finding),
        }
    }
    if !order.steps.iter().any(|step| step.variant == case.variant) {
        return Some(order);
    }
    match check_path(&order.metric, names) {
        Ok(Unit::Number | Unit::Millis | Unit::Seconds | Unit::Bytes | Unit::Lsn) => Some(order),
        Ok(Unit::Bool | Unit::Word(_) | Unit::Words(_)) => {
            let message = format!("`{}` has no order", order.metric);
            let help = "numbers, times, sizes and WAL positions have";
            report(Finding::new(entry.key_span, message).help(help))
        }
        Err((message, help)) => report(Finding::new(entry.key_span, message).help(help)),
    }
}

/// Reads `'local'` or `'<= local'`.
fn step(case: Case<'_>, order: &Order, item: &Node) -> Result<Step, Finding> {
    let Value::Text(text) = &item.value else {
        let message = format!("an order lists variants, not {}", item.kind());
        return Err(Finding::new(item.span, message).help("write their names as strings"));
    };
    let (name, or_equal) = match text.strip_prefix("<=") {
        Some(name) => (name.trim(), true),
        None => (text.trim(), false),
    };
    if or_equal && order.steps.is_empty() {
        let message = format!("`{name}` has nothing before it");
        return Err(Finding::new(item.span, message).help("the first variant has no `<=`"));
    }
    if !case.variants.iter().any(|variant| variant == name) {
        let message = format!("there is no variant `{name}`");
        let variants = case.variants.iter().map(String::as_str);
        return Err(Finding::new(item.span, message).help(choices(name, "the file has", variants)));
    }
    if order.steps.iter().any(|step| step.variant == name) {
        let message = format!("`{name}` is in the list twice");
        return Err(Finding::new(item.span, message).help("it is not more than itself"));
    }
    Ok(Step { variant: name.to_owned(), or_equal })
}

#[cfg(test)]
mod tests {
    use models::trace::summary::{Commits, LatencyMs};

    use super::*;
    use crate::ScenarioFile;

    fn scenarios(order: &str) -> Vec<Scenario> {
        let text = format!(
            "duration = '1s'\n[server.pg1]\n[workload.w]\nrate = '1/s'\n\
             [variant.a]\n[variant.b]\n[expect]\norder = {{ {order} }}\n"
        );
        let mut nothing = |_: &str| Err("no such file".to_owned());
        let file = ScenarioFile::parse("test", &text, &mut nothing);
        file.unwrap_or_else(|problems| panic!("{problems}")).variants().expect("it was read")
    }

    fn measured(p50: f64, lost: u64) -> Summary {
        Summary {
            latency_ms: LatencyMs { p50, ..LatencyMs::default() },
            commits: Commits { lost, ..Commits::default() },
            ..Summary::default()
        }
    }

    /// Whether base, a and b hold up, if they measure this.
    fn outcomes(order: &str, summaries: [Summary; 3]) -> Vec<(String, bool)> {
        let scenarios = scenarios(order);
        let find = |name: &str| {
            scenarios.iter().position(|s| s.variant == name).map(|index| &summaries[index])
        };
        let all = scenarios.iter().zip(&summaries).flat_map(|(s, own)| judge(s, own, find));
        all.map(|o| (format!("{} {} ({})", o.metric, o.wanted, o.measured), o.met)).collect()
    }

    #[test]
    fn each_variant_measures_more_than_the_one_before_it() {
        let order = "'latency_ms.p50' = ['b', 'base', 'a']";
        let summaries = [measured(2.0, 0), measured(2.0, 0), measured(1.0, 0)];
        let wanted = [
            ("latency_ms.p50 > b's 1ms (2ms)".to_owned(), true),
            ("latency_ms.p50 > base's 2ms (2ms)".to_owned(), false),
        ];
        assert_eq!(outcomes(order, summaries), wanted);
    }

    #[test]
    fn a_variant_may_measure_the_same_where_the_list_says_so() {
        let order = "'commits.lost' = ['base', '<= a', 'b']";
        let summaries = [measured(0.0, 7), measured(0.0, 7), measured(0.0, 8)];
        let wanted = [
            ("commits.lost >= base's 7 (7)".to_owned(), true),
            ("commits.lost > a's 7 (8)".to_owned(), true),
        ];
        assert_eq!(outcomes(order, summaries), wanted);
    }

    #[test]
    fn what_was_not_measured_has_no_order() {
        let order = "'failovers.1.at_seconds' = ['a', '<= b']";
        let summaries = [measured(0.0, 0), measured(0.0, 0), measured(0.0, 0)];
        let wanted = [("failovers.1.at_seconds >= a's null (null)".to_owned(), false)];
        assert_eq!(outcomes(order, summaries), wanted);
    }
}
