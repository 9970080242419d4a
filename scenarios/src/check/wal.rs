//! How much WAL a scenario's workloads make, on average, without playing it.
//!
//! A transaction costs its records and its commit record; the images of the pages that it is the
//! first to touch after a checkpoint come on top, so the rate depends on how often checkpoints
//! come, and that on the rate. The time between two checkpoints is therefore looked for: the
//! shortest at which the WAL made since the last one starts the next, or `checkpoint_timeout`.
//!
//! Of N pages, K touches at random leave N (1 - 1/N)^K untouched: whole numbers all the way, so
//! that a sum reads the same on every machine.
//!
//! **Not modelled.** A closed loop's commits are taken to wait for nobody else's, so its rate is
//! the most that it may be; bulk transactions count when they write, and start no checkpoint here.

use models::postgres::checkpointer::CheckpointConfig;
use models::units::{Bytes, Duration, SimTime};

use super::sync;
use crate::limits;
use crate::presets::COMMIT_RECORD;
use crate::scenario::Scenario;
use crate::workload::{Load, PageSet, WalProfile, Workload};

/// The WAL of a scenario.
pub(super) struct WalMade<'a> {
    transactions: Vec<Transactions<'a>>,
    profiles: Vec<&'a WalProfile>,
    bulks: Vec<Bulk>,
    images: bool,
    run: Duration,
    /// Time between the starts of two checkpoints of the primary.
    pub interval: Duration,
    /// Whether WAL starts them rather than the clock.
    pub requested: bool,
    /// Whether it is the most there may be: a closed loop may be slower.
    pub at_most: bool,
    /// Bytes a second of transactions, images included.
    steady: u64,
}

struct Transactions<'a> {
    gap: Duration,
    records: u64,
    pages: &'a [PageSet],
}

struct Bulk {
    at: Duration,
    every: Option<Duration>,
    bytes: Bytes,
    over: Duration,
}

impl<'a> WalMade<'a> {
    /// Sums up.
    pub fn new(scenario: &'a Scenario) -> WalMade<'a> {
        let primary = &scenario.servers[scenario.primary()];
        let mut wal = WalMade {
            transactions: Vec::new(),
            profiles: Vec::new(),
            bulks: Vec::new(),
            images: primary.settings.full_page_writes,
            run: scenario.duration,
            interval: primary.settings.checkpoint_timeout,
            requested: false,
            at_most: false,
            steady: 0,
        };
        for workload in &scenario.workloads {
            wal.add(workload, sync::least_wait(scenario, workload));
        }
        let size = primary.settings.wal_segment_size;
        let trigger = CheckpointConfig::from(&primary.settings).segments(size) * size.bytes();
        let made = |t: &Duration| wal.since_checkpoint(*t) >= trigger;
        if made(&wal.interval) {
            wal.interval = first(wal.interval, made);
            wal.requested = true;
        }
        let transactions = sum(wal.transactions.iter().map(|t| t.after(wal.interval, wal.images)));
        wal.steady = share(transactions, Duration::s(1).0, wal.interval.0);
        wal
    }

    fn add(&mut self, workload: &'a Workload, wait: Duration) {
        let gap = match &workload.load {
            Load::Open { gap, .. } => *gap,
            Load::Closed { clients, think } => {
                self.at_most = true;
                let cycle = workload.service.mean() + think.mean() + wait.0;
                Duration(cycle / u64::from(*clients))
            }
            Load::Wal { profile, .. } => return self.profiles.push(profile),
            Load::Bulk { at, every, bytes, over } => {
                let (at, every, bytes, over) = (*at, *every, *bytes, *over);
                return self.bulks.push(Bulk { at, every, bytes, over });
            }
        };
        let records = workload.wal.records.mean() + COMMIT_RECORD.0;
        let gap = Duration(gap.0.max(1));
        self.transactions.push(Transactions { gap, records, pages: &workload.wal.pages });
    }

    /// Bytes made in the first `time` after a checkpoint, at mean rates.
    pub fn since_checkpoint(&self, time: Duration) -> u64 {
        let steps = sum(self.profiles.iter().map(|p| until(p, self.run)));
        let transactions = sum(self.transactions.iter().map(|t| t.after(time, self.images)));
        transactions.saturating_add(share(steps, time.0, self.run.0))
    }

    /// Bytes made from one moment of the run to another.
    pub fn between(&self, from: Duration, to: Duration) -> Bytes {
        let steady = share(self.steady, to.0.saturating_sub(from.0), Duration::s(1).0);
        let steps = self.profiles.iter().map(|p| until(p, to).saturating_sub(until(p, from)));
        let bulks = self.bulks.iter().map(|b| b.until(to).saturating_sub(b.until(from)));
        Bytes(sum(steps.chain(bulks).chain([steady])))
    }

    /// Bytes a second over the whole run.
    pub fn rate(&self) -> u64 {
        let made = self.between(Duration::ZERO, self.run);
        share(made.0, Duration::s(1).0, self.run.0)
    }

    /// How long from a moment on so many bytes take; `None`: more than a year.
    pub fn time_for(&self, from: Duration, bytes: Bytes) -> Option<Duration> {
        let made = |t: &Duration| self.between(from, Duration(from.0 + t.0)) >= bytes;
        made(&limits::LONGEST_RUN).then(|| first(limits::LONGEST_RUN, made))
    }
}

impl Transactions<'_> {
    /// Bytes of those that start within `time` after a checkpoint.
    fn after(&self, time: Duration, images: bool) -> u64 {
        let count = time.0 / self.gap.0;
        let mut bytes = count.saturating_mul(self.records);
        for set in self.pages.iter().filter(|_| images) {
            let touches = share(count, u64::from(set.touches_per_thousand), 1000);
            bytes = bytes.saturating_add(touched(set.pages, touches).saturating_mul(set.image.0));
        }
        bytes
    }
}

