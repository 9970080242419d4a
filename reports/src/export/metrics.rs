//! What Prometheus would have of a run: the metrics of postgres_exporter, and the truth beside
//! them.
//!
//! A metric is a column of what one of the exporter's collectors returns; the columns that are not
//! metrics are its labels. Names, labels and what NULL becomes are the exporter's: most columns are
//! left out then. To these come `up`, which Prometheus itself writes at every scrape, `pg_up`, and
//! `walden_true_*`, which no server tells.
//!
//! **Source.** postgres_exporter 0.20 and its `main` of August 2026 (`pg_stat_replication` has the
//! label `pid` only there): `collector/*.go`, `exporter/postgres_exporter.go`. Prometheus' manual,
//! "Jobs and instances".
//!
//! **Not modelled.** Columns that no model knows, where the exporter has a number. A slot of
//! repmgr's without a number in its name, for which the exporter drops the walreceiver.

use std::collections::BTreeMap;
use std::fmt;

use models::trace::scrape::{Answer, Behind, Collector, Scrape, Truth};
use models::trace::table::Table;
use models::units::SimTime;

/// A metric.
#[derive(Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// What it is.
    pub help: &'static str,
    /// Where it says something else than one might think, or what the truth is.
    pub beware: &'static str,
    from: From,
}

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It goes up and down.
    Gauge,
    /// It goes up, and its name ends with `_total`.
    Counter,
    /// The exporter says that it is a counter, under a name that OpenMetrics does not allow for
    /// one.
    Unknown,
}

impl Kind {
    /// As OpenMetrics spells it, and the form before it; a metric without a type is unknown to the
    /// one and untyped to the other.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Kind::Gauge => Some("gauge"),
            Kind::Counter => Some("counter"),
            Kind::Unknown => None,
        }
    }
}

/// Where its value is from.
#[derive(Debug)]
enum From {
    /// Whether there was an answer in time.
    Prometheus,
    /// Whether a session could be had.
    Connection,
    /// A column of what a collector returned.
    Column(Collector, &'static str),
    /// The same, of rows whose column `active` is true.
    OfActive(Collector, &'static str),
    /// 1, with the column as a label of that name.
    Label(Collector, &'static str),
    /// What is so on a server.
    True(fn(&Truth) -> Value),
    /// What is so on a standby.
    Behind(fn(&Behind) -> Value),
}

/// A number as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A whole one.
    Whole(i128),
    /// Any other, with its decimals.
    Decimal(Box<str>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Whole(number) => write!(f, "{number}"),
            Value::Decimal(text) => f.write_str(text),
        }
    }
}

impl Value {
    fn of(number: u64) -> Value {
        Value::Whole(i128::from(number))
    }

    /// Seconds with the decimals that they need.
    pub(super) fn seconds(nanos: u64) -> Value {
        match nanos % 1_000_000_000 {
            0 => Value::of(nanos / 1_000_000_000),
            rest => {
                let text = format!("{}.{rest:09}", nanos / 1_000_000_000);
                Value::Decimal(text.trim_end_matches('0').into())
            }
        }
    }

