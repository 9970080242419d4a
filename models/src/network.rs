//! One directed link: delay, bandwidth, order, back-pressure, and being cut.
//!
//! Messages leave one after the other at the link's bandwidth and then travel for its delay, and
//! those of one connection never overtake each other. A link may be shared: each pair of servers
//! that uses it has a *flow* of its own, but all flows queue for the same bandwidth. A flow also
//! knows how many bytes the sender has under way that the receiver has not taken from its socket
//! buffer: at most a *window* of them, so that throughput is at most window / RTT, and a receiver
//! that does not read blocks the sender.
//!
//! A *hold* keeps everything and lets it pass at once afterwards. A *cut* loses what is under
//! way, which TCP repairs: after healing the flow resumes at the next retransmission, which come
//! 200 ms after the first loss and then at doubling distances up to 120 s.
//!
//! A status update that only moves write or replay, while nobody waits for those, is *quiet*: it
//! wakes nobody when it arrives, and is read together with whatever comes next on its flow, or
//! when somebody looks ([`Link::arrived_updates`]), with the moment at which it arrived. That is
//! not a rule of its own: nobody can tell the difference.
//!
//! Delay is one draw for each window of 100 ms, linear in between. Packets may be lost (`loss.rs`),
//! and all of it may get worse for a while (`impair.rs`).
//!
//! **Source.** product.md, "Delay on a link"; RFC 6298 for retransmission; Linux's
//! `TCP_RTO_MIN` and `TCP_RTO_MAX`.
//!
//! **Not modelled.** Congestion control and slow start: after an
//! idle time the whole window may leave at once, where a real connection over a long link needs a
//! few round trips to open it again. TCP giving up after about 15 minutes without an answer.

mod delay;
mod impair;
mod loss;
mod order;
mod updates;

use std::collections::VecDeque;

use crate::latency::Quantiles;
use crate::postgres::ConnectionId;
use crate::postgres::effect::{Read, Sent};
use crate::postgres::protocol::{
    Body, MAX_SEND_SIZE, MAX_TRANSFER, Message, STATUS_UPDATE, Update, XLOG_DATA_HEADER,
};
use crate::trace::fact::ServerId;
use crate::units::{Bytes, Die, Duration, Rate, SimTime};

use delay::Delay;
use loss::{Luck, Tail};
use updates::Updates;

pub use impair::{AddedDelay, Impairment};
pub use loss::Loss;
pub use order::longest_silence;

/// What a directed link is made of.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// Round trip time in nanoseconds; half of a draw is this direction's delay.
    pub rtt: Quantiles,
    /// Bytes a second.
    pub bandwidth: Rate,
    /// Unread bytes a flow may have under way.
    pub window: Bytes,
    /// Segments that are lost.
    pub loss: Loss,
}

/// One direction of a link.
#[derive(Clone, Debug)]
pub struct Link {
    config: LinkConfig,
    wire: Wire,
    /// Of the luck of its flows.
    die: Die,
    flows: Vec<Flow>,
    /// When the next message or room for a sender comes.
    next: SimTime,
}

/// What all flows queue for.
#[derive(Clone, Debug)]
struct Wire {
    delay: Delay,
    /// What is left of the bandwidth.
    bandwidth: Rate,
    /// What a status update takes of it.
    update_time: Duration,
    /// When the last byte handed in so far has left.
    free_at: SimTime,
}

/// What one pair of servers has under way in this direction.
#[derive(Clone, Debug)]
struct Flow {
    from: ServerId,
    to: ServerId,
    /// In order of arrival; what one connection sends keeps its order.
    under_way: VecDeque<Parcel>,
    /// Status updates while most of them are quiet; each arrives before all of `under_way` that
    /// its connection sent after it.
    updates: Updates,
    /// When the last message handed in arrives, and its connection.
    last: (ConnectionId, SimTime),
    /// The newest stream: an older one, whose receiver is gone, fills no socket buffer any more.
    stream: Option<ConnectionId>,
    /// XLogData bytes not yet taken by the receiver, as far as the sender may know.
    unread: u64,
    /// Bytes taken, and when the sender learns of it; in order of time.
    taken: VecDeque<(SimTime, u64)>,
    /// What was taken after that, and nobody has asked when the sender learns of it.
    read: Vec<Read>,
    /// The sender waits for room for so many bytes.
    wants: Option<u64>,
    held: u32,
    cut: u32,
    /// Delays on top of the link's own, and on top of its receiver's answers.
    added: Vec<Delay>,
    answers: Vec<Delay>,
    loss: Loss,
    luck: Luck,
    /// The end of the newest message was lost, and nobody has told yet.
    tail: Option<Tail>,
}

