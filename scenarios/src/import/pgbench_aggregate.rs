//! pgbench's log of intervals (`--aggregate-interval`): transactions and their times, summed up.
//!
//! A line is `interval_start num_transactions sum_latency sum_latency_2 min_latency max_latency`,
//! then `sum_lag sum_lag_2 min_lag max_lag` (since 15 always, as zeros without `--rate`),
//! `skipped`, and `retried retries` with the failures behind them; times are in microseconds. Lines
//! of several threads for the same interval are added up. The last interval, which pgbench writes
//! when it ends, counts as long as the others.
//!
//! **Source.** `pgbench.c:doLog`; manual of pgbench, *Aggregated Logging* (PostgreSQL 13 to 18).
//!
//! **Not modelled.** Quantiles: sums have a mean and a deviation only.

use std::collections::BTreeMap;

use models::units::Duration;

use super::moment::Moment;
use super::{File, Told};
use crate::error::{Finding, Findings};

/// Transactions by interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intervals {
    /// Each interval, in order of time.
    pub list: Vec<Interval>,
    /// Distance of two intervals.
    pub length: Duration,
    /// What became of the lines.
    pub told: Told,
}

/// One interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// When it began.
    pub starts: Moment,
    /// Transactions that ended in it.
    pub transactions: u64,
    /// Their times together, in microseconds.
    pub sum_latency: u64,
    /// The shortest, in microseconds.
    pub min_latency: u64,
    /// The longest, in microseconds.
    pub max_latency: u64,
}

impl Intervals {
    /// Transactions of all intervals.
    pub fn transactions(&self) -> u64 {
        self.list.iter().fold(0, |sum: u64, one| sum.saturating_add(one.transactions))
    }

    /// From the first interval's start to the last one's end, less the gaps; never zero.
    pub fn over(&self) -> Duration {
        Duration(self.length.0 * self.list.len() as u64)
    }

    /// The mean time of a transaction.
    pub fn mean_latency(&self) -> Duration {
        let sum = self.list.iter().fold(0, |sum: u64, one| sum.saturating_add(one.sum_latency));
        Duration(sum.saturating_mul(1_000) / self.transactions().max(1))
    }
}

const HELP: &str = "a line is: interval_start num_transactions sum_latency sum_latency_2 \
                    min_latency max_latency ...";
const NAMES: [&str; 6] = [
    "interval_start",
    "num_transactions",
    "sum_latency",
    "sum_latency_2",
    "min_latency",
    "max_latency",
];
/// How many numbers lines of the versions and options have.
const WIDTHS: [usize; 8] = [6, 8, 10, 11, 12, 13, 14, 15];

/// Reads logs; what is wrong is left in `findings`.
pub(super) fn parse(files: &[File<'_>], findings: &Findings) -> Option<Intervals> {
    let mut told = Told::default();
    let mut list: BTreeMap<Moment, Interval> = BTreeMap::new();
    for file in files {
        for (number, span, line) in file.lines() {
            if line.trim().is_empty() {
                continue;
            }
            told.rows += 1;
            let cut = span.end == file.text.len() && line.split_whitespace().count() < 6;
            if cut {
                told.drop_row("the file ends within the line", file.name, number);
                continue;
            }
            match interval(line) {
                Ok(one) if one.transactions == 0 => {
                    told.used += 1;
                    list.entry(one.starts).or_insert(one);
                }
                Ok(one) => {
                    told.used += 1;
                    add(&mut list, one);
                }
                Err((message, help)) => {
                    findings.push(Finding::new(file.span(span), message).help(help));
                }
            }
        }
    }
    if !findings.is_empty() {
        return None;
    }
    let list: Vec<Interval> = list.into_values().collect();
    let steps = || list.windows(2).map(|pair| pair[1].starts.since(pair[0].starts));
    let length = steps().min().filter(|_| list.iter().any(|one| one.transactions > 0));
    let Some(length) = length else {
        let message = "there are not two intervals with transactions in it";
        findings.push(Finding::new(files.first()?.first_line(), message).help(HELP));
        return None;
    };
    Some(Intervals { list, length, told })
}

fn add(list: &mut BTreeMap<Moment, Interval>, one: Interval) {
    let both = match list.get(&one.starts) {
        Some(other) if other.transactions > 0 => Interval {
            starts: one.starts,
            transactions: one.transactions.saturating_add(other.transactions),
            sum_latency: one.sum_latency.saturating_add(other.sum_latency),
            min_latency: one.min_latency.min(other.min_latency),
            max_latency: one.max_latency.max(other.max_latency),
        },
        _ => one,
    };
    list.insert(one.starts, both);
}

fn interval(line: &str) -> Result<Interval, (String, &'static str)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    if !WIDTHS.contains(&words.len()) {
        let message = format!("this line has {} numbers, not 6 to 15", words.len());
        return Err((message, HELP));
    }
    let mut numbers = Vec::with_capacity(words.len());
    for (n, word) in words.iter().enumerate() {
        // Sums of squares are printed as `%.0f` and may be larger than any whole number of ours.
        let squares = matches!(n, 3 | 7);
        let digits = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
        match word.parse::<u64>() {
            Ok(number) => numbers.push(number),
            Err(_) if squares && digits => numbers.push(u64::MAX),
            Err(_) => {
                let name = NAMES.get(n).copied().unwrap_or("one of the numbers behind");
                return Err((format!("{name} is `{}`, no number", word.escape_debug()), HELP));
            }
        }
    }
    let [start, transactions, sum, _, min, max] = [0, 1, 2, 3, 4, 5].map(|n| numbers[n]);
    if !(1_000_000_000..9_000_000_000).contains(&start) {
        let message = format!("interval_start is {start}");
        return Err((message, "seconds since 1970: ten digits"));
    }
    if let Some(mean) = sum.checked_div(transactions)
        && (min > max || mean > max || sum.div_ceil(transactions) < min)
    {
        let message = format!("the mean time {mean} us is not from {min} to {max} us");
        return Err((message, "sum_latency / num_transactions, min_latency and max_latency"));
    }
    Ok(Interval {
        starts: Moment(start * 1_000_000_000),
        transactions,
        sum_latency: sum,
        min_latency: min,
        max_latency: max,
    })
}
