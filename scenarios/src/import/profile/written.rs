//! A profile as files: TOML that a scenario includes, and the history beside it.
//!
//! What has no place in a scenario, such as the share of full-page images, is a comment. The head
//! of the file says of every source how many rows were read, used and dropped, and why; it names no
//! file, host or person.
//!
//! The history is written normalised: UTC, positions from `0/1000000` on, at most 200,000 rows.
//!
//! **Not modelled.** A profile names no server, so what belongs to one (`replay`) is a comment.

use models::units::{Bytes, Lsn, human};

use super::Profile;
use crate::import::Told;
use crate::import::moment::Moment;
use crate::import::pg_test_fsync::DEFAULT_METHOD;
use crate::import::prometheus::{self, Unit};
use crate::import::source::Source;
use crate::import::wal_history::WalHistory;
use crate::limits;

/// Where the positions of a written history begin.
const FIRST_LSN: Lsn = Lsn(0x100_0000);
/// The highest rate of an open loop ([`limits::SHORTEST_GAP`]) in a thousand seconds.
const MOST_PER_THOUSAND_SECONDS: u64 = 1_000_000_000_000 / limits::SHORTEST_GAP.0;

impl Profile {
    /// The history as a scenario reads it; nothing without one.
    pub fn history_csv(&self) -> Option<String> {
        let (_, history) = self.history.as_ref()?;
        let mut text = "timestamp,lsn_position\n".to_owned();
        let mut last = String::new();
        let step = thinning(history);
        let end = history.samples.len() - 1;
        for (n, sample) in history.samples.iter().enumerate() {
            // Every n-th of very many; the last always.
            if n % step != 0 && n != end {
                continue;
            }
            let moment = Moment(history.starts.0 + sample.at.0).to_string();
            // PostgreSQL's own stamps have microseconds; finer ones may be the same there.
            if moment != last {
                text += &format!("{moment},{}\n", FIRST_LSN + sample.bytes);
                last = moment;
            }
        }
        Some(text)
    }

    /// The profile; `csv` is what the history's file is called from it.
    pub fn toml(&self, csv: &str) -> String {
        let mut text = "# Made by `walden import` from numbers of a real server; a scenario takes \
                        it with `include`.\n#\n"
            .to_owned();
        for (source, told) in &self.told {
            for line in told_lines(*source, told, &|_| String::new()) {
                text += &format!("# {line}\n");
            }
        }
        if let Some((imported, version)) = &self.settings {
            text += &match imported.version.is_some() {
                true => format!("\npg_version = {version}\n"),
                false => format!("\n# Settings are those of PostgreSQL {version}.\n"),
            };
        }
        text += &self.workload_toml(csv);
        text += &self.disk_toml();
        text += &self.network_toml();
        text += &self.settings_toml();
        text += &self.standbys_toml();
        text
    }

    fn workload_toml(&self, csv: &str) -> String {
        let statistics = self.statistics_comment();
        if let Some((source, history)) = &self.history {
            let length = human::duration(history.length().0);
            let rate = rate(history.bytes(), history.length().0);
            let file = literal(csv);
            let busiest = history.busiest_minute().map_or(String::new(), |bytes| {
                format!("; the busiest minute {}/s", human::bytes(bytes.0 / 60))
            });
            let rows = human::count(history.samples.len() as u64);
            let thinned = match thinning(history) {
                1 => String::new(),
                2 => format!("# The file has every other of its {rows} rows.\n"),
                3 => format!("# The file has every 3rd of its {rows} rows.\n"),
                n => format!("# The file has every {n}th of its {rows} rows.\n"),
            };
            return format!(
                "\n# {} of WAL in {length}, {}/s on average{busiest} ({}).\n\
                 {thinned}{statistics}[workload.imported]\nhistory = {file}\n",
                human::bytes(history.bytes().0),
                human::bytes(rate),
                source.name(),
            );
        }
        let Some((per_thousand_seconds, what, wal)) = self.rate() else {
            return statistics;
        };
        if !(1..=MOST_PER_THOUSAND_SECONDS).contains(&per_thousand_seconds) {
            return format!("\n{what}# No workload has such a rate.\n");
        }
        let (whole, rest) = (per_thousand_seconds / 1_000, per_thousand_seconds % 1_000);
        format!("\n{what}[workload.imported]\nrate = '{whole}.{rest:03}/s'\n{wal}")
    }