/// A message under way, or in its receiver's socket.
#[derive(Clone, Copy, Debug)]
pub struct Parcel {
    /// When it was handed in.
    pub sent: SimTime,
    /// When it arrives.
    pub arrives: SimTime,
    /// The message.
    pub message: Message,
}

/// What comes out of a link at its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// A message has arrived.
    Message {
        /// The sender.
        from: ServerId,
        /// The receiver.
        to: ServerId,
        /// When it was handed in.
        sent: SimTime,
        /// The message.
        message: Message,
    },
    /// A sender that waited has room again.
    Room {
        /// The sender.
        from: ServerId,
        /// The receiver.
        to: ServerId,
        /// Bytes it may hand in.
        bytes: Bytes,
    },
}

/// Assumption: a transfer that stands for several messages takes so long on a link at most; all of
/// them arrive with the last.
const AT_ONCE: Duration = Duration::ms(10);
/// `TCP_RTO_MIN`: the first retransmission.
const FIRST_RETRANSMISSION: Duration = Duration::ms(200);
/// `TCP_RTO_MAX`: the longest distance between two.
const LAST_RETRANSMISSION: Duration = Duration::s(120);

impl Link {
    /// A link with nothing under way. `die` is thrown once a window of delay; each flow has a
    /// branch of it for the packets that it loses.
    pub fn new(config: LinkConfig, die: Die) -> Link {
        Link {
            wire: Wire {
                delay: Delay::new(&config.rtt, die),
                bandwidth: config.bandwidth,
                update_time: config.bandwidth.time_for(STATUS_UPDATE),
                free_at: SimTime::ZERO,
            },
            die,
            config,
            flows: Vec::new(),
            next: SimTime::NEVER,
        }
    }

    /// Adds the flow of a pair of servers; returns its index.
    pub fn add_flow(&mut self, from: ServerId, to: ServerId) -> usize {
        let mut die = self.die;
        die.branch(256 * (1 + u64::from(from.0)) + u64::from(to.0));
        self.flows.push(Flow {
            from,
            to,
            under_way: VecDeque::new(),
            updates: Updates::new(),
            last: (ConnectionId::default(), SimTime::ZERO),
            stream: None,
            unread: 0,
            taken: VecDeque::new(),
            read: Vec::new(),
            wants: None,
            held: 0,
            cut: 0,
            added: Vec::new(),
            answers: Vec::new(),
            loss: self.config.loss,
            luck: Luck::new(die),
            tail: None,
        });
        self.flows.len() - 1
    }

    /// Whether nothing passes there: held or cut.
    pub fn is_blocked(&self, flow: usize) -> bool {
        self.flows[flow].blocked()
    }

    /// Whether what is under way there is lost.
    pub fn is_cut(&self, flow: usize) -> bool {
        self.flows[flow].cut > 0
    }

