//! PostgreSQL's streaming replication as plain state machines.
//!
//! A machine is handed the moment, an input and a place for its effects; it knows neither clock,
//! dice, threads nor files:
//!
//! * [`units`]: positions, moments, sizes, dice.
//! * [`latency`]: measured quantities as quantile functions.
//! * [`postgres`]: one server and its processes.
//! * [`trace`]: what a run leaves behind; reports read this and nothing else.

pub mod clients;
pub mod disk;
pub mod latency;
pub mod network;
pub mod postgres;
pub mod trace;
pub mod units;
