//! Numbers for people: bytes, durations and counts with three significant digits and their unit.
//!
//! Units are spelled as in PostgreSQL (`kB` is 1024 bytes, `us`, `ms`, `s`, `min`). All rounding
//! is done with integers, so that a number has the same digits on every machine.

/// Nanoseconds of the summary's milliseconds; negative and undefined values count as 0.
pub fn nanos_of_millis(millis: f64) -> u64 {
    // The cast saturates and turns NaN into 0.
    (millis * 1e6).round() as u64
}

/// Nanoseconds of the summary's seconds; negative and undefined values count as 0.
pub fn nanos_of_seconds(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}

/// `value / unit` with three significant digits, rounded half up, without trailing zeros.
fn three_digits(value: u64, unit: u64) -> String {
    let (value, unit) = (u128::from(value), u128::from(unit));
    let decimals = match value / unit {
        0..10 => 2,
        10..100 => 1,
        _ => 0,
    };
    let scale = [1, 10, 100][decimals];
    let scaled = (value * scale + unit / 2) / unit;
    let (whole, rest) = (scaled / scale, scaled % scale);
    if rest == 0 {
        return whole.to_string();
    }
    let digits = format!("{rest:0decimals$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

/// Bytes: `17B`, `1.5kB`, `312MB`.
pub fn bytes(value: u64) -> String {
    let units = [("TB", 40), ("GB", 30), ("MB", 20), ("kB", 10)];
    for (unit, shift) in units {
        if value >= 1 << shift {
            return format!("{}{unit}", three_digits(value, 1 << shift));
        }
    }
    format!("{value}B")
}

/// A duration of `nanos`: `0`, `412us`, `1.24ms`, `12.3s`, `2min 5s`, `3h 20min`.
pub fn duration(nanos: u64) -> String {
    const S: u64 = 1_000_000_000;
    let pair = |big: u64, big_unit: &str, small: u64, small_unit: &str| {
        let (whole, rest) = (nanos / big, nanos % big / small);
        if rest == 0 {
            format!("{whole}{big_unit}")
        } else {
            format!("{whole}{big_unit} {rest}{small_unit}")
        }
    };
    match nanos {
        0 => "0".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}us", three_digits(nanos, 1_000)),
        1_000_000..S => format!("{}ms", three_digits(nanos, 1_000_000)),
        _ if nanos < 60 * S => format!("{}s", three_digits(nanos, S)),
        _ if nanos < 3_600 * S => pair(60 * S, "min", S, "s"),
        _ if nanos < 86_400 * S => pair(3_600 * S, "h", 60 * S, "min"),
        _ => pair(86_400 * S, "d", 3_600 * S, "h"),
    }
}

/// A count with its thousands apart: `1,234,567`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share in percent, with three digits: `0.25 %`, `98.5 %`.
pub fn share(share: f64) -> String {
    let percent = share * 100.0;
    let text = match percent {
        p if p >= 10.0 => format!("{p:.1}"),
        p => format!("{p:.2}"),
    };
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} %")
}

/// A bandwidth of so many bytes a second in bits a second: `100Mbit/s`.
pub fn bits(bytes: u64) -> String {
    let bits = bytes as f64 * 8.0;
    let units = [("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3)];
    let (unit, of) = units.into_iter().find(|(_, of)| bits >= *of).unwrap_or(("bit/s", 1.0));
    let value = bits / of;
    let digits = match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let text = if digits > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

/// A moment of a run: seconds with three decimals, `72.500s`.
pub fn moment(nanos: u64) -> String {
    format!("{}.{:03}s", nanos / 1_000_000_000, nanos / 1_000_000 % 1_000)
}

/// Which of two values people prefer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// The larger one.
    More,
    /// The smaller one.
    Less,
}

/// How `value` differs from `base`, with its sign and in words: `no difference`, `×3.1, worse`,
/// `−12%, better`.
pub fn compared(value: u64, base: u64, better: Better) -> String {
    if value == base {
        return "no difference".to_owned();
    }
    let verdict = if (value > base) == (better == Better::More) { "better" } else { "worse" };
    if base == 0 {
        return format!("up from 0, {verdict}");
    }
    let (v, b) = (u128::from(value), u128::from(base));
    if v * 100 >= 195 * b {
        let tenths = (v * 10 + b / 2) / b;
        let (whole, tenth) = (tenths / 10, tenths % 10);
        return match (whole, tenth) {
            (10.., _) | (_, 0) => {
                format!("×{}, {verdict}", count(value.saturating_add(base / 2) / base))
            }
            _ => format!("×{whole}.{tenth}, {verdict}"),
        };
    }
    let percent = (v.abs_diff(b) * 100 + b / 2) / b;
    match (percent, v > b) {
        (0, _) => "about the same".to_owned(),
        (100, false) if value > 0 => format!("over −99%, {verdict}"),
        (percent, true) => format!("+{percent}%, {verdict}"),
        (percent, false) => format!("−{percent}%, {verdict}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        let b: Vec<_> = [0, 17, 1024, 1536, 16 << 20, (1 << 30) + (1 << 29), 1023 * 1024 + 1023]
            .map(bytes)
            .into();
        assert_eq!(b, ["0B", "17B", "1kB", "1.5kB", "16MB", "1.5GB", "1024kB"]);
        let d: Vec<_> =
            [0, 900, 412_000, 1_237_000, 12_340_000_000, 125_000_000_000].map(duration).into();
        assert_eq!(d, ["0", "900ns", "412us", "1.24ms", "12.3s", "2min 5s"]);
        assert_eq!(duration(12_000_000_000_000), "3h 20min");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(moment(72_500_000_000), "72.500s");
    }

    #[test]
    fn differences_are_said_with_their_sign_and_in_words() {
        let less = |value, base| compared(value, base, Better::Less);
        assert_eq!(less(5, 5), "no difference");
        assert_eq!(less(31, 10), "×3.1, worse");
        assert_eq!(less(1_998, 1_000), "×2, worse");
        assert_eq!(less(45_920, 10), "×4,592, worse");
        assert_eq!(less(88, 100), "−12%, better");
        assert_eq!(less(9, 10_000), "over −99%, better");
        assert_eq!(less(0, 10_000), "−100%, better");
        assert_eq!(less(1_001, 1_000), "about the same");
        assert_eq!(less(5, 0), "up from 0, worse");
        assert_eq!(compared(112, 100, Better::More), "+12%, better");
        assert_eq!(compared(50, 100, Better::More), "−50%, worse");
    }
}
