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
    /// Moment and number of each source in one word, so that the first is simply the smallest;
    /// filled up to whole blocks with sources that never have anything to do.
    entries: Vec<u64>,
}

/// A machine's number on the agenda, below [`SOURCES`].
pub type Source = usize;

/// The most sources: 16 servers, a hundred links with two directions each, and the clients, fit.
pub const SOURCES: usize = 1 << BITS;
const BITS: u32 = 8;
/// Moments from here on are never reached: 2^56 ns are 834 days.
const HORIZON: SimTime = SimTime(u64::MAX >> BITS);

/// Moments that are looked at without a loop.
const BLOCK: usize = 8;

impl Agenda {
    /// An agenda of so many sources, none of which has anything to do.
    pub fn new(sources: usize) -> Agenda {
        assert!(sources <= SOURCES, "{sources} sources");
        Agenda { entries: vec![u64::MAX; sources.next_multiple_of(BLOCK).max(BLOCK)] }
    }

    /// Notes when a source next has something to do.
    #[inline]
    pub fn set(&mut self, source: Source, at: SimTime) {
        self.entries[source] = at.0.min(HORIZON.0) << BITS | source as u64;
    }

    /// The source that comes next, and when; [`SimTime::NEVER`] if none has anything to do.
    #[inline]
    pub fn first(&self) -> (Source, SimTime) {
        let mut first = u64::MAX;
        for block in self.entries.as_chunks::<BLOCK>().0 {
            first = block.iter().fold(first, |first, &entry| first.min(entry));
        }
        (first as usize % SOURCES, moment(first))
    }

    /// The earliest moment of the first `count` sources.
    pub fn earliest_of(&self, count: usize) -> SimTime {
        let entries = self.entries.iter().take(count);
        moment(entries.fold(u64::MAX, |first, &entry| first.min(entry)))
    }
}

/// The moment of an entry.
#[inline]
fn moment(entry: u64) -> SimTime {
    let at = SimTime(entry >> BITS);
    if at == HORIZON { SimTime::NEVER } else { at }
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
                if moments[first] != SimTime::NEVER {
                    assert_eq!(agenda.first(), (first, moments[first]));
                }
            }
        }
    }
}
