//! `samples.csv`: how a run went over time, a row a span.
//!
//! The first column is the span's start. Every other name ends in its unit. An empty field is
//! what a view shows as NULL: nobody connected, nothing measured.

use models::trace::Run;
use models::trace::commit::Stage;
use models::trace::sample::status_name;
use models::trace::series::Series;

use crate::ReportError;

/// How a value is written.
#[derive(Clone, Copy)]
enum Form {
    /// As it is.
    Plain,
    /// A place in the list of statuses, written as its word.
    Status,
    /// Nanoseconds, written as microseconds with three decimals.
    Micros,
}

/// All series of a run.
pub fn samples_csv(run: &Run) -> Result<Vec<u8>, ReportError> {
    let columns = columns(run);
    let samples = &run.samples;
    let mut csv = csv::Writer::from_writer(Vec::new());
    let names = columns.iter().map(|(name, _, _)| name.as_str());
    let fixed = ["time_seconds", "commits", "latency_mean_us", "latency_max_us"];
    csv.write_record(fixed.into_iter().chain(names))?;
    for (bucket, (start, commits)) in samples.commits.iter().enumerate() {
        let commits = commits.unwrap_or(0);
        let mean = samples.latency_sum.get(bucket).unwrap_or(0).checked_div(commits);
        let mut row = vec![
            format!("{}.{:06}", start.0 / 1_000_000_000, start.0 / 1_000 % 1_000_000),
            commits.to_string(),
            written(mean, Form::Micros),
            written(samples.latency_max.get(bucket), Form::Micros),
        ];
        row.extend(columns.iter().map(|&(_, series, form)| written(series.get(bucket), form)));
        csv.write_record(row)?;
    }
    csv.into_inner().map_err(|e| ReportError::Csv(e.into_error().into()))
}

fn columns(run: &Run) -> Vec<(String, &Series, Form)> {
    let mut columns: Vec<(String, &Series, Form)> = Vec::new();
    for (stage, times) in Stage::ALL.iter().zip(&run.samples.stages) {
        columns.push((format!("stage.{}_sum_us", stage.key()), times, Form::Micros));
    }
    for server in &run.samples.servers {
        let mut add = |what: &str, series| {
            columns.push((format!("server.{}.{what}", server.name), series, Form::Plain));
        };
        add("insert_lsn_bytes", &server.insert_lsn);
        add("flush_lsn_bytes", &server.flush_lsn);
        add("pg_wal_bytes", &server.pg_wal_bytes);
        add("oldest_lsn_bytes", &server.oldest_lsn);
    }
    for slot in &run.samples.slots {
        let mut add = |what: &str, series, form| {
            columns.push((format!("slot.{}/{}.{what}", slot.server, slot.slot_name), series, form));
        };
        add("retained_bytes", &slot.retained_bytes, Form::Plain);
        add("safe_wal_size_bytes", &slot.safe_wal_size, Form::Plain);
        add("wal_status", &slot.wal_status, Form::Status);
        add("active", &slot.active, Form::Plain);
    }
    for standby in &run.samples.standbys {
        let mut add = |what: &str, series, form| {
            columns.push((format!("standby.{}.{what}", standby.name), series, form));
        };
        add("sent_lsn_bytes", &standby.sent_lsn, Form::Plain);
        add("write_lsn_bytes", &standby.write_lsn, Form::Plain);
        add("flush_lsn_bytes", &standby.flush_lsn, Form::Plain);
        add("replay_lsn_bytes", &standby.replay_lsn, Form::Plain);
        add("lag_bytes", &standby.lag_bytes, Form::Plain);
        add("write_lag_us", &standby.write_lag, Form::Micros);
        add("flush_lag_us", &standby.flush_lag, Form::Micros);
        add("replay_lag_us", &standby.replay_lag, Form::Micros);
    }
    columns
}

fn written(value: Option<u64>, form: Form) -> String {
    match (value, form) {
        (None, _) => String::new(),
        (Some(value), Form::Plain) => value.to_string(),
        (Some(code), Form::Status) => status_name(code).to_owned(),
        (Some(nanos), Form::Micros) => format!("{}.{:03}", nanos / 1_000, nanos % 1_000),
    }
}
