//! THE list of sources: what each is called, what it reads, what it gives, how it is collected.
//!
//! One definition, many outputs: the command's arguments and its help, the statements of `--sql`,
//! the chapter of the book, and how a file is recognised whose source was not named.

use models::units::Lsn;

use super::moment;
use super::prometheus;

/// Where data come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// `now(), pg_current_wal_lsn()`.
    LsnSamples,
    /// `pg_settings` or `SHOW ALL`.
    PgSettings,
    /// A configuration file.
    PostgresqlConf,
    /// Samples of `pg_stat_wal`.
    PgStatWal,
    /// Samples of `pg_stat_replication`.
    PgStatReplication,
    /// What `pg_test_fsync` prints.
    PgTestFsync,
    /// What `ping` or `fping` prints.
    Ping,
    /// pgbench's log of transactions.
    PgbenchLog,
    /// pgbench's log of intervals.
    PgbenchAggregate,
    /// What pgbench prints.
    PgbenchSummary,
    /// What Prometheus kept.
    Prometheus,
}

/// A row of the list.
#[derive(Debug)]
pub struct SourceEntry {
    /// Which.
    pub source: Source,
    /// What it is called on the command line.
    pub name: &'static str,
    /// What is read.
    pub reads: &'static str,
    /// What it gives.
    pub gives: &'static str,
    /// A command that collects it; empty where `--sql` has statements for it.
    pub collect: &'static str,
}

/// Every source.
pub static SOURCES: [SourceEntry; 11] = [
    SourceEntry {
        source: Source::LsnSamples,
        name: "lsn-samples",
        reads: "Samples of now(), pg_current_wal_lsn(): CSV, or psql's tables, also from \\watch.",
        gives: "[workload.imported] with a history: how much WAL came when.",
        collect: "",
    },
    SourceEntry {
        source: Source::PgSettings,
        name: "pg-settings",
        reads: "name, setting, unit, source of pg_settings as CSV, or SHOW ALL.",
        gives: "[postgresql] with what differs from the defaults, and pg_version.",
        collect: "",
    },
    SourceEntry {
        source: Source::PostgresqlConf,
        name: "postgresql-conf",
        reads: "postgresql.conf with the files that it includes.",
        gives: "[postgresql] with what differs from the defaults.",
        collect: "",
    },
    SourceEntry {
        source: Source::PgStatWal,
        name: "pg-stat-wal",
        reads: "Samples of now(), wal_bytes, wal_records, wal_fpi, ... of pg_stat_wal (since 14).",
        gives: "WAL by cause; a history where there are no LSN samples; the mean time of a flush.",
        collect: "",
    },
    SourceEntry {
        source: Source::PgStatReplication,
        name: "pg-stat-replication",
        reads: "Samples of now() and pg_stat_replication.",
        gives: "Lags by stage, replay rate; without a ping an upper bound of the round trip.",
        collect: "",
    },
    SourceEntry {
        source: Source::PgTestFsync,
        name: "pg-test-fsync",
        reads: "What pg_test_fsync prints, of one run or several.",
        gives: "[disk] with the time of an fsync.",
        collect: "pg_test_fsync -f PGDATA/pg_wal/test > pg_test_fsync.txt",
    },
    SourceEntry {
        source: Source::Ping,
        name: "ping",
        reads: "What ping or fping prints between two hosts.",
        gives: "[network] with the round trip time and its loss.",
        collect: "ping -c 1000 -i 0.2 STANDBY > ping.txt",
    },
    SourceEntry {
        source: Source::PgbenchLog,
        name: "pgbench-log",
        reads: "pgbench's log of transactions (-l), of one thread or several.",
        gives: "[workload.imported] with the rate, where there is no history.",
        collect: "pgbench -l ...",
    },
    SourceEntry {
        source: Source::PgbenchAggregate,
        name: "pgbench-aggregate",
        reads: "pgbench's log of intervals (-l --aggregate-interval).",
        gives: "[workload.imported] with the rate, where there is no history.",
        collect: "pgbench -l --aggregate-interval=15 ...",
    },
    SourceEntry {
        source: Source::PgbenchSummary,
        name: "pgbench-summary",
        reads: "What pgbench prints, of one run or several.",
        gives: "[workload.imported] with the rate and the script's WAL, where there is no history.",
        collect: "pgbench ... > pgbench.txt",
    },
    SourceEntry {
        source: Source::Prometheus,
        name: "prometheus",
        reads: "postgres_exporter's or Patroni's metrics: range query JSON, or CSV as of Grafana.",
        gives: "A history where there are no LSN samples; WAL kept and lags.",
        collect: "curl 'http://PROMETHEUS:9090/api/v1/query_range?query=\
                  pg_replication_slots_slot_current_wal_lsn&start=...&end=...&step=60'",
    },
];

