//! One server's configuration: text in, typed fields out.
//!
//! [`Settings::set`] takes what `postgresql.conf` would say. What was set is kept beside the
//! version, everything else is the version's default; after each change the fields of
//! [`Modelled`] are read anew, so they can never disagree with what [`Settings::show`] prints.
//! A new setting for a machine is its row in `guc/table.rs` (most exist) and one line in
//! [`gucs!`] here.
//!
//! **Source.** `guc.c` (`parse_and_validate_value`, `ShowGUCOption`), `xlog.c`
//! (`XLOGChooseNumBuffers`, `check_wal_buffers`, `ReadControlFile`), `postmaster.c`
//! (`PostmasterMain`), `initdb.c`.
//!
//! **Not modelled.** Sources of settings. [`Settings::set`] applies at once, as if the server had
//! just started with it; [`Settings::reloaded`] minds what needs a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use super::values::{Value, Values};
use super::{Context, Guc, SettingError, find, index, rows, table};
use crate::postgres::PgVersion;
use crate::units::{Bytes, Duration, SegmentSize};

/// `synchronous_commit`: what a commit waits for. Ordered: a later level waits for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SynchronousCommit {
    /// Nothing, not even the local flush.
    Off,
    /// The local flush.
    Local,
    /// Also until synchronous standbys have written.
    RemoteWrite,
    /// Also until synchronous standbys have flushed.
    On,
    /// Also until synchronous standbys have replayed.
    RemoteApply,
}

impl SynchronousCommit {
    /// As `SHOW synchronous_commit` has it.
    pub fn name(self) -> &'static str {
        match self {
            SynchronousCommit::Off => "off",
            SynchronousCommit::Local => "local",
            SynchronousCommit::RemoteWrite => "remote_write",
            SynchronousCommit::On => "on",
            SynchronousCommit::RemoteApply => "remote_apply",
        }
    }
}

/// `wal_level`: how much is written to WAL. Ordered: a later level writes more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WalLevel {
    /// Only what crash recovery needs.
    Minimal,
    /// What archiving and standbys need.
    Replica,
    /// What logical decoding needs.
    Logical,
}

/// `archive_mode`: who archives WAL. Ordered: a later mode archives more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArchiveMode {
    /// Nobody.
    Off,
    /// The primary.
    On,
    /// Standbys too.
    Always,
}

