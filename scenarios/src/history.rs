//! A recorded WAL history: `now(), pg_current_wal_lsn()` about once a second.
//!
//! What `psql --csv` or `COPY ... TO ... CSV HEADER` writes of
//! `SELECT now(), pg_current_wal_lsn()`: a line of names, then a timestamp and a position a row.
//! Other columns may stand beside them: the first field that is a timestamp and the first that is
//! a position count. Between two rows the WAL is taken to come evenly.
//!
//! **Not modelled.** A timeline switch or a restore in the middle: a position that goes back is
//! an error, since nobody can say how much WAL there was.

use std::ops::Range;

use models::units::{Bytes, Duration, Lsn};

use crate::limits;
use crate::workload::LsnSample;

/// A WAL history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct History {
    /// Samples in order of time, at least two, positions never falling.
    pub samples: Vec<LsnSample>,
}

/// Why a text is no WAL history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Where.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What is allowed.
    pub help: Option<String>,
}

impl History {
    /// Time from the first sample to the last; never zero.
    pub fn length(&self) -> Duration {
        self.samples.last().map_or(Duration::ZERO, |s| s.at)
    }

    /// Bytes since the first sample at times since it, both multiplied by
    /// `numerator / denominator`.
    pub fn profile(&self, numerator: u64, denominator: u64) -> Vec<(Duration, Bytes)> {
        let first = self.samples.first().map_or(Lsn::INVALID, |s| s.lsn);
        let scale = |value: u64| {
            let scaled = u128::from(value) * u128::from(numerator) / u128::from(denominator.max(1));
            u64::try_from(scaled).unwrap_or(u64::MAX)
        };
        self.samples
            .iter()
            .map(|s| (Duration(scale(s.at.0)), Bytes(scale(s.lsn.since(first).0))))
            .collect()
    }
}

/// Reads a history.
pub(crate) fn parse(text: &str) -> Result<History, Wrong> {
    let mut samples: Vec<LsnSample> = Vec::new();
    let mut start: Option<i128> = None;
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let span = at..at + line.trim_end().len();
        at += line.len();
        if line.trim().is_empty() {
            continue;
        }
        let Some((time, lsn)) = row(line) else {
            // The first line names the columns.
            if number == 0 {
                continue;
            }
            return Err(Wrong {
                span,
                message: "no timestamp and WAL position in this row".to_owned(),
                help: Some(ROW_HELP.to_owned()),
            });
        };
        let first = *start.get_or_insert(time);
        let since = u64::try_from(time - first).ok().filter(|ns| *ns <= limits::LONGEST.0);
        let last = samples.last().copied();
        let (Some(since), true) = (since, last.is_none_or(|l| l.lsn <= lsn)) else {
            return Err(backwards(span, since.is_none()));
        };
        let sample = LsnSample { at: Duration(since), lsn };
        match last {
            Some(l) if l.at > sample.at => return Err(backwards(span, true)),
            Some(l) if l.at == sample.at => {
                // Two rows of one moment: the later one counts.
                if let Some(slot) = samples.last_mut() {
                    *slot = sample;
                }
            }
            _ => samples.push(sample),
        }
        if samples.len() > limits::MOST_ROWS {
            return Err(Wrong {
                span,
                message: "the history has more than 200,000 rows".to_owned(),
                help: Some("keep every tenth row: between two rows WAL comes evenly".to_owned()),
            });
        }
    }
    if samples.len() < 2 {
        return Err(Wrong {
            span: 0..text.lines().next().map_or(0, str::len),
            message: format!("a WAL history needs at least two rows, this has {}", samples.len()),
            help: Some(ROW_HELP.to_owned()),
        });
    }
    Ok(History { samples })
}

const ROW_HELP: &str = "a row is what SELECT now(), pg_current_wal_lsn() gives in psql --csv: \
                        2026-11-23 05:59:58.343596+00,0/1A0161A8";

fn backwards(span: Range<usize>, time: bool) -> Wrong {
    let (message, help) = if time {
        ("time goes back in this row", "sort the rows by time")
    } else {
        (
            "the WAL position goes back in this row",
            "after a failover or a restore positions start again: cut the history there",
        )
    };
    Wrong { span, message: message.to_owned(), help: Some(help.to_owned()) }
}

/// The first timestamp (nanoseconds since 1970) and the first position of a row.
fn row(line: &str) -> Option<(i128, Lsn)> {
    let fields = || line.split([',', ';', '\t', '|']).map(|f| f.trim().trim_matches('"'));
    let time = fields().find_map(timestamp)?;
    let lsn = fields().find_map(|f| f.parse::<Lsn>().ok())?;
    Some((time, lsn))
}

/// Nanoseconds since 1970 of `2026-11-23 05:59:58.343596+00`; without a zone it is UTC.
fn timestamp(text: &str) -> Option<i128> {
    if !text.is_ascii() || text.len() < 19 {
        return None;
    }
    let number = |range: Range<usize>| -> Option<i64> {
        let digits = text.get(range)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let bytes = text.as_bytes();
    let shape = bytes[4] == b'-'
        && bytes[7] == b'-'
        && matches!(bytes[10], b' ' | b'T')
        && bytes[13] == b':'
        && bytes[16] == b':';
    if !shape {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !in_range {
        return None;
    }
    let rest = &text[19..];
    let (fraction, zone) = match rest.strip_prefix('.') {
        None => ("", rest),
        Some(rest) => {
            let end = rest.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
            rest.split_at(end)
        }
    };
    let nanos: i64 = format!("{:0<9}", &fraction[..fraction.len().min(9)]).parse().ok()?;
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second
        - zone_offset(zone.trim())?;
    Some(i128::from(seconds) * 1_000_000_000 + i128::from(nanos))
}

/// Seconds that a zone such as `+00`, `-03:30` or `Z` is ahead of UTC.
fn zone_offset(zone: &str) -> Option<i64> {
    if matches!(zone, "" | "Z" | "UTC") {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let digits: String = rest.chars().filter(|c| *c != ':').collect();
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours: i64 = digits.get(..2)?.parse().ok()?;
    let minutes: i64 =
        digits.get(2..).filter(|m| !m.is_empty()).map_or(Some(0), |m| m.parse().ok())?;
    Some(sign * (hours * 3_600 + minutes * 60))
}

/// Days since 1970-01-01 of a date of the Gregorian calendar (Hinnant, `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_psql_csv_is_read_with_its_zone() {
        let text = "now,pg_current_wal_lsn\n2026-11-23 05:59:58.5+00,0/1000\n\
                    2026-11-23 07:00:00+01,0/3000\n";
        let history = parse(text).expect("a history");
        assert_eq!(history.length(), Duration::ms(1500));
        assert_eq!(history.profile(2, 1)[1], (Duration::s(3), Bytes(0x4000)));
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 3, 1), 11_017);
        assert_eq!(timestamp("2001-09-09 01:46:40Z"), Some(1_000_000_000_000_000_000));
    }

    #[test]
    fn going_back_is_refused() {
        let text = |second: &str| format!("t,l\n2026-11-23 05:00:01+00,0/2000\n{second}\n");
        for (second, word) in [
            ("2026-11-23 05:00:00+00,0/3000", "time goes back"),
            ("2026-11-23 05:00:02+00,0/1000", "position goes back"),
            ("tomorrow,0/3000", "no timestamp"),
            ("", "at least two rows"),
        ] {
            let wrong = parse(&text(second)).expect_err(second);
            assert!(wrong.message.contains(word), "{wrong:?}");
        }
    }
}
