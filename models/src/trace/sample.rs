//! How a run went over time: what `samples.csv` and the plots over time show.
//!
//! All series of a run share one time axis. Positions are the last of a bucket, lags and sizes
//! its largest.

use super::commit::Stage;
use super::series::{Merge, Series};
use crate::units::Duration;

/// The series of a run.
#[derive(Clone, Debug)]
pub struct Samples {
    /// Commits acknowledged.
    pub commits: Series,
    /// Sum of the latencies of the commits acknowledged (nanoseconds): divided by `commits`, the
    /// mean.
    pub latency_sum: Series,
    /// Largest latency of a commit acknowledged (nanoseconds).
    pub latency_max: Series,
    /// For each of [`Stage::ALL`] the time that the commits acknowledged spent in it
    /// (nanoseconds). Over the run they sum to `latency_sum`.
    pub stages: Vec<Series>,
    /// One entry a server, indexed by [`super::fact::ServerId`].
    pub servers: Vec<ServerSamples>,
    /// One entry a slot that ever existed, in order of first appearance.
    pub slots: Vec<SlotSamples>,
    /// One entry a standby, in the order of the file.
    pub standbys: Vec<StandbySamples>,
}

/// One server over time.
#[derive(Clone, Debug)]
pub struct ServerSamples {
    /// The server's name.
    pub name: String,
    /// `pg_current_wal_insert_lsn()` as a byte position; on a standby none.
    pub insert_lsn: Series,
    /// Flushed WAL as a byte position: `pg_current_wal_flush_lsn()`, on a standby what its
    /// walreceiver flushed.
    pub flush_lsn: Series,
    /// Bytes of all files in pg_wal.
    pub pg_wal_bytes: Series,
    /// Where the oldest file in pg_wal begins, as a byte position: what lies below is gone.
    pub oldest_lsn: Series,
}

/// One replication slot over time, as its server's `pg_replication_slots` shows it.
#[derive(Clone, Debug)]
pub struct SlotSamples {
    /// The server that has it.
    pub server: String,
    /// Its name.
    pub slot_name: String,
    /// Insert position less restart_lsn, 0 without one.
    pub retained_bytes: Series,
    /// `safe_wal_size`, 0 where it is negative; none where the view shows NULL.
    pub safe_wal_size: Series,
    /// The worst `wal_status` of the bucket, as its place in [`WAL_STATUSES`]; none for NULL.
    pub wal_status: Series,
    /// 1 while a walsender owns it, else 0.
    pub active: Series,
}

/// Every `wal_status`, from the best to the worst.
pub const WAL_STATUSES: [&str; 4] = ["reserved", "extended", "unreserved", "lost"];

/// The word of a code in [`SlotSamples::wal_status`].
pub fn status_name(code: u64) -> &'static str {
    WAL_STATUSES.get(code as usize).copied().unwrap_or("lost")
}

/// One standby over time, as its upstream's `pg_stat_replication` shows it.
#[derive(Clone, Debug)]
pub struct StandbySamples {
    /// The standby's name.
    pub name: String,
    /// The server it streams from.
    pub upstream: String,
    /// `sent_lsn` as a byte position; none while disconnected. Likewise below.
    pub sent_lsn: Series,
    /// `write_lsn`.
    pub write_lsn: Series,
    /// `flush_lsn`.
    pub flush_lsn: Series,
    /// `replay_lsn`.
    pub replay_lsn: Series,
    /// The truth in bytes: the primary's flush_lsn less what this standby has replayed.
    pub lag_bytes: Series,
    /// `write_lag` in nanoseconds; none where the view shows NULL. Likewise below.
    pub write_lag: Series,
    /// `flush_lag`.
    pub flush_lag: Series,
    /// `replay_lag`.
    pub replay_lag: Series,
}

impl Samples {
    /// Empty series for a run of `duration`.
    pub fn new(duration: Duration, servers: &[String], standbys: &[(String, String)]) -> Samples {
        let new = |merge| Series::new(merge, duration);
        Samples {
            commits: new(Merge::Sum),
            latency_sum: new(Merge::Sum),
            latency_max: new(Merge::Peak),
            stages: Stage::ALL.iter().map(|_| new(Merge::Sum)).collect(),
            servers: servers
                .iter()
                .map(|name| ServerSamples {
                    name: name.clone(),
                    insert_lsn: new(Merge::Last),
                    flush_lsn: new(Merge::Last),
                    pg_wal_bytes: new(Merge::Peak),
                    oldest_lsn: new(Merge::Last),
                })
                .collect(),
            slots: Vec::new(),
            standbys: standbys
                .iter()
                .map(|(name, upstream)| StandbySamples {
                    name: name.clone(),
                    upstream: upstream.clone(),
                    sent_lsn: new(Merge::Last),
                    write_lsn: new(Merge::Last),
                    flush_lsn: new(Merge::Last),
                    replay_lsn: new(Merge::Last),
                    lag_bytes: new(Merge::Peak),
                    write_lag: new(Merge::Peak),
                    flush_lag: new(Merge::Peak),
                    replay_lag: new(Merge::Peak),
                })
                .collect(),
        }
    }

    /// The series of a slot; empty ones, if it is new.
    pub fn slot(&mut self, server: usize, slot_name: &str) -> &mut SlotSamples {
        let server = &self.servers[server].name;
        let known = self.slots.iter().position(|s| s.server == *server && s.slot_name == slot_name);
        let index = known.unwrap_or_else(|| {
            let new = |merge| self.commits.empty_like(merge);
            self.slots.push(SlotSamples {
                server: server.clone(),
                slot_name: slot_name.to_owned(),
                retained_bytes: new(Merge::Peak),
                safe_wal_size: new(Merge::Last),
                wal_status: new(Merge::Peak),
                active: new(Merge::Last),
            });
            self.slots.len() - 1
        });
        &mut self.slots[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::views::WalStatus;

    #[test]
    fn a_status_and_its_code_have_one_name() {
        let all =
            [WalStatus::Reserved, WalStatus::Extended, WalStatus::Unreserved, WalStatus::Lost];
        assert_eq!(all.len(), WAL_STATUSES.len());
        for (code, status) in (0..).zip(all) {
            assert_eq!(status as u64, code);
            assert_eq!(status_name(code), status.name());
        }
    }
}
