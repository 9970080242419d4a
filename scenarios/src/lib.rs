//! What a scenario file may say, and the catalogue of scenarios.
//!
//! * [`scenario`]: one variant, resolved: what the simulator is given.
//! * [`workload`], [`fault`], [`expect`]: its parts.
//! * [`import`]: what people have at hand, as numbers.

pub mod expect;
pub mod fault;
pub mod import;
pub mod scenario;
pub mod workload;
