//! What happens next: the only order and the only clock of the data plane.
//!
//! Every machine is a *source* with one next moment. The next event is that of the source whose
//! moment is the earliest; at one moment the source with the lower number comes first. There are
//! few sources (a handful of servers, links and workloads), so a scan of one small array beats a
//! heap, needs no sequence numbers and leaves nothing to luck.

use models::units::SimTime;

/// The next moment of every source.
#[derive(Clone, Debug)]
pub struct Agenda {
    next: Vec<SimTime>,
}

/// A machine's number on the agenda.
pub type Source = usize;

impl Agenda {
    /// An agenda of so many sources, none of which has anything to do.
    pub fn new(sources: usize) -> Agenda {
        Agenda { next: vec![SimTime::NEVER; sources] }
    }

    /// Notes when a source next has something to do.
    #[inline]
    pub fn set(&mut self, source: Source, at: SimTime) {
        self.next[source] = at;
    }

    /// The source that comes next, and when.
    #[inline]
    pub fn first(&self) -> (Source, SimTime) {
        let (mut first, mut earliest) = (0, SimTime::NEVER);
        for (source, &at) in self.next.iter().enumerate() {
            if at < earliest {
                (first, earliest) = (source, at);
            }
        }
        (first, earliest)
    }

    /// The earliest moment of the first `count` sources.
    pub fn earliest_of(&self, count: usize) -> SimTime {
        self.next[..count].iter().copied().min().unwrap_or(SimTime::NEVER)
    }
}
