//! THE list of what a scenario file may say: every table, every key, its shape, its default.
//!
//! One definition, many outputs: the reader refuses what is not here and names what is nearest,
//! a dotted path of a variant is checked against it, the JSON Schema is made from it, and the
//! reference in `README.md` has a row for every line of it (a test sees to that).

mod actions;
mod faults;

pub use actions::{
    ACTION, ACTION_KINDS, ACTIONS, ActionEntry, CONDITIONS, DEED, Place, STEP, VIEWS, action,
};
pub use faults::{FAULT, FAULT_KINDS, FAULT_KINDS_NOT_BUILT, FAULTS, FaultEntry, MOMENT, fault};

/// A table of the file.
#[derive(Debug)]
pub struct Section {
    /// How it is written, such as `[server.X]`.
    pub title: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
    /// Keys that are planned, with what is possible today.
    pub not_built: &'static [(&'static str, &'static str)],
}

/// A key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub shape: Shape,
    /// What holds without it; empty: nothing.
    pub default: &'static str,
    /// Whether its table has to have it.
    pub required: bool,
    /// What it means.
    pub doc: &'static str,
}

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Any text.
    Text,
    /// A name.
    Name,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number, from and to.
    Count(u64, u64),
    /// `true` or `false`.
    Bool,
    /// A time such as `'10s'`.
    Time,
    /// A time forward or back, such as `'-5min'`.
    SignedTime,
    /// A time since the start, or a table of two between which it lies.
    Moment,
    /// A size such as `'1GB'`.
    Size,
    /// Bytes a second, such as `'40MB/s'`.
    ByteRate,
    /// A bandwidth such as `'1Gbit/s'`.
    LinkRate,
    /// Starts a second, such as `'4000/s'`.
    EventRate,
    /// A time, or a table of a time's quantiles.
    TimeQuantiles,
    /// One point of a quantile function: a time or a size, as its table is one of times or sizes.
    Point,
    /// A preset's name, a size, or a table of a size's quantiles.
    Wal,
    /// A number such as `48`, or a time such as `'24h'`.
    Stretch,
    /// A number from 1, such as `2.5`.
    Factor,
    /// A share of packets, such as `0.001`.
    Loss,
    /// A WAL position such as `'0/3000028'`.
    Lsn,
    /// Two names.
    TwoNames,
    /// A list of byte rates.
    ByteRates,
    /// A file, relative to this one.
    File,
    /// A file, or a list of files.
    Files,
    /// The name of a disk preset.
    DiskPreset,
    /// A disk preset's name, or a table.
    PresetOr(&'static Section),
    /// A table.
    Table(&'static Section),
    /// Tables by name.
    Named(&'static Section),
    /// PostgreSQL's settings.
    Settings,
    /// Metrics and comparisons.
    Expectations,
    /// Dotted paths and values.
    Assignments,
    /// A list of dotted paths.
    Paths,
    /// Dotted paths and lists of values.
    Matrix,
    /// A list of tables, `[[step]]`.
    Listed(&'static Section),
    /// Actions in order: what a step does.
    Deeds,
    /// A list of views.
    Views,
    /// A server and what is waited for, such as `'pg2 streaming'`.
    Condition,
}

impl Shape {
    /// What it is and an example, in a few words, as Markdown.
    pub fn takes(self) -> String {
        let text = match self {
            Shape::Text => "text",
            Shape::Name => "a name",
            Shape::Word(words) => {
                let words: Vec<String> = words.iter().map(|w| format!("`'{w}'`")).collect();
                return words.join(", ");
            }
            Shape::Count(low, high) if high > 0xffff_ffff => return format!("a number from {low}"),
            Shape::Count(low, high) => return format!("a number from {low} to {high}"),
            Shape::Bool => "`true`, `false`",
            Shape::Time => "a time, `'10s'`",
            Shape::SignedTime => "a time, `'-5min'`",
            Shape::Moment => "a time, or `{ between = ['10s', '60s'] }`",
            Shape::Size => "a size, `'1GB'`",
            Shape::ByteRate => "bytes a second, `'40MB/s'`",
            Shape::LinkRate => "a bandwidth, `'1Gbit/s'`",
            Shape::EventRate => "a rate, `'4000/s'`",
            Shape::TimeQuantiles => "a time, or quantiles",
            Shape::Point => "a time or a size",
            Shape::Wal => "a preset, a size, or quantiles",
            Shape::Stretch => "a factor, or a time",
            Shape::Factor => "a number from 1",
            Shape::Loss => "a share, `0.001`",
            Shape::Lsn => "a position, `'0/3000028'`",
            Shape::TwoNames => "two names, `['a', 'b']`",
            Shape::ByteRates => "a list of `'40MB/s'`",
            Shape::File => "a file",
            Shape::Files => "a file, or a list",
            Shape::DiskPreset => "a preset",
            Shape::PresetOr(_) => "a preset, or a table",
            Shape::Table(_) => "a table",
            Shape::Named(_) => "tables by name",
            Shape::Settings => "settings, `wal_keep_size = '1GB'`",
            Shape::Expectations => "metrics and comparisons, `'commits.lost' = '== 0'`",
            Shape::Assignments => "paths and values, `{ 'link.sea.rtt' = '90ms' }`",
            Shape::Paths => "a list of paths, `['server.pg2.slot']`",
            Shape::Matrix => "paths and lists of values, `'link.sea.rtt' = ['1ms', '90ms']`",
            Shape::Listed(_) => "tables in order",
            Shape::Deeds => "a list of tables, `[{ checkpoint = 'pg1' }]`",
            Shape::Views => "a list of views",
            Shape::Condition => "`'pg2 streaming'`",
        };
        text.to_owned()
    }
}

const fn key(name: &'static str, shape: Shape, default: &'static str, doc: &'static str) -> Key {
    Key { name, shape, default, required: false, doc }
}

const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, shape, default: "", required: true, doc }
}

impl Section {
    /// The key of that name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|k| k.name == name)
    }

    /// The names of its keys.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone + use<> {
        self.keys.iter().map(|k| k.name)
    }
}

