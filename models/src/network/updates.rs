//! Status updates under way while most of them wake nobody.
//!
//! A *loud* update wakes its receiver when it arrives; what it says is looked at then. All the
//! rest that updates tell is taken note of later, for many at once or when somebody looks. They
//! stand in one line, in order of arrival.

use crate::postgres::protocol::Update;
use crate::units::SimTime;

/// An update under way, or arrived and not noted.
#[derive(Clone, Copy, Debug)]
pub struct Coming {
    /// When it arrives.
    pub arrives: SimTime,
    /// What it says.
    pub update: Update,
    loud: bool,
}

/// The updates of one flow.
#[derive(Clone, Debug)]
pub(super) struct Updates {
    line: Vec<Coming>,
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

    /// One more, which arrives after all others.
    #[inline]
    pub fn push(&mut self, arrives: SimTime, update: &Update, loud: bool) {
        if loud && self.next_loud == SimTime::NEVER {
            (self.loud, self.next_loud) = (self.line.len(), arrives);
        }
        self.line.push(Coming { arrives, update: *update, loud });
    }

    /// The first loud one.
    #[inline]
    pub fn first_loud(&self) -> Option<&Update> {
        let coming = self.line.get(self.loud).filter(|_| self.next_loud != SimTime::NEVER)?;
        Some(&coming.update)
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
    pub fn arrived(&self, now: SimTime) -> &[Coming] {
        let heard = if self.next_loud == SimTime::NEVER { self.line.len() } else { self.loud };
        let line = &self.line[..heard];
        let under_way = line.iter().rev().take_while(|coming| coming.arrives > now).count();
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
        if let Some(index) = rest.iter().position(|coming| coming.loud) {
            (self.loud, self.next_loud) = (from + index, rest[index].arrives);
        }
    }

    /// Takes all that have not been noted.
    pub fn take_all(&mut self) -> Vec<Coming> {
        std::mem::replace(self, Updates::new()).line
    }
}
