//! Moments as PostgreSQL, exporters and spreadsheets write them.
//!
//! A time stamp is ISO as `datestyle = 'ISO'` prints it (`2026-11-23 05:59:58.343596+00`), the
//! same with `T` and `Z`, or a number of seconds or milliseconds since 1970. Without a zone it is
//! taken as UTC, and whoever reads it is told so. The calendar is the Gregorian one.
//!
//! **Source.** `EncodeDateTime` with `USE_ISO_DATES` (PostgreSQL 13 to 18); Howard Hinnant,
//! `days_from_civil` and `civil_from_days`.
//!
//! **Not modelled.** Zones by name but UTC and GMT; other date styles; leap seconds, which
//! PostgreSQL does not have either; years before 1970 and after 2261.

use std::fmt;
use std::ops::Range;

use models::units::Duration;

/// Nanoseconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

/// What a time stamp says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When.
    pub moment: Moment,
    /// Whether it says in which zone; else it was taken as UTC.
    pub zoned: bool,
}

impl Moment {
    /// Whole seconds since 1970.
    pub fn seconds(self) -> u64 {
        self.0 / SECOND
    }

    /// Time since an earlier moment; none since a later one.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Moment {
    /// As PostgreSQL prints it where the zone is UTC: `2026-11-23 05:59:58.343596+00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds();
        let (year, month, day) = date(seconds / DAY);
        let (hour, minute) = (seconds % DAY / 3_600, seconds % 3_600 / 60);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02}", seconds % 60)?;
        let micros = self.0 % SECOND / 1_000;
        if micros > 0 {
            write!(f, ".{}", format!("{micros:06}").trim_end_matches('0'))?;
        }
        f.write_str("+00")
    }
}

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;
/// Seconds of a day.
const DAY: u64 = 86_400;

/// A time stamp, if it is one.
pub(crate) fn stamp(text: &str) -> Option<Stamp> {
    let text = text.trim();
    iso(text).or_else(|| epoch(text).map(|moment| Stamp { moment, zoned: true }))
}

/// Seconds since 1970 with ten digits, milliseconds with thirteen; both may have a fraction.
pub(crate) fn epoch(text: &str) -> Option<Moment> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || text.ends_with('.') {
        return None;
    }
    let unit = match whole.len() {
        10 => SECOND,
        13 => 1_000_000,
        _ => return None,
    };
    let parts: u64 = format!("{:0<9}", &fraction[..fraction.len().min(9)]).parse().ok()?;
    let whole: u64 = whole.parse().ok()?;
    let nanos = whole.checked_mul(unit)?.checked_add(parts / (SECOND / unit))?;
    Some(Moment(nanos)).filter(|moment| moment.0 <= LAST)
}

/// An interval as PostgreSQL prints it: `00:00:00.024875`, `1 day 02:03:04`. Lags may come out
/// a little below zero where two clocks differ; that is none.
pub(crate) fn interval(text: &str) -> Option<Duration> {
    let (days, clock) = match text.split_once(" day") {
        Some((days, rest)) => (days.trim().parse().ok()?, rest.trim_start_matches('s').trim()),
        None => (0_u64, text.trim()),
    };
    let (negative, clock) = clock.strip_prefix('-').map_or((false, clock), |rest| (true, rest));
    let mut parts = clock.splitn(3, ':');
    let mut next = || parts.next().filter(|p| p.bytes().next().is_some_and(|b| b.is_ascii_digit()));
    let (hours, minutes, seconds) = (next()?, next()?, next()?);
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let nanos: u64 = format!("{:0<9}", fraction.get(..fraction.len().min(9))?).parse().ok()?;
    let whole: u64 = whole.parse().ok().filter(|seconds| *seconds < 60 && minutes < 60)?;
    let seconds = days.checked_mul(DAY)?.checked_add(hours.checked_mul(3_600)?)?;
    let nanos =
        seconds.checked_add(minutes * 60 + whole)?.checked_mul(SECOND)?.checked_add(nanos)?;
    Some(Duration(if negative { 0 } else { nanos }))
}

/// The last moment that is taken: the end of the year 2261.
const LAST: u64 = i64::MAX as u64;

fn iso(text: &str) -> Option<Stamp> {
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
    let on_calendar = (1970..=2261).contains(&year)
        && (1..=12).contains(&month)
        && date(u64::try_from(days(year, month, day)).ok()?)
            == (u64::try_from(year).ok()?, u64::try_from(month).ok()?, u64::try_from(day).ok()?);
    if !on_calendar || hour >= 24 || minute >= 60 || second > 60 {
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
    let zone = zone.trim();
    let seconds =
        days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - zone_offset(zone)?;
    let nanos = u64::try_from(seconds * 1_000_000_000 + nanos).ok()?;
    Some(Stamp { moment: Moment(nanos), zoned: !zone.is_empty() })
}

/// Seconds that a zone such as `+00`, `-03:30` or `Z` is ahead of UTC.
fn zone_offset(zone: &str) -> Option<i64> {
    if matches!(zone, "" | "Z" | "UTC" | "GMT") {
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
    Some(sign * (hours * 3_600 + minutes * 60)).filter(|_| hours < 16 && minutes < 60)
}

/// Days since 1970-01-01 of a date of the Gregorian calendar (Hinnant, `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a number of days since 1970-01-01 (Hinnant, `civil_from_days`).
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let of_era_years = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * of_era_years + of_era_years / 4 - of_era_years / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + of_era_years + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        stamp(text).map(|stamp| stamp.moment.seconds())
    }

    #[test]
    fn days_are_those_of_the_calendar_both_ways() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 3, 1), 11_017);
        for day in (0..106_000).step_by(17) {
            let (year, month, of_month) = date(day);
            let back = days(year as i64, month as i64, of_month as i64);
            assert_eq!(u64::try_from(back), Ok(day));
        }
        assert_eq!(seconds("2001-09-09 01:46:40Z"), Some(1_000_000_000));
        assert_eq!(seconds("2026-02-29 00:00:00Z"), None);
        assert_eq!(seconds("2028-02-29 00:00:00Z"), Some(1_835_395_200));
    }

    #[test]
    fn zones_are_taken_off_and_their_absence_is_seen() {
        let utc = seconds("2026-11-23 05:00:00+00");
        for same in [
            "2026-11-23 07:00:00+02",
            "2026-11-23T05:00:00Z",
            "2026-11-23 01:30:00-03:30",
            "2026-11-23 05:00:00 UTC",
            "2026-11-23 05:00:00",
            "1795410000",
            "1795410000.000",
            "1795410000000",
        ] {
            assert_eq!(seconds(same), utc, "{same}");
        }
        assert_eq!(stamp("2026-11-23 05:00:00").map(|s| s.zoned), Some(false));
        for wrong in ["23/11/2026 05:00:00", "2026-11-23", "2026-11-23 05:00:00+99", "now", ""] {
            assert_eq!(stamp(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn intervals_are_read_as_lags_are_printed() {
        assert_eq!(interval("00:00:00.024875"), Some(Duration::us(24_875)));
        assert_eq!(interval("1 day 02:03:04.5"), Some(Duration::ms(93_784_500)));
        assert_eq!(interval("-00:00:00.000007"), Some(Duration::ZERO));
        for wrong in ["", "1 day", "02:03", "00:61:00", "12ms", "00:00:0x"] {
            assert_eq!(interval(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_moment_prints_as_postgresql_prints_it() {
        for text in ["2026-11-23 05:59:58.343596+00", "2026-11-23 06:00:00.2+00"] {
            assert_eq!(stamp(text).map(|s| s.moment.to_string()).as_deref(), Some(text));
        }
    }
}