/// Every table of a file, in reading order.
pub static SECTIONS: &[&Section] = &[
    &ROOT, &START, &SERVER, &DISK, &NETWORK, &LINK, &WORKLOAD, &FAULT, &MOMENT, &ACTION, &STEP,
    &DEED, &VARIANT, &QUANTILES,
];

/// The file itself.
pub static ROOT: Section = Section {
    title: "the file",
    doc: "One scenario: a cluster, its load, its faults, and what is expected.",
    keys: &[
        key("include", Shape::Files, "", "Files whose tables fill in what this one leaves out."),
        key("title", Shape::Text, "the file's name", "One line for people."),
        key("seed", Shape::Count(0, i64::MAX as u64), "1", "The seed of every die."),
        required("duration", Shape::Time, "Simulated time."),
        key("pg_version", Shape::Count(13, 18), "17", "Major version of every server."),
        key("base", Shape::Bool, "true", "Whether the file without a variant's changes runs too."),
        key("start", Shape::Table(&START), "", "Where the run starts."),
        key("postgresql", Shape::Settings, "", "Settings of every server."),
        key(
            "disk",
            Shape::PresetOr(&DISK),
            "nvme",
            "The volume of every server that names none, and what a server's table leaves out.",
        ),
        required("server", Shape::Named(&SERVER), "The servers. At least one."),
        key("network", Shape::Table(&NETWORK), "", "The way between any two servers."),
        key("link", Shape::Named(&LINK), "", "Ways that differ from [network]."),
        key("workload", Shape::Named(&WORKLOAD), "", "What writes to the primary."),
        key("fault", Shape::Named(&FAULT), "", "What breaks, and when it heals."),
        key("action", Shape::Named(&ACTION), "", "What an operator does at a moment."),
        key("step", Shape::Listed(&STEP), "", "What an operator does, one after the other."),
        key("expect", Shape::Expectations, "", "What has to hold at the end."),
        key("variant", Shape::Named(&VARIANT), "", "The same world with something changed."),
        key("matrix", Shape::Matrix, "", "Every combination of the values listed."),
    ],
    not_built: &[(
        "failover",
        "there is no agent yet; a crashed primary comes back when its fault heals",
    )],
};

