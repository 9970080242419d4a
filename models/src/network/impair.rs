//! What makes a link worse for a while: more delay, less bandwidth, lost packets.
//!
//! Delay and loss belong to a pair of servers, bandwidth to the link with all that use it. What is
//! under way keeps its delay; what still waits for bandwidth leaves at the new one.

use crate::latency::Quantiles;
use crate::postgres::protocol::{Message, STATUS_UPDATE};
use crate::units::{Die, Duration, Rate, SimTime};

use super::delay::Delay;
use super::loss::Loss;
use super::{Flow, Link, more};

/// What impairs one direction between two servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impairment {
    /// Delays on top of the link's own, which add up.
    pub added: Vec<AddedDelay>,
    /// Segments lost on top of those that the link loses anyway.
    pub loss: Loss,
    /// The bandwidth that is left of the link's, if it is less.
    pub bandwidth: Option<Rate>,
}

/// A delay on top of the link's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedDelay {
    /// One way, in nanoseconds.
    pub delay: Quantiles,
    /// Thrown once a window of delay.
    pub die: Die,
}

impl Link {
    /// One of its flows is impaired like this from now on.
    pub fn impair(&mut self, now: SimTime, flow: usize, impairment: &Impairment) {
        let pair = &mut self.flows[flow];
        pair.added = delays(&impairment.added);
        pair.loss = self.config.loss.and(impairment.loss);
        let own = self.config.bandwidth;
        self.set_bandwidth(now, impairment.bandwidth.map_or(own, |rate| rate.min(own)));
    }

    /// What its receivers send back is delayed like this on top: their acknowledgements.
    pub fn impair_answers(&mut self, flow: usize, impairment: &Impairment) {
        self.acknowledge(SimTime::ZERO, flow);
        self.flows[flow].answers = delays(&impairment.added);
    }

    /// Whether it loses packets of any flow.
    pub fn loses(&self) -> bool {
        self.flows.iter().any(|flow| flow.loss > Loss::NONE)
    }

    /// What has not left yet leaves at another rate.
    fn set_bandwidth(&mut self, now: SimTime, rate: Rate) {
        let before = std::mem::replace(&mut self.wire.bandwidth, rate);
        if before == rate {
            return;
        }
        self.wire.update_time = rate.time_for(STATUS_UPDATE);
        let waiting = self.waiting(now, before);
        let leaves = |at: SimTime| {
            let waits = u128::from(at.since(now).0) * u128::from(before.bytes_per_second());
            let waits = waits / u128::from(rate.bytes_per_second());
            now + Duration(u64::try_from(waits).unwrap_or(u64::MAX))
        };
        if self.wire.free_at > now {
            self.wire.free_at = leaves(self.wire.free_at);
        }
        for (flow, place, left) in waiting {
            let parcel = &mut self.flows[flow].under_way[place];
            parcel.arrives = leaves(left) + parcel.arrives.since(left);
        }
        self.flows.iter_mut().for_each(Flow::settle_order);
        self.schedule();
    }
}

impl Link {
    /// What has not left by `now`, and when it would have: the newest of all is the last to leave,
    /// the others right before it, each as long as it takes at this rate.
    fn waiting(&self, now: SimTime, rate: Rate) -> Vec<(usize, usize, SimTime)> {
        let all = self.flows.iter().enumerate().flat_map(|(flow, pair)| {
            let parcels = pair.under_way.iter().enumerate();
            parcels.map(move |(place, parcel)| (parcel.sent, flow, place, parcel.message.size()))
        });
        let mut newest_first: Vec<_> = all.collect();
        newest_first.sort_by_key(|&(sent, flow, place, _)| (sent, flow, place));
        let (mut left, mut waiting) = (self.wire.free_at, Vec::new());
        for (_, flow, place, size) in newest_first.into_iter().rev() {
            if left <= now {
                break;
            }
            waiting.push((flow, place, left));
            left = SimTime(left.0.saturating_sub(rate.time_for(size).0));
        }
        waiting
    }
}

impl Flow {
    /// When a message arrives that leaves at `leaves`, on a way that delays or loses more.
    #[cold]
    pub(super) fn arrives_impaired(
        &mut self,
        now: SimTime,
        leaves: SimTime,
        delay: Duration,
        message: &Message,
    ) -> SimTime {
        let delay = delay + more(&mut self.added, now);
        match self.loss > Loss::NONE && !self.blocked() {
            true => self.lose(leaves + delay, message.size(), message.connection, delay + delay),
            false => leaves + delay,
        }
    }
}

fn delays(added: &[AddedDelay]) -> Vec<Delay> {
    added.iter().map(|one| Delay::one_way(&one.delay, one.die)).collect()
}
