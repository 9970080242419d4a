//! What all scripts share: quantities in their arguments, moments in their output, and the walk
//! over a directory of scripts.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::str::FromStr;

use goldenscript::{ArgumentConsumer, Runner};
use models::latency::Quantiles;
use models::network::{LinkConfig, Loss};
use models::units::{Bytes, Duration, Rate, SimTime};

/// What a command gives: its output, or why it could not be run.
pub type Output = Result<String, Box<dyn Error>>;

/// Runs every script of `tests/scripts/<machine>` with a new runner, and names all that fail.
pub fn run_all<R: Runner>(machine: &str, new: impl Fn() -> R) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts").join(machine);
    let entries = std::fs::read_dir(&directory).expect("a directory of scripts");
    let mut scripts: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
    scripts.sort();
    assert!(!scripts.is_empty(), "no scripts in {machine}");
    let mut failed = String::new();
    for script in scripts {
        // A changed output is a panic, and so is a machine's broken assertion.
        let run = || goldenscript::run(&mut new(), &script).expect("a script that can be run");
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            failed += &format!("\n    {}", script.display());
        }
    }
    assert!(failed.is_empty(), "scripts that fail:{failed}");
}

/// `1.5ms`, `200us`, `2min`.
pub fn duration(text: &str) -> Result<Duration, Box<dyn Error>> {
    let units = [("min", 60_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];
    quantity(text, &[&units[..], &[("h", 3_600_000_000_000), ("s", 1_000_000_000)]].concat())
        .map(Duration)
}

/// `200B`, `128kB`, `16MB`, `1GB`; k is 1024.
pub fn bytes(text: &str) -> Result<Bytes, Box<dyn Error>> {
    quantity(text, &[("kB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30), ("B", 1)]).map(Bytes)
}

/// Bytes a second.
pub fn rate(text: &str) -> Result<Rate, Box<dyn Error>> {
    Rate::new(bytes(text)?.0).ok_or_else(|| format!("{text} moves nothing").into())
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Result<u64, Box<dyn Error>> {
    for (unit, factor) in units {
        let number = text.strip_suffix(unit).and_then(|number| f64::from_str(number).ok());
        if let Some(number) = number {
            return Ok((number * *factor as f64).round() as u64);
        }
    }
    Err(format!("{text}: no such quantity").into())
}

/// The next argument without a key.
pub fn word<'a>(args: &mut ArgumentConsumer<'a>) -> Result<&'a str, Box<dyn Error>> {
    args.next_pos().ok_or_else(|| "an argument is missing".into())
}

/// The value of `key`, read by `parse`.
pub fn key<T>(
    args: &mut ArgumentConsumer<'_>,
    key: &str,
    parse: impl Fn(&str) -> Result<T, Box<dyn Error>>,
) -> Result<Option<T>, Box<dyn Error>> {
    args.take_key(key).map(parse).transpose()
}

/// A whole number.
pub fn number(text: &str) -> Result<u64, Box<dyn Error>> {
    Ok(text.parse()?)
}

/// Seconds with six decimals.
pub fn moment(at: SimTime) -> String {
    format!("{}.{:06}", at.0 / 1_000_000_000, at.0 / 1_000 % 1_000_000)
}

/// Milliseconds with three decimals.
pub fn millis(span: Duration) -> String {
    format!("{}.{:03} ms", span.0 / 1_000_000, span.0 / 1_000 % 1_000)
}

/// What a command says about a link.
pub fn set_link(
    link: &mut LinkConfig,
    args: &mut ArgumentConsumer<'_>,
) -> Result<(), Box<dyn Error>> {
    if let Some(rtt) = key(args, "rtt", duration)? {
        link.rtt = Quantiles::constant(rtt.0);
    }
    link.bandwidth = key(args, "bandwidth", rate)?.unwrap_or(link.bandwidth);
    link.window = key(args, "window", bytes)?.unwrap_or(link.window);
    link.loss = key(args, "loss", number)?.map_or(link.loss, Loss::millionths);
    Ok(())
}