/// Declares [`Modelled`]: each line is a field, named as its GUC, with its type and the function
/// of [`Values`] that reads it. The names are the list behind [`Settings::is_modelled`].
macro_rules! gucs {
    ($(#[doc = $doc:literal] $(#[doc = $more:literal])* $name:ident: $type:ty = $read:ident,)*) => {
        /// The settings that machines read, typed; one field a GUC. Where a version lacks a
        /// setting, the field has the default that makes it do nothing.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Modelled {
            $(#[doc = $doc] $(#[doc = $more])* pub $name: $type,)*
        }

        impl Modelled {
            fn read(values: &Values) -> Modelled {
                Modelled { $($name: values.$read(stringify!($name)),)* }
            }
        }

        /// The settings that machines read, the fields of [`Modelled`]: names, and what they say in
        /// one line, where `None` stands for the lowest value.
        pub const MODELLED: &[(&str, &str)] = &[$((stringify!($name), $doc)),*];
    };
}

gucs! {
    /// Who archives WAL.
    archive_mode: ArchiveMode = archive_mode,
    /// A segment is switched when this long nothing else did; `None`: never.
    archive_timeout: Option<Duration> = duration_or_never,
    /// Part of the checkpoint interval to spread writes over.
    /// In millionths.
    checkpoint_completion_target: u32 = millionths,
    /// Most time between automatic checkpoints.
    checkpoint_timeout: Duration = duration,
    /// Checkpoints for WAL that are closer together are complained about; `None`: never.
    checkpoint_warning: Option<Duration> = duration_or_never,
    /// The name a standby goes by in `synchronous_standby_names`, unless its connection says.
    cluster_name: String = text,
    /// How long a commit waits for company before it flushes.
    commit_delay: Duration = microseconds,
    /// Other open transactions without which `commit_delay` is not waited.
    commit_siblings: u32 = count,
    /// Whether WAL is made durable at all.
    fsync: bool = switch,
    /// Whether the first change of a page after a checkpoint logs the whole page.
    full_page_writes: bool = switch,
    /// Whether a standby takes queries.
    hot_standby: bool = switch,
    /// Whether a standby tells its primary about its queries.
    hot_standby_feedback: bool = switch,
    /// A slot unused for longer is invalidated (18); `None`: never.
    idle_replication_slot_timeout: Option<Duration> = duration_or_never,
    /// Whether checkpoints are logged.
    log_checkpoints: bool = switch,
    /// Whether replication commands are logged.
    log_replication_commands: bool = switch,
    /// Replication slots there can be.
    max_replication_slots: u32 = count,
    /// WAL that slots may keep at a checkpoint; `None`: any amount.
    max_slot_wal_keep_size: Option<Bytes> = size_or_unlimited,
    /// How long replay from the archive waits for queries; `None`: for ever.
    max_standby_archive_delay: Option<Duration> = duration_or_never,
    /// How long replay of streamed WAL waits for queries; `None`: for ever.
    max_standby_streaming_delay: Option<Duration> = duration_or_never,
    /// Walsenders there can be.
    max_wal_senders: u32 = count,
    /// WAL between checkpoints that brings the next one forward. 64 segments by default.
    max_wal_size: Bytes = size,
    /// WAL files are recycled rather than removed up to this. 5 segments by default.
    min_wal_size: Bytes = size,
    /// A standby replays a commit this long after it happened.
    recovery_min_apply_delay: Duration = duration,
    /// The buffer pool; `wal_buffers` follows it.
    shared_buffers: Bytes = size,
    /// What a commit waits for.
    synchronous_commit: SynchronousCommit = synchronous_commit,
    /// Which standbys are synchronous; text, parsed where it is used.
    synchronous_standby_names: String = text,
    /// WAL held in memory: resolved, never -1.
    wal_buffers: Bytes = wal_buffers,
    /// Whether new WAL files are filled with zeros first.
    wal_init_zero: bool = switch,
    /// WAL kept for standbys without a slot.
    wal_keep_size: Bytes = size,
    /// How much is written to WAL.
    wal_level: WalLevel = wal_level,
    /// A standby tells its position at least this often; `None`: only when asked.
    wal_receiver_status_interval: Option<Duration> = duration_or_never,
    /// A walreceiver that hears nothing for so long gives up; `None`: never.
    wal_receiver_timeout: Option<Duration> = duration_or_never,
    /// Whether old WAL files are renamed for use again.
    wal_recycle: bool = switch,
    /// How long a standby waits before it tries again to get WAL.
    wal_retrieve_retry_interval: Duration = duration,
    /// Bytes of a WAL file; decided by initdb.
    wal_segment_size: SegmentSize = segment_size,
    /// A walsender that hears nothing for so long gives up; `None`: never.
    wal_sender_timeout: Option<Duration> = duration_or_never,
    /// The WAL writer's pause between rounds.
    wal_writer_delay: Duration = duration,
    /// WAL written since the last flush that makes the WAL writer flush; zero: always.
    wal_writer_flush_after: Bytes = size,
}

/// One server's configuration. Its fields are those of [`Modelled`]: they can be read directly
/// (`settings.wal_keep_size`) but only [`Settings::set`] changes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    values: Values,
    modelled: Modelled,
}

impl Deref for Settings {
    type Target = Modelled;

    fn deref(&self) -> &Modelled {
        &self.modelled
    }
}

/// Processes that count as backends.
const BACKENDS: [&str; 4] =
    ["max_connections", "autovacuum_max_workers", "max_worker_processes", "max_wal_senders"];
/// `MAX_BACKENDS`.
const MAX_BACKENDS: i64 = 0x3FFFF;

impl Settings {
    /// What a new server of this version has.
    pub fn defaults(version: PgVersion) -> Settings {
        let values = Values { version, set: BTreeMap::new(), custom: BTreeMap::new() };
        Settings { modelled: Modelled::read(&values), values }
    }

    /// The version whose names, defaults and ranges apply.
    pub fn version(&self) -> PgVersion {
        self.values.version
    }

