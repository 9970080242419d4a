//! What is not wrong and seldom meant: findings about a scenario or a `postgresql.conf`, without
//! playing anything.
//!
//! PostgreSQL accepts all of it, so the reader of a scenario does too. Each finding belongs to a
//! [`Rule`] with a stable code, says where it was written, what the matter is with its numbers,
//! and what to do. A scenario is judged variant by variant; what all variants share is said once.
//!
//! * [`rules`]: THE list of rules, from which `walden list findings` and the book are made.
//! * `scene`: a variant and where it was written; who is away when. `wal`: how much WAL there is.
//! * `settings`: one server's settings alone, which is all that a `postgresql.conf` has (`conf`).
//! * `sync`, `retention`, `streams`: what settings, loads and faults come to together.
//!
//! **Source.** PostgreSQL 13 to 18; each rule's explanation names the function or the chapter of
//! the manual.
//!
//! **Not modelled.** What the steps of a `[[step]]` come to, since nobody knows beforehand when
//! they run; what an `[action.X]` of kind `set` changes. Sums take each workload's mean rate.

mod conf;
mod retention;
pub mod rules;
mod scene;
mod settings;
mod streams;
mod sync;
mod wal;

use std::fmt;

use crate::error::{Finding as Draft, Problem, Problems};
use crate::resolve::Written;
use crate::scenario::Scenario;
use crate::source::{Sources, Span};
use crate::tree::Table;

pub use conf::{Role, configuration};
pub use rules::{Level, RULES, Rule};

use scene::Scene;

/// One thing that was found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule it comes from.
    pub rule: &'static Rule,
    /// Where, what, and what to do.
    pub problem: Problem,
    /// The variants that it is about; empty: all of them.
    pub variants: Vec<String>,
}

/// What was found in one file, in its order.
#[derive(Clone, Debug, Default)]
pub struct Report {
    findings: Vec<Finding>,
    more: usize,
    sources: Sources,
}

impl Report {
    /// Every finding, sorted by place; at most [`Problems::LIMIT`].
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many more there were than are kept.
    pub fn more(&self) -> usize {
        self.more
    }

    /// The text of a file that a finding names.
    pub fn source(&self, file: &str) -> Option<&str> {
        self.sources.text(file)
    }

    /// How many findings of a level there are.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.rule.level == level).count()
    }

    /// Findings of one text.
    pub(crate) fn new(found: Vec<Found>, sources: &Sources) -> Report {
        Report::of_variants(vec![(String::new(), found)], sources)
    }

    /// Findings of several variants: what all share is said of none in particular.
    pub(crate) fn of_variants(found: Vec<(String, Vec<Found>)>, sources: &Sources) -> Report {
        let all = found.len();
        let mut merged: Vec<(Found, Vec<String>)> = Vec::new();
        for (variant, list) in found {
            for one in list {
                match merged.iter_mut().find(|(known, _)| known.same(&one)) {
                    Some((_, variants)) if variants.contains(&variant) => {}
                    Some((_, variants)) => variants.push(variant.clone()),
                    None => merged.push((one, vec![variant.clone()])),
                }
            }
        }
        merged.sort_by(|(a, _), (b, _)| a.order().cmp(&b.order()));
        let more = merged.len().saturating_sub(Problems::LIMIT);
        merged.truncate(Problems::LIMIT);
        let findings = merged
            .into_iter()
            .map(|(found, variants)| Finding {
                rule: found.rule,
                problem: found.draft.resolve(sources),
                variants: if variants.len() == all { Vec::new() } else { variants },
            })
            .collect();
        Report { findings, more, sources: sources.clone() }
    }
}

/// The mistakes of a scenario as findings: what a file cannot say.
impl From<Problems> for Report {
    fn from(problems: Problems) -> Report {
        let as_finding = |problem| Finding { rule: &rules::FIL001, problem, variants: Vec::new() };
        Report {
            findings: problems.report().into_iter().map(as_finding).collect(),
            more: problems.more(),
            sources: problems.sources().clone(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, finding) in self.findings.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            let Finding { rule, problem, variants } = finding;
            write!(f, "{} {} ", rule.level, rule.code)?;
            if !variants.is_empty() {
                write!(f, "({}) ", variants.join(", "))?;
            }
            problem.show(f, &self.sources)?;
        }
        if self.more > 0 {
            writeln!(f, "\n... and {} more", self.more)?;
        }
        Ok(())
    }
}

/// A finding while it is being looked for: spans instead of lines.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    rule: &'static Rule,
    draft: Draft,
}

impl Found {
    /// What the matter is, and what to do.
    fn new(
        rule: &'static Rule,
        span: Span,
        what: impl Into<String>,
        help: impl Into<String>,
    ) -> Found {
        Found { rule, draft: Draft::new(span, what).help(help) }
    }

    /// Another place that has to do with it.
    fn label(self, span: Option<Span>, text: impl Into<String>) -> Found {
        match span {
            Some(span) if span != self.draft.span => {
                Found { draft: self.draft.label(span, text), ..self }
            }
            Some(_) | None => self,
        }
    }

    fn same(&self, other: &Found) -> bool {
        self.rule.code == other.rule.code && self.draft.same(&other.draft)
    }

    fn order(&self) -> (Span, &'static str, &str) {
        (self.draft.span, self.rule.code, &self.draft.message)
    }
}

/// What there is to say about one variant.
pub(crate) fn scenario(scenario: &Scenario, written: &[Written], root: &Table) -> Vec<Found> {
    let scene = Scene::new(scenario, written, root);
    let mut found = Vec::new();
    settings::of_scenario(&scene, &mut found);
    sync::check(&scene, &mut found);
    retention::check(&scene, &mut found);
    streams::check(&scene, &mut found);
    found
}
