//! What happens next: the only order and the only clock of the data plane.
//!
//! Every machine is a *source* with one next moment. The next event is that of the source whose
//! moment is the earliest; at one moment the source with the lower number comes first. A winner
//! tree over a fixed set of sources needs no sequence numbers and leaves nothing to luck. Moment
//! and number share one word, so that the earliest is simply the smallest.

use models::units::SimTime;

/// The next moment of every source, as a winner tree.
///
/// Invariant: each node above the leaves is the smaller of its two children.
#[derive(Clone, Debug)]
pub struct Agenda {
    /// Node 1 is the root, the children of n are 2n and 2n + 1, and source s is leaf `leaves` + s.
    tree: Vec<u64>,
    leaves: usize,
}

/// A machine's number on the agenda, below [`SOURCES`].
pub type Source = usize;

/// The most sources: 16 servers, a hundred links with two directions each, and the clients, fit.
pub const SOURCES: usize = 1 << BITS;
const BITS: u32 = 8;
/// Moments from here on are never reached: 2^56 ns are 834 days.
pub const HORIZON: SimTime = SimTime(u64::MAX >> BITS);

impl Agenda {
    /// An agenda of so many sources, none of which has anything to do.
    pub fn new(sources: usize) -> Agenda {
        assert!(sources <= SOURCES, "{sources} sources");
        let leaves = sources.next_power_of_two().max(2);
        Agenda { tree: vec![u64::MAX; 2 * leaves], leaves }
    }

    /// Notes when a source next has something to do.
    #[inline]
    pub fn set(&mut self, source: Source, at: SimTime) {
        let tree = self.tree.as_mut_slice();
        let mut node = self.leaves + source;
        let mut winner = at.0.min(HORIZON.0) << BITS | source as u64;
        while node < tree.len() && tree[node] != winner {
            tree[node] = winner;
            winner = winner.min(tree[node ^ 1]);
            node >>= 1;
            if node == 0 {
                break;
            }
        }
    }

    /// The source that comes next, and when; [`HORIZON`] if none has anything to do.
    #[inline]
    pub fn first(&self) -> (Source, SimTime) {
        let first = self.tree[1];
        ((first & (SOURCES as u64 - 1)) as usize, SimTime(first >> BITS))
    }

    /// The earliest moment of the first `count` sources.
    pub fn earliest_of(&self, count: usize) -> SimTime {
        let leaves = &self.tree[self.leaves..self.leaves + count];
        let first = leaves.iter().fold(u64::MAX, |first, &next| first.min(next));
        SimTime(first >> BITS)
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
            let mut moments = vec![HORIZON; sources];
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
