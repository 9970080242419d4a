//! What makes a link worse for a while: more delay, less bandwidth, lost packets.
//!
//! Delay and loss belong to a pair of servers, bandwidth to the link with all that use it. What is
//! under way keeps its delay; what still waits for bandwidth leaves at the new one.

use crate::latency::Quantiles;
use crate::postgres::protocol::STATUS_UPDATE;
use crate::units::{Die, Duration, Rate, SimTime};

use super::Link;
use super::delay::Delay;
use super::loss::Loss;

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
        self.flows[flow].answers = delays(&impairment.added);
    }

    /// Whether it loses packets of any flow.
    pub fn loses(&self) -> bool {
        self.flows.iter().any(|flow| flow.loss > Loss::NONE)
    }

    /// What has not left yet leaves at another rate.
    fn set_bandwidth(&mut self, now: SimTime, rate: Rate) {
        let before = std::mem::replace(&mut self.bandwidth, rate);
        if before == rate {
            return;
        }
        self.update_time = rate.time_for(STATUS_UPDATE);
        let leaves = |at: SimTime| {
            let waits = u128::from(at.since(now).0) * u128::from(before.bytes_per_second());
            let waits = waits / u128::from(rate.bytes_per_second());
            now + Duration(u64::try_from(waits).unwrap_or(u64::MAX))
        };
        if self.free_at > now {
            self.free_at = leaves(self.free_at);
        }
        for flow in &mut self.flows {
            for parcel in flow.under_way.iter_mut().filter(|parcel| parcel.leaves > now) {
                let left = leaves(parcel.leaves);
                let travels = parcel.arrives.since(parcel.leaves);
                (parcel.leaves, parcel.arrives) = (left, left + travels);
            }
            flow.settle_order();
        }
        self.schedule();
    }
}

fn delays(added: &[AddedDelay]) -> Vec<Delay> {
    added.iter().map(|one| Delay::one_way(&one.delay, one.die)).collect()
}
