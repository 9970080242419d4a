//! THE list of what an operator can do, and the tables that it is written in.
//!
//! A kind of action is a row of [`ACTIONS`]. `[action.X]` has it as `kind`, with its value under a
//! key of its own (`kind = 'write'`, `size = '48MB'`); in `do` of a `[[step]]` the kind itself is
//! the key (`{ write = '48MB' }`). Both tables, the reader, `walden list actions` and the
//! reference go by this list.

use super::{Key, Section, Shape, key, required};

/// A kind of action.
#[derive(Debug)]
pub struct ActionEntry {
    /// Its name: `kind` of an `[action.X]`, a key in `do` of a `[[step]]`.
    pub name: &'static str,
    /// The key of an `[action.X]` that has its value.
    pub value: &'static str,
    /// What the value is.
    pub shape: Shape,
    /// Other keys that go with it, in both places.
    pub with: &'static [&'static str],
    /// Where it can be written.
    pub place: Place,
    /// What it does, and when a step goes on.
    pub doc: &'static str,
}

/// Where a kind of action can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In an `[action.X]` and in a `[[step]]`.
    Everywhere,
    /// Only in a `[[step]]`: it is about the order of things.
    Step,
}

impl ActionEntry {
    /// Whether its value is the server that it is done to.
    pub fn is_of_server(&self) -> bool {
        self.value == "server"
    }
}

const fn everywhere(
    name: &'static str,
    value: &'static str,
    shape: Shape,
    with: &'static [&'static str],
    doc: &'static str,
) -> ActionEntry {
    ActionEntry { name, value, shape, with, place: Place::Everywhere, doc }
}

const fn step(name: &'static str, shape: Shape, doc: &'static str) -> ActionEntry {
    ActionEntry { name, value: name, shape, with: &[], place: Place::Step, doc }
}

/// Every kind of action.
pub static ACTIONS: &[ActionEntry] = &LIST;

const LIST: [ActionEntry; 18] = [
    everywhere(
        "checkpoint",
        "server",
        Shape::Name,
        &[],
        "`CHECKPOINT`, on a standby a restartpoint; ends when it is complete.",
    ),
    everywhere("switch_wal", "server", Shape::Name, &[], "`pg_switch_wal()`."),
    everywhere(
        "write",
        "size",
        Shape::Size,
        &["server"],
        "Writes so much WAL in one transaction; ends when that is flushed.",
    ),
    everywhere(
        "write_to",
        "lsn",
        Shape::Lsn,
        &["server"],
        "Writes WAL up to a position, nothing if it is reached; ends when that is flushed.",
    ),
    everywhere(
        "set",
        "settings",
        Shape::Settings,
        &["server"],
        "`ALTER SYSTEM SET` and a reload. What only a restart changes waits for one.",
    ),
    everywhere(
        "slot_create",
        "slot",
        Shape::Name,
        &["server", "reserve"],
        "`pg_create_physical_replication_slot()`; with `reserve` it keeps WAL from now on.",
    ),
    everywhere(
        "slot_drop",
        "slot",
        Shape::Name,
        &["server"],
        "`pg_drop_replication_slot()`; refused while a standby uses the slot.",
    ),
    everywhere(
        "cancel_backend",
        "workload",
        Shape::Name,
        &["nth", "server"],
        "`pg_cancel_backend()` for the workload's sessions that wait for standbys: they wait no \
         more, and their clients have their answers.",
    ),
    everywhere(
        "terminate_backend",
        "workload",
        Shape::Name,
        &["nth", "server"],
        "`pg_terminate_backend()` for the workload's sessions that wait for standbys: they end, \
         and their clients do not know.",
    ),
    everywhere(
        "client_disconnect",
        "workload",
        Shape::Name,
        &["nth", "server"],
        "The clients of the workload's sessions that wait for standbys go away; the sessions \
         wait on.",
    ),
    everywhere(
        "stop",
        "server",
        Shape::Name,
        &["mode"],
        "`pg_ctl stop`; ends when no process runs. It stays down until it is started.",
    ),
    everywhere(
        "start",
        "server",
        Shape::Name,
        &[],
        "`pg_ctl start`; ends when connections are accepted.",
    ),
    everywhere(
        "restart",
        "server",
        Shape::Name,
        &["mode"],
        "`pg_ctl restart`; ends when connections are accepted.",
    ),
    everywhere(
        "promote",
        "server",
        Shape::Name,
        &[],
        "`pg_ctl promote`: a standby becomes a primary; ends when it accepts writes.",
    ),
    everywhere(
        "observe",
        "views",
        Shape::Views,
        &["server"],
        "Writes down what views show, into `observations.jsonl`.",
    ),
    everywhere(
        "statement",
        "sql",
        Shape::Text,
        &["server"],
        "Sends a statement: `select pg_is_in_recovery()`, `select count(*) from W` of the rows \
         that workload W has added, or on a standby one that writes (`delete from W`).",
    ),
    step(
        "wait",
        Shape::Condition,
        "Goes on when that holds; with `'pg2 rows orders >= 100'` when a session there sees so \
         many rows of a workload.",
    ),
    step("sleep", Shape::Time, "Lets simulated time pass."),
];

