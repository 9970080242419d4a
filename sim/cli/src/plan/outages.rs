//! How long outages last: what `--outage` and `--stress` say.

use std::path::Path;

use models::latency::{ONE, Quantiles};
use models::units::Duration;
use sim::plan::outage::Outages;

use super::given::{factor, text, wrong};
use crate::errors::Failure;

/// Outages by name.
const NAMED: [(&str, u64); 5] =
    [("reboot", 5), ("patch", 30), ("repair", 240), ("night", 720), ("weekend", 3_840)];
/// The longest outage.
const LONGEST: Duration = Duration::s(60 * 86_400);

/// What `--outage` takes.
pub const OUTAGE_HELP: &str = "a length such as 2h; quantiles such as 'p50=10min,p99=2h,max=8h'; \
                           reboot, patch, repair, night or weekend; or a file with a length in \
                           each line";

/// `--outage`.
pub fn outages(text: &str) -> Result<Outages, Failure> {
    if let Some((_, minutes)) = NAMED.iter().find(|(name, _)| *name == text) {
        return Ok(Outages::Fixed(Duration::s(60 * minutes)));
    }
    if text.contains('=') {
        return Ok(Outages::Spread(quantiles(text)?));
    }
    let path = Path::new(text);
    if path.is_file() {
        return past(path);
    }
    let length = scenarios::duration(text).map_err(|_| wrong("--outage", text, OUTAGE_HELP))?;
    possible(length).map(Outages::Fixed).ok_or_else(|| too_long("--outage", text))
}

fn possible(length: Duration) -> Option<Duration> {
    (Duration::s(1) <= length && length <= LONGEST).then_some(length)
}

fn too_long(flag: &str, text: &str) -> Failure {
    wrong(flag, text, "an outage lasts from 1s to 60d")
}

/// `p50=10min,p99=2h,max=8h`.
fn quantiles(text: &str) -> Result<Quantiles, Failure> {
    let unreadable = || wrong("--outage", text, OUTAGE_HELP);
    let mut points = Vec::new();
    for part in text.split(',') {
        let (name, length) = part.split_once('=').ok_or_else(unreadable)?;
        let length = scenarios::duration(length.trim()).map_err(|_| unreadable())?;
        let length = possible(length).ok_or_else(|| too_long("--outage", text))?;
        let place = match name.trim() {
            "min" => 0,
            "max" => ONE,
            name => {
                let share = name.strip_prefix('p').and_then(scenarios::decimal);
                let (n, d) = share.filter(|(n, d)| *n < 100 * *d).ok_or_else(unreadable)?;
                (u128::from(n) * u128::from(ONE) / u128::from(100 * d)) as u64
            }
        };
        points.push((place, length.0));
    }
    points.sort_unstable();
    if points.first().is_some_and(|(place, _)| *place > 0) {
        // As in a scenario: the least is half of the median, or of the first that is given.
        let least = points[0].1 / 2;
        points.insert(0, (0, least));
    }
    let help = "it must rise from quantile to quantile and end with max";
    Quantiles::new(&points).ok_or_else(|| wrong("--outage", text, help))
}

/// A file with a length in each line.
fn past(path: &Path) -> Result<Outages, Failure> {
    let mut lengths = Vec::new();
    for (number, line) in text(path)?.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let length = scenarios::duration(line).ok().and_then(possible);
        lengths.push(length.ok_or_else(|| Failure::Unreadable {
            path: format!("{}:{}", path.display(), number + 1),
            why: format!("`{}` is no outage from 1s to 60d, such as 35min", line.escape_debug()),
        })?);
    }
    if lengths.is_empty() {
        let why = "it has no outage; write a length such as 35min in each line".to_owned();
        return Err(Failure::Unreadable { path: path.display().to_string(), why });
    }
    Ok(Outages::Past(lengths))
}

/// `--stress`: so many times as long.
pub fn stressed(outages: Outages, text: Option<&str>) -> Result<Outages, Failure> {
    let Some(text) = text else { return Ok(outages) };
    let (n, d) = factor("--stress", text)?;
    let longer = |length: Duration| {
        let longer = u128::from(length.0) * u128::from(n) / u128::from(d);
        let longer = u64::try_from(longer).ok().map(Duration).and_then(possible);
        longer.ok_or_else(|| too_long("--stress", text))
    };
    longer(outages.longest())?;
    Ok(match outages {
        Outages::Fixed(length) => Outages::Fixed(longer(length)?),
        Outages::Spread(lengths) => Outages::Spread(lengths.times(n, d)),
        Outages::Past(lengths) => {
            Outages::Past(lengths.into_iter().map(longer).collect::<Result<_, _>>()?)
        }
    })
}
