//! How measured values spread: the quantiles that a scenario takes, as far as there are values
//! to tell them.
//!
//! A quantile is the value of its rank (nearest rank, no mean of two), so that it is one that was
//! measured. One that would rest on less than a value is left out: p99 needs a hundred.

/// Quantiles of values, in the unit of the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    /// How many values there were; at least one.
    pub count: u64,
    /// Smallest.
    pub min: u64,
    /// Median.
    pub p50: u64,
    /// 90 %, from ten values on.
    pub p90: Option<u64>,
    /// 99 %, from a hundred values on.
    pub p99: Option<u64>,
    /// 99.9 %, from a thousand values on.
    pub p999: Option<u64>,
    /// Largest.
    pub max: u64,
}

impl Spread {
    /// Of these values; nothing of none.
    pub fn of(mut values: Vec<u64>) -> Option<Spread> {
        values.sort_unstable();
        let count = values.len();
        let at = |per_thousand: usize| {
            let rank = (count * per_thousand).div_ceil(1000).max(1);
            values.get(rank - 1).copied()
        };
        let from = |least: usize, per_thousand: usize| {
            if count >= least { at(per_thousand) } else { None }
        };
        Some(Spread {
            count: count as u64,
            min: *values.first()?,
            p50: at(500)?,
            p90: from(10, 900),
            p99: from(100, 990),
            p999: from(1_000, 999),
            max: *values.last()?,
        })
    }

    /// Its points with the names that a scenario has for them.
    fn points(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = [
            ("min", Some(self.min)),
            ("p50", Some(self.p50)),
            ("p90", self.p90),
            ("p99", self.p99),
            ("p999", self.p999),
            ("max", Some(self.max)),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// Of times in nanoseconds, as a value in a scenario: to the microsecond, none below it.
    pub fn as_times(&self) -> String {
        let micros = |nanos: u64| (nanos.saturating_add(500) / 1_000).max(1);
        if micros(self.min) == micros(self.max) {
            return format!("'{}us'", micros(self.max));
        }
        let points = self.points().map(|(name, value)| format!("{name} = '{}us'", micros(value)));
        format!("{{ {} }}", points.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let spread = Spread::of((1..=1000).rev().map(|n| n * 1_000).collect()).expect("values");
        let text = "{ min = '1us', p50 = '500us', p90 = '900us', p99 = '990us', p999 = '999us', \
                    max = '1000us' }";
        assert_eq!(spread.as_times(), text);
        let few = Spread::of(vec![3_000, 1_000]).expect("values");
        assert_eq!(few.as_times(), "{ min = '1us', p50 = '1us', max = '3us' }");
        assert_eq!(Spread::of(vec![139_496]).map(|s| s.as_times()).as_deref(), Some("'139us'"));
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
