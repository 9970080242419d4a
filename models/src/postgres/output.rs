//! What PostgreSQL's output functions make of values: intervals, moments, sizes, seconds.
//!
//! Time 0 of a run is midnight of 2000-01-01 UTC, PostgreSQL's own epoch, and sessions have
//! `TimeZone = UTC`, so a moment is printed with `+00`. PostgreSQL's times are whole
//! microseconds; those of a run are cut to that.
//!
//! **Source.** `datetime.c:EncodeInterval`, `EncodeDateTime`; `timestamp.c:timestamp_mi`,
//! `interval_part_common`; `dbsize.c:pg_size_pretty_numeric`. Versions 13 to 18, with the settings
//! `DateStyle = ISO` and `IntervalStyle = postgres`.
//!
//! **Not modelled.** Months and years in intervals; years before 1 and after 9999.

use super::PgVersion;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// `boolean`.
pub fn boolean(value: bool) -> String {
    if value { "t" } else { "f" }.to_owned()
}

/// An `interval` of so many microseconds that has no days, as the lag columns have it.
pub fn interval(microseconds: i64) -> String {
    clock(microseconds, false)
}

/// The `interval` from one moment to another, in microseconds: 24 hours are a day.
pub fn difference(from: i64, to: i64) -> String {
    let all = to - from;
    let (days, rest) = (all / DAY, all % DAY);
    if days == 0 {
        return clock(rest, false);
    }
    let text = format!("{days} day{}", if days == 1 { "" } else { "s" });
    match rest {
        0 => text,
        rest => format!("{text} {}", clock(rest, days < 0)),
    }
}

/// Hours, minutes and seconds; a plus where it follows something negative and is not.
fn clock(microseconds: i64, behind_negative: bool) -> String {
    let sign = match (microseconds < 0, behind_negative) {
        (true, _) => "-",
        (false, true) => "+",
        (false, false) => "",
    };
    let all = microseconds.unsigned_abs();
    let seconds = all / 1_000_000;
    let (h, m, s) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{sign}{h:02}:{m:02}:{s:02}{}", fraction(all % 1_000_000))
}

/// The fraction of a second, without zeros at its end.
fn fraction(microseconds: u64) -> String {
    match microseconds {
        0 => String::new(),
        some => format!(".{some:06}").trim_end_matches('0').to_owned(),
    }
}

/// A `timestamp with time zone`, from microseconds since 2000-01-01 UTC.
pub fn timestamptz(microseconds: i64) -> String {
    let (days, time) = (microseconds.div_euclid(DAY), microseconds.rem_euclid(DAY));
    let (year, month, day) = date(days);
    let seconds = time / 1_000_000;
    let (h, m, s) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let fraction = fraction((time % 1_000_000) as u64);
    format!("{year:04}-{month:02}-{day:02} {h:02}:{m:02}:{s:02}{fraction}+00")
}

/// The Gregorian date so many days after 2000-01-01: year, month, day.
fn date(days: i64) -> (i64, i64, i64) {
    // Counted from the first of March of a year that 400 divides, so that leap days come last.
    const OF_400_YEARS: i64 = 146_097;
    let since_march = days - 60;
    let (era, day) = (since_march.div_euclid(OF_400_YEARS), since_march.rem_euclid(OF_400_YEARS));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (2_000 + 400 * era + year + later, month, day_of_month)
}

/// `extract(epoch from interval)`, of so many microseconds: `numeric` with six places since 14,
/// before that `double precision`.
pub fn epoch(microseconds: i64, version: PgVersion) -> String {
    let (sign, all) = (if microseconds < 0 { "-" } else { "" }, microseconds.unsigned_abs());
    let (seconds, rest) = (all / 1_000_000, all % 1_000_000);
    if version.major() >= 14 {
        return format!("{sign}{seconds}.{rest:06}");
    }
    // The shortest text of the nearest double: up to 15 digits that is the number itself, with an
    // exponent if it is less than 0.0001.
    match (seconds, rest) {
        (0, 1..100) if rest % 10 == 0 => format!("{sign}{}e-05", rest / 10),
        (0, 10..100) => format!("{sign}{}.{}e-05", rest / 10, rest % 10),
        (0, 1..10) => format!("{sign}{rest}e-06"),
        (seconds, rest) => format!("{sign}{seconds}{}", fraction(rest)),
    }
}

/// Units of `pg_size_pretty`: name, below how many of it it is used, whether the number is halved
/// and rounded, and the unit as a power of two.
const UNITS: [(&str, u64, bool, u32); 6] = [
    ("bytes", 10 * 1024, false, 0),
    ("kB", 20 * 1024 - 1, true, 10),
    ("MB", 20 * 1024 - 1, true, 20),
    ("GB", 20 * 1024 - 1, true, 30),
    ("TB", 20 * 1024 - 1, true, 40),
    ("PB", 20 * 1024 - 1, true, 50),
];

/// `pg_size_pretty(numeric)`: petabytes since 15.
pub fn size_pretty(bytes: i64, version: PgVersion) -> String {
    let units = &UNITS[..if version.major() >= 15 { 6 } else { 5 }];
    let mut size = bytes;
    for (index, &(name, limit, halved, bits)) in units.iter().enumerate() {
        let next = units.get(index + 1).filter(|_| size.unsigned_abs() >= limit);
        let Some(&(_, _, next_halved, next_bits)) = next else {
            if halved {
                size = (size + if size < 0 { -1 } else { 1 }) / 2;
            }
            return format!("{size} {name}");
        };
        let shift = next_bits - bits - u32::from(next_halved) + u32::from(halved);
        size /= 1 << shift;
    }
    unreachable!("the last unit has no limit")
}
