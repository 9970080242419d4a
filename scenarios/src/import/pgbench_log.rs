//! pgbench's log of transactions (`-l`): when each one ended and how long it took.
//!
//! A line is `client_id transaction_no time script_no time_epoch time_us`, with `schedule_lag`
//! behind it under `--rate` and `retries` under `--max-tries`; times are in microseconds. The time
//! of a transaction counts from its intended start. Files of several threads are one log.
//!
//! **Source.** `pgbench.c:doLog`; manual of pgbench, *Per-Transaction Logging*
//! (PostgreSQL 13 to 18).
//!
//! **Not modelled.** `--sampling-rate`: a log with a tenth of the transactions looks like a tenth
//! of the load.

use std::collections::BTreeSet;

use models::units::Duration;

use super::moment::Moment;
use super::spread::Spread;
use super::{File, Told};
use crate::error::{Finding, Findings};

/// What a pgbench run did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transactions {
    /// Transactions that ended well.
    pub count: u64,
    /// From the first intended start to the last end; never zero.
    pub over: Duration,
    /// How many clients there were.
    pub clients: u64,
    /// Their times in nanoseconds, from intended start to end.
    pub latency: Spread,
    /// How late they started, in nanoseconds; only under `--rate`.
    pub lag: Option<Spread>,
    /// What became of the lines.
    pub told: Told,
}

const HELP: &str = "a line is: client_id transaction_no time script_no time_epoch time_us, \
                    such as 0 1 2408 0 1795415330 201058";
/// A transaction of a day is a mistake in reading.
const LONGEST_US: u64 = 86_400_000_000;

#[derive(Default)]
struct Log {
    latency: Vec<u64>,
    lag: Vec<u64>,
    clients: BTreeSet<u64>,
    first: Option<Moment>,
    last: Option<Moment>,
    told: Told,
}

/// Reads logs; what is wrong is left in `findings`.
pub(super) fn parse(files: &[File<'_>], findings: &Findings) -> Option<Transactions> {
    let mut log = Log::default();
    for file in files {
        for (number, span, line) in file.lines() {
            if line.trim().is_empty() {
                continue;
            }
            log.told.rows += 1;
            if let Err((message, help)) = log.line(line, *file, number, span.end) {
                findings.push(Finding::new(file.span(span), message).help(help));
            }
        }
    }
    if !findings.is_empty() {
        return None;
    }
    let over = log.first.zip(log.last).map(|(first, last)| last.since(first));
    let over = over.filter(|over| *over > Duration::ZERO);
    let (Some(over), Some(latency)) = (over, Spread::of(log.latency)) else {
        let message = "there is no transaction in it that ended well";
        findings.push(Finding::new(files.first()?.first_line(), message).help(HELP));
        return None;
    };
    let (count, clients) = (latency.count, log.clients.len() as u64);
    let lag = Spread::of(log.lag);
    Some(Transactions { count, over, clients, latency, lag, told: log.told })
}

impl Log {
    /// Takes a line that ends at `end`.
    fn line(
        &mut self,
        line: &str,
        file: File<'_>,
        number: usize,
        end: usize,
    ) -> Result<(), (String, &'static str)> {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.len() < 6 && end == file.text.len() {
            self.told.drop_row("the file ends within the line", file.name, number);
            return Ok(());
        }
        if !(6..=8).contains(&words.len()) {
            return Err((format!("this line has {} numbers, not 6 to 8", words.len()), HELP));
        }
        let number_of = |field: usize, name: &str| {
            let text = words.get(field).copied().unwrap_or("");
            let wrong = || (format!("{name} is `{}`, no number", text.escape_debug()), HELP);
            text.parse::<u64>().map_err(|_| wrong())
        };
        let client = number_of(0, "client_id")?;
        number_of(1, "transaction_no")?;
        match words[2] {
            "skipped" => {
                self.told.drop_row("skipped: it was too late", file.name, number);
                return Ok(());
            }
            "failed" | "serialization" | "deadlock" => {
                self.told.drop_row("the transaction failed", file.name, number);
                return Ok(());
            }
            _ => {}
        }
        let time = number_of(2, "time")?;
        number_of(3, "script_no")?;
        let (epoch, micros) = (number_of(4, "time_epoch")?, number_of(5, "time_us")?);
        if micros >= 1_000_000 {
            return Err((format!("time_us is {micros}"), "it is below 1000000"));
        }
        if !(1_000_000_000..9_000_000_000).contains(&epoch) {
            return Err((format!("time_epoch is {epoch}"), "seconds since 1970: ten digits"));
        }
        if time > LONGEST_US {
            return Err((format!("the transaction took {time} us"), "at most a day"));
        }
        if words.len() > 6 {
            self.lag.push(number_of(6, "schedule_lag")?.min(LONGEST_US) * 1_000);
        }
        let ended = Moment(epoch * 1_000_000_000 + micros * 1_000);
        let started = Moment(ended.0 - time * 1_000);
        self.first = Some(self.first.map_or(started, |first| first.min(started)));
        self.last = Some(self.last.map_or(ended, |last| last.max(ended)));
        self.latency.push(time * 1_000);
        self.clients.insert(client);
        self.told.used += 1;
        Ok(())
    }
}
