//! A run, and questions to its facts.

use models::trace::Run;
use models::trace::fact::{Fact, ServerId, What};
use models::units::{Duration, SimTime};
use sim::{Options, Outside};

use crate::scenes::{assert_sane, scenario};

/// The servers in the order of the file.
pub const PG1: ServerId = ServerId(0);
pub const PG2: ServerId = ServerId(1);
pub const PG3: ServerId = ServerId(2);

/// Plays it to its end, and holds what every run must keep.
pub fn play(text: &str) -> Run {
    let scenario = scenario(text);
    let run = sim::run(&scenario, Options::default(), &Outside::default());
    let run = run.unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_sane(&run);
    assert_eq!(run.facts.dropped(), 0, "more facts than anybody can want");
    run
}

/// The facts of one server that `wanted` picks, with their moments.
pub fn facts(run: &Run, server: ServerId, wanted: impl Fn(&What) -> bool) -> Vec<(SimTime, What)> {
    let of_server = |f: &&Fact| f.server == Some(server) && wanted(&f.what);
    run.facts.iter().filter(of_server).map(|f| (f.at, f.what)).collect()
}

/// The same, the moments alone.
pub fn times(run: &Run, server: ServerId, wanted: impl Fn(&What) -> bool) -> Vec<SimTime> {
    facts(run, server, wanted).into_iter().map(|(at, _)| at).collect()
}

/// All facts, one a line, for messages.
pub fn story(run: &Run) -> String {
    let line = |f: &Fact| format!("{} {:?} {:?}\n", f.at, f.server.map(|s| s.0), f.what);
    run.facts.iter().map(line).collect()
}

/// A moment in milliseconds of simulated time.
pub fn ms(n: u64) -> SimTime {
    SimTime::ZERO + Duration::ms(n)
}
