//! THE list of faults, and the table that one is written in.

use super::{Section, Shape, key, required};

/// A kind of fault.
#[derive(Debug)]
pub struct FaultEntry {
    /// Its name: `kind` of a `[fault.X]`.
    pub name: &'static str,
    /// The keys that it cannot do without, beside `kind` and `at`.
    pub needs: &'static [&'static str],
    /// The keys that it takes beside `kind`, `at` and `for`.
    pub with: &'static [&'static str],
    /// What it does, and what its end does.
    pub doc: &'static str,
}

const fn entry(
    name: &'static str,
    needs: &'static [&'static str],
    with: &'static [&'static str],
    doc: &'static str,
) -> FaultEntry {
    FaultEntry { name, needs, with, doc }
}

/// Every fault that can be simulated.
pub static FAULTS: &[FaultEntry] = &LIST;

const LIST: [FaultEntry; 16] = [
    entry(
        "crash",
        &["server"],
        &["server", "what"],
        "Processes or the host die; a crashed host loses its page cache. They start again.",
    ),
    entry(
        "freeze",
        &["server"],
        &["server", "what"],
        "Processes or the host stop running without dying. They go on where they stopped.",
    ),
    entry(
        "site_down",
        &["site"],
        &["site"],
        "All hosts of a site die as with `crash`, `what = 'host'`. They start again.",
    ),
    entry(
        "bulk_write",
        &["bytes", "for"],
        &["bytes"],
        "Something writes so much WAL on the primary while it lasts: an import, an index.",
    ),
    entry(
        "clock_jump",
        &["server", "by"],
        &["server", "by"],
        "The server's wall clock jumps by so much, and back when it heals.",
    ),
    entry(
        "stop",
        &["server"],
        &["server", "mode"],
        "The server is shut down: maintenance. Healing starts it again.",
    ),
    entry(
        "disk_full",
        &["server"],
        &["server"],
        "The volume of pg_wal takes no new file: a server that needs one stops with a PANIC.",
    ),
    entry(
        "disk_slow",
        &["server"],
        &["server", "factor", "fsync"],
        "The volume of pg_wal takes `factor` times as long, or draws its fsyncs from `fsync`.",
    ),
    entry(
        "disk_stall",
        &["server"],
        &["server"],
        "The volume of pg_wal completes no fsync. Then its queue goes on where it stood.",
    ),
    entry(
        "replay_pause",
        &["server"],
        &["server"],
        "The standby receives WAL and replays none, as after `pg_wal_replay_pause()`.",
    ),
    entry(
        "link_cut",
        &["between"],
        &["between"],
        "Nothing passes, and nobody is told; then TCP sends again.",
    ),
    entry(
        "link_hold",
        &["between"],
        &["between"],
        "Everything waits, and passes at once when it heals.",
    ),
    entry(
        "link_delay",
        &["between", "delay"],
        &["between", "from", "delay"],
        "Every message travels so much longer, one way.",
    ),
    entry(
        "link_loss",
        &["between", "loss"],
        &["between", "from", "loss"],
        "Packets are lost: TCP sends them again, and what comes behind them waits.",
    ),
    entry(
        "link_bandwidth",
        &["between", "bandwidth"],
        &["between", "from", "bandwidth"],
        "The link has less bandwidth, for all that use it.",
    ),
    entry(
        "link_reset",
        &["between"],
        &["between"],
        "Connections are reset; both ends notice. Takes no `for`.",
    ),
];

/// `[fault.X]`.
pub static FAULT: Section = Section {
    title: "[fault.X]",
    doc: "Something that breaks, and heals after `for`.",
    keys: &[
        required("kind", Shape::Word(&FAULT_KINDS), "What happens."),
        required("at", Shape::Moment, "When it begins."),
        key("for", Shape::TimeQuantiles, "to the end", "How long it holds."),
        key("every", Shape::Time, "", "It comes again, from begin to begin."),
        key("times", Shape::Count(1, 1_000), "to the end of the run", "How often it comes."),
        key("server", Shape::Name, "", "Whose processes, host or volume (all but link faults)."),
        key("what", Shape::Word(&["processes", "host"]), "processes", "crash, freeze: which."),
        key(
            "mode",
            Shape::Word(&["fast", "immediate"]),
            "fast",
            "stop: with a shutdown checkpoint, or as a crash of the processes.",
        ),
        key("factor", Shape::Factor, "", "disk_slow: how many times as long everything takes."),
        key("fsync", Shape::TimeQuantiles, "", "disk_slow: time of an fsync meanwhile."),
        key("site", Shape::Name, "", "site_down: which."),
        key("bytes", Shape::Size, "", "bulk_write: how much in all."),
        key("by", Shape::SignedTime, "", "clock_jump: `'90s'` ahead, or `'-5min'` behind."),
        key("between", Shape::TwoNames, "", "Two servers or sites (link faults)."),
        key(
            "from",
            Shape::Name,
            "both directions",
            "Which of the two sends what is delayed, lost or squeezed.",
        ),
        key("delay", Shape::TimeQuantiles, "", "link_delay: how much longer, one way."),
        key("loss", Shape::Loss, "", "link_loss: share of packets."),
        key("bandwidth", Shape::LinkRate, "", "link_bandwidth: what is left."),
    ],
    not_built: &[],
};

/// A moment that the seed decides.
pub static MOMENT: Section = Section {
    title: "a moment",
    doc: "A moment that is drawn from the seed: the same in every variant.",
    keys: &[required("between", Shape::TwoNames, "From when to when, such as `['10s', '60s']`.")],
    not_built: &[],
};

/// Kinds of faults that can be simulated.
pub const FAULT_KINDS: [&str; LIST.len()] = {
    let mut names = [""; LIST.len()];
    let mut i = 0;
    while i < LIST.len() {
        names[i] = LIST[i].name;
        i += 1;
    }
    names
};

/// Kinds of faults that are planned.
pub static FAULT_KINDS_NOT_BUILT: &[&str] =
    &["disk_error", "fsync_error", "query_conflict", "partition"];

/// The fault of that name.
pub fn fault(name: &str) -> Option<&'static FaultEntry> {
    FAULTS.iter().find(|entry| entry.name == name)
}