    /// Transactions in a thousand seconds, comments, and the line of their WAL.
    fn rate(&self) -> Option<(u64, String, String)> {
        let unknown = "# Assumption: the WAL of a transaction, which pgbench's log does not have.\n\
                       wal = 'pgbench-simple-update'\n";
        if let Some(log) = &self.transactions {
            let rate = u128::from(log.count) * 1_000_000_000_000 / u128::from(log.over.0);
            let what = format!(
                "# {} transactions of {} clients in {} (pgbench-log).\n# Latency {}.\n",
                human::count(log.count),
                log.clients,
                human::duration(log.over.0),
                log.latency.as_times(),
            );
            return Some((u64::try_from(rate).ok()?, what, unknown.to_owned()));
        }
        if let Some(log) = &self.intervals {
            let rate = u128::from(log.transactions()) * 1_000_000_000_000;
            let what = format!(
                "# {} transactions in {} intervals of {} (pgbench-aggregate).\n\
                 # Mean latency {}.\n",
                human::count(log.transactions()),
                log.list.len(),
                human::duration(log.length.0),
                human::duration(log.mean_latency().0),
            );
            let rate = rate / u128::from(log.over().0.max(1));
            return Some((u64::try_from(rate).ok()?, what, unknown.to_owned()));
        }
        let runs = self.runs.as_ref()?;
        let count = runs.list.iter().fold(0, |sum: u64, run| sum.saturating_add(run.transactions));
        let latency = runs.latency().map_or(String::new(), |latency| {
            format!("# Mean latency {}.\n", human::duration(latency))
        });
        let count = human::count(count);
        let plural = if runs.list.len() == 1 { "" } else { "s" };
        let what = format!(
            "# {count} transactions in {} run{plural} (pgbench-summary).\n{latency}",
            runs.list.len()
        );
        let wal = match runs.script() {
            Some("<builtin: simple update>") => "wal = 'pgbench-simple-update'\n",
            Some("<builtin: TPC-B (sort of)>") => "wal = 'pgbench-tpcb-like'\n",
            _ => unknown,
        };
        Some((runs.per_thousand_seconds(), what, wal.to_owned()))
    }

    fn statistics_comment(&self) -> String {
        let Some(statistics) = &self.statistics else { return String::new() };
        let bytes = statistics.history.bytes().0;
        let mut text = format!("# pg_stat_wal: {}", human::bytes(bytes));
        let mut add = |number: Option<u64>, what: &str| {
            if let Some(number) = number {
                text += &format!(", {} {what}", human::count(number));
            }
        };
        add(statistics.records, "records");
        add(statistics.images, "full-page images");
        add(statistics.flushes, "flushes");
        add(statistics.buffers_full, "times wal_buffers full");
        text + ".\n"
    }

    fn disk_toml(&self) -> String {
        let method = self.settings.as_ref().and_then(|(imported, _)| {
            let changed = imported.changed.iter().find(|(name, _)| name == "wal_sync_method");
            changed.map(|(_, value)| value.as_str())
        });
        let method = method.unwrap_or(DEFAULT_METHOD);
        let measured = self.flush.as_ref().and_then(|flush| {
            let spread = flush.of(method).map(|spread| (method, spread));
            // Without the one that is used the best that stands for it.
            spread.or_else(|| Some(("fsync", flush.of("fsync")?)))
        });
        if let Some((method, spread)) = measured {
            return format!(
                "\n# pg_test_fsync, {method} of one 8kB write: means, so the rare slow one is not \
                 in it.\n[disk]\nfsync = {}\n",
                spread.as_times()
            );
        }
        let mean = self.statistics.as_ref().and_then(|statistics| statistics.mean_flush);
        mean.map_or(String::new(), |mean| {
            let micros = (mean.0 / 1_000).max(1);
            format!(
                "\n# pg_stat_wal, wal_sync_time / wal_sync: a mean, so the rare slow one is not in \
                 it.\n[disk]\nfsync = '{micros}us'\n"
            )
        })
    }

    fn network_toml(&self) -> String {
        if let Some(trips) = &self.round_trips {
            let mut text = format!(
                "\n# ping: {} packets, {} without an answer.\n[network]\nrtt = {}\n",
                human::count(trips.sent),
                human::count(trips.lost),
                trips.times.as_times()
            );
            if trips.lost > 0 {
                // Half of it on the way there, half on the way back.
                let millionths = u128::from(trips.lost) * 500_000 / u128::from(trips.sent.max(1));
                text += &format!("loss = 0.{millionths:06}\n");
            }
            return text;
        }
        let write_lag = self.standbys.as_ref().and_then(|standbys| {
            standbys
                .list
                .iter()
                .filter_map(|standby| standby.lags[0].as_ref())
                .max_by_key(|s| s.count)
        });
        write_lag.map_or(String::new(), |lag| {
            format!(
                "\n# pg_stat_replication, write_lag: an upper bound, with the standby's write in \
                 it.\n[network]\nrtt = {}\n",
                lag.as_times()
            )
        })
    }

