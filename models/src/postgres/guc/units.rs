//! Numbers and units as PostgreSQL reads and prints them in settings.
//!
//! An integer may be decimal, octal (`010`) or hexadecimal (`0x10`), may have a fraction or an
//! exponent, and may carry a unit after optional space. A fraction is rounded to a multiple of
//! the next smaller unit (`0.1GB` is 102 MB), then to the setting's own unit, halves to even.
//! Units are case-sensitive. Printing picks the largest unit that leaves a whole number.
//!
//! **Source.** `guc.c`: `parse_int`, `parse_real`, `convert_to_base_unit`,
//! `convert_int_from_base_unit`, `convert_real_from_base_unit`, and `bool.c:parse_bool`; the same
//! in 13 to 18. C's `strtol`, `strtod` and `%g` are imitated as far as these use them.
//!
//! **Not modelled.** Locales; what a value holds after a NUL byte.

/// The unit that a setting's number counts, `pg_settings.unit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A bare number; no unit may be written.
    Plain,
    /// `B`
    Bytes,
    /// `kB`
    Kilobytes,
    /// `MB`
    Megabytes,
    /// Blocks of 8 kB, shown as `8kB`.
    Blocks,
    /// `ms`
    Milliseconds,
    /// `s`
    Seconds,
    /// `min`
    Minutes,
}

impl Unit {
    /// As in `pg_settings.unit` and in messages; empty for bare numbers.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Plain => "",
            Unit::Bytes => "B",
            Unit::Kilobytes => "kB",
            Unit::Megabytes => "MB",
            Unit::Blocks => "8kB",
            Unit::Milliseconds => "ms",
            Unit::Seconds => "s",
            Unit::Minutes => "min",
        }
    }

    /// Units that may be written behind a number of this one, the largest first.
    pub fn written(self) -> impl Iterator<Item = &'static str> {
        self.conversions().iter().map(|(name, _)| *name)
    }

    /// Units that may be written, the largest first, with how many base units each is
    /// (`memory_unit_conversion_table`, `time_unit_conversion_table`).
    const fn conversions(self) -> &'static [(&'static str, f64)] {
        const K: f64 = 1024.0;
        match self {
            Unit::Plain => &[],
            Unit::Bytes => {
                &[("TB", K * K * K * K), ("GB", K * K * K), ("MB", K * K), ("kB", K), ("B", 1.0)]
            }
            Unit::Kilobytes => {
                &[("TB", K * K * K), ("GB", K * K), ("MB", K), ("kB", 1.0), ("B", 1.0 / K)]
            }
            Unit::Megabytes => {
                &[("TB", K * K), ("GB", K), ("MB", 1.0), ("kB", 1.0 / K), ("B", 1.0 / (K * K))]
            }
            Unit::Blocks => &[
                ("TB", K * K * K / 8.0),
                ("GB", K * K / 8.0),
                ("MB", K / 8.0),
                ("kB", 1.0 / 8.0),
                ("B", 1.0 / (8.0 * K)),
            ],
            Unit::Milliseconds => &[
                ("d", 86_400_000.0),
                ("h", 3_600_000.0),
                ("min", 60_000.0),
                ("s", 1000.0),
                ("ms", 1.0),
                ("us", 1.0 / 1000.0),
            ],
            Unit::Seconds => &[
                ("d", 86_400.0),
                ("h", 3600.0),
                ("min", 60.0),
                ("s", 1.0),
                ("ms", 1.0 / 1000.0),
                ("us", 1.0 / 1_000_000.0),
            ],
            Unit::Minutes => &[
                ("d", 1440.0),
                ("h", 60.0),
                ("min", 1.0),
                ("s", 1.0 / 60.0),
                ("ms", 1.0 / 60_000.0),
                ("us", 1.0 / 60_000_000.0),
            ],
        }
    }

    /// The hint after a unit that cannot be written here.
    const fn hint(self) -> Option<&'static str> {
        match self {
            Unit::Plain => None,
            Unit::Bytes | Unit::Kilobytes | Unit::Megabytes | Unit::Blocks => Some(
                "Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".",
            ),
            Unit::Milliseconds | Unit::Seconds | Unit::Minutes => Some(
                "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \
                 \"d\".",
            ),
        }
    }

    /// A number of base units for messages: ` MB` behind it, if there is a unit.
    pub(super) fn describe(self, number: &str) -> String {
        match self {
            Unit::Plain => number.to_owned(),
            _ => format!("{number} {}", self.name()),
        }
    }
}

/// The text is not a number in this unit; PostgreSQL's hint, if it gives one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotANumber(pub(super) Option<&'static str>);

