//! Status updates under way while most of them wake nobody.
//!
//! A *loud* update wakes its receiver when it arrives; what it says is looked at then. All the
//! rest that updates tell is taken note of later, for many at once or when somebody looks. They
//! stand in one line, in order of arrival.

use super::{Link, Parcel, more};
use crate::postgres::protocol::Update;
use crate::units::SimTime;

/// The updates of one flow.
#[derive(Clone, Debug)]
pub(super) struct Updates {
    line: Vec<Update>,
    /// Index of the first loud one that has not been looked at, if there is one.
    loud: usize,
    /// When it arrives; [`SimTime::NEVER`] if there is none.
    next_loud: SimTime,
}

impl Updates {
    pub fn new() -> Updates {
        Updates { line: Vec::new(), loud: 0, next_loud: SimTime::NEVER }
    }

    #[inline]
    pub fn next_loud(&self) -> SimTime {
        self.next_loud
    }

    /// Takes over some more, which arrive after all others.
    #[inline]
    pub fn append(&mut self, more: &mut Vec<Update>) {
        let first = self.line.len();
        self.line.append(more);
        if self.next_loud == SimTime::NEVER {
            self.find_loud(first);
        }
    }

    /// The first loud one.
    #[inline]
    pub fn first_loud(&self) -> Option<&Update> {
        self.line.get(self.loud).filter(|_| self.next_loud != SimTime::NEVER)
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Update> {
        self.line.iter()
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.line.len()
    }

    /// It has been looked at.
    #[inline]
    pub fn pass(&mut self) {
        self.find_loud(self.loud + 1);
    }

    /// Those that have arrived by `now` and were not noted, up to the first loud one that nobody
    /// has looked at.
    pub fn arrived(&self, now: SimTime) -> &[Update] {
        let heard = if self.next_loud == SimTime::NEVER { self.line.len() } else { self.loud };
        let line = &self.line[..heard];
        let under_way = line.iter().rev().take_while(|update| update.arrives > now).count();
        &line[..line.len() - under_way]
    }

    /// The first `count` ones are noted.
    pub fn forget(&mut self, count: usize) {
        self.line.drain(..count);
        if self.next_loud != SimTime::NEVER {
            self.find_loud(self.loud.saturating_sub(count));
        }
    }

    #[inline]
    fn find_loud(&mut self, from: usize) {
        self.next_loud = SimTime::NEVER;
        let rest = &self.line[from..];
        if let Some(index) = rest.iter().position(|update| update.loud) {
            (self.loud, self.next_loud) = (from + index, rest[index].arrives);
        }
    }

    /// Takes all that have not been noted.
    pub fn take_all(&mut self) -> Vec<Update> {
        std::mem::replace(self, Updates::new()).line
    }
}

impl Link {
    /// Takes over status updates of one connection. They wake their receiver only if they are
    /// `loud`.
    #[inline]
    pub fn send_updates(
        &mut self,
        flow: usize,
        updates: &mut Vec<Update>,
        mut loud: impl FnMut(&Update) -> bool,
    ) {
        if self.flows[flow].blocked() {
            return self.send_all(flow, updates, loud);
        }
        let Some(&Update { connection, .. }) = updates.first() else { return };
        let flow = &mut self.flows[flow];
        let mut free_at = self.wire.free_at.0;
        let SimTime(mut earliest) = flow.earliest(connection);
        let (fixed, takes) = (self.wire.delay.fixed(), self.wire.update_time);
        let fixed = fixed.filter(|_| flow.added.is_empty());
        for update in updates.iter_mut() {
            free_at = update.at.0.max(free_at) + takes.0;
            let delay = fixed.unwrap_or_else(|| {
                self.wire.delay.at(update.at) + more(&mut flow.added, update.at)
            });
            let arrives = (free_at + delay.0).max(earliest);
            (update.arrives, update.loud) = (SimTime(arrives), loud(update));
            earliest = arrives + 1;
        }
        flow.last = (connection, SimTime(earliest - 1));
        self.wire.free_at = SimTime(free_at);
        flow.updates.append(updates);
    }

    /// The same when all of them wake it, as any message does. What is quiet goes before them.
    pub fn send_all(
        &mut self,
        flow: usize,
        updates: &mut Vec<Update>,
        mut see: impl FnMut(&Update) -> bool,
    ) {
        self.wake_for_quiet(flow);
        for update in updates.drain(..) {
            see(&update);
            self.send(update.at, flow, &update.message());
        }
    }

    /// When the next loud update arrives at the one pair of servers that uses the link.
    #[inline]
    pub fn next_update(&self) -> SimTime {
        match self.flows.as_slice() {
            [flow] => flow.updates.next_loud(),
            _ => SimTime::NEVER,
        }
    }

    /// The updates that have arrived by `now` and were not noted.
    pub fn arrived_updates(&self, now: SimTime, flow: usize) -> &[Update] {
        self.flows[flow].updates.arrived(now)
    }

    /// The first `count` of them are noted.
    pub fn forget_updates(&mut self, flow: usize, count: usize) {
        self.flows[flow].updates.forget(count);
    }

    /// How many updates there were not noted, whether or not they have arrived.
    #[inline]
    pub fn unnoted(&self, flow: usize) -> usize {
        self.flows[flow].updates.len()
    }

    /// The next loud update there.
    #[inline]
    pub fn loud_update(&self) -> Option<&Update> {
        match self.flows.as_slice() {
            [flow] => flow.updates.first_loud(),
            _ => None,
        }
    }

    /// That update has been looked at.
    #[inline]
    pub fn pass_update(&mut self) {
        if let [flow] = self.flows.as_mut_slice() {
            flow.updates.pass();
        }
    }

    /// All updates under way shall wake their receivers after all.
    pub fn wake_for_updates(&mut self) {
        (0..self.flows.len()).for_each(|flow| self.wake_for_quiet(flow));
    }

    /// What is quiet and under way shall wake its receiver after all.
    pub(super) fn wake_for_quiet(&mut self, flow: usize) {
        let updates = self.flows[flow].updates.take_all();
        if !updates.is_empty() {
            self.flows[flow].is_under_way(updates.into_iter().map(Parcel::from));
            self.schedule();
        }
    }
}