    /// Sets one setting from its text, as a line of `postgresql.conf` does; an error changes
    /// nothing. Names with a dot belong to extensions and take any text. `wal_segment_size`,
    /// which a real server has from initdb, can be set too.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SettingError> {
        let version = self.values.version;
        let Some(guc) = find(name, version) else {
            return self.set_custom(name, value);
        };
        // Since 18 messages have the setting's own spelling.
        let name = if version.major() >= 18 { guc.name } else { name };
        if guc.is_fixed() {
            return Err(SettingError::CannotBeChanged { name: name.to_owned() });
        }
        let value = Value::parse(guc, name, value, version)?;
        self.check_backends(guc, name, &value)?;
        self.values.set.insert(index(guc), value);
        self.modelled = Modelled::read(&self.values);
        Ok(())
    }

    /// Until 17 a number of processes is refused if all together are too many
    /// (`check_max_connections` and its sisters); 18 looks when it starts.
    fn check_backends(&self, guc: &Guc, name: &str, value: &Value) -> Result<(), SettingError> {
        let &Value::Integer(value) = value else { return Ok(()) };
        if self.values.version.major() >= 18 || !BACKENDS.contains(&guc.name) {
            return Ok(());
        }
        let others = BACKENDS.iter().filter(|other| **other != guc.name);
        let others: i64 = others.map(|other| i64::from(self.values.number(other))).sum();
        // The launcher of autovacuum is one more.
        if others + i64::from(value) < MAX_BACKENDS {
            return Ok(());
        }
        Err(SettingError::Rejected { name: name.to_owned(), value, detail: None })
    }

    fn set_custom(&mut self, name: &str, value: &str) -> Result<(), SettingError> {
        let version = self.values.version;
        if !name.contains('.') {
            return Err(unknown(name, version));
        }
        if version.major() >= 14 && !is_custom_name(name) {
            return Err(SettingError::CustomName { name: name.to_owned() });
        }
        let spelling = self.values.custom.keys().find(|key| key.eq_ignore_ascii_case(name));
        let key = spelling.cloned().unwrap_or_else(|| name.to_owned());
        self.values.custom.insert(key, value.to_owned());
        Ok(())
    }

    /// A setting as `SHOW` prints it on a running server; `None` if this version has none of
    /// this name.
    pub fn show(&self, name: &str) -> Option<String> {
        let Some(guc) = find(name, self.values.version) else {
            let same = |key: &&String| key.eq_ignore_ascii_case(name);
            let key = self.values.custom.keys().find(same)?;
            return self.values.custom.get(key).cloned();
        };
        Some(match guc.name {
            "archive_command" if self.archive_mode == ArchiveMode::Off => "(disabled)".to_owned(),
            "seed" => "unavailable".to_owned(),
            "wal_buffers" => self.wal_buffers.to_string(),
            _ => self.values.value(guc).show(guc),
        })
    }

    /// The settings that differ from the version's defaults, as they could be set again, in the
    /// order of the table.
    pub fn changed(&self) -> Vec<(&'static str, String)> {
        let set = self.values.set.iter().filter_map(|(row, value)| {
            let guc = table::TABLE.get(*row)?;
            (*value != self.values.default(guc)).then(|| (guc.name, value.show(guc)))
        });
        set.collect()
    }

    /// What differs in `files` from these, in the order of the table.
    pub fn changes(&self, files: &Settings) -> Vec<Change> {
        let rows = self.values.set.keys().chain(files.values.set.keys());
        let rows: BTreeSet<usize> = rows.copied().collect();
        let changes = rows.into_iter().filter_map(|row| {
            let guc = table::TABLE.get(row)?;
            let value = files.values.value(guc);
            (value != self.values.value(guc)).then(|| Change {
                name: guc.name,
                value: value.show(guc),
                needs_restart: needs_restart(guc.context),
            })
        });
        changes.collect()
    }

    /// What a running server with these settings has after it reads `files`: theirs, except for
    /// what needs a restart.
    pub fn reloaded(&self, files: &Settings) -> Settings {
        let mut values = files.values.clone();
        values.set.retain(|row, _| !row_needs_restart(*row));
        let kept = self.values.set.iter().filter(|(row, _)| row_needs_restart(**row));
        values.set.extend(kept.map(|(row, value)| (*row, value.clone())));
        Settings { modelled: Modelled::read(&values), values }
    }

    /// Settings of extensions, which are kept and mean nothing here.
    pub fn custom(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.custom.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether a machine reads this setting. One that none reads is accepted and has no effect.
    pub fn is_modelled(name: &str) -> bool {
        MODELLED.iter().any(|(modelled, _)| modelled.eq_ignore_ascii_case(name))
    }

    /// What would keep a server with these settings from starting, in the order in which
    /// PostgreSQL looks; it would only report the first.
    pub fn check_start(&self) -> Vec<SettingError> {
        // Since 17 names of settings are quoted in messages.
        let quote = |name: &str| match self.version().major() {
            ..17 => name.to_owned(),
            17.. => format!("\"{name}\""),
        };
        let mut errors = Vec::new();
        errors.extend(self.check_reserved_connections(quote));
        errors.extend(self.check_processes());
        if self.wal_level == WalLevel::Minimal {
            let level = quote("wal_level");
            if self.archive_mode != ArchiveMode::Off {
                errors.push(format!("WAL archival cannot be enabled when {level} is \"minimal\""));
            }
            if self.max_wal_senders > 0 {
                let be = if self.version().major() >= 17 { " to be" } else { "" };
                errors.push(format!(
                    "WAL streaming ({} > 0) requires {level}{be} \"replica\" or \"logical\"",
                    quote("max_wal_senders"),
                ));
            }
            if self.show("summarize_wal").as_deref() == Some("on") {
                errors.push(format!("WAL cannot be summarized when {level} is \"minimal\""));
            }
        }
        for (name, size) in
            [("min_wal_size", self.min_wal_size), ("max_wal_size", self.max_wal_size)]
        {
            if self.wal_segment_size.segments_in(size) < 2 {
                errors.push(format!("\"{name}\" must be at least twice \"wal_segment_size\""));
            }
        }
        errors.into_iter().map(SettingError::Start).collect()
    }

    /// What 18 says at its start of too many processes (`InitializeMaxBackends`), its DETAIL left
    /// out.
    fn check_processes(&self) -> Option<String> {
        const ALL: [&str; 4] = [
            "max_connections",
            "autovacuum_worker_slots",
            "max_worker_processes",
            "max_wal_senders",
        ];
        if self.version().major() < 18 {
            return None;
        }
        // With the launcher of autovacuum and the slot synchronization worker.
        let sum: i64 = ALL.iter().map(|name| i64::from(self.values.number(name))).sum::<i64>() + 2;
        (sum > MAX_BACKENDS).then(|| "too many server processes configured".to_owned())
    }

    /// Somebody must be able to connect beside superusers and, since 16, the privileged.
    fn check_reserved_connections(&self, quote: impl Fn(&str) -> String) -> Option<String> {
        let number = |name| self.values.number(name);
        let (superuser, all) =
            (number("superuser_reserved_connections"), number("max_connections"));
        let mut reserved = format!("{} ({superuser})", quote("superuser_reserved_connections"));
        let mut sum = i64::from(superuser);
        if find("reserved_connections", self.version()).is_some() {
            let others = number("reserved_connections");
            reserved += &format!(" plus {} ({others})", quote("reserved_connections"));
            sum += i64::from(others);
        }
        (sum >= i64::from(all))
            .then(|| format!("{reserved} must be less than {} ({all})", quote("max_connections")))
    }
}