impl Source {
    /// Its row in the list.
    pub fn entry(self) -> &'static SourceEntry {
        let found = SOURCES.iter().find(|entry| entry.source == self);
        found.expect("every source has a row, which a test sees to")
    }

    /// What it is called on the command line.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// The source of that name.
    pub fn find(name: &str) -> Option<Source> {
        SOURCES.iter().find(|entry| entry.name == name).map(|entry| entry.source)
    }

    /// What a text most likely is.
    pub fn detect(text: &str) -> Option<Source> {
        let text = text.trim_start_matches('\u{feff}');
        let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty()).take(60);
        let any = |is: &dyn Fn(&str) -> bool| lines().any(is);
        if text.trim_start().starts_with('{')
            || any(&|line| has_any(line, &prometheus::POSITIONS) || has_any(line, &METRICS))
        {
            return Some(Source::Prometheus);
        }
        if any(&|line| line.contains("usecs/op") || line.starts_with("Compare file sync methods")) {
            return Some(Source::PgTestFsync);
        }
        if any(&|line| line.starts_with("PING ") || has_any(line, &PINGS)) {
            return Some(Source::Ping);
        }
        if any(&|line| line.starts_with("transaction type: ") || line.starts_with("pgbench (")) {
            return Some(Source::PgbenchSummary);
        }
        let numbers = |line: &str| -> Option<Vec<u64>> {
            line.split_whitespace().map(|word| word.parse().ok()).collect()
        };
        match lines().next().and_then(numbers).as_deref() {
            Some([_, _, _, _, epoch, _, ..]) if is_epoch(*epoch) => {
                return Some(Source::PgbenchLog);
            }
            Some([epoch, _, _, _, _, _, ..]) if is_epoch(*epoch) => {
                return Some(Source::PgbenchAggregate);
            }
            _ => {}
        }
        let columns = |line: &str, names: &[&str]| {
            let mut words = line.split([',', ';', '|', '\t']).map(|w| w.trim().trim_matches('"'));
            names.iter().all(|name| words.any(|word| word.eq_ignore_ascii_case(name)))
        };
        if any(&|line| columns(line, &["name", "setting"])) {
            Some(Source::PgSettings)
        } else if any(&|line| columns(line, &["wal_bytes"])) {
            Some(Source::PgStatWal)
        } else if any(&|line| columns(line, &["sent_lsn"])) {
            Some(Source::PgStatReplication)
        } else if any(&is_lsn_sample) {
            Some(Source::LsnSamples)
        } else if any(&is_setting) {
            Some(Source::PostgresqlConf)
        } else {
            None
        }
    }
}

/// What lines of pings have.
const PINGS: [&str; 4] = ["icmp_seq=", " packets transmitted, ", "min/avg/max", "xmt/rcv/%loss"];
/// The beginnings of the other metrics of postgres_exporter.
const METRICS: [&str; 4] =
    ["pg_stat_replication_", "pg_replication_", "pg_wal_size_bytes", "patroni_"];

fn has_any(line: &str, texts: &[&str]) -> bool {
    texts.iter().any(|text| line.contains(text))
}

fn is_epoch(number: u64) -> bool {
    (1_000_000_000..9_000_000_000).contains(&number)
}

fn is_lsn_sample(line: &str) -> bool {
    let fields = || line.split([',', ';', '|', '\t']).map(|field| field.trim().trim_matches('"'));
    fields().any(|field| moment::stamp(field).is_some())
        && fields().any(|field| field.contains('/') && field.parse::<Lsn>().is_ok())
}

/// `name = value`, with a name as settings have.
fn is_setting(line: &str) -> bool {
    let Some((name, _)) = line.trim_start_matches('#').split_once('=') else { return false };
    let name = name.trim();
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_has_one_row_and_its_name_finds_it() {
        for entry in &SOURCES {
            assert_eq!(Source::find(entry.name), Some(entry.source));
            assert_eq!(entry.source.name(), entry.name);
        }
        assert_eq!(Source::find("tea-leaves"), None);
    }
}
