//! What an operator does, its fields, its words; data only.
//!
//! A [`Deed`] is one thing done to one server, or one look or wait. `[action.X]` does one at a
//! moment; the deeds of a `[[step]]` follow each other, each when the one before has ended.

use models::postgres::command::{Interrupt, StopMode};
use models::postgres::statement::Statement;
use models::units::{Bytes, Duration, Lsn};

use crate::scenario::{Scenario, ServerIndex};

/// One `[action.X]`, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// Its key in the file.
    pub name: String,
    /// When it is done.
    pub at: Duration,
    /// What is done.
    pub deed: Deed,
}

/// One thing done.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// `CHECKPOINT`; ends with the checkpoint.
    Checkpoint(ServerIndex),
    /// `pg_switch_wal()`.
    SwitchWal(ServerIndex),
    /// Writes so much WAL in one transaction; ends when it is flushed.
    Write(ServerIndex, Bytes),
    /// Writes WAL until the insert position is at least this; ends when it is flushed.
    WriteTo(ServerIndex, Lsn),
    /// `ALTER SYSTEM SET` of each, and a reload.
    Set(ServerIndex, Vec<(String, String)>),
    /// `pg_create_physical_replication_slot`.
    SlotCreate {
        /// Where.
        server: ServerIndex,
        /// Index into [`crate::scenario::Scenario::slots`].
        slot: usize,
        /// `immediately_reserve`.
        reserve: bool,
    },
    /// `pg_drop_replication_slot`.
    SlotDrop {
        /// Where.
        server: ServerIndex,
        /// Index into [`crate::scenario::Scenario::slots`].
        slot: usize,
    },
    /// Something befalls sessions that wait for standbys.
    Interrupt {
        /// Where.
        server: ServerIndex,
        /// What.
        how: Interrupt,
        /// Index into [`crate::scenario::Scenario::workloads`].
        workload: usize,
        /// Only the n-th of them, from 1; `None`: all.
        nth: Option<u32>,
    },
    /// `pg_ctl stop`; ends when the server is down.
    Stop(ServerIndex, StopMode),
    /// `pg_ctl start`; ends when connections are accepted.
    Start(ServerIndex),
    /// `pg_ctl restart`.
    Restart(ServerIndex, StopMode),
    /// `pg_ctl promote`; ends when the server is a primary.
    Promote(ServerIndex),
    /// Writes down what views show.
    Observe(ServerIndex, Vec<View>),
    /// Sends a statement in a session of its own.
    Statement(ServerIndex, Statement),
    /// Goes on when this holds.
    Wait(ServerIndex, Condition),
    /// Goes on when a session there sees so many rows, and notes how many.
    WaitRows {
        /// Where.
        server: ServerIndex,
        /// Index into [`crate::scenario::Scenario::workloads`].
        workload: u16,
        /// How many.
        at_least: u64,
    },
    /// Lets time pass.
    Sleep(Duration),
}

/// A view that [`Deed::Observe`] writes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// `pg_replication_slots`.
    ReplicationSlots,
    /// `pg_ls_waldir()`: the files of pg_wal.
    LsWaldir,
    /// `pg_stat_replication`.
    StatReplication,
    /// `pg_current_wal_insert_lsn()`, `pg_current_wal_lsn()`, `pg_current_wal_flush_lsn()`, on a
    /// standby `pg_last_wal_receive_lsn()` and `pg_last_wal_replay_lsn()`.
    WalLsn,
    /// `pg_control_checkpoint()`.
    ControlCheckpoint,
    /// `pg_stat_activity where wait_event = 'SyncRep'`.
    StatActivity,
}

impl View {
    /// The view of that name, as [`crate::keys::VIEWS`] has it.
    pub fn named(name: &str) -> Option<View> {
        View::ALL.into_iter().find(|view| view.name() == name)
    }

    /// Every view, in the order of [`crate::keys::VIEWS`].
    pub const ALL: [View; 6] = [
        View::ReplicationSlots,
        View::LsWaldir,
        View::StatReplication,
        View::WalLsn,
        View::ControlCheckpoint,
        View::StatActivity,
    ];

    /// Its name in a file.
    pub fn name(self) -> &'static str {
        match self {
            View::ReplicationSlots => "pg_replication_slots",
            View::LsWaldir => "pg_ls_waldir",
            View::StatReplication => "pg_stat_replication",
            View::WalLsn => "pg_current_wal_lsn",
            View::ControlCheckpoint => "pg_control_checkpoint",
            View::StatActivity => "pg_stat_activity",
        }
    }
}

/// What [`Deed::Wait`] waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The server accepts connections.
    Ready,
    /// No postmaster runs.
    Down,
    /// Its upstream shows it in state `streaming`.
    Streaming,
    /// It has replayed all that its upstream has flushed.
    CaughtUp,
    /// No walsender serves it.
    Disconnected,
    /// The WAL it needs next is gone.
    Lost,
}

impl Condition {
    /// Every condition, in the order of [`crate::keys::CONDITIONS`].
    pub const ALL: [Condition; 6] = [
        Condition::Ready,
        Condition::Down,
        Condition::Streaming,
        Condition::CaughtUp,
        Condition::Disconnected,
        Condition::Lost,
    ];

    /// The condition of that name.
    pub fn named(name: &str) -> Option<Condition> {
        Condition::ALL.into_iter().find(|condition| condition.name() == name)
    }

