//! The results as data: one file a format.

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