    /// What the exporter makes of a column that is not NULL.
    fn read(text: &str) -> Value {
        match (text, text.parse()) {
            ("t", _) => Value::Whole(1),
            ("f", _) => Value::Whole(0),
            (_, Ok(number)) => Value::Whole(number),
            (_, Err(_)) => Value::Decimal(text.into()),
        }
    }
}

/// All metrics, in the order in which they are written.
pub const METRICS: [Metric; 46] = [
    Metric {
        name: "up",
        kind: Kind::Gauge,
        help: "1: the exporter answered in time. 0: it did not, and there is nothing else.",
        beware: "A server that is frozen, or whose host is dead, leaves nothing but this 0: not \
                 even `pg_up`.",
        from: From::Prometheus,
    },
    Metric {
        name: "pg_up",
        kind: Kind::Gauge,
        help: "1: the exporter had a session. 0: the server refused it.",
        beware: "Says nothing about replication.",
        from: From::Connection,
    },
    Metric {
        name: "pg_replication_lag_seconds",
        kind: Kind::Gauge,
        help: "On a standby, the age of the last transaction replayed; 0 if all that was received \
               is replayed. On a primary 0.",
        beware: "0 on a standby that is cut off, for as long as that lasts. A last transaction \
                 from long ago makes it jump up when the next one comes after a pause. \
                 `walden_true_replay_lag_seconds` is so.",
        from: From::Column(Collector::Replication, "lag"),
    },
    Metric {
        name: "pg_replication_is_replica",
        kind: Kind::Gauge,
        help: "1 in recovery, 0 on a primary.",
        beware: "",
        from: From::Column(Collector::Replication, "is_replica"),
    },
    Metric {
        name: "pg_replication_last_replay_seconds",
        kind: Kind::Gauge,
        help: "The age of the last transaction replayed; 0 if there is none.",
        beware: "Grows while nothing is written, and is 0 after a restart until a commit is \
                 replayed.",
        from: From::Column(Collector::Replication, "last_replay"),
    },
    Metric {
        name: "pg_replication_slots_active",
        kind: Kind::Gauge,
        help: "1: a walsender uses the slot.",
        beware: "1 until the walsender has noticed that its standby is gone.",
        from: From::Column(Collector::ReplicationSlots, "active"),
    },
    Metric {
        name: "pg_replication_slots_pg_wal_lsn_diff",
        kind: Kind::Gauge,
        help: "WAL from the slot's `restart_lsn` to the end of WAL.",
        beware: "Vanishes when the slot is lost or was never used, since `restart_lsn` is NULL \
                 then.",
        from: From::Column(Collector::ReplicationSlots, "pg_wal_lsn_diff"),
    },
    Metric {
        name: "pg_replication_slots_slot_current_wal_lsn",
        kind: Kind::Gauge,
        help: "The end of WAL, once for each slot.",
        beware: "A server without slots has none.",
        from: From::Column(Collector::SlotPositions, "current_wal_lsn"),
    },
    Metric {
        name: "pg_replication_slots_slot_confirmed_flush_lsn",
        kind: Kind::Gauge,
        help: "`confirmed_flush_lsn` of a slot in use, and 0 where that is NULL.",
        beware: "Always 0 for a physical slot: it is a column of logical ones.",
        from: From::OfActive(Collector::SlotPositions, "confirmed_flush_lsn"),
    },
    Metric {
        name: "pg_replication_slots_slot_is_active",
        kind: Kind::Gauge,
        help: "The same as `pg_replication_slots_active`, with other labels.",
        beware: "As that.",
        from: From::Column(Collector::SlotPositions, "active"),
    },
    Metric {
        name: "pg_replication_slots_safe_wal_size_bytes",
        kind: Kind::Gauge,
        help: "WAL that can be written before the slot is in danger; less than 0 when it is.",
        beware: "Vanishes without `max_slot_wal_keep_size`, and when the slot is lost.",
        from: From::Column(Collector::SlotPositions, "safe_wal_size"),
    },
    Metric {
        name: "pg_replication_slots_wal_status",
        kind: Kind::Gauge,
        help: "Always 1; the status is a label.",
        beware: "A change of status is another series. A slot that was never used has none.",
        from: From::Label(Collector::SlotPositions, "wal_status"),
    },
    Metric {
        name: "pg_stat_replication_pg_current_wal_lsn_bytes",
        kind: Kind::Gauge,
        help: "The end of WAL, once for each standby.",
        beware: "A primary without standbys has none.",
        from: From::Column(Collector::StatReplication, "pg_current_wal_lsn_bytes"),
    },
    Metric {
        name: "pg_stat_replication_pg_wal_lsn_diff",
        kind: Kind::Gauge,
        help: "WAL from what the standby has replayed, as far as its primary knows, to the end of \
               WAL.",
        beware: "Grows while a standby is cut off, and vanishes when its walsender gives up: an \
                 alert on it must ask for `absent` too. `walden_true_replay_lag_bytes` is so.",
        from: From::Column(Collector::StatReplication, "pg_wal_lsn_diff"),
    },
    Metric {
        name: "pg_stat_walreceiver_receive_start_lsn",
        kind: Kind::Unknown,
        help: "Where the walreceiver began.",
        beware: "Without `primary_slot_name` the exporter leaves out all of the walreceiver. Its \
                 collector is off unless asked for.",
        from: From::Column(Collector::StatWalReceiver, "receive_start_lsn"),
    },
    Metric {
        name: "pg_stat_walreceiver_flushed_lsn",
        kind: Kind::Unknown,
        help: "The end of what is received and durable.",
        beware: "As above.",
        from: From::Column(Collector::StatWalReceiver, "flushed_lsn"),
    },
    Metric {
        name: "pg_stat_walreceiver_receive_start_tli",
        kind: Kind::Gauge,
        help: "The timeline where the walreceiver began.",
        beware: "As above.",
        from: From::Column(Collector::StatWalReceiver, "receive_start_tli"),
    },
    Metric {
        name: "pg_stat_walreceiver_received_tli",
        kind: Kind::Gauge,
        help: "The timeline of what was received.",
        beware: "As above.",
        from: From::Column(Collector::StatWalReceiver, "received_tli"),
    },
    Metric {
        name: "pg_stat_walreceiver_last_msg_send_time",
        kind: Kind::Unknown,
        help: "When the last message was sent, by the upstream's clock.",
        beware: "Stands still while a standby is cut off: its age is the one number of a standby \
                 that shows a cut.",
        from: From::Column(Collector::StatWalReceiver, "last_msg_send_time"),
    },
    Metric {
        name: "pg_stat_walreceiver_last_msg_receipt_time",
        kind: Kind::Unknown,
        help: "When the last message was received.",
        beware: "As above.",
        from: From::Column(Collector::StatWalReceiver, "last_msg_receipt_time"),
    },
    Metric {
        name: "pg_stat_walreceiver_latest_end_lsn",
        kind: Kind::Unknown,
        help: "The upstream's end of WAL, as last heard.",
        beware: "Stands still while a standby is cut off.",
        from: From::Column(Collector::StatWalReceiver, "latest_end_lsn"),
    },
    Metric {
        name: "pg_stat_walreceiver_latest_end_time",
        kind: Kind::Unknown,
        help: "When that was sent.",
        beware: "As above.",
        from: From::Column(Collector::StatWalReceiver, "latest_end_time"),
    },
    Metric {
        name: "pg_stat_walreceiver_upstream_node",
        kind: Kind::Gauge,
        help: "The number in the name of a slot of repmgr's.",
        beware: "Only for slots `repmgr_slot_N`.",
        from: From::Column(Collector::StatWalReceiver, "upstream_node"),
    },
    Metric {
        name: "pg_wal_segments",
        kind: Kind::Gauge,
        help: "Files of WAL in pg_wal.",
        beware: "Counts files made ahead, too: `walden_true_wal_kept_bytes` does not.",
        from: From::Column(Collector::Wal, "segments"),
    },
    Metric {
        name: "pg_wal_size_bytes",
        kind: Kind::Gauge,
        help: "Their size.",
        beware: "As above.",
        from: From::Column(Collector::Wal, "size"),
    },
    bgwriter("pg_stat_bgwriter_checkpoints_timed_total", "checkpoints_timed", TIMED),
    bgwriter("pg_stat_bgwriter_checkpoints_req_total", "checkpoints_req", REQUESTED),
    bgwriter("pg_stat_bgwriter_checkpoint_write_time_total", "checkpoint_write_time", WRITE),
    bgwriter("pg_stat_bgwriter_checkpoint_sync_time_total", "checkpoint_sync_time", SYNC),
    bgwriter("pg_stat_bgwriter_buffers_checkpoint_total", "buffers_checkpoint", BUFFERS),
    checkpointer("pg_stat_checkpointer_num_timed_total", "num_timed", TIMED),
    checkpointer("pg_stat_checkpointer_num_requested_total", "num_requested", REQUESTED),
    checkpointer(
        "pg_stat_checkpointer_restartpoints_timed_total",
        "restartpoints_timed",
        "Restartpoints that the timer asked for.",
    ),
    checkpointer(
        "pg_stat_checkpointer_restartpoints_req_total",
        "restartpoints_req",
        "Restartpoints that something else asked for.",
    ),
    checkpointer(
        "pg_stat_checkpointer_restartpoints_done_total",
        "restartpoints_done",
        "Restartpoints made.",
    ),
    checkpointer("pg_stat_checkpointer_write_time_total", "write_time", WRITE),
    checkpointer("pg_stat_checkpointer_sync_time_total", "sync_time", SYNC),
    checkpointer("pg_stat_checkpointer_buffers_written_total", "buffers_written", BUFFERS),
    of_truth(
        "walden_true_up",
        "1: the server accepts sessions.",
        From::True(|truth| Value::of(truth.is_up.into())),
    ),
    of_truth(
        "walden_true_flushed_lsn_bytes",
        "End of the WAL that is durable there, running or not.",
        From::True(|truth| Value::of(truth.flushed.0)),
    ),
    of_truth(
        "walden_true_wal_kept_bytes",
        "WAL in pg_wal, from the oldest file's start to the end of WAL.",
        From::True(|truth| Value::of(truth.kept.0)),
    ),
    of_truth(
        "walden_true_flush_lag_bytes",
        "WAL that is durable on the primary and not on this standby: lost if the primary is.",
        From::Behind(|behind| Value::of(behind.flush.0)),
    ),
    of_truth(
        "walden_true_replay_lag_bytes",
        "WAL that is durable on the primary and not replayed on this standby.",
        From::Behind(|behind| Value::of(behind.replay.0)),
    ),
    of_truth(
        "walden_true_replay_lag_seconds",
        "Age of the oldest transaction that a session on this standby does not see; 0: it sees \
         all.",
        From::Behind(|behind| Value::seconds(behind.age.0)),
    ),
    of_truth(
        "walden_true_linked",
        "1: messages pass between this standby's host and its primary's.",
        From::Behind(|behind| Value::of(behind.is_linked.into())),
    ),
    of_truth(
        "walden_true_wal_lost",
        "1: the primary has removed WAL that this standby needs next.",
        From::Behind(|behind| Value::of(behind.is_lost.into())),
    ),
];

const TIMED: &str = "Checkpoints that the timer asked for, those skipped included.";
const REQUESTED: &str = "Checkpoints that something else asked for.";
const WRITE: &str = "Milliseconds in which checkpoints wrote.";
const SYNC: &str = "Milliseconds in which checkpoints fsynced.";
const BUFFERS: &str = "Buffers that checkpoints wrote.";

const fn bgwriter(name: &'static str, column: &'static str, help: &'static str) -> Metric {
    Metric {
        name,
        kind: Kind::Counter,
        help,
        beware: "To 16; on a standby of restartpoints. Begins again after a crash.",
        from: From::Column(Collector::StatBgwriter, column),
    }
}

const fn checkpointer(name: &'static str, column: &'static str, help: &'static str) -> Metric {
    Metric {
        name,
        kind: Kind::Counter,
        help,
        beware: "Since 17; the collector is off unless asked for.",
        from: From::Column(Collector::StatCheckpointer, column),
    }
}

const fn of_truth(name: &'static str, help: &'static str, from: From) -> Metric {
    Metric { name, kind: Kind::Gauge, help, beware: "", from }
}

/// What distinguishes the rows of a collector: labels and their columns.
fn labels(collector: Collector) -> &'static [&'static str] {
    match collector {
        Collector::ReplicationSlots => &["slot_name", "database"],
        Collector::SlotPositions => &["slot_name", "slot_type"],
        Collector::StatReplication => {
            &["application_name", "client_addr", "state", "slot_name", "pid"]
        }
        Collector::StatWalReceiver => &["upstream_host", "slot_name", "status"],
        Collector::Replication
        | Collector::Wal
        | Collector::StatBgwriter
        | Collector::StatCheckpointer => &[],
    }
}

