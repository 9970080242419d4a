//! What a scenario file may say, and the catalogue of scenarios.
//!
//! From text to what the simulator is given, in reading order:
//!
//! * [`keys`]: THE list of tables and keys; [`limits`]: how large they may be; [`presets`].
//! * [`mod@file`]: a scenario file: parse, `--set`, variants, archive.
//! * [`error`]: what is wrong with one, all of it at once, with places.
//! * [`scenario`], [`workload`], [`fault`], [`action`], [`expect`]: one variant, resolved.
//! * [`check`]: what is not wrong and seldom meant: findings, each with a code.
//! * [`import`]: one file a source of real data.
//! * [`schema`]: the JSON Schema, for editors.
//! * [`catalog`]: scenarios that come with the program.
//!
//! Nothing here reads a file: texts are passed in.

pub mod action;
pub mod catalog;
pub mod check;
pub mod error;
pub mod expect;
pub mod fault;
pub mod file;
pub mod import;
pub mod keys;
mod library;
pub mod limits;
pub mod presets;
mod quantity;
mod read;
mod resolve;
pub mod scenario;
pub mod schema;
mod source;
mod syntax;
mod tree;
pub mod workload;

pub use error::{Label, Problem, Problems, choices, nearest};
pub use file::{Archive, ScenarioFile};
pub use library::Read;
pub use quantity::{Unreadable, bytes_per_second, decimal, duration, share, size};
pub use resolve::settings::settings_not_built;
