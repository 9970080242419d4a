//! In what share of runs something is so: `share(...)` in `[expect]`.
//!
//! `'share(commits.lost > 0)' = '< 5%'` is about many runs of the file, each with other dice. One
//! run has no answer to it: `walden sweep` plays many, and decides it by the interval of the share.

use models::trace::summary::Summary;

use super::{Expectation, Names, OPERATORS, Operand, Operator, check_path, comparison, holds};
use crate::error::Finding;
use crate::quantity;
use crate::resolve::Context;
use crate::tree::{Entry, Node, Value};

/// One line of `[expect]` about many runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// What is so in some of them, such as `commits.lost` and `> 0`.
    pub of: Expectation,
    /// The comparison as written, such as `< 5%`.
    pub wanted: String,
    operator: Operator,
    limit: f64,
}

/// What a key of `[expect]` begins with that is about a share.
const PREFIX: &str = "share(";

impl Share {
    /// As it is written: `share(commits.lost > 0)`.
    pub fn metric(&self) -> String {
        format!("{PREFIX}{} {})", self.of.metric, self.of.wanted)
    }

    /// Whether it is so in this run.
    pub fn is_so(&self, summary: &Summary) -> bool {
        self.of.judge(summary).met
    }

    /// Whether it holds if the share lies between these two; `None`: that does not decide it.
    pub fn holds(&self, low: f64, high: f64) -> Option<bool> {
        let number = |share| Some(toml::Value::Float(share));
        let limit = Operand::Number(self.limit);
        let [at_low, at_high] =
            [low, high].map(|share| holds(number(share).as_ref(), self.operator, &limit));
        (at_low == at_high).then_some(at_low)
    }
}

/// Whether a key of `[expect]` is about a share.
pub(super) fn is_one(metric: &str) -> bool {
    metric.starts_with(PREFIX)
}

/// Reads those of `[expect]`.
pub(crate) fn read(cx: Context<'_>, servers: &[&str], primary: Option<&str>) -> Vec<Share> {
    let Some(table) = cx.root.get("expect").and_then(Node::table) else { return Vec::new() };
    let names = Names { servers, primary };
    let lines = table.flatten().into_iter().filter(|(metric, _)| is_one(metric));
    let read = |(metric, entry): (String, &Entry)| match line(&metric, entry, names) {
        Ok(share) => Some(share),
        Err(finding) => {
            cx.findings.push(finding);
            None
        }
    };
    lines.filter_map(read).collect()
}

fn line(metric: &str, entry: &Entry, names: Names<'_>) -> Result<Share, Finding> {
    let wrong = |message: String, help: &str| Finding::new(entry.key_span, message).help(help);
    let shown = metric.escape_debug();
    let within = metric.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(')'));
    let condition = within.map(str::trim).and_then(|condition| {
        let at = condition.find(['=', '!', '<', '>'])?;
        Some((condition[..at].trim(), condition[at..].trim()))
    });
    let Some((path, comparison_text)) = condition else {
        let help = "a share is one of a condition: 'share(commits.lost > 0)'";
        return Err(wrong(format!("`{shown}` has no condition"), help));
    };
    let unit = check_path(path, names).map_err(|(message, help)| wrong(message, &help))?;
    comparison(comparison_text, unit)
        .map_err(|(message, help)| wrong(format!("`{path}`: {message}"), &help))?;
    let of = Expectation { metric: path.to_owned(), wanted: comparison_text.to_owned() };
    let (wanted, operator, limit) = bound(&entry.node)?;
    Ok(Share { of, wanted, operator, limit })
}

/// Reads `< 5%`.
fn bound(node: &Node) -> Result<(String, Operator, f64), Finding> {
    let help = "it is compared with `<`, `<=`, `>` or `>=` and a share: '< 5%', or '< 0.05'";
    let Value::Text(text) = &node.value else {
        let message = format!("a share is not compared with {}", node.kind());
        return Err(Finding::new(node.span, message).help(help));
    };
    let ordered = |operator: &Operator| !matches!(operator, Operator::Equal | Operator::Unequal);
    let found = OPERATORS.iter().filter(|(_, o)| ordered(o)).find_map(|(sign, operator)| {
        let limit = quantity::share(text.trim().strip_prefix(sign)?.trim())?;
        Some((text.clone(), *operator, limit))
    });
    found.ok_or_else(|| {
        Finding::new(node.span, format!("`{text}` is no bound of a share")).help(help)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(wanted: &str, operator: Operator, limit: f64) -> Share {
        let of = Expectation { metric: "commits.lost".to_owned(), wanted: "> 0".to_owned() };
        Share { of, wanted: wanted.to_owned(), operator, limit }
    }

    #[test]
    fn an_interval_decides_unless_the_limit_lies_in_it() {
        let less = share("< 5%", Operator::Below, 0.05);
        assert_eq!(less.holds(0.0, 0.04), Some(true));
        assert_eq!(less.holds(0.04, 0.06), None);
        assert_eq!(less.holds(0.06, 0.10), Some(false));
        let more = share(">= 5%", Operator::AtLeast, 0.05);
        assert_eq!(more.holds(0.0, 0.04), Some(false));
        assert_eq!(more.holds(0.04, 0.06), None);
        assert_eq!(more.holds(0.05, 0.10), Some(true));
        assert_eq!(more.metric(), "share(commits.lost > 0)");
    }
}