    /// What is under way there, for who only looks.
    pub fn under_way(&self, flow: usize) -> impl Iterator<Item = Parcel> + '_ {
        let Flow { under_way, updates, .. } = &self.flows[flow];
        under_way.iter().copied().chain(updates.iter().copied().map(Parcel::from))
    }

    /// The one server that sends on it, if there is only one.
    pub fn sender(&self) -> ServerId {
        self.flows[0].from
    }

    /// When [`Link::deliver`] wants to be called.
    #[inline]
    pub fn next_deadline(&self) -> SimTime {
        self.next.min(self.next_update())
    }

    /// The same but for loud updates.
    #[inline]
    pub fn next_message(&self) -> SimTime {
        self.next
    }

    /// Hands a message in. A connection attempt into a cut link is lost: the caller's kernel
    /// tries again by itself.
    #[inline]
    pub fn send(&mut self, now: SimTime, flow: usize, message: &Message) {
        let flow = &mut self.flows[flow];
        let size = message.size();
        let arrives = flow.take(now, self.wire.leave(now, size), message, size);
        if matches!(message.body, Body::Connect) && flow.cut > 0 {
            return;
        }
        flow.last = (message.connection, arrives);
        let first = flow.queue(Parcel { sent: now, arrives, message: *message });
        if first < self.next && !flow.blocked() {
            self.next = first;
        }
    }

    /// Hands in WAL for a receiver that is given it at once, to keep it by the moments at which it
    /// arrives; `None` if the way is blocked.
    #[inline(always)]
    pub fn hand_over(&mut self, flow: usize, wal: &[Sent]) -> Option<impl Iterator<Item = Parcel>> {
        let (wire, flow) = (&mut self.wire, &mut self.flows[flow]);
        if flow.blocked() {
            return None;
        }
        Some(wal.iter().map(|&Sent { at, message, .. }| {
            let size = message.size();
            let arrives = flow.take(at, wire.leave(at, size), &message, size);
            flow.last = (message.connection, arrives);
            Parcel { sent: at, arrives, message }
        }))
    }

    /// When the message arrives that was handed in last.
    pub fn last_arrival(&self, flow: usize) -> SimTime {
        self.flows[flow].last.1
    }

    /// Takes out the WAL of `connection` that is under way, for a receiver that keeps it by the
    /// moment at which it arrives. While the way is blocked nobody knows that moment.
    pub fn take_wal(&mut self, flow: usize, connection: ConnectionId) -> Vec<Parcel> {
        if self.flows[flow].blocked() {
            return Vec::new();
        }
        let is_wal = |parcel: &Parcel| {
            let Message { connection: of, body } = parcel.message;
            of == connection && matches!(body, Body::XLogData { .. })
        };
        let under_way = std::mem::take(&mut self.flows[flow].under_way);
        let (wal, rest): (Vec<_>, Vec<_>) = under_way.into_iter().partition(is_wal);
        self.flows[flow].under_way = rest.into();
        self.schedule();
        wal
    }

    /// What a receiver had taken ahead and has not got yet is under way again.
    pub fn take_back(&mut self, flow: usize, parcels: Vec<Parcel>) {
        if !parcels.is_empty() {
            self.flows[flow].is_under_way(parcels);
            self.schedule();
        }
    }

    /// The receiver has taken XLogData from its socket buffer. True if the sender waits for that.
    #[inline]
    pub fn take(&mut self, flow: usize, reads: &mut Vec<Read>) -> bool {
        let pair = &mut self.flows[flow];
        pair.read.append(reads);
        let waits = pair.wants.is_some();
        if waits {
            self.acknowledge(SimTime::ZERO, flow);
            self.schedule();
        }
        waits
    }

    /// Works out when the sender learns of what was read; what it knows by `now` is over.
    fn acknowledge(&mut self, now: SimTime, flow: usize) {
        let Flow { read, answers, taken, unread, .. } = &mut self.flows[flow];
        let fixed = self.wire.delay.fixed().filter(|_| answers.is_empty());
        for Read { at, bytes } in read.drain(..) {
            let delay = fixed.unwrap_or_else(|| self.wire.delay.at(at) + more(answers, at));
            let known = SimTime(at.0 + delay.0);
            if known <= now && taken.is_empty() {
                *unread = unread.saturating_sub(bytes.0);
            } else {
                taken.push_back((known, bytes.0));
            }
        }
    }

    /// The sender needs room for `bytes`: it is told at once or when there is.
    pub fn ask_for_room(&mut self, now: SimTime, flow: usize, bytes: Bytes) -> Option<Bytes> {
        self.flows[flow].learn(now);
        self.acknowledge(now, flow);
        self.flows[flow].wants = Some(bytes.0);
        let room = self.flows[flow].room(now, (self.config.window, self.wire.bandwidth));
        if room.is_none() {
            self.schedule();
        }
        room
    }

    /// A new connection begins to stream, with empty socket buffers.
    pub fn forget_window(&mut self, flow: usize, connection: ConnectionId) {
        let flow = &mut self.flows[flow];
        flow.stream = Some(connection);
        flow.unread = 0;
        flow.read.clear();
        flow.taken.clear();
        flow.wants = None;
    }

    /// The sender's host died: what it had under way is not sent again.
    pub fn forget(&mut self, flow: usize) {
        self.flows[flow].under_way.clear();
        self.flows[flow].updates = Updates::new();
        self.flows[flow].read.clear();
        self.flows[flow].taken.clear();
        self.schedule();
    }

    /// What is due at `now`, one thing at a time, in order of time and then of flows.
    #[inline]
    pub fn deliver(&mut self, now: SimTime) -> Option<Delivery> {
        let way = (self.config.window, self.wire.bandwidth);
        let delivery = match self.flows.as_mut_slice() {
            [flow] if !flow.blocked() => flow.deliver(now, way),
            flows => {
                let due = flows.iter_mut().find(|flow| flow.next_deadline() <= now);
                due.and_then(|flow| flow.deliver(now, way))
            }
        };
        self.schedule();
        delivery
    }

    /// Nothing passes from now on, and nothing is lost.
    pub fn hold(&mut self, flow: usize) {
        self.wake_for_quiet(flow);
        self.flows[flow].held += 1;
        self.schedule();
    }

    /// What was held passes at once.
    pub fn release(&mut self, now: SimTime, flow: usize) {
        self.acknowledge(SimTime::ZERO, flow);
        let delayed = &mut self.flows[flow];
        delayed.held = delayed.held.saturating_sub(1);
        self.flows[flow].arrive_from(now);
        self.schedule();
    }

    /// Nothing passes from now on; what is under way is lost and must be sent again.
    pub fn cut(&mut self, flow: usize) {
        self.wake_for_quiet(flow);
        let flow = &mut self.flows[flow];
        flow.cut += 1;
        flow.tail = None;
        flow.under_way.retain(|p| p.message.body != Body::Connect);
        self.schedule();
    }

    /// The way is free again: every connection resumes at the next retransmission of the first
    /// thing that it lost. Which does first, and when, if this ends the cut and something was
    /// under way.
    pub fn heal(&mut self, now: SimTime, flow: usize) -> Option<(ConnectionId, SimTime)> {
        self.acknowledge(SimTime::ZERO, flow);
        let delay = self.wire.delay.at(now);
        let flow = &mut self.flows[flow];
        let delay = delay + more(&mut flow.added, now);
        flow.cut = flow.cut.saturating_sub(1);
        let again = if flow.cut == 0 { flow.resume(now, delay) } else { None };
        self.schedule();
        again
    }

    #[inline]
    fn schedule(&mut self) {
        self.next = match self.flows.as_slice() {
            [flow] => flow.next_deadline(),
            flows => flows.iter().map(Flow::next_deadline).min().unwrap_or(SimTime::NEVER),
        };
    }
}

