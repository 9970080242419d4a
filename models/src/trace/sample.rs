//! How a run went over time: what `samples.csv` and the plots over time show.
//!
//! All series of a run share one time axis. Positions are the last of a bucket, lags and sizes
//! its largest.

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
    /// One entry a server, indexed by [`super::fact::ServerId`].
    pub servers: Vec<ServerSamples>,
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
            servers: servers
                .iter()
                .map(|name| ServerSamples {
                    name: name.clone(),
                    insert_lsn: new(Merge::Last),
                    flush_lsn: new(Merge::Last),
                    pg_wal_bytes: new(Merge::Peak),
                })
                .collect(),
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
}