impl Bulk {
    /// Bytes written by `time`.
    fn until(&self, time: Duration) -> u64 {
        let Some(since) = time.0.checked_sub(self.at.0) else { return 0 };
        let over = self.over.0.max(1);
        let Some(every) = self.every else {
            return share(self.bytes.0, since.min(over), over);
        };
        let (whole, rest) = (since / every.0.max(1), since % every.0.max(1));
        whole.saturating_mul(self.bytes.0).saturating_add(share(self.bytes.0, rest.min(over), over))
    }
}

fn sum(all: impl Iterator<Item = u64>) -> u64 {
    all.fold(0, u64::saturating_add)
}

fn until(profile: &WalProfile, time: Duration) -> u64 {
    profile.between(SimTime::ZERO, SimTime(time.0)).0
}

/// Pages of `pages` that `touches` at random have touched.
fn touched(pages: u64, touches: u64) -> u64 {
    const ONE: u128 = 1 << 62;
    if pages == 0 {
        return 0;
    }
    // (1 - 1/N)^K by squaring, in 62 binary places.
    let mut base = ONE * u128::from(pages - 1) / u128::from(pages);
    let (mut left, mut exponent) = (ONE, touches);
    while exponent > 0 {
        if exponent % 2 == 1 {
            left = (left * base) >> 62;
        }
        base = (base * base) >> 62;
        exponent /= 2;
    }
    ((u128::from(pages) * (ONE - left)) >> 62) as u64
}

/// The first time, to the millisecond, at which something that stays true is true; it is at `end`.
fn first(end: Duration, is: impl Fn(&Duration) -> bool) -> Duration {
    let (mut low, mut high) = (0, end.0.div_ceil(1_000_000));
    while low < high {
        let middle = low + (high - low) / 2;
        if is(&Duration::ms(middle)) { high = middle } else { low = middle + 1 }
    }
    Duration::ms(low.max(1))
}

/// `amount * part / whole` without overflow.
fn share(amount: u64, part: u64, whole: u64) -> u64 {
    let share = u128::from(amount) * u128::from(part) / u128::from(whole.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn touches_at_random_leave_some_pages_alone() {
        assert_eq!(touched(1, 1), 1);
        assert_eq!(touched(0, 5), 0);
        assert_eq!(touched(1_000, 0), 0);
        // 1 - 1/e of them.
        assert_eq!(touched(1_000_000, 1_000_000), 632_120);
        assert_eq!(touched(18_500, 1 << 40), 18_500);
    }

    #[test]
    fn the_first_time_is_found_to_the_millisecond() {
        assert_eq!(first(Duration::s(100), |t| t.0 >= 1_234_567_890), Duration::ms(1235));
        assert_eq!(first(Duration::s(1), |_| true), Duration::ms(1));
    }

    #[test]
    fn a_bulk_transaction_writes_evenly_and_comes_again() {
        let every = Some(Duration::s(10));
        let bulk = Bulk { at: Duration::s(5), every, bytes: Bytes(1000), over: Duration::s(2) };
        let at = [4, 5, 6, 7, 14, 16, 27].map(|s| bulk.until(Duration::s(s)));
        assert_eq!(at, [0, 0, 500, 1000, 1000, 1500, 3000]);
    }
}
