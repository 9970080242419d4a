//! The results as data: one file a format.

use crate::ReportError;

pub mod chrome_trace;
pub mod commits;
pub mod diagram;
pub mod facts_jsonl;
pub mod metrics;
pub mod metrics_csv;
pub mod observations_jsonl;
pub mod openmetrics;
pub mod samples_csv;
pub mod summary_json;

/// A table of any rows.
///
/// # Errors
/// Rows of different lengths.
pub fn csv(rows: Vec<Vec<String>>) -> Result<String, ReportError> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    rows.into_iter().try_for_each(|row| csv.write_record(row))?;
    let bytes = csv.into_inner().map_err(|e| ReportError::Csv(e.into_error().into()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
