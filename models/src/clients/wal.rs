//! How much WAL workloads make: profiles over time, and pages that cost an image.
//!
//! **Source.** `xloginsert.c:XLogRecordAssemble`.
//!
//! **Not modelled.** Pages that are hit more often than others: each set is hit uniformly.

use crate::units::{Bytes, Duration, SimTime};

const DAY: Duration = Duration::s(86_400);

/// How much WAL, over time.
#[derive(Clone, Debug)]
pub enum WalProfile {
    /// Bytes a second, always.
    Constant(u64),
    /// Bytes a second for each of equal parts of a day.
    Daily(Vec<u64>),
    /// Bytes made since the start, at moments since the start; linear in between, repeated from
    /// its end.
    History(Vec<(Duration, Bytes)>),
}

/// Pages that are hit uniformly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSet {
    /// How many.
    pub pages: u64,
    /// Touches in a thousand transactions.
    pub touches_per_thousand: u32,
    /// Bytes of an image.
    pub image: Bytes,
}

impl PageSet {
    /// The share of its pages, in 2^-64, that so many touches miss: `(1 - 1/pages) ^ touches`.
    pub(super) fn missed(&self, touches: u64) -> u64 {
        power(u64::MAX - u64::MAX / self.pages.max(1), touches)
    }

    /// How many of its pages so many touches hit, on average.
    pub fn touched(&self, touches: u64) -> u64 {
        let missed = (u128::from(self.pages) * u128::from(self.missed(touches))) >> 64;
        self.pages - missed as u64
    }
}

impl WalProfile {
    /// WAL made from one moment to another.
    pub fn between(&self, from: SimTime, to: SimTime) -> Bytes {
        Bytes(self.until(to) - self.until(from))
    }

    /// WAL made from the start of the run until `at`.
    fn until(&self, at: SimTime) -> u64 {
        match self {
            WalProfile::Constant(rate) => share(*rate, at.0, Duration::s(1).0),
            WalProfile::Daily(rates) => {
                let part = DAY.0 / rates.len() as u64;
                let whole_day: u64 = rates.iter().map(|&r| share(r, part, Duration::s(1).0)).sum();
                let (days, rest) = (at.0 / DAY.0, at.0 % DAY.0);
                let mut made = whole_day * days;
                for (i, &rate) in rates.iter().enumerate() {
                    let spent = rest.saturating_sub(i as u64 * part).min(part);
                    made += share(rate, spent, Duration::s(1).0);
                }
                made
            }
            WalProfile::History(points) => {
                let Some(&(length, total)) = points.last() else { return 0 };
                if length == Duration::ZERO {
                    return 0;
                }
                let (rounds, rest) = (at.0 / length.0, at.0 % length.0);
                let after = points.partition_point(|p| p.0.0 <= rest);
                let (to, from) = (points[after.min(points.len() - 1)], points[after - 1]);
                let made = to.1.0 - from.1.0;
                let into = share(made, rest - from.0.0, (to.0.0 - from.0.0).max(1));
                total.0 * rounds + from.1.0 + into
            }
        }
    }
}

/// `base ^ exponent` of a share in 2^-64.
fn power(mut base: u64, mut exponent: u64) -> u64 {
    let times = |a: u64, b: u64| ((u128::from(a) * u128::from(b)) >> 64) as u64;
    let mut result = u64::MAX;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = times(result, base);
        }
        base = times(base, base);
        exponent >>= 1;
    }
    result
}

/// `amount * part / whole` without overflow.
fn share(amount: u64, part: u64, whole: u64) -> u64 {
    (u128::from(amount) * u128::from(part) / u128::from(whole)) as u64
}
