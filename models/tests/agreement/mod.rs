//! How far a test that plays a recording agrees with it, kept where the book shows it.
//!
//! A test compares, and ends with [`Agreement::holds`]: nothing may be off, and what was counted
//! has to be what `book/agreement/` says, from which the table of the book's page on trust is
//! made. `UPDATE_GOLDENFILES=1` writes it.

// Each test is a program of its own and uses a part.
#![allow(dead_code)]
// The lints are those of machines.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

use std::fmt::{Debug, Write};
use std::fs;
use std::path::Path;

/// What a test has compared so far.
#[derive(Debug)]
pub struct Agreement {
    what: &'static str,
    unit: Unit,
    equal: usize,
    compared: usize,
    within: usize,
    continuous: usize,
    worst: f64,
    off: Vec<String>,
}

/// What the differences of continuous numbers are told in.
#[derive(Clone, Copy, Debug)]
pub enum Unit {
    /// As a share of what was recorded.
    Percent,
    /// As they are, in this unit.
    Of(&'static str),
}

impl Agreement {
    /// Nothing yet of the recording that the book calls so; differences are shares.
    pub fn of(what: &'static str) -> Agreement {
        Agreement::told_in(what, Unit::Percent)
    }

    /// The same with differences in a unit of their own.
    pub fn told_in(what: &'static str, unit: Unit) -> Agreement {
        Agreement {
            what,
            unit,
            equal: 0,
            compared: 0,
            within: 0,
            continuous: 0,
            worst: 0.0,
            off: Vec::new(),
        }
    }

    /// Compares two that have to be equal.
    pub fn equal<T: PartialEq + Debug>(&mut self, what: &str, recorded: &T, played: &T) {
        self.compared += 1;
        if recorded == played {
            self.equal += 1;
        } else {
            self.off.push(format!("{what}: recorded {recorded:?}, played {played:?}"));
        }
    }

    /// Notes so many of so many that the test has found equal by itself.
    pub fn found(&mut self, equal: usize, compared: usize) {
        self.equal += equal;
        self.compared += compared;
    }

    /// Compares two numbers that may differ by `allowed`.
    pub fn within(&mut self, what: &str, recorded: f64, played: f64, allowed: f64) {
        let difference = (played - recorded).abs();
        let told = match self.unit {
            Unit::Percent => 100.0 * difference / recorded.abs(),
            Unit::Of(_) => difference,
        };
        if difference <= allowed {
            self.near(1, told);
        } else {
            self.continuous += 1;
            self.worst = self.worst.max(told);
            self.off.push(format!("{what}: recorded {recorded}, played {played} ({told:.3})"));
        }
    }

    /// Notes so many numbers that the test has found within their tolerance, and the worst.
    pub fn near(&mut self, within: usize, worst: f64) {
        self.within += within;
        self.continuous += within;
        self.worst = self.worst.max(worst);
    }

    /// Nothing is off, so much was compared at least, and the file has these numbers.
    pub fn holds(self, file: &str, at_least: usize) {
        let Agreement { what, equal, compared, within, continuous, worst, off, .. } = self;
        let mut text = format!("what = {what:?}\nequal = {equal}\ncompared = {compared}\n");
        if continuous > 0 {
            let worst = match self.unit {
                Unit::Percent => format!("{worst:.1} %"),
                Unit::Of(unit) => format!("{worst:.2} {unit}"),
            };
            writeln!(text, "within = {within}\ncontinuous = {continuous}\nworst = {worst:?}")
                .expect("a string takes everything");
        }
        println!("{text}");
        assert!(off.is_empty(), "{} are off:\n{}", off.len(), off.join("\n"));
        assert!(compared + continuous >= at_least, "only {compared} and {continuous} compared");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../book/agreement");
        let path = folder.join(format!("{file}.toml"));
        if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
            fs::write(&path, text).expect("the file can be written");
        } else {
            let kept = fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(kept, text, "{file}.toml is stale: UPDATE_GOLDENFILES=1 cargo test");
        }
    }
}
