//! The results as data: one file a format.

pub mod facts_jsonl;
pub mod observations_jsonl;
pub mod samples_csv;
pub mod summary_json;
