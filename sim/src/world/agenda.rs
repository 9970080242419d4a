//! What happens next: the only order and the only clock of the data plane.
//!
//! Every machine is a *source* with one next moment. The next event is that of the source whose
//! moment is the earliest; at one moment the source with the lower number comes first. That needs
//! no sequence numbers and leaves nothing to luck. With the few sources of a cluster, looking at
//! all of them costs less than keeping any order among them.

use models::units::SimTime;

/// The next moment of every source.
#[derive(Clone, Debug)]
pub struct Agenda {
    /// Indexed by source, filled up to whole blocks with sources that never have anything to do.
    blocks: Vec<[SimTime; BLOCK]>,
}

/// A machine's number on the agenda.
pub type Source = usize;

/// Moments that are looked at without a loop.
const BLOCK: usize = 8;

impl Agenda {
    /// An agenda of so many sources, none of which has anything to do.
    pub fn new(sources: usize) -> Agenda {
        Agenda { blocks: vec![[SimTime::NEVER; BLOCK]; sources.div_ceil(BLOCK).max(1)] }
    }

    /// Notes when a source next has something to do.
    #[inline]
    pub fn set(&mut self, source: Source, at: SimTime) {
        self.blocks[source / BLOCK][source % BLOCK] = at;
    }

    /// The source that comes next, and when; [`SimTime::NEVER`] if none has anything to do.
    #[inline]
    pub fn first(&self) -> (Source, SimTime) {
        let (mut first, mut earliest) = (0, SimTime::NEVER);
        for (number, block) in self.blocks.iter().enumerate() {
            for (place, &at) in block.iter().enumerate() {
                if at < earliest {
                    (first, earliest) = (number * BLOCK + place, at);
                }
            }
        }
        (first, earliest)
    }

    /// The earliest moment of the first `count` sources.
    pub fn earliest_of(&self, count: usize) -> SimTime {
        let moments = self.blocks.as_flattened().iter().take(count);
        moments.fold(SimTime::NEVER, |first, &next| if next < first { next } else { first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::units::Die;

    #[test]
    fn the_earliest_comes_first_and_ties_go_to_the_lower_number() {
        let mut die = Die::new(1, "moments", "test");
        for sources in [1, 2, 3, 8, 13] {
            let mut agenda = Agenda::new(sources);
            let mut moments = vec![SimTime::NEVER; sources];
            for _ in 0..10_000 {
                let source = (die.throw() % sources as u64) as usize;
                let at = SimTime(die.throw() % 20);
                agenda.set(source, at);
                moments[source] = at;
                let first = (0..sources).min_by_key(|&s| (moments[s], s)).expect("a source");
                assert_eq!(agenda.first(), (first, moments[first]));
            }
        }
    }
}