impl Wire {
    /// A message of so many bytes leaves as soon as the link is free: when, and how long it is
    /// under way then.
    #[inline(always)]
    fn leave(&mut self, now: SimTime, size: Bytes) -> (SimTime, Duration) {
        self.free_at = SimTime(now.0.max(self.free_at.0) + self.bandwidth.time_for(size).0);
        (self.free_at, self.delay.at(now))
    }
}

impl From<Update> for Parcel {
    fn from(update: Update) -> Parcel {
        Parcel { sent: update.at, arrives: update.arrives, message: update.message() }
    }
}

impl Flow {
    #[inline]
    fn blocked(&self) -> bool {
        self.held + self.cut > 0
    }

    /// Whether messages are delayed beyond the link's own delay, or may be lost.
    #[inline]
    fn is_impaired(&self) -> bool {
        self.loss > Loss::NONE || !self.added.is_empty()
    }

    #[inline]
    fn next_deadline(&self) -> SimTime {
        self.next_arrival().min(self.next_room())
    }

    #[inline]
    fn next_arrival(&self) -> SimTime {
        match self.under_way.front() {
            Some(parcel) if !self.blocked() => parcel.arrives,
            Some(_) | None => SimTime::NEVER,
        }
    }

    #[inline]
    fn next_room(&self) -> SimTime {
        match self.taken.front() {
            Some(taken) if self.wants.is_some() && !self.blocked() => taken.0,
            Some(_) | None => SimTime::NEVER,
        }
    }

