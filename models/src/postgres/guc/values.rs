//! Checked values of settings, and how machines' types are read from them.
//!
//! A [`Value`] is a text that passed its row's type and range; [`Values`] are those that were set
//! over a version's defaults. The readers turn a value into the type of a field of
//! [`super::Modelled`]; in them the row's own lowest value tells what "never" and "unlimited" are
//! (-1 where that is allowed, else 0).
//!
//! **Source.** `guc.c` (`parse_and_validate_value`, `ShowGUCOption`), `xlog.c`
//! (`XLOGChooseNumBuffers`, `check_wal_buffers`), `initdb.c` (`setup_config`).
//!
//! **Not modelled.** Memory that the system does not have; initdb's probing for it.

use std::collections::BTreeMap;

use super::units::{self, Unit};
use super::{ArchiveMode, Guc, Kind, SettingError, SynchronousCommit, WalLevel, find, index, rows};
use crate::postgres::PgVersion;
use crate::units::{Bytes, Duration, PAGE, SegmentSize};

/// A checked value, numbers in their setting's base unit.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Bool(bool),
    Integer(i32),
    /// In no machine's state: a modelled one becomes a whole number.
    Real(f64),
    Text(String),
    /// One of the words of the setting's enum.
    Word(&'static str),
}

impl Value {
    /// `parse_and_validate_value`; messages have the name as it was `written`.
    pub(super) fn parse(
        guc: &'static Guc,
        written: &str,
        text: &str,
        version: PgVersion,
    ) -> Result<Value, SettingError> {
        let invalid = |hint: Option<String>| SettingError::Invalid {
            name: written.to_owned(),
            value: text.to_owned(),
            hint,
        };
        match guc.kind {
            Kind::Bool => units::parse_bool(text)
                .map(Value::Bool)
                .ok_or(SettingError::NotBoolean { name: written.to_owned() }),
            Kind::Integer(unit, min, max) => {
                let number = units::parse_integer(text, unit)
                    .map_err(|error| invalid(error.0.map(str::to_owned)))?;
                let range = [number, min, max].map(|n| n.to_string());
                if !(min..=max).contains(&number) {
                    return Err(out_of_range(written, version, unit, range));
                }
                check(guc, written, number, version)?;
                Ok(Value::Integer(number))
            }
            Kind::Real(unit, min, max) => {
                let number = units::parse_real(text, unit)
                    .map_err(|error| invalid(error.0.map(str::to_owned)))?;
                let range = [number, min, max].map(units::general);
                if !(min..=max).contains(&number) {
                    return Err(out_of_range(written, version, unit, range));
                }
                Ok(Value::Real(number))
            }
            Kind::Text => Ok(Value::Text(text.to_owned())),
            Kind::Enum(words, hidden) => {
                let shown = words.iter().map(|word| (word, word));
                let hidden = hidden.iter().map(|(word, meaning)| (word, meaning));
                let mut all = hidden.chain(shown);
                let found = all.find(|(word, _)| word.eq_ignore_ascii_case(text));
                found.map(|(_, meaning)| Value::Word(meaning)).ok_or_else(|| {
                    invalid(Some(format!("Available values: {}.", words.join(", "))))
                })
            }
        }
    }

    /// As `SHOW` prints it (`ShowGUCOption`).
    pub(super) fn show(&self, guc: &Guc) -> String {
        let unit = match guc.kind {
            Kind::Integer(unit, ..) | Kind::Real(unit, ..) => unit,
            Kind::Bool | Kind::Text | Kind::Enum(..) => Unit::Plain,
        };
        match self {
            Value::Bool(true) => "on".to_owned(),
            Value::Bool(false) => "off".to_owned(),
            Value::Integer(mode) if FILE_MODES.contains(&guc.name) => format!("{mode:04o}"),
            Value::Integer(number) => units::show_integer(*number, unit),
            Value::Real(number) => units::show_real(*number, unit),
            Value::Text(text) => text.clone(),
            Value::Word(word) => (*word).to_owned(),
        }
    }
}

/// Settings that are shown in octal, by their own show hooks.
const FILE_MODES: &[&str] = &["data_directory_mode", "log_file_mode", "unix_socket_permissions"];

