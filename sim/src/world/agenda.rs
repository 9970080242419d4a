//! What happens next: the only order and the only clock of the data plane.
//!
//! Every machine is a *source* with one next moment. The next event is that of the source whose
//! moment is the earliest; at one moment the source with the lower number comes first. There are
//! few sources (a handful of servers, links and workloads), so a scan of one small array beats a
//! heap, needs no sequence numbers and leaves nothing to luck. Moment and number share one word,
//! so that the earliest is simply the smallest.

use models::units::SimTime;

/// The next moment of every source.
#[derive(Clone, Debug)]
pub struct Agenda {
    next: Vec<u64>,
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
        let mut agenda = Agenda { next: vec![0; sources] };
        (0..sources).for_each(|source| agenda.set(source, SimTime::NEVER));
        agenda
    }

    /// Notes when a source next has something to do.
    #[inline]
    pub fn set(&mut self, source: Source, at: SimTime) {
        self.next[source] = at.0.min(HORIZON.0) << BITS | source as u64;
    }

    /// The source that comes next, and when; [`HORIZON`] if none has anything to do.
    #[inline]
    pub fn first(&self) -> (Source, SimTime) {
        let first = self.next.iter().fold(u64::MAX, |first, &next| first.min(next));
        ((first & (SOURCES as u64 - 1)) as usize, SimTime(first >> BITS))
    }

    /// The earliest moment of the first `count` sources.
    pub fn earliest_of(&self, count: usize) -> SimTime {
        let first = self.next[..count].iter().fold(u64::MAX, |first, &next| first.min(next));
        SimTime(first >> BITS)
    }
}