    fn deliver(&mut self, now: SimTime, way: (Bytes, Rate)) -> Option<Delivery> {
        let (from, to) = (self.from, self.to);
        if self.under_way.front().is_some_and(|p| p.arrives <= now) {
            let Parcel { sent, message, .. } = self.under_way.pop_front()?;
            return Some(Delivery::Message { from, to, sent, message });
        }
        self.room(now, way).map(|bytes| Delivery::Room { from, to, bytes })
    }

    /// A message of so many bytes has left at `left` and travels for `delay`; when it arrives.
    #[inline(always)]
    fn take(
        &mut self,
        now: SimTime,
        (left, delay): (SimTime, Duration),
        message: &Message,
        size: Bytes,
    ) -> SimTime {
        let arrives = match self.is_impaired() {
            true => self.arrives_impaired(now, left, delay, message),
            false => SimTime(left.0 + delay.0),
        };
        if let Body::XLogData { .. } = message.body
            && self.stream.is_none_or(|s| s == message.connection)
        {
            self.unread += size.0;
        }
        arrives.max(self.earliest(message.connection))
    }

    /// Room for what the sender wants, or for half a window: it then sends less at once. A message
    /// larger than the window goes alone. On a thin link it gets only what takes [`AT_ONCE`].
    #[inline]
    fn room(&mut self, now: SimTime, (window, rate): (Bytes, Rate)) -> Option<Bytes> {
        self.learn(now);
        let most = rate.bytes_in(AT_ONCE).0;
        let wants = self.wants?.min((window.0 / 2).min(most).max(MAX_SEND_SIZE + XLOG_DATA_HEADER));
        let free = window.0.saturating_sub(self.unread);
        let free = if self.unread == 0 { free.max(wants) } else { free };
        (free >= wants).then(|| {
            self.wants = None;
            Bytes(if most < MAX_TRANSFER { wants } else { free })
        })
    }

    /// The sender learns of what was taken.
    fn learn(&mut self, now: SimTime) {
        while let Some(&(known, bytes)) = self.taken.front()
            && known <= now
        {
            self.taken.pop_front();
            self.unread = self.unread.saturating_sub(bytes);
        }
    }

    /// A message of `connection` arrives after the one before it: no two at the same nanosecond, so
    /// that their order is that of their arrivals. What an older connection has lost and sends
    /// again does not hold up a new one.
    #[inline]
    fn earliest(&self, connection: ConnectionId) -> SimTime {
        let own = |parcel: &&Parcel| parcel.message.connection == connection;
        let before = match self.last.0 == connection {
            true => self.last.1,
            false => self.under_way.iter().rev().find(own).map_or(SimTime::ZERO, |p| p.arrives),
        };
        before + Duration(1)
    }

    /// Queues a parcel; when the first of all arrives.
    #[inline]
    fn queue(&mut self, parcel: Parcel) -> SimTime {
        match self.under_way.back() {
            None => {
                self.under_way.push_back(parcel);
                return parcel.arrives;
            }
            Some(last) if last.arrives <= parcel.arrives => self.under_way.push_back(parcel),
            Some(_) => {
                let is_later = |p: &&Parcel| p.arrives > parcel.arrives;
                let later = self.under_way.iter().rev().take_while(is_later).count();
                self.under_way.insert(self.under_way.len() - later, parcel);
            }
        }
        self.under_way[0].arrives
    }

    /// More is under way, in order of arrival.
    fn is_under_way(&mut self, parcels: impl IntoIterator<Item = Parcel>) {
        self.under_way.extend(parcels);
        self.under_way.make_contiguous().sort_by_key(|parcel| (parcel.arrives, parcel.sent));
    }
}

