//! The digest of a run: 64 bits that every event of the data plane goes into.
//!
//! Two runs with the same digest at the same moment have had the same events in the same order.
//! What befalls the world from outside goes in with all its parts, whether or not anything comes
//! of it. What a stream brings may be taken note of early or late ([`models::network`], quiet
//! messages): each way of each stream has a chain of its own.
//!
//! It is noted at [`MOMENTS`] moments as well, so that a replay can say where it first differs.
//! Not a cryptographic hash: it guards against accidents, not against somebody's intent.

use std::fmt::{self, Write};

use models::trace::MOMENTS;
use models::units::{Duration, SimTime, mix};

/// The digest so far.
#[derive(Clone, Debug)]
pub struct Digest {
    value: u64,
    /// Of each server, the two ways of its stream.
    streams: Vec<[Chain; 2]>,
    moments: Vec<u64>,
    step: Duration,
    next: SimTime,
}

/// Several numbers in order, to be taken in as one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chain(u64);

/// The ways of a stream.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// WAL for a standby.
    Down,
    /// Its status updates.
    Up,
}

/// Odd, with bits well spread (PCG's multiplier).
const FACTOR: u64 = 6_364_136_223_846_793_005;

impl Chain {
    /// One more.
    #[inline]
    pub fn take(&mut self, x: u64) {
        self.0 = self.0.wrapping_mul(FACTOR).wrapping_add(x);
    }

    /// All of them.
    pub fn value(self) -> u64 {
        self.0
    }
}

impl Write for Chain {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.take(u64::from(byte)));
        Ok(())
    }
}

impl Digest {
    /// The digest of nothing, for a run of `duration` with so many servers.
    pub fn new(duration: Duration, servers: usize) -> Digest {
        let step = Duration((duration.0 / MOMENTS as u64).max(1));
        Digest {
            value: 0x7761_6c64_656e,
            streams: vec![[Chain::default(); 2]; servers],
            moments: Vec::new(),
            step,
            next: SimTime::ZERO + step,
        }
    }

    /// Takes a number in.
    #[inline]
    pub fn fold(&mut self, x: u64) {
        let mixed = (self.value ^ x).wrapping_mul(FACTOR);
        self.value = mixed ^ (mixed >> 32);
    }

    /// Takes in all that something says of itself: its kind and its parts.
    pub fn fold_parts(&mut self, thing: &impl fmt::Debug) {
        let mut parts = Chain::default();
        write!(parts, "{thing:?}").expect("a chain takes every text");
        self.fold(parts.value());
    }

    /// The chain of one way of a standby's stream.
    #[inline]
    pub fn chain(&mut self, standby: usize, way: Way) -> &mut Chain {
        &mut self.streams[standby][way as usize]
    }

    /// The digest so far.
    pub fn value(&self) -> u64 {
        let chains = self.streams.as_flattened().iter();
        chains.fold(self.value, |value, chain| mix(value ^ chain.value()))
    }

    /// The digests at the moments that have passed.
    pub fn moments(&self) -> &[u64] {
        &self.moments
    }

    /// When the next moment is to be noted.
    pub fn next_moment(&self) -> SimTime {
        self.next
    }

    /// Everything up to the next moment is in.
    pub fn note_moment(&mut self) {
        self.moments.push(self.value());
        self.next += self.step;
        if self.moments.len() + 1 >= MOMENTS {
            self.next = SimTime::NEVER;
        }
    }

    /// The digests at all moments, the last one at the end.
    pub fn finish(mut self) -> (u64, Vec<u64>) {
        let value = self.value();
        self.moments.resize(MOMENTS, value);
        (value, self.moments)
    }
}
