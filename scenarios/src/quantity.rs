//! Numbers with units, in PostgreSQL's spelling.
//!
//! A number, an optional blank, a unit: `1GB`, `10 s`, `1.5ms`. Units are case-sensitive, kB is
//! 1024 bytes, a minute is `min`. A fraction is rounded to the nearest whole nanosecond or byte.
//! Beside PostgreSQL's sizes and times there are rates: `40MB/s`, `4000/s`, and `1Gbit/s`
//! because that is how links are sold (125,000,000 bytes a second).
//!
//! **Source.** `guc.c:convert_to_base_unit`, `parse_int`; the hints are its own texts.

use models::units::{Bytes, Duration, Rate};

use crate::error::{capital, nearest};
use crate::limits;

/// A quantity that cannot be read: what is wrong, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// What is wrong with it.
    pub message: String,
    /// What is allowed.
    pub help: String,
}

fn unreadable(message: String, help: impl Into<String>) -> Unreadable {
    Unreadable { message, help: help.into() }
}

/// Units of time and their nanoseconds.
pub(crate) const TIME: [(&str, u64); 6] = [
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];
/// Units of size and their bytes.
pub(crate) const SIZE: [(&str, u64); 5] =
    [("B", 1), ("kB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30), ("TB", 1 << 40)];
/// Units of bandwidth by bits, as eighths of a byte.
pub(crate) const BITS: [(&str, u64); 4] =
    [("bit", 1), ("kbit", 1_000), ("Mbit", 1_000_000), ("Gbit", 1_000_000_000)];

const TIME_HELP: &str = r#"Valid units for a time are "us", "ms", "s", "min", "h", and "d"."#;
const SIZE_HELP: &str = r#"Valid units for a size are "B", "kB", "MB", "GB", and "TB"."#;
const BYTE_RATE_HELP: &str = "write a size a second, such as '40MB/s' (also '/min', '/h', '/d')";
const LINK_RATE_HELP: &str = "write '1Gbit/s' (125,000,000 bytes a second) or '100MB/s'";
const EVENT_RATE_HELP: &str = "write a number a second, such as '4000/s' (also '/min', '/h', '/d')";

/// A time such as `10s`.
pub fn duration(text: &str) -> Result<Duration, Unreadable> {
    let nanos = measure(text, "a time", &TIME, TIME_HELP, 1)?;
    if nanos > limits::LONGEST.0 {
        return Err(unreadable(format!("`{text}` is longer than 10 years"), TIME_HELP));
    }
    Ok(Duration(nanos))
}

/// A size such as `16MB`.
pub fn size(text: &str) -> Result<Bytes, Unreadable> {
    let bytes = measure(text, "a size", &SIZE, SIZE_HELP, 1)?;
    if bytes > limits::LARGEST.0 {
        return Err(unreadable(format!("`{text}` is more than 1024TB"), SIZE_HELP));
    }
    Ok(Bytes(bytes))
}

/// Bytes a second, such as `40MB/s`; may be zero.
pub fn bytes_per_second(text: &str) -> Result<u64, Unreadable> {
    let (amount, seconds) = per(text, "a rate", BYTE_RATE_HELP)?;
    let rate = measure(amount, "a size", &SIZE, BYTE_RATE_HELP, seconds)
        .map_err(|e| Unreadable { message: in_full(&e.message, amount, text), help: e.help })?;
    if rate > limits::FASTEST {
        return Err(unreadable(format!("`{text}` is more than 100GB/s"), BYTE_RATE_HELP));
    }
    Ok(rate)
}

/// Bytes a second, such as `40MB/s`, never zero.
pub(crate) fn byte_rate(text: &str) -> Result<Rate, Unreadable> {
    let rate = bytes_per_second(text)?;
    Rate::new(rate).ok_or_else(|| unreadable(format!("`{text}` moves nothing"), BYTE_RATE_HELP))
}

/// A link's bandwidth, such as `1Gbit/s` or `100MB/s`, never zero.
pub(crate) fn link_rate(text: &str) -> Result<Rate, Unreadable> {
    let (amount, seconds) = per(text, "a bandwidth", LINK_RATE_HELP)?;
    let unit = unit_of(amount);
    let in_bits = BITS.iter().any(|(name, _)| *name == unit);
    let rate = if in_bits {
        measure(amount, "a bandwidth", &BITS, LINK_RATE_HELP, seconds.saturating_mul(8))
    } else if unit.to_lowercase().ends_with("bit") {
        let help = match nearest(unit, BITS.iter().map(|b| b.0)) {
            Some(name) => format!("did you mean `{name}`? {}", capital(LINK_RATE_HELP)),
            None => LINK_RATE_HELP.to_owned(),
        };
        Err(unreadable(format!("`{unit}` is not a unit of bandwidth"), help))
    } else {
        measure(amount, "a bandwidth", &SIZE, LINK_RATE_HELP, seconds)
    }
    .map_err(|e| Unreadable { message: in_full(&e.message, amount, text), help: e.help })?;
    if rate > limits::FASTEST {
        return Err(unreadable(format!("`{text}` is more than 100GB/s"), LINK_RATE_HELP));
    }
    Rate::new(rate).ok_or_else(|| {
        unreadable(
            format!("`{text}` carries nothing"),
            "a link that is down is a fault: kind = 'link_cut'",
        )
    })
}

/// The mean gap between events, from a rate such as `4000/s`.
pub(crate) fn event_gap(text: &str) -> Result<Duration, Unreadable> {
    let (amount, seconds) = per(text, "a rate", EVENT_RATE_HELP)?;
    let no_number = || unreadable(format!("`{text}` is not a rate"), EVENT_RATE_HELP);
    let (numerator, denominator) = decimal(amount.trim()).ok_or_else(no_number)?;
    if numerator == 0 {
        return Err(unreadable(
            format!("`{text}` means that nothing ever happens"),
            "leave the workload out instead",
        ));
    }
    // gap = seconds * 10^9 * denominator / numerator, rounded; 2^34 * 2^30 * 2^30 fits 128 bits.
    let span = u128::from(seconds) * 1_000_000_000 * u128::from(denominator);
    let gap = (span + u128::from(numerator) / 2) / u128::from(numerator);
    match u64::try_from(gap) {
        Ok(gap) if gap < limits::SHORTEST_GAP.0 => Err(unreadable(
            format!("`{text}` is more than 10 million a second"),
            "the largest rate is '10000000/s'",
        )),
        Ok(gap) if gap <= limits::LONGEST.0 => Ok(Duration(gap)),
        _ => Err(unreadable(format!("`{text}` is less than one in 10 years"), EVENT_RATE_HELP)),
    }
}

/// A plain number without a unit, exactly: numerator and a power of ten.
pub fn decimal(text: &str) -> Option<(u64, u64)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let fraction = &fraction[..fraction.len().min(9)];
    let denominator = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part: u64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    Some((whole.checked_mul(denominator)?.checked_add(part)?, denominator))
}

/// Reads `1%` or `0.01`; `None` if it is neither, or more than all.
pub fn share(text: &str) -> Option<f64> {
    let (number, of) = match text.strip_suffix('%') {
        Some(number) => (number.trim(), 100.0),
        None => (text, 1.0),
    };
    let (n, d) = decimal(number)?;
    let share = n as f64 / d as f64 / of;
    (share <= 1.0).then_some(share)
}

/// The part of `text` behind its number.
fn unit_of(text: &str) -> &str {
    let text = text.trim();
    text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').trim_start()
}

/// Splits `40MB/s` into its amount and the seconds of its unit of time.
fn per<'a>(text: &'a str, what: &str, help: &str) -> Result<(&'a str, u64), Unreadable> {
    let Some((amount, unit)) = text.trim().rsplit_once('/') else {
        let number = text.trim().starts_with(|c: char| c.is_ascii_digit());
        let why = if number { ": it does not say per what" } else { "" };
        return Err(unreadable(format!("`{text}` is not {what}{why}"), help));
    };
    match unit.trim() {
        "s" => Ok((amount, 1)),
        "min" => Ok((amount, 60)),
        "h" => Ok((amount, 3_600)),
        "d" => Ok((amount, 86_400)),
        _ => Err(unreadable(format!("`{text}` is not {what}: `/{unit}` is not a unit"), help)),
    }
}