/// The range error names the value's unit, since 17 also the limits'.
fn out_of_range(
    written: &str,
    version: PgVersion,
    unit: Unit,
    [value, min, max]: [String; 3],
) -> SettingError {
    let limit = |text: String| match version.major() {
        ..17 => text,
        17.. => unit.describe(&text),
    };
    let (name, value) = (written.to_owned(), unit.describe(&value));
    SettingError::OutOfRange { name, value, min: limit(min), max: limit(max) }
}

/// What checks of their own say to a number that is in range: `check_wal_segment_size` in 16 and
/// later (before, initdb says the same), `check_slru_buffers`, `check_vacuum_buffer_usage_limit`
/// and `check_io_max_concurrency`.
fn check(guc: &Guc, written: &str, value: i32, version: PgVersion) -> Result<(), SettingError> {
    let is_size = || u64::try_from(value).is_ok_and(|bytes| SegmentSize::new(bytes).is_some());
    let stop = if version.major() >= 18 { "." } else { "" };
    let detail = match guc.name {
        "wal_segment_size" if !is_size() => {
            "The WAL segment size must be a power of two between 1 MB and 1 GB.".to_owned()
        }
        name if SLRU_BUFFERS.contains(&name) && value % SLRU_BANK_SIZE != 0 => {
            format!("\"{name}\" must be a multiple of {SLRU_BANK_SIZE}{stop}")
        }
        name @ "vacuum_buffer_usage_limit" if (1..128).contains(&value) => {
            format!("\"{name}\" must be 0 or between 128 kB and 16777216 kB{stop}")
        }
        "io_max_concurrency" if value == 0 => {
            "Only -1 or values bigger than 0 are valid.".to_owned()
        }
        _ => return Ok(()),
    };
    Err(SettingError::Rejected { name: written.to_owned(), value, detail: Some(detail) })
}

const SLRU_BANK_SIZE: i32 = 16;
/// Settings that count buffers in banks.
const SLRU_BUFFERS: &[&str] = &[
    "commit_timestamp_buffers",
    "multixact_member_buffers",
    "multixact_offset_buffers",
    "notify_buffers",
    "serializable_buffers",
    "subtransaction_buffers",
    "transaction_buffers",
];

/// A version, and what was set in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Values {
    pub(super) version: PgVersion,
    /// By row of the table; only rows of `version`.
    pub(super) set: BTreeMap<usize, Value>,
    /// Settings of extensions: `pg_stat_statements.max`.
    pub(super) custom: BTreeMap<String, String>,
}

impl Values {
    /// What the setting is: set, or the default.
    pub(super) fn value(&self, guc: &'static Guc) -> Value {
        self.set.get(&index(guc)).cloned().unwrap_or_else(|| self.default(guc))
    }

    /// The default; initdb sizes `max_wal_size` and `min_wal_size` by the segment size.
    pub(super) fn default(&self, guc: &'static Guc) -> Value {
        let megabytes = |segments| {
            let size = segments * (self.segment_size("wal_segment_size").bytes() >> 20);
            Value::Integer(i32::try_from(size).unwrap_or(i32::MAX))
        };
        match guc.name {
            "max_wal_size" => megabytes(64),
            "min_wal_size" => megabytes(5),
            _ => match Value::parse(guc, guc.name, guc.default, self.version) {
                Ok(value) => value,
                Err(error) => panic!("the table's default is wrong: {error}"),
            },
        }
    }

