//! What PostgreSQL says about a setting it does not take, in its own words.
//!
//! `Display` is the message; hint and detail are apart, as in PostgreSQL's reports.
//!
//! **Source.** `guc.c` of 13 to 18 (`parse_and_validate_value`, `set_config_option`,
//! `assignable_custom_variable_name`), `postmaster.c`, `xlog.c`; checked against the answers of
//! those servers.
//!
//! **Not modelled.** SQLSTATE codes; translations.

use super::super::PgVersion;

/// Why PostgreSQL refuses a setting, or to start with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// No supported version has a setting of this name.
    #[error("unrecognized configuration parameter \"{name}\"")]
    Unrecognized {
        /// As it was written.
        name: String,
    },
    /// The setting is real, but not in this server's version.
    #[error("unrecognized configuration parameter \"{name}\"")]
    OtherVersion {
        /// As it was written.
        name: String,
        /// The server's version, which lacks it.
        version: PgVersion,
        /// The first supported version that has it.
        since: PgVersion,
        /// The last supported version that has it.
        until: PgVersion,
    },
    /// A custom name (with a dot) that PostgreSQL 14 and later refuse.
    #[error("invalid configuration parameter name \"{name}\"")]
    CustomName {
        /// As it was written.
        name: String,
    },
    /// The setting only reports something (`block_size`).
    #[error("parameter \"{name}\" cannot be changed")]
    CannotBeChanged {
        /// As it was written; since 18 the setting's own spelling.
        name: String,
    },
    /// A switch was given neither on nor off.
    #[error("parameter \"{name}\" requires a Boolean value")]
    NotBoolean {
        /// As it was written; since 18 the setting's own spelling.
        name: String,
    },
    /// The text cannot be read as a value of the setting's type.
    #[error("invalid value for parameter \"{name}\": \"{value}\"")]
    Invalid {
        /// As it was written; since 18 the setting's own spelling.
        name: String,
        /// As it was written.
        value: String,
        /// PostgreSQL's hint, if it gives one.
        hint: Option<String>,
    },
    /// A number that the setting's own check refuses.
    #[error("invalid value for parameter \"{name}\": {value}")]
    Rejected {
        /// As it was written; since 18 the setting's own spelling.
        name: String,
        /// In the setting's base unit.
        value: i32,
        /// PostgreSQL's reason, if it gives one.
        detail: Option<String>,
    },
    /// A number outside the setting's range. The three numbers are as PostgreSQL prints them:
    /// the value with its base unit, the limits with it only since 17.
    #[error("{value} is outside the valid range for parameter \"{name}\" ({min} .. {max})")]
    OutOfRange {
        /// As it was written; since 18 the setting's own spelling.
        name: String,
        /// The number that was given.
        value: String,
        /// The least that is allowed.
        min: String,
        /// The most that is allowed.
        max: String,
    },
    /// Settings that do not go together: the server does not start.
    #[error("{0}")]
    Start(String),
}

impl SettingError {
    /// The message without hint and detail.
    pub fn message(&self) -> String {
        self.to_string()
    }

    /// What PostgreSQL would print after `HINT:`.
    pub fn hint(&self) -> Option<&str> {
        match self {
            SettingError::Invalid { hint, .. } => hint.as_deref(),
            SettingError::Unrecognized { .. }
            | SettingError::OtherVersion { .. }
            | SettingError::CustomName { .. }
            | SettingError::CannotBeChanged { .. }
            | SettingError::NotBoolean { .. }
            | SettingError::Rejected { .. }
            | SettingError::OutOfRange { .. }
            | SettingError::Start(_) => None,
        }
    }

    /// What PostgreSQL would print after `DETAIL:`; for a setting of another version, ours: which
    /// versions have it.
    pub fn detail(&self) -> Option<String> {
        match self {
            SettingError::OtherVersion { version, since, until, .. } => {
                let range =
                    if since == until { since.to_string() } else { format!("{since} to {until}") };
                Some(format!("It exists in PostgreSQL {range}; this server is {version}."))
            }
            SettingError::CustomName { .. } => Some(
                "Custom parameter names must be two or more simple identifiers separated by dots."
                    .to_owned(),
            ),
            SettingError::Rejected { detail, .. } => detail.clone(),
            SettingError::Unrecognized { .. }
            | SettingError::CannotBeChanged { .. }
            | SettingError::NotBoolean { .. }
            | SettingError::Invalid { .. }
            | SettingError::OutOfRange { .. }
            | SettingError::Start(_) => None,
        }
    }
}