/// Says the whole text where a part of it was complained about.
fn in_full(message: &str, part: &str, text: &str) -> String {
    message.replace(&format!("`{part}`"), &format!("`{text}`"))
}

/// Reads a number and its unit; the result is divided by `divisor` and rounded.
fn measure(
    text: &str,
    what: &str,
    units: &[(&str, u64)],
    help: &str,
    divisor: u64,
) -> Result<u64, Unreadable> {
    let trimmed = text.trim();
    let unit = unit_of(trimmed);
    let number = trimmed[..trimmed.len() - unit.len()].trim_end();
    let Some((numerator, denominator)) = decimal(number) else {
        if trimmed.strip_prefix('-').is_some_and(|t| t.starts_with(|c: char| c.is_ascii_digit())) {
            return Err(unreadable(format!("`{text}` is below zero"), "it is zero or more"));
        }
        return Err(unreadable(format!("`{text}` is not {what}"), help));
    };
    if unit.is_empty() {
        return if numerator == 0 {
            Ok(0)
        } else {
            Err(unreadable(format!("`{text}` has no unit"), help))
        };
    }
    if unit.contains(|c: char| c.is_ascii_digit()) {
        let example = if what == "a time" { ": '90s', not '1min 30s'" } else { "" };
        let help = format!("write one number with one unit{example}. {}", capital(help));
        return Err(unreadable(format!("`{text}` is more than one number"), help));
    }
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        let meant = match unit.to_lowercase().as_str() {
            "m" | "mn" | "mi" | "minute" | "minutes" | "mins" => Some("min"),
            "sec" | "secs" | "second" | "seconds" => Some("s"),
            "hour" | "hours" | "hr" | "hrs" => Some("h"),
            "day" | "days" => Some("d"),
            "µs" | "usec" => Some("us"),
            "msec" => Some("ms"),
            "k" | "kb" | "kib" => Some("kB"),
            "mb" | "mib" => Some("MB"),
            "g" | "gb" | "gib" => Some("GB"),
            "t" | "tb" | "tib" => Some("TB"),
            "b" | "byte" | "bytes" => Some("B"),
            _ => None,
        };
        let known = meant.filter(|m| units.iter().any(|(name, _)| name == m));
        let help = match known {
            Some(meant) => format!("did you mean `{meant}`? {}", capital(help)),
            None => help.to_owned(),
        };
        return Err(unreadable(format!("`{unit}` is not a unit of {}", noun(what)), help));
    };
    let divisor = u128::from(denominator) * u128::from(divisor);
    let product = u128::from(numerator) * u128::from(*factor);
    let value = (product + divisor / 2) / divisor;
    // Far above every limit, so that the caller names the one that applies.
    Ok(u64::try_from(value).unwrap_or(u64::MAX))
}