/// `parse_int`: a whole number of base units.
pub(super) fn parse_integer(text: &str, unit: Unit) -> Result<i32, NotANumber> {
    let bytes = text.as_bytes();
    let (whole, mut end) = strtol(bytes);
    let mut value = whole.map(|n| n as f64);
    if value.is_none() || matches!(bytes.get(end), Some(b'.' | b'e' | b'E')) {
        (value, end) = strtod(bytes);
    }
    let number = with_unit(value, end, bytes, unit)?.round_ties_even();
    if number > f64::from(i32::MAX) || number < f64::from(i32::MIN) {
        return Err(NotANumber(Some("Value exceeds integer range.")));
    }
    Ok(number as i32)
}

/// `parse_real`: a number of base units. Never NaN, but possibly infinite.
pub(super) fn parse_real(text: &str, unit: Unit) -> Result<f64, NotANumber> {
    let bytes = text.as_bytes();
    let (value, end) = strtod(bytes);
    with_unit(value, end, bytes, unit)
}

/// `parse_bool`: any unambiguous start of true, false, yes, no, on, off, or 1 or 0.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    let starts = |word: &str, least: usize| {
        text.len() >= least
            && word.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text))
    };
    if starts("true", 1) || starts("yes", 1) || starts("on", 2) || text == "1" {
        Some(true)
    } else if starts("false", 1) || starts("no", 1) || starts("off", 2) || text == "0" {
        Some(false)
    } else {
        None
    }
}

