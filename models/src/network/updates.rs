//! Status updates under way while most of them wake nobody.
//!
//! A *loud* update wakes its receiver when it arrives; a quiet one is read together with the next
//! that is loud, or when somebody looks. All of them stand in one line, in order of arrival.

use crate::postgres::protocol::Update;
use crate::units::SimTime;

/// An update under way.
#[derive(Clone, Copy, Debug)]
pub struct Coming {
    /// When it arrives.
    pub arrives: SimTime,
    /// What it says.
    pub update: Update,
    /// Whether it wakes its receiver.
    pub loud: bool,
}

/// The updates of one flow.
#[derive(Clone, Debug)]
pub(super) struct Updates {
    /// Those under way or not yet read, behind some that were read.
    line: Vec<Coming>,
    /// How many of them were read.
    read: usize,
    /// When the first loud one arrives.
    next_loud: SimTime,
}

impl Updates {
    pub fn new() -> Updates {
        Updates { line: Vec::new(), read: 0, next_loud: SimTime::NEVER }
    }

    pub fn next_loud(&self) -> SimTime {
        self.next_loud
    }

    /// One more, which arrives after all others.
    #[inline]
    pub fn push(&mut self, arrives: SimTime, update: Update, loud: bool) {
        if loud {
            self.next_loud = self.next_loud.min(arrives);
        }
        self.line.push(Coming { arrives, update, loud });
    }

    /// Those that have arrived by `now` and were not read.
    #[inline]
    pub fn arrived(&self, now: SimTime) -> &[Coming] {
        let unread = &self.line[self.read..];
        let under_way = unread.iter().rev().take_while(|coming| coming.arrives > now).count();
        &unread[..unread.len() - under_way]
    }

    /// The first `count` unread ones are read.
    #[inline]
    pub fn forget(&mut self, count: usize) {
        self.read += count;
        if self.read * 2 >= self.line.len() {
            self.line.drain(..self.read);
            self.read = 0;
        }
        self.find_next_loud(SimTime::ZERO);
    }

    /// Those that have arrived by `now` need not be loud.
    #[inline]
    pub fn hush(&mut self, now: SimTime) {
        self.find_next_loud(SimTime(now.0 + 1));
    }

    #[inline]
    fn find_next_loud(&mut self, from: SimTime) {
        let mut unread = self.line[self.read..].iter();
        let loud = unread.find(|coming| coming.loud && coming.arrives >= from);
        self.next_loud = loud.map_or(SimTime::NEVER, |coming| coming.arrives);
    }

    /// Takes all that are not read.
    pub fn take_all(&mut self) -> Vec<Coming> {
        let unread = self.line.split_off(self.read);
        *self = Updates::new();
        unread
    }
}
