//! OpenMetrics: samples with their times, as `promtool tsdb create-blocks-from openmetrics` reads
//! them.
//!
//! Every series has the labels `job` and `instance`, the server's name, and `variant` if there are
//! several. Time 0 of a run is midnight of 2000-01-01 UTC, as in its servers' clocks.
//!
//! **Source.** The OpenMetrics specification 1.0.
//!
//! **Not modelled.** Staleness: Prometheus ends a series when a scrape does not bring it any more,
//! and the format has no word for that. In imported blocks it lasts for five minutes.

use std::fmt::Write;

use models::units::SimTime;

use super::metrics::{Kind, METRICS, Samples, Series};

/// Seconds from 1970 to 2000.
const UNIX_EPOCH: u64 = 946_684_800;

/// All samples; `job` is the label of that name.
pub fn openmetrics(samples: &Samples, job: &str) -> String {
    let mut text = String::new();
    let mut last = None;
    for (series, values) in samples.iter() {
        let metric = &METRICS[series.metric];
        if last != Some(series.metric) {
            last = Some(series.metric);
            let family = match metric.kind {
                Kind::Counter => metric.name.strip_suffix("_total").unwrap_or(metric.name),
                Kind::Gauge | Kind::Unknown => metric.name,
            };
            let help = metric.help.replace('`', "");
            text += &format!("# HELP {family} {help}\n");
            if let Some(kind) = metric.kind.name() {
                text += &format!("# TYPE {family} {kind}\n");
            }
        }
        let labels = labels(samples, series, job);
        for (at, value) in values {
            // Writing to a String never fails.
            let _ = writeln!(text, "{}{labels} {value} {}", metric.name, seconds(*at));
        }
    }
    text + "# EOF\n"
}

fn labels(samples: &Samples, series: &Series, job: &str) -> String {
    let server = &samples.servers[series.variant][series.server];
    let mut all = vec![("job", job), ("instance", server)];
    if samples.variants.len() > 1 {
        all.push(("variant", &samples.variants[series.variant]));
    }
    all.extend(series.labels.iter().map(|(name, value)| (*name, value.as_str())));
    let all: Vec<String> =
        all.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", all.join(","))
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Unix time, to the millisecond that Prometheus keeps.
fn seconds(at: SimTime) -> String {
    let (seconds, millis) = (UNIX_EPOCH + at.0 / 1_000_000_000, at.0 / 1_000_000 % 1_000);
    if millis == 0 { seconds.to_string() } else { format!("{seconds}.{millis:03}") }
}