fn noun(what: &str) -> &str {
    what.trim_start_matches("a ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_as_postgresql_reads_them() {
        for (text, nanos) in [
            ("200us", 200_000),
            ("1.5ms", 1_500_000),
            ("10 s", 10_000_000_000),
            ("2min", 120_000_000_000),
            ("0.5h", 1_800_000_000_000),
            ("1d", 86_400_000_000_000),
            ("0", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration(nanos)), "{text}");
        }
        for (text, bytes) in
            [("17B", 17), ("1kB", 1024), ("1.5kB", 1536), ("16MB", 16 << 20), ("1TB", 1 << 40)]
        {
            assert_eq!(size(text), Ok(Bytes(bytes)), "{text}");
        }
    }

    #[test]
    fn rates_of_links_count_bits_in_thousands() {
        let bytes = |text| link_rate(text).map(Rate::bytes_per_second);
        assert_eq!(bytes("1Gbit/s"), Ok(125_000_000));
        assert_eq!(bytes("100Mbit/s"), Ok(12_500_000));
        assert_eq!(bytes("1MB/s"), Ok(1 << 20));
        assert_eq!(bytes_per_second("60MB/min"), Ok(1 << 20));
        assert_eq!(event_gap("4000/s"), Ok(Duration::us(250)));
        assert_eq!(event_gap("0.5/s"), Ok(Duration::s(2)));
        assert_eq!(event_gap("30/min"), Ok(Duration::s(2)));
    }

    #[test]
    fn what_postgresql_refuses_is_refused_with_a_hint() {
        for (text, hint) in [("5m", "`min`"), ("10", "Valid units"), ("5sec", "`s`")] {
            let error = duration(text).expect_err(text);
            assert!(error.help.contains(hint), "{text}: {error:?}");
        }
        for (text, hint) in [("1gb", "`GB`"), ("1GiB", "`GB`"), ("1KB", "`kB`")] {
            let error = size(text).expect_err(text);
            assert!(error.help.contains(hint), "{text}: {error:?}");
        }
        for text in ["", "s", "-1s", "1e3s", "1..2s", "1,5s", "99999999999999999999s", "20y"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["10", "10/x", "/s", "0/s", "10200000/s"] {
            assert!(event_gap(text).is_err(), "{text}");
        }
    }
}