/// What follows the number: nothing, or a unit of at most three letters between spaces.
fn with_unit(value: Option<f64>, end: usize, bytes: &[u8], unit: Unit) -> Result<f64, NotANumber> {
    let value = value.filter(|v| end > 0 && !v.is_nan()).ok_or(NotANumber(None))?;
    let rest = bytes.get(end..).unwrap_or_default();
    let written = trim(rest);
    if written.is_empty() {
        return Ok(value);
    }
    let found = unit.conversions().iter().position(|(name, _)| name.as_bytes() == written);
    let Some(found) = found else { return Err(NotANumber(unit.hint())) };
    let conversions = &unit.conversions()[found..];
    let number = value * conversions[0].1;
    Ok(match conversions.get(1) {
        Some((_, smaller)) => (number / smaller).round_ties_even() * smaller,
        None => number,
    })
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|b| !is_space(*b)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|b| !is_space(*b)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// Spaces and a sign: whether it is a minus, and where the number begins.
fn sign(bytes: &[u8]) -> (bool, usize) {
    let start = bytes.iter().position(|b| !is_space(*b)).unwrap_or(bytes.len());
    match bytes.get(start) {
        Some(b'-') => (true, start + 1),
        Some(b'+') => (false, start + 1),
        _ => (false, start),
    }
}

fn is_hex_prefix(bytes: &[u8]) -> bool {
    matches!(bytes, [b'0', b'x' | b'X', ..])
}

/// `strtol(text, &end, 0)`: the number (`None` if it does not fit 64 bits) and where it ends;
/// zero at 0 if there is none.
fn strtol(bytes: &[u8]) -> (Option<i64>, usize) {
    let (minus, start) = sign(bytes);
    let number = &bytes[start..];
    let (radix, skip) = match number {
        [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit() => (16, 2),
        [b'0', ..] => (8, 0),
        _ => (10, 0),
    };
    let digits = || number[skip..].iter().map_while(|b| char::from(*b).to_digit(radix));
    let length = digits().count();
    if length == 0 {
        return (Some(0), 0);
    }
    let value = digits().try_fold(0i64, |sum, digit| {
        let sum = sum.checked_mul(i64::from(radix))?;
        if minus { sum.checked_sub(i64::from(digit)) } else { sum.checked_add(i64::from(digit)) }
    });
    (value, start + skip + length)
}

/// `strtod(text, &end)`: the number (`None` if it is too large or too small for a double) and
/// where it ends; zero at 0 if there is none.
fn strtod(bytes: &[u8]) -> (Option<f64>, usize) {
    let (minus, start) = sign(bytes);
    let number = &bytes[start..];
    let (value, length) = if is_hex_prefix(number) {
        hexadecimal(number)
    } else if let Some(length) = word(number, &["infinity", "inf"]) {
        (Some(f64::INFINITY), length)
    } else if let Some(length) = word(number, &["nan"]) {
        (Some(f64::NAN), length)
    } else {
        decimal(number)
    };
    if length == 0 {
        return (Some(0.0), 0);
    }
    (value.map(|v| if minus { -v } else { v }), start + length)
}

fn word(number: &[u8], words: &[&str]) -> Option<usize> {
    let fits =
        |w: &&&str| number.get(..w.len()).is_some_and(|n| n.eq_ignore_ascii_case(w.as_bytes()));
    words.iter().find(fits).map(|w| w.len())
}

/// Digits with at most one point: their length, and whether there is a digit at all.
fn mantissa(number: &[u8], is_digit: fn(&u8) -> bool) -> (usize, bool) {
    let whole = number.iter().take_while(|b| is_digit(b)).count();
    let fraction = match number.get(whole) {
        Some(b'.') => 1 + number[whole + 1..].iter().take_while(|b| is_digit(b)).count(),
        _ => 0,
    };
    (whole + fraction, whole > 0 || fraction > 1)
}

/// `e+12`: its length, zero if it is not one.
fn exponent(number: &[u8], letter: u8) -> usize {
    if !number.first().is_some_and(|b| b.eq_ignore_ascii_case(&letter)) {
        return 0;
    }
    let sign = usize::from(matches!(number.get(1), Some(b'+' | b'-')));
    let digits = number[1 + sign..].iter().take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 { 0 } else { 1 + sign + digits }
}

fn decimal(number: &[u8]) -> (Option<f64>, usize) {
    let (digits, any) = mantissa(number, u8::is_ascii_digit);
    if !any {
        return (None, 0);
    }
    let length = digits + exponent(&number[digits..], b'e');
    let text = std::str::from_utf8(&number[..length]).unwrap_or_default();
    let value = text.parse::<f64>().ok();
    let is_zero = number[..digits].iter().all(|b| matches!(b, b'0' | b'.'));
    (value.filter(|v| v.is_normal() || is_zero), length)
}

/// Hexadecimal with an optional binary exponent (`0x1.8p3`); more than 53 bits are rounded as
/// they come, which no setting's range can tell.
fn hexadecimal(number: &[u8]) -> (Option<f64>, usize) {
    let (digits, any) = mantissa(&number[2..], u8::is_ascii_hexdigit);
    if !any {
        return (Some(0.0), 1);
    }
    let (mut value, mut scale, mut in_fraction) = (0.0f64, 0i32, false);
    for byte in &number[2..2 + digits] {
        match char::from(*byte).to_digit(16) {
            Some(digit) => {
                value = value * 16.0 + f64::from(digit);
                scale = scale.saturating_sub(if in_fraction { 4 } else { 0 });
            }
            None => in_fraction = true,
        }
    }
    let power = exponent(&number[2 + digits..], b'p');
    let text = std::str::from_utf8(&number[2 + digits..2 + digits + power]).unwrap_or_default();
    if let Some(power) = text.get(1..) {
        let limit = if power.starts_with('-') { -100_000 } else { 100_000 };
        scale = scale.saturating_add(power.parse().unwrap_or(limit));
    }
    let is_zero = value == 0.0;
    let value = value * 2.0f64.powi(scale.clamp(-2000, 2000));
    (Some(value).filter(|v| v.is_normal() || is_zero), 2 + digits + power)
}

/// An integer as `SHOW` prints it: `300` seconds are `5min`; zero and less have no unit.
pub(super) fn show_integer(value: i32, unit: Unit) -> String {
    if value > 0 {
        for (name, multiplier) in unit.conversions() {
            if *multiplier <= 1.0 {
                return format!("{}{name}", (f64::from(value) / multiplier).round_ties_even());
            }
            let multiplier = *multiplier as i64;
            if i64::from(value) % multiplier == 0 {
                return format!("{}{name}", i64::from(value) / multiplier);
            }
        }
    }
    value.to_string()
}

/// A real number as `SHOW` prints it: in the largest unit that leaves a whole number, up to
/// rounding errors, else in the smallest.
pub(super) fn show_real(value: f64, unit: Unit) -> String {
    if value <= 0.0 {
        return general(value);
    }
    let mut shown = (value, "");
    for (name, multiplier) in unit.conversions() {
        shown = (value / multiplier, *name);
        if shown.0 > 0.0 && (shown.0.round_ties_even() / shown.0 - 1.0).abs() <= 1e-8 {
            break;
        }
    }
    format!("{}{}", general(shown.0), shown.1)
}

/// PostgreSQL's `%g`: six significant digits without trailing zeros.
pub(super) fn general(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let scientific = format!("{value:.5e}");
    let (digits, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let strip = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..6).contains(&power) {
        let decimals = usize::try_from(5 - power).unwrap_or(0);
        strip(&format!("{value:.decimals$}"))
    } else {
        let sign = if power < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", strip(digits), power.abs())
    }
}
