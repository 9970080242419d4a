//! What a scenario file may say, and the catalogue of scenarios.
//!
//! * [`scenario`]: one variant, resolved: what the simulator is given.
//! * [`workload`], [`fault`], [`expect`]: its parts.

pub mod expect;
pub mod fault;
pub mod scenario;
pub mod workload;