/// The sum of some delays.
#[inline]
fn more(delays: &mut [Delay], now: SimTime) -> Duration {
    delays.iter_mut().fold(Duration::ZERO, |sum, delay| sum + delay.at(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Lsn;

    fn link(window: u64) -> Link {
        let config = LinkConfig {
            rtt: Quantiles::constant(2_000_000),
            bandwidth: Rate::new(1_000_000_000).expect("a rate"),
            window: Bytes(window),
            loss: Loss::NONE,
        };
        let mut link = Link::new(config, Die::new(1, "delay", "link"));
        link.add_flow(ServerId(0), ServerId(1));
        link
    }

    fn wal(bytes: u64) -> Message {
        let (start, end, chunks, redo) = (Lsn(0), Lsn(bytes), 1, Lsn::INVALID);
        let body = Body::XLogData { start, end, chunks, redo };
        Message { connection: ConnectionId(1), body }
    }

    #[test]
    fn messages_queue_for_bandwidth_and_keep_their_order() {
        let mut link = link(1 << 20);
        link.send(SimTime(0), 0, &wal(970));
        link.send(SimTime(0), 0, &wal(970));
        assert_eq!(link.next_deadline(), SimTime(1_001_000));
        assert!(link.deliver(SimTime(1_001_000)).is_some());
        assert_eq!(link.next_deadline(), SimTime(1_002_000));
    }

    #[test]
    fn a_receiver_that_does_not_read_blocks_the_sender() {
        let mut link = link(2_000);
        assert_eq!(link.ask_for_room(SimTime(0), 0, Bytes(1_000)), Some(Bytes(2_000)));
        link.send(SimTime(0), 0, &wal(970));
        link.send(SimTime(0), 0, &wal(970));
        assert_eq!(link.ask_for_room(SimTime(0), 0, Bytes(1_000)), None);
        link.deliver(SimTime(1_001_000));
        link.deliver(SimTime(1_002_000));
        assert_eq!(link.next_deadline(), SimTime::NEVER);
        link.take(0, &mut vec![Read { at: SimTime(5_000_000), bytes: Bytes(1_000) }]);
        assert_eq!(link.next_deadline(), SimTime(6_000_000));
        let (from, to, bytes) = (ServerId(0), ServerId(1), Bytes(1_000));
        assert_eq!(link.deliver(SimTime(6_000_000)), Some(Delivery::Room { from, to, bytes }));
    }

    #[test]
    fn a_hold_passes_at_once_and_a_cut_at_the_next_retransmission() {
        let s = |n: u64| SimTime(n * 100_000_000);
        let mut held = link(1 << 20);
        held.hold(0);
        held.send(s(1), 0, &wal(100));
        held.release(s(50), 0);
        assert_eq!(held.next_deadline(), s(50));
        let mut cut = link(1 << 20);
        cut.cut(0);
        cut.send(s(1), 0, &wal(100));
        cut.heal(s(50), 0);
        // Sent at 0.1 s; again at 0.3, 0.7, 1.5, 3.1 and 6.3 s; one way takes 1 ms.
        assert_eq!(cut.next_deadline(), SimTime(6_301_000_000));
    }

    #[test]
    fn a_new_connection_does_not_wait_for_what_a_dead_one_has_lost() {
        let s = |n: u64| SimTime(n * 1_000_000_000);
        let mut link = link(1 << 20);
        link.cut(0);
        link.send(s(1), 0, &wal(100));
        link.heal(s(100), 0);
        // Sent at 1 s; again at 1.2, 1.6, ... 52 and 103.2 s.
        assert_eq!(link.next_deadline(), SimTime(103_201_000_000));
        let young = Message { connection: ConnectionId(2), body: Body::Connect };
        link.send(s(101), 0, &young);
        assert!(link.next_deadline() < SimTime(101_002_000_000));
        let delivered = link.deliver(SimTime(101_002_000_000));
        assert!(
            matches!(delivered, Some(Delivery::Message { message, .. }) if message == young),
            "{delivered:?}"
        );
        assert_eq!(link.next_deadline(), SimTime(103_201_000_000));
    }

    #[test]
    fn delay_is_linear_between_draws_and_bounded_by_them() {
        let config = LinkConfig {
            rtt: Quantiles::uniform(1_000_000, 3_000_000),
            bandwidth: Rate::new(u64::MAX).expect("a rate"),
            window: Bytes(1),
            loss: Loss::NONE,
        };
        let mut link = Link::new(config, Die::new(1, "delay", "link"));
        for n in 0..10_000 {
            let d = link.wire.delay.at(SimTime(n * 1_234_567)).0;
            assert!((499_990..=1_500_000).contains(&d), "{d}");
        }
    }
}