/// A setting that configuration files have anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its name.
    pub name: &'static str,
    /// Its value, as it could be set.
    pub value: String,
    /// Whether it only counts from the next start on.
    pub needs_restart: bool,
}

fn needs_restart(context: Context) -> bool {
    matches!(context, Context::Postmaster | Context::Internal)
}

fn row_needs_restart(row: usize) -> bool {
    table::TABLE.get(row).is_some_and(|guc| needs_restart(guc.context))
}

/// What initdb decides and a server cannot change, but a scenario can.
pub(super) const INITDB: &[&str] = &["wal_segment_size"];

/// Why there is no such setting in this version.
fn unknown(name: &str, version: PgVersion) -> SettingError {
    let rows = rows(name);
    let since = rows.iter().filter_map(|guc| PgVersion::new(guc.since)).min();
    let until = rows.iter().filter_map(|guc| PgVersion::new(guc.until)).max();
    let name = name.to_owned();
    match (since, until) {
        (Some(since), Some(until)) => SettingError::OtherVersion { name, version, since, until },
        _ => SettingError::Unrecognized { name },
    }
}

/// Two or more identifiers with dots between (`valid_custom_variable_name`).
fn is_custom_name(name: &str) -> bool {
    name.split('.').all(|part| {
        let mut bytes = part.bytes();
        let starts = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80;
        let goes_on = |byte: u8| starts(byte) || byte.is_ascii_digit() || byte == b'$';
        bytes.next().is_some_and(starts) && bytes.all(goes_on)
    })
}