/// Labels of a sample, in order.
pub type Labels = Vec<(&'static str, String)>;

/// A series: one metric of one server, with its labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    /// Index into [`METRICS`].
    pub metric: usize,
    /// Index of the variant.
    pub variant: usize,
    /// Index of the server.
    pub server: usize,
    /// Its labels but for server and variant.
    pub labels: Labels,
}

/// All samples of a run's variants, series by series.
#[derive(Debug)]
pub struct Samples {
    /// The variants' names.
    pub variants: Vec<String>,
    /// Each variant's servers.
    pub servers: Vec<Vec<String>>,
    series: BTreeMap<Series, Vec<(SimTime, Value)>>,
    count: usize,
}

impl Samples {
    /// How many there is room for: some 200 MB, and as much text.
    pub const LIMIT: usize = 5_000_000;

    /// None yet, of variants with these names, which have servers with those.
    pub fn new(variants: Vec<String>, servers: Vec<Vec<String>>) -> Samples {
        Samples { variants, servers, series: BTreeMap::new(), count: 0 }
    }

    /// Adds what a variant's scrape has. Scrapes of a server come in order of time.
    pub fn add(&mut self, variant: usize, scrape: &Scrape) {
        let at = scrape.at;
        let server = scrape.server.index();
        for (metric, described) in METRICS.iter().enumerate() {
            for (labels, value) in read(&described.from, scrape) {
                self.count += 1;
                let series = Series { metric, variant, server, labels };
                self.series.entry(series).or_default().push((at, value));
            }
        }
    }