    /// Its name in a file.
    pub fn name(self) -> &'static str {
        match self {
            Condition::Ready => "ready",
            Condition::Down => "down",
            Condition::Streaming => "streaming",
            Condition::CaughtUp => "caught_up",
            Condition::Disconnected => "disconnected",
            Condition::Lost => "lost",
        }
    }

    /// Whether it is about the stream from an upstream.
    pub fn is_of_standby(self) -> bool {
        match self {
            Condition::Ready | Condition::Down => false,
            Condition::Streaming
            | Condition::CaughtUp
            | Condition::Disconnected
            | Condition::Lost => true,
        }
    }
}

/// The kind that does this to sessions.
fn interrupt(how: Interrupt) -> &'static str {
    match how {
        Interrupt::Cancel => "cancel_backend",
        Interrupt::Terminate => "terminate_backend",
        Interrupt::Disconnect => "client_disconnect",
    }
}

impl Deed {
    /// Its kind's name, as [`crate::keys::ACTIONS`] has it.
    pub fn name(&self) -> &'static str {
        match self {
            Deed::Checkpoint(_) => "checkpoint",
            Deed::SwitchWal(_) => "switch_wal",
            Deed::Write(..) => "write",
            Deed::WriteTo(..) => "write_to",
            Deed::Set(..) => "set",
            Deed::SlotCreate { .. } => "slot_create",
            Deed::SlotDrop { .. } => "slot_drop",
            Deed::Interrupt { how, .. } => interrupt(*how),
            Deed::Stop(..) => "stop",
            Deed::Start(_) => "start",
            Deed::Restart(..) => "restart",
            Deed::Promote(_) => "promote",
            Deed::Observe(..) => "observe",
            Deed::Statement(..) => "statement",
            Deed::Wait(..) | Deed::WaitRows { .. } => "wait",
            Deed::Sleep(_) => "sleep",
        }
    }

    /// The server that it is done to.
    pub fn server(&self) -> Option<ServerIndex> {
        match self {
            Deed::Checkpoint(server)
            | Deed::SwitchWal(server)
            | Deed::Write(server, _)
            | Deed::WriteTo(server, _)
            | Deed::Set(server, _)
            | Deed::SlotCreate { server, .. }
            | Deed::SlotDrop { server, .. }
            | Deed::Interrupt { server, .. }
            | Deed::Stop(server, _)
            | Deed::Start(server)
            | Deed::Restart(server, _)
            | Deed::Promote(server)
            | Deed::Observe(server, _)
            | Deed::Statement(server, _)
            | Deed::WaitRows { server, .. }
            | Deed::Wait(server, _) => Some(*server),
            Deed::Sleep(_) => None,
        }
    }
}

impl Scenario {
    /// The table of a workload, by its index.
    fn table(&self, workload: u16) -> &str {
        self.workloads.get(usize::from(workload)).map_or("", |workload| &workload.name)
    }

    /// All that an operator does, by steps and by actions.
    pub fn deeds(&self) -> impl Iterator<Item = &Deed> {
        let steps = self.steps.iter().flat_map(|step| &step.deeds);
        steps.chain(self.actions.iter().map(|action| &action.deed))
    }

    /// A deed in few words, such as `write 48MB`; the server it is done to goes without saying.
    pub fn describe(&self, deed: &Deed) -> String {
        let name = deed.name();
        let slot = |slot: &usize| self.slots.get(*slot).map_or("", String::as_str);
        match deed {
            Deed::Checkpoint(_) | Deed::SwitchWal(_) | Deed::Start(_) | Deed::Promote(_) => {
                name.to_owned()
            }
            Deed::Write(_, bytes) => format!("{name} {bytes}"),
            Deed::WriteTo(_, lsn) => format!("{name} {lsn}"),
            Deed::Set(_, changes) => {
                let show = |(name, value): &(String, String)| format!("{name} = '{value}'");
                format!("{name} {}", changes.iter().map(show).collect::<Vec<_>>().join(", "))
            }
            Deed::SlotCreate { slot: index, reserve: true, .. } => {
                format!("{name} {}, reserving WAL", slot(index))
            }
            Deed::SlotCreate { slot: index, .. } | Deed::SlotDrop { slot: index, .. } => {
                format!("{name} {}", slot(index))
            }
            Deed::Interrupt { workload, nth, .. } => {
                let whose = self.workloads.get(*workload).map_or("", |w| &w.name);
                match nth {
                    None => format!("{name} of {whose}"),
                    Some(nth) => format!("{name} of {whose}, number {nth}"),
                }
            }
            Deed::Stop(_, StopMode::Immediate) | Deed::Restart(_, StopMode::Immediate) => {
                format!("{name} -m immediate")
            }
            Deed::Stop(..) | Deed::Restart(..) => name.to_owned(),
            Deed::Observe(_, views) => {
                let names: Vec<&str> = views.iter().map(|view| view.name()).collect();
                format!("{name} {}", names.join(", "))
            }
            Deed::Statement(_, statement) => {
                let table = statement.workload().map_or("", |w| self.table(w));
                format!("{name} {}", statement.sql(table))
            }
            Deed::WaitRows { workload, at_least, .. } => {
                format!("{name} until {at_least} rows of {}", self.table(*workload))
            }
            Deed::Wait(_, condition) => format!("{name} until {}", condition.name()),
            Deed::Sleep(time) => format!("{name} {time}"),
        }
    }
}

/// One `[[step]]`: begins when the one before has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What is done, one after the other.
    pub deeds: Vec<Deed>,
    /// How often the whole step is done.
    pub repeat: u32,
}
