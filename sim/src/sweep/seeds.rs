//! The variants of a file with many seeds, and what all of it comes to.
//!
//! All variants of a seed throw the same dice, so seeds are pairs. What the file expects of a run
//! has to hold in every one of them; what it expects of a share of runs is decided by an interval,
//! or not at all.
//!
//! **Source.** Walden's own; intervals as in [`crate::estimate`].
//!
//! **Not modelled.** Nothing.

use models::trace::law::Law;
use models::trace::summary::Summary;
use models::units::mix;
use scenarios::expect::{self, order, share};
use scenarios::scenario::Scenario;

use super::{Metric, Played};
use crate::estimate;

/// What was played so far.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// In the order of the file.
    pub variants: Vec<Variant>,
    /// In order.
    pub seeds: Vec<u64>,
    /// Digest of all digests: of each seed all variants.
    pub digest: u64,
}

/// One variant with all seeds.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The scenario that it belongs to.
    pub scenario: String,
    /// Its name.
    pub name: String,
    /// Everything that was measured, in the order of the summary.
    pub metrics: Vec<Metric>,
    /// What has to hold in every run: expectations, orders and laws.
    pub claims: Vec<Claim>,
    /// What has to hold of a share of runs.
    pub shares: Vec<Asked>,
}

/// Something that has to hold in every run.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The path: `commits.lost`, or `laws.forward.violations`.
    pub metric: String,
    /// The comparison: `== 0`; of an order `> local's`.
    pub wanted: String,
    /// Places of the seeds in which it did not, and what was measured there.
    pub broken: Vec<(usize, String)>,
}

/// A share that the file asks about.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What it asks.
    pub share: share::Share,
    /// Places of the seeds in which it was so.
    pub so: Vec<usize>,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Everything held.
    Met,
    /// Nothing is broken, and some share is not known well enough.
    Undecided,
    /// Something does not hold.
    Failed,
}

impl Asked {
    /// The share after so many seeds, by one of so many looks.
    pub fn measured(&self, seeds: usize, looks: usize) -> estimate::Share {
        estimate::Share::one_of(looks, self.so.len(), seeds)
    }

    /// Whether it holds after so many seeds, by one of so many looks.
    pub fn verdict(&self, seeds: usize, looks: usize) -> Verdict {
        let measured = self.measured(seeds, looks);
        match self.share.holds(measured.low, measured.high) {
            Some(true) => Verdict::Met,
            Some(false) => Verdict::Failed,
            None => Verdict::Undecided,
        }
    }
}

impl Sweep {
    /// Before the first seed of these variants.
    pub fn new(scenarios: &[Scenario]) -> Sweep {
        let variant = |scenario: &Scenario| Variant {
            scenario: scenario.name.clone(),
            name: scenario.variant.clone(),
            metrics: Vec::new(),
            claims: claims(scenario),
            shares: scenario
                .shares
                .iter()
                .map(|share| Asked { share: share.clone(), so: Vec::new() })
                .collect(),
        };
        let variants = scenarios.iter().map(variant).collect();
        Sweep { variants, seeds: Vec::new(), digest: 0 }
    }

    /// Takes the runs of one seed, in the order of the variants.
    ///
    /// # Panics
    /// If there are not as many as variants.
    pub fn add(&mut self, seed: u64, runs: &[Played]) {
        assert_eq!(runs.len(), self.variants.len(), "a run for every variant");
        let place = self.seeds.len();
        for (variant, run) in self.variants.iter_mut().zip(runs) {
            variant.add(place, &run.summary);
            self.digest = mix(self.digest.rotate_left(1) ^ run.digest);
        }
        self.seeds.push(seed);
    }

    /// What comes of it, by one of so many looks at it.
    pub fn verdict(&self, looks: usize) -> Verdict {
        let all = self.variants.iter().map(|variant| variant.verdict(self.seeds.len(), looks));
        all.max().unwrap_or(Verdict::Met)
    }
}

/// What every run of a scenario is held against, in the order of its summary.
fn claims(scenario: &Scenario) -> Vec<Claim> {
    let expected = scenario.expect.iter().map(|e| (e.metric.clone(), e.wanted.clone()));
    let laws = Law::ALL.into_iter();
    let laws = laws.map(|law| (format!("laws.{}.violations", law.name()), "== 0".to_owned()));
    let all = expected.chain(order::claims(scenario)).chain(laws);
    all.map(|(metric, wanted)| Claim { metric, wanted, broken: Vec::new() }).collect()
}

impl Variant {
    fn add(&mut self, place: usize, summary: &Summary) {
        for (path, value) in expect::values(summary) {
            let known = self.metrics.iter().position(|metric| metric.path == path);
            let index = known.unwrap_or_else(|| {
                let Some(unit) = expect::unit(&path) else { return self.metrics.len() };
                self.metrics.push(Metric { path, unit, values: Vec::new() });
                self.metrics.len() - 1
            });
            if let Some(metric) = self.metrics.get_mut(index) {
                metric.values.resize(place, None);
                metric.values.push(Some(value));
            }
        }
        self.metrics.iter_mut().for_each(|metric| metric.values.resize(place + 1, None));
        let expected = summary.expectations.iter().map(|o| (o.met, o.measured.clone()));
        let laws = summary.laws.iter().map(|law| (law.held, law.violations.to_string()));
        for (claim, (met, measured)) in self.claims.iter_mut().zip(expected.chain(laws)) {
            if !met {
                claim.broken.push((place, measured));
            }
        }
        for asked in &mut self.shares {
            if asked.share.is_so(summary) {
                asked.so.push(place);
            }
        }
    }

    /// The metric of this path, if any seed has it.
    pub fn metric(&self, path: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.path == path)
    }

    /// What comes of it after so many seeds, by one of so many looks.
    pub fn verdict(&self, seeds: usize, looks: usize) -> Verdict {
        if self.claims.iter().any(|claim| !claim.broken.is_empty()) {
            return Verdict::Failed;
        }
        let shares = self.shares.iter().map(|asked| asked.verdict(seeds, looks));
        shares.max().unwrap_or(Verdict::Met)
    }
}
