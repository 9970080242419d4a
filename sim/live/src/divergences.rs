//! What is known to differ, from `divergences.toml`.
//!
//! A test asks of each comparison whether a known difference covers it. A known one that never
//! shows is as wrong as an unknown one that does: whoever mends it takes it out of the list.

use std::collections::{BTreeMap, BTreeSet};

const REGISTER: &str = include_str!("../divergences.toml");

/// A known difference.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Divergence {
    /// What differs.
    pub what: String,
    /// Why.
    pub why: String,
    /// By how much.
    pub size: String,
    /// Lines of logs that only one of the two writes, or more often; `*` stands for anything.
    #[serde(default)]
    pub lines: Vec<String>,
    /// It shows in some runs only: two processes of the real servers race.
    #[serde(default)]
    pub race: bool,
    /// The major versions that it is of; all if there are none.
    #[serde(default)]
    pub versions: Vec<u8>,
}

impl Divergence {
    /// Whether a line of a log is one of its own.
    pub fn covers(&self, line: &str) -> bool {
        self.lines.iter().any(|pattern| is_like(pattern, line))
    }
}

/// Whether a text is like a pattern with `*`.
fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter().any(|at| is_like(rest, &text[at..]))
        }),
    }
}

/// All of them, by name.
pub fn all() -> BTreeMap<String, Divergence> {
    toml::from_str(REGISTER).expect("divergences.toml is a part of the program")
}

/// Counts comparisons, and collects what differs without being known to.
#[derive(Debug, Default)]
pub struct Tally {
    equal: usize,
    known: usize,
    seen: BTreeSet<String>,
    differ: Vec<String>,
}

impl Tally {
    /// One comparison. `known` names the difference that may show here.
    pub fn compare<T: PartialEq + std::fmt::Debug>(
        &mut self,
        what: &str,
        known: Option<&str>,
        real: &T,
        ours: &T,
    ) {
        match known {
            _ if real == ours => self.equal += 1,
            Some(name) => {
                self.known += 1;
                self.seen.insert(name.to_owned());
            }
            None => {
                let both = format!("{what}\n  PostgreSQL {real:?}\n  Walden     {ours:?}");
                self.differ.push(both);
            }
        }
    }

    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Tally) -> Tally {
        self.equal += other.equal;
        self.known += other.known;
        self.seen.extend(other.seen);
        self.differ.extend(other.differ);
        self
    }

    /// Nothing else differed, at least so much was compared, and each of `expected` showed.
    ///
    /// # Panics
    ///
    /// If one of these is not so; the message has both sides of each difference.
    pub fn holds(self, at_least: usize, expected: &[&str]) {
        let total = self.equal + self.known + self.differ.len();
        println!("{} of {total} equal, {} known to differ", self.equal, self.known);
        let known = all();
        assert!(
            expected.iter().all(|name| known.contains_key(*name)),
            "{expected:?}: not registered"
        );
        assert!(self.differ.is_empty(), "{}", self.differ.join("\n"));
        assert!(total >= at_least, "only {total} were compared");
        for name in expected {
            assert!(
                self.seen.contains(*name),
                "{name} is registered as a difference and showed none"
            );
        }
    }
}
