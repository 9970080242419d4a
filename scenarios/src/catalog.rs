//! Scenarios that come with the program: files of this crate, embedded.
//!
//! `walden run basics/one_standby` needs no checkout. Names are paths below the crate without
//! `.toml`; files that a scenario names are embedded beside it. A test holds the list up to date.

use std::path::{Component, Path, PathBuf};

use crate::error::{Problems, nearest};
use crate::file::ScenarioFile;

/// One scenario of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatalogEntry {
    /// Its name, such as `sync/five_levels`.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// A scenario's name and text.
macro_rules! entry {
    ($name:literal) => {
        CatalogEntry { name: $name, text: include_str!(concat!("../", $name, ".toml")) }
    };
}

/// A path below the crate and the text there.
macro_rules! beside {
    ($path:literal) => {
        ($path, include_str!(concat!("../", $path)))
    };
}

/// Every scenario.
static SCENARIOS: &[CatalogEntry] = &[
    entry!("basics/one_standby"),
    entry!("basics/from_production"),
    entry!("basics/rows_arrive"),
    entry!("basics/ten_thousand_inserts"),
    entry!("basics/standby_is_read_only"),
    entry!("basics/two_roles"),
    entry!("sync/five_levels"),
    entry!("sync/first_and_any"),
    entry!("sync/quorum_across_ocean"),
    entry!("sync/standby_gone_blocks"),
    entry!("sync/any_survives_one"),
    entry!("sync/remote_apply_slow_replay"),
    entry!("sync/async_loses_commits"),
    entry!("sync/cancelled_wait"),
    entry!("sync/disconnect_does_not_help"),
    entry!("failover/promote"),
    entry!("failover/both_die"),
    entry!("failover/promote_with_backlog"),
    entry!("failover/split_brain"),
    entry!("slots/offline_without_slot"),
    entry!("slots/offline_with_slot"),
    entry!("slots/offline_capped"),
    entry!("slots/keep_size"),
    entry!("slots/disk_full"),
    entry!("slots/slot_not_reserved"),
    entry!("slots/connected_without_slot"),
    entry!("slots/one_standby_too_many"),
    entry!("lag/reconnect_resends_segment"),
    entry!("lag/growing_link"),
    entry!("lag/growing_disk"),
    entry!("lag/growing_wal"),
    entry!("lag/link_cut"),
    entry!("faults/disk_slow"),
    entry!("faults/disk_stall"),
    entry!("faults/disk_full"),
    entry!("faults/link_delay"),
    entry!("faults/link_loss"),
    entry!("faults/link_flaps"),
    entry!("faults/cut_or_reset"),
    entry!("faults/hold_or_cut"),
    entry!("faults/frozen_or_dead"),
    entry!("faults/replay_pause"),
    entry!("faults/crash_at_random"),
    entry!("faults/site_down"),
    entry!("faults/bulk_write"),
    entry!("faults/clock_jump"),
];

/// Every other file that they name.
static FILES: &[(&str, &str)] = &[
    beside!("basics/production/postgresql.conf"),
    beside!("basics/production/wal_lsn_history.csv"),
];

impl CatalogEntry {
    /// Its first comment: the question it answers.
    pub fn question(&self) -> String {
        crate::file::question(self.text)
    }

    /// Its title.
    pub fn title(&self) -> String {
        let table: toml::Table = toml::from_str(self.text).unwrap_or_default();
        table.get("title").and_then(toml::Value::as_str).unwrap_or(self.name).to_owned()
    }

    /// Reads a file that it names.
    ///
    /// # Errors
    ///
    /// If there is no such file.
    pub fn read(&self, path: &str) -> Result<String, String> {
        let below = Path::new(self.name).parent().unwrap_or(Path::new("")).join(path);
        let wanted = plain(&below);
        let found = FILES.iter().find(|(name, _)| Path::new(name) == wanted);
        found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| "no such file".to_owned())
    }

    /// Parses it.
    ///
    /// # Errors
    ///
    /// None for what comes with the program; a test sees to that.
    pub fn parse(&self) -> Result<ScenarioFile, Problems> {
        ScenarioFile::parse(self.name, self.text, &mut |path| self.read(path))
    }
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// Every scenario, in reading order.
pub fn all() -> &'static [CatalogEntry] {
    SCENARIOS
}

/// The scenario of that name, with or without `.toml`.
pub fn find(name: &str) -> Option<&'static CatalogEntry> {
    let name = name.strip_suffix(".toml").unwrap_or(name);
    SCENARIOS.iter().find(|s| s.name == name)
}

/// The name that was probably meant: near to a whole name, or to what follows its folder.
pub fn nearest_name(name: &str) -> Option<&'static str> {
    let names = || SCENARIOS.iter().map(|s| s.name);
    let last = |n: &'static str| n.rsplit('/').next().unwrap_or(n);
    nearest(name, names()).or_else(|| {
        let near = nearest(name, names().map(last))?;
        names().find(|n| last(n) == near)
    })
}