/// `[start]`.
pub static START: Section = Section {
    title: "[start]",
    doc: "Where the run starts: a checkpoint has just ended, standbys stream and are caught up.",
    keys: &[
        key("lsn", Shape::Lsn, "40 bytes into segment 3", "Insert and redo position."),
        key("timeline", Shape::Count(1, 0xffff_ffff), "1", "Timeline of every server."),
        key(
            "recycled",
            Shape::Word(&["min", "max", "none"]),
            "min",
            "Recycled segments in pg_wal: `min_wal_size` of them, `max_wal_size`, or none.",
        ),
        key("files_before", Shape::Count(0, 1 << 20), "0", "Files older than the one of `lsn`."),
        key("files_after", Shape::Count(0, 1 << 20), "`recycled`", "Files newer than that one."),
    ],
    not_built: &[],
};

/// `[server.X]`.
pub static SERVER: Section = Section {
    title: "[server.X]",
    doc: "A server. The one without `upstream` is the primary.",
    keys: &[
        key("upstream", Shape::Name, "", "The server it streams from."),
        key("slot", Shape::Name, "", "The replication slot it uses on its upstream."),
        key("site", Shape::Name, "", "Where it stands: links and faults may name the site."),
        key("disk", Shape::PresetOr(&DISK), "the file's", "The volume of its data and of pg_wal."),
        key("wal_disk", Shape::PresetOr(&DISK), "", "A volume for pg_wal alone."),
        key("replay", Shape::ByteRate, "200MB/s", "WAL that its startup process replays."),
        key("state", Shape::Word(&["up", "down"]), "up", "How it is at the start."),
        key("conf_file", Shape::File, "", "Its postgresql.conf, read before all other settings."),
        key("postgresql", Shape::Settings, "", "Its own settings."),
    ],
    not_built: &[],
};

/// A disk's table.
pub static DISK: Section = Section {
    title: "a disk",
    doc: "A volume.",
    keys: &[
        key(
            "preset",
            Shape::DiskPreset,
            "the file's `disk`, or nvme",
            "Where the keys that are left out come from.",
        ),
        key("fsync", Shape::TimeQuantiles, "the preset's", "Time of an fsync of little data."),
        key("write", Shape::ByteRate, "the preset's", "Sequential write."),
        key("write_call", Shape::Time, "0", "One write() into the page cache."),
        key("capacity", Shape::Size, "", "Its size; without it the volume never fills up."),
    ],
    not_built: &[],
};

/// `[network]`.
pub static NETWORK: Section = Section {
    title: "[network]",
    doc: "The way between any two servers, unless a link says otherwise.",
    keys: &[
        key("rtt", Shape::TimeQuantiles, "500us", "Round trip time."),
        key("bandwidth", Shape::LinkRate, "10Gbit/s", "Each direction."),
        key("window", Shape::Size, "6MB", "Unread bytes that a connection may have under way."),
        key("loss", Shape::Loss, "0", "Share of packets that are lost, each direction."),
    ],
    not_built: &[],
};

/// `[link.X]`.
pub static LINK: Section = Section {
    title: "[link.X]",
    doc: "A way of its own between two servers or sites, shared by all that use it.",
    keys: &[
        required("between", Shape::TwoNames, "Two servers or sites."),
        key("rtt", Shape::TimeQuantiles, "[network]'s", "Round trip time."),
        key("bandwidth", Shape::LinkRate, "[network]'s", "Each direction."),
        key("window", Shape::Size, "[network]'s", "Unread bytes under way."),
        key("loss", Shape::Loss, "[network]'s", "Share of packets that are lost."),
    ],
    not_built: &[],
};

