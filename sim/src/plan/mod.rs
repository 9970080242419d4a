//! Planning.
pub mod history;
pub mod outage;
pub mod trial;
