//! What a scenario may say, and how real data becomes one.
//!
//! * [`import`]: one file a source of real data.

pub mod import;