/// `[workload.X]`.
pub static WORKLOAD: Section = Section {
    title: "[workload.X]",
    doc: "What writes to the primary: exactly one of `rate`, `clients`, `wal_rate`, `daily`, \
          `history` and `bulk`.",
    keys: &[
        key("rate", Shape::EventRate, "", "Open loop: transactions started a second."),
        key(
            "arrivals",
            Shape::Word(&["poisson", "constant"]),
            "poisson",
            "How the gaps of an open loop vary.",
        ),
        key("clients", Shape::Count(1, 100_000), "", "Closed loop: clients that wait."),
        key("think", Shape::TimeQuantiles, "0", "Closed loop: from an answer to the next start."),
        key("wal_rate", Shape::ByteRate, "", "WAL alone, always the same."),
        key("daily", Shape::ByteRates, "", "WAL alone: a rate for each equal part of a day."),
        key("history", Shape::File, "", "WAL alone: a CSV of now(), pg_current_wal_lsn()."),
        key("stretch", Shape::Stretch, "1", "Time and WAL of a history, multiplied."),
        key("step", Shape::Time, "100ms, runs above 10min 1s", "WAL alone: how often it comes."),
        key("bulk", Shape::Size, "", "One large transaction: its WAL."),
        key("at", Shape::Time, "0", "When a bulk transaction starts."),
        key("over", Shape::Time, "1s", "How long a bulk transaction writes."),
        key("every", Shape::Time, "", "Start the bulk transaction again, from start to start."),
        key(
            "wal",
            Shape::Wal,
            "pgbench-simple-update",
            "WAL of a transaction, with its commit record.",
        ),
        key(
            "synchronous_commit",
            Shape::Word(&["off", "local", "remote_write", "on", "remote_apply"]),
            "the server's",
            "What its commits wait for.",
        ),
        key("service", Shape::TimeQuantiles, "40us", "Backend time of a transaction."),
        key(
            "transactions",
            Shape::Count(1, 10_000_000),
            "",
            "Open and closed loops: so many transactions and no more.",
        ),
        key(
            "rows",
            Shape::Count(1, 1_000_000_000),
            "1",
            "Rows that a transaction adds to the table of the workload's name.",
        ),
    ],
    not_built: &[("server", "workloads run against the primary")],
};

/// The keys of a workload that say what kind of load it is, exactly one of them, and the keys that
/// go with each.
pub const LOADS: [(&str, &[&str]); 6] = [
    ("rate", &["arrivals", "transactions", "rows", "wal", "synchronous_commit", "service"]),
    ("clients", &["think", "transactions", "rows", "wal", "synchronous_commit", "service"]),
    ("wal_rate", &["step"]),
    ("daily", &["step"]),
    ("history", &["stretch", "step"]),
    ("bulk", &["at", "over", "every", "rows", "synchronous_commit", "service"]),
];

/// `[variant.X]`.
pub static VARIANT: Section = Section {
    title: "[variant.X]",
    doc: "The same world and dice with something changed.",
    keys: &[
        key("set", Shape::Assignments, "", "Dotted paths and their new values."),
        key("unset", Shape::Paths, "", "Dotted paths that are taken out."),
        key("expect", Shape::Expectations, "", "Replaces the file's, key by key."),
    ],
    not_built: &[],
};

/// A table of quantiles.
pub static QUANTILES: Section = Section {
    title: "quantiles",
    doc: "Points of a quantile function, linear in between.",
    keys: &[
        key("min", Shape::Point, "half of p50", "Smallest."),
        key("p50", Shape::Point, "", "Median."),
        key("p90", Shape::Point, "", "90 %."),
        key("p99", Shape::Point, "", "99 %."),
        key("p999", Shape::Point, "", "99.9 %."),
        required("max", Shape::Point, "Largest."),
    ],
    not_built: &[],
};