    fn settings_toml(&self) -> String {
        let Some((imported, _)) = &self.settings else { return String::new() };
        let mut text = String::new();
        if !imported.not_built.is_empty() {
            text += "\n# These would change a run, and are not simulated yet: a run with this \
                     profile is one without them.\n";
        }
        for (name, value) in &imported.not_built {
            text += &format!("#   {name} = {}\n", literal(value));
        }
        if imported.changed.is_empty() {
            let others = if imported.not_built.is_empty() { "Every" } else { "Every other" };
            return format!("{text}\n# {others} setting is at its default.\n");
        }
        text += "\n[postgresql]\n";
        for (name, value) in &imported.changed {
            text += &format!("{name} = {}\n", literal(value));
        }
        text
    }

    /// What there is to know of standbys and has no place but with a server.
    fn standbys_toml(&self) -> String {
        let mut text = String::new();
        for (n, standby) in self.standbys.iter().flat_map(|s| &s.list).enumerate() {
            let name = match self.keep_names {
                true => standby.name.replace(|c: char| c.is_control(), " "),
                false => (n + 1).to_string(),
            };
            text += &format!("\n# Standby {name}, {} rows", human::count(standby.rows));
            for (lag, what) in standby.lags.iter().zip(["write_lag", "flush_lag", "replay_lag"]) {
                if let Some(lag) = lag {
                    text += &format!("\n#   {what} {}", lag.as_times());
                }
            }
            if let Some(behind) = &standby.behind {
                let (p50, max) = (human::bytes(behind.p50), human::bytes(behind.max));
                text += &format!("\n#   sent and not replayed: p50 {p50}, max {max}");
            }
            if let Some(rate) = standby.replayed {
                let rate = Bytes(rate >> 20 << 20).0 >> 20;
                text += &format!("\n#   replayed up to {rate}MB a second; in its [server.X]:");
                text += &format!("\n#   replay = '{rate}MB/s'");
            }
            text += "\n";
        }
        for (metric, spread) in self.kept.iter().flat_map(|kept| &kept.others) {
            let shown = |value: u64| match prometheus::unit(metric) {
                Unit::Bytes => human::bytes(value),
                Unit::Milliseconds => human::duration(value.saturating_mul(1_000_000)),
                Unit::Count => human::count(value),
            };
            let (p50, max) = (shown(spread.p50), shown(spread.max));
            text += &format!("\n# {metric}: p50 {p50}, max {max}\n");
        }
        text
    }
}

/// Every so many-th row of a history is written, and the last one: as many as a scenario takes.
fn thinning(history: &WalHistory) -> usize {
    (history.samples.len() - 1).div_ceil(limits::MOST_ROWS - 1).max(1)
}

/// A value of a setting as TOML takes it and `postgresql.conf` mostly does.
fn literal(value: &str) -> String {
    if value.contains(['\'', '\\']) || value.chars().any(char::is_control) {
        return toml::Value::String(value.to_owned()).to_string();
    }
    format!("'{value}'")
}

/// Bytes a second.
fn rate(bytes: Bytes, nanos: u64) -> u64 {
    let rate = u128::from(bytes.0) * 1_000_000_000 / u128::from(nanos.max(1));
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// What became of the rows of a source; `file` says how a file's name is shown before a line.
pub fn told_lines(source: Source, told: &Told, file: &dyn Fn(&str) -> String) -> Vec<String> {
    let Told { rows, used, dropped, remarks } = told;
    let (rows, used) = (human::count(*rows), human::count(*used));
    let mut lines = vec![format!("{}: {rows} rows read, {used} used", source.name())];
    let rest = dropped.iter().map(|remark| ("dropped", remark));
    for (verb, remark) in rest.chain(remarks.iter().map(|remark| ("note", remark))) {
        let place = format!("{}line {}", file(&remark.file), remark.line);
        let count = match remark.rows {
            1 => place,
            rows => format!("{} rows, first {place}", human::count(rows)),
        };
        lines.push(format!("  {verb}: {} ({count})", remark.what));
    }
    lines
}