    /// The row of a modelled setting: this version's, or else any version's.
    fn row(&self, name: &str) -> &'static Guc {
        let row = find(name, self.version).or_else(|| rows(name).first());
        row.unwrap_or_else(|| panic!("{name} is not in the table"))
    }

    /// A whole number of base units.
    pub(super) fn number(&self, name: &str) -> i32 {
        match self.value(self.row(name)) {
            Value::Integer(number) => number,
            other => panic!("{name} is not a whole number: {other:?}"),
        }
    }

    pub(super) fn switch(&self, name: &str) -> bool {
        self.value(self.row(name)) == Value::Bool(true)
    }

    pub(super) fn text(&self, name: &str) -> String {
        let guc = self.row(name);
        self.value(guc).show(guc)
    }

    /// For settings that cannot be below zero.
    pub(super) fn count(&self, name: &str) -> u32 {
        u32::try_from(self.number(name)).unwrap_or(0)
    }

    /// A share from 0 to 1 in millionths.
    pub(super) fn millionths(&self, name: &str) -> u32 {
        match self.value(self.row(name)) {
            Value::Real(share) => (share * 1e6).round() as u32,
            other => panic!("{name} is not a real number: {other:?}"),
        }
    }

    pub(super) fn size(&self, name: &str) -> Bytes {
        let unit = match self.row(name).kind {
            Kind::Integer(Unit::Kilobytes, ..) => Bytes::kb(1),
            Kind::Integer(Unit::Megabytes, ..) => Bytes::mb(1),
            Kind::Integer(Unit::Blocks, ..) => Bytes(PAGE),
            _ => Bytes(1),
        };
        Bytes(u64::from(self.count(name)) * unit.0)
    }

    pub(super) fn size_or_unlimited(&self, name: &str) -> Option<Bytes> {
        (!self.is_lowest(name)).then(|| self.size(name))
    }

    pub(super) fn duration(&self, name: &str) -> Duration {
        let unit = match self.row(name).kind {
            Kind::Integer(Unit::Minutes, ..) => Duration::s(60),
            Kind::Integer(Unit::Seconds, ..) => Duration::s(1),
            _ => Duration::ms(1),
        };
        Duration(u64::from(self.count(name)).saturating_mul(unit.0))
    }

    pub(super) fn duration_or_never(&self, name: &str) -> Option<Duration> {
        (!self.is_lowest(name)).then(|| self.duration(name))
    }

    /// A bare number that counts microseconds.
    pub(super) fn microseconds(&self, name: &str) -> Duration {
        Duration::us(u64::from(self.count(name)))
    }

    /// Whether it has its least value, which says "never" or "unlimited".
    fn is_lowest(&self, name: &str) -> bool {
        match self.row(name).kind {
            Kind::Integer(_, min, _) => self.number(name) == min,
            Kind::Bool | Kind::Real(..) | Kind::Text | Kind::Enum(..) => false,
        }
    }

    pub(super) fn segment_size(&self, name: &str) -> SegmentSize {
        SegmentSize::new(u64::from(self.count(name))).unwrap_or(SegmentSize::DEFAULT)
    }

    /// -1 follows `shared_buffers` (`XLOGChooseNumBuffers`); four pages are the least.
    pub(super) fn wal_buffers(&self, name: &str) -> Bytes {
        let pages = match u64::try_from(self.number(name)) {
            Ok(pages) => pages.max(4),
            Err(_) => {
                let most = self.segment_size("wal_segment_size").bytes() / PAGE;
                (u64::from(self.count("shared_buffers")) / 32).clamp(8, most)
            }
        };
        Bytes(pages * PAGE)
    }

    pub(super) fn synchronous_commit(&self, name: &str) -> SynchronousCommit {
        match self.text(name).as_str() {
            "off" => SynchronousCommit::Off,
            "local" => SynchronousCommit::Local,
            "remote_write" => SynchronousCommit::RemoteWrite,
            "on" => SynchronousCommit::On,
            "remote_apply" => SynchronousCommit::RemoteApply,
            other => panic!("{name} has no level {other}"),
        }
    }

    pub(super) fn wal_level(&self, name: &str) -> WalLevel {
        match self.text(name).as_str() {
            "minimal" => WalLevel::Minimal,
            "replica" => WalLevel::Replica,
            "logical" => WalLevel::Logical,
            other => panic!("{name} has no level {other}"),
        }
    }

    pub(super) fn archive_mode(&self, name: &str) -> ArchiveMode {
        match self.text(name).as_str() {
            "off" => ArchiveMode::Off,
            "on" => ArchiveMode::On,
            "always" => ArchiveMode::Always,
            other => panic!("{name} has no mode {other}"),
        }
    }
}
