//! Everything that passed in a window of a run: the run is played again up to its end.
//!
//! **Source.** Walden's own; `sim::world::trail` for how it is noted.
//!
//! **Not modelled.** Nothing: this is machinery.

use models::trace::Run;
use models::trace::fact::ServerId;
use models::trace::flow::{Flow, Window};
use models::units::{Duration, SegmentSize, SimTime};
use scenarios::scenario::Scenario;

use crate::checkers::Checks;
use crate::look::Looks;
use crate::world::World;
use crate::world::trail::Wanted;
use crate::{Options, Outside, RunError, control};

/// What passed.
#[derive(Debug)]
pub struct Passage {
    /// The run up to the window's end.
    pub run: Run,
    /// Commits, flushes, messages and answers of the window.
    pub flow: Flow,
    /// The server that clients write to.
    pub primary: ServerId,
    /// The size of a segment of WAL, in which positions are counted.
    pub size: SegmentSize,
    /// The run's digests at the moments that were reached.
    pub digests: Vec<u64>,
}

/// The most that is noted: it becomes some 200 MB of text.
pub const MOST: usize = 500_000;

/// Plays a run and notes what passes in the window; `None` if that is more than [`MOST`].
///
/// # Errors
/// As [`crate::run`].
pub fn passage(
    scenario: &Scenario,
    window: Window,
    outside: &Outside,
) -> Result<Option<Passage>, RunError> {
    // So often somebody asks how much there is.
    let step = Duration((window.to.since(window.from).0 / 1_000).max(Duration::ms(10).0));
    let count = window.to.since(window.from).0 / step.0;
    let looks = (1..=count).map(|n| window.from + Duration(n * step.0));
    let at: Vec<SimTime> = looks.chain([window.to]).collect();
    let mut full = false;
    let look = &mut |world: &World| {
        if world.noted() > MOST {
            full = true;
            outside.ask_to_stop();
        }
    };
    let follow = Some(Wanted { window: Some(window), answer: None });
    let looks = Looks { at: &at, commits: &[], hear: true, follow, look };
    let options = Options { laws: Checks::None, ..Options::default() };
    let epilogue = |mut played: control::Played| {
        let world = &mut played.world;
        let (flow, digests) = (world.flow(), world.digests().to_vec());
        let primary = &world.servers()[scenario.primary()];
        let (primary, size) = (primary.id(), primary.host.files.size);
        world.end_here();
        Passage { flow, primary, size, digests, run: played.world.finish(scenario) }
    };
    let played = control::play_watched(scenario, options, outside, Some(looks), |_| (), epilogue);
    if full { Ok(None) } else { played.map(Some) }
}