/// Views that `observe` takes.
pub static VIEWS: &[&str] = &[
    "pg_replication_slots",
    "pg_ls_waldir",
    "pg_stat_replication",
    "pg_current_wal_lsn",
    "pg_control_checkpoint",
    "pg_stat_activity",
];

/// What `wait` takes behind a server's name, and what it means.
pub static CONDITIONS: &[(&str, &str)] = &[
    ("ready", "it accepts connections"),
    ("down", "none of its processes runs"),
    ("streaming", "its upstream shows it in state `streaming`"),
    ("caught_up", "it has replayed all that its upstream has flushed"),
    ("disconnected", "no walsender of its upstream serves it"),
    ("lost", "the WAL that it needs next is gone"),
];

const SERVER: Key = key("server", Shape::Name, "the primary", "The server that it is done to.");
const MODE: Key = key(
    "mode",
    Shape::Word(&["fast", "immediate"]),
    "fast",
    "stop, restart: with a shutdown checkpoint, or as a crash of the processes.",
);
const RESERVE: Key = key(
    "reserve",
    Shape::Bool,
    "false",
    "slot_create: `immediately_reserve`; without it the slot keeps nothing before its first use.",
);
const NTH: Key = key(
    "nth",
    Shape::Count(1, 1_000_000_000),
    "all",
    "cancel_backend, terminate_backend, client_disconnect: only this one of those that wait, \
     counted in the order of their commits.",
);

/// `[action.X]`.
pub static ACTION: Section = Section {
    title: "[action.X]",
    doc: "What an operator does at a moment.",
    keys: &[
        required("kind", Shape::Word(&ACTION_KINDS), "What is done."),
        required("at", Shape::Time, "When."),
        key(
            "server",
            Shape::Name,
            "the primary",
            "The server that it is done to; stop, start, restart and promote have to name it.",
        ),
        key("size", Shape::Size, "", "write: how much WAL."),
        key("lsn", Shape::Lsn, "", "write_to: the position to reach."),
        key("settings", Shape::Settings, "", "set: settings and their new values."),
        key("slot", Shape::Name, "", "slot_create, slot_drop: the slot's name."),
        RESERVE,
        MODE,
        key(
            "workload",
            Shape::Name,
            "",
            "cancel_backend, terminate_backend, client_disconnect: whose sessions.",
        ),
        NTH,
        key("sql", Shape::Text, "", "statement: what is sent."),
        key("views", Shape::Views, "", "observe: the views."),
    ],
    not_built: &[],
};

/// `[[step]]`.
pub static STEP: Section = Section {
    title: "[[step]]",
    doc: "What an operator does one thing after the other: each begins when the one before has \
          ended.",
    keys: &[
        required("do", Shape::Deeds, "Actions, in order."),
        key("repeat", Shape::Count(1, 100_000), "1", "How often all of them are done."),
    ],
    not_built: &[],
};

/// One table of a step's `do`.
pub static DEED: Section = Section {
    title: "`do` of a [[step]]",
    doc: "One action: its kind is the key, beside what else goes with it.",
    keys: &DEED_KEYS,
    not_built: &[],
};

/// Kinds that an `[action.X]` can have.
pub const ACTION_KINDS: [&str; LIST.len() - 2] = {
    let mut names = [""; LIST.len() - 2];
    let (mut i, mut n) = (0, 0);
    while i < LIST.len() {
        if matches!(LIST[i].place, Place::Everywhere) {
            names[n] = LIST[i].name;
            n += 1;
        }
        i += 1;
    }
    names
};

const DEED_KEYS: [Key; LIST.len() + 4] = {
    let mut keys = [SERVER; LIST.len() + 4];
    let mut i = 0;
    while i < LIST.len() {
        keys[i] = key(LIST[i].name, LIST[i].shape, "", LIST[i].doc);
        i += 1;
    }
    keys[LIST.len() + 1] = RESERVE;
    keys[LIST.len() + 2] = MODE;
    keys[LIST.len() + 3] = NTH;
    keys
};

/// The kind of that name.
pub fn action(name: &str) -> Option<&'static ActionEntry> {
    ACTIONS.iter().find(|kind| kind.name == name)
}
