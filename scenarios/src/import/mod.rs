//! Real data on its way into a scenario: one file a source.
//!
//! * [`postgresql_conf`]: a server's configuration files.

pub mod postgresql_conf;
