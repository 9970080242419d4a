//! The metrics as a long table: a row a sample, for whoever reads tables and not Prometheus.
//!
//! Columns: `time_seconds` from the start of the run, `server`, `variant`, `metric`, `labels`
//! (`name=value`, separated by `;`) and `value`. The rows of a series stand together. Other than
//! `samples.csv`, which has what happened in each span of a run, it has what was seen at moments.

use models::units::SimTime;

use super::metrics::{METRICS, Samples, Value};
use crate::ReportError;

/// How the table begins.
pub const HEADER: [&str; 6] = ["time_seconds", "server", "variant", "metric", "labels", "value"];

/// All samples.
pub fn metrics_csv(samples: &Samples) -> Result<String, ReportError> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(HEADER)?;
    for (series, values) in samples.iter() {
        let labels = series.labels.iter().map(|(name, value)| format!("{name}={value}"));
        let labels = labels.collect::<Vec<_>>().join(";");
        let server = &samples.servers[series.variant][series.server];
        let (variant, metric) = (&samples.variants[series.variant], METRICS[series.metric].name);
        for (SimTime(at), value) in values {
            let (at, value) = (Value::seconds(*at).to_string(), value.to_string());
            csv.write_record([&at, server, variant, metric, &labels, &value])?;
        }
    }
    let bytes = csv.into_inner().map_err(|e| ReportError::Csv(e.into_error().into()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
