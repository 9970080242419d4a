//! R5: many seeds of a file, since its faults are drawn.

use models::units::Duration;
use scenarios::ScenarioFile;
use scenarios::scenario::Scenario;

/// The workload of many seeds, and how long each of its runs is.
pub const NAME: &str = "R5";
pub const EACH: Duration = Duration::s(600);

/// A thousand commits a second for ten minutes, while hosts, links and disks fail at moments that
/// the seed draws.
pub fn scenario(seed: u64) -> Scenario {
    let nothing = &mut |_: &str| Err("it names no file".to_owned());
    let file = ScenarioFile::parse(NAME, include_str!("many.toml"), nothing);
    let file = file.and_then(|file| file.with(&[], Some(seed)));
    let variants = file.and_then(|file| file.variants());
    let mut variants = variants.unwrap_or_else(|problems| panic!("{problems}"));
    variants.remove(0)
}