    /// Whether there is no room for more.
    pub fn is_full(&self) -> bool {
        self.count > Samples::LIMIT
    }

    /// All series in order, each with its samples in order of time.
    pub fn iter(&self) -> impl Iterator<Item = (&Series, &[(SimTime, Value)])> {
        self.series.iter().map(|(series, samples)| (series, samples.as_slice()))
    }
}

/// What a scrape has of a metric.
fn read(from: &From, scrape: &Scrape) -> Vec<(Labels, Value)> {
    let plain = |value: Value| vec![(Labels::new(), value)];
    match (from, &scrape.answer) {
        (From::Prometheus, answer) => plain(Value::of((*answer != Answer::Silence).into())),
        (From::Connection, Answer::Silence) => Vec::new(),
        (From::Connection, Answer::Refused) => plain(Value::of(0)),
        (From::Connection, Answer::Results(_)) => plain(Value::of(1)),
        (From::True(value), _) => plain(value(&scrape.truth)),
        (From::Behind(value), _) => {
            scrape.truth.behind.as_ref().map_or_else(Vec::new, |behind| plain(value(behind)))
        }
        (
            From::Column(collector, name)
            | From::OfActive(collector, name)
            | From::Label(collector, name),
            Answer::Results(results),
        ) => {
            let of = results.iter().find(|(of, _)| of == collector);
            of.map_or_else(Vec::new, |(_, table)| rows(from, *collector, name, table))
        }
        (From::Column(..) | From::OfActive(..) | From::Label(..), _) => Vec::new(),
    }
}

/// What the rows of a result have of a metric; NULL is left out.
fn rows(from: &From, collector: Collector, name: &str, table: &Table) -> Vec<(Labels, Value)> {
    let index = |name: &str| table.columns.iter().position(|column| column.name == name);
    let mut found = Vec::new();
    for row in &table.rows {
        let cell = |name: &str| index(name).and_then(|index| row[index].as_deref());
        let Some(text) = cell(name) else { continue };
        if matches!(from, From::OfActive(..)) && cell("active") != Some("t") {
            continue;
        }
        let named = labels(collector);
        // The exporter wants all of a walreceiver's columns, but for the node's number.
        let whole = table
            .columns
            .iter()
            .all(|column| column.name == "upstream_node" || cell(&column.name).is_some());
        if collector == Collector::StatWalReceiver && !whole {
            continue;
        }
        let label = |name: &&'static str| (*name, cell(name).unwrap_or_default().to_owned());
        let mut labels: Labels = named.iter().map(label).collect();
        let value = match from {
            From::Label(_, label) => {
                labels.push((label, text.to_owned()));
                Value::of(1)
            }
            _ => Value::read(text),
        };
        found.push((labels, value));
    }
    found
}
