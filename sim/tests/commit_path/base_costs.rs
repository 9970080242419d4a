//! A primary and a standby with the delays that were injected into a recorded run, and with what
//! the recorded machine adds to them: one profile for every recording.

use models::latency::Quantiles;
use models::postgres::guc::{Settings, SynchronousCommit};
use models::units::{Bytes, Duration, Rate};

use crate::commit_path::{Cluster, Standby, VERSION};

const BASE_COSTS: &str = include_str!("../conformance/base_costs.toml");

/// What is injected, and who commits. Microseconds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Injected {
    /// `synchronous_commit`, as a recording calls it.
    pub level: String,
    /// Clients, each inserting one row after the other.
    pub clients: u32,
    /// From one server to the other, each way.
    pub one_way: u64,
    /// Into each fsync of WAL on the primary.
    pub primary_fsync: u64,
    /// The same on the standby.
    pub standby_fsync: u64,
}

impl Injected {
    /// With the base costs.
    pub fn cluster(&self) -> Cluster {
        let costs: toml::Table = BASE_COSTS.parse().expect("TOML");
        let ms = |value: &toml::Value| {
            let ms = value.as_float().expect("a number of milliseconds");
            Duration((ms * 1e6).round() as u64)
        };
        let whole =
            |key: &str| u64::try_from(costs[key].as_integer().expect("whole")).expect("> 0");
        let rate = |key| Rate::new(whole(key)).expect("not zero");
        let fsync = |injected| Duration::us(injected) + ms(&costs["fsync_ms"]);
        let trip = if self.one_way > 0 { "round_trip_ms" } else { "undelayed_round_trip_ms" };
        let round_trip = Duration::us(2 * self.one_way) + ms(&costs[trip]);
        Cluster {
            fsync: fsync(self.primary_fsync),
            standbys: vec![Standby {
                fsync: fsync(self.standby_fsync),
                write_call: Duration::ZERO,
                rtt: Quantiles::constant(round_trip.0),
                bandwidth: rate("bandwidth_bytes_per_second"),
                replay: rate("replay_bytes_per_second"),
            }],
            names: "s1".to_owned(),
            clients: self.clients,
            level: level(&self.level),
            service: Quantiles::constant(ms(&costs["service_ms"]).0),
            think: Quantiles::constant(0),
            records: Bytes(whole("records_bytes")),
        }
    }
}

/// The level that a recording calls by its value of `synchronous_commit`.
fn level(name: &str) -> SynchronousCommit {
    let mut settings = Settings::defaults(VERSION);
    settings.set("synchronous_commit", name).expect("a level of PostgreSQL");
    settings.synchronous_commit
}
