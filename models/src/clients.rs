//! Clients of the primary: when transactions come, and the WAL they make.
//!
//! A machine of one workload. Arrivals are drawn lazily by whoever consumes them and never
//! queued: [`Clients::next_insert`] says when the next one wants to insert its WAL, and
//! [`Clients::take`] hands it out. In an *open loop* transactions start at a rate, however slow
//! the answers are, and latency counts from the intended start. In a *closed loop* each client
//! waits for its answer, thinks, and starts again. *WAL only* makes WAL in steps without anybody
//! waiting, and *bulk* is one long transaction.
//!
//! A loop may be told to make so many transactions and no more.
//!
//! The n-th transaction of a workload draws the same numbers in every variant of a scenario.
//!
//! Full-page images follow PostgreSQL's rule as urns: of the pages of a set, some have not been
//! touched since the redo point; a touch hits one of those with the probability of their share,
//! and then costs an image (`xloginsert.c:XLogRecordAssemble`, `page_lsn <= RedoRecPtr`).
//!
//! **Not modelled.** The network between clients and the primary; `max_connections`: an open loop
//! has as many sessions as it needs. All WAL of a transaction is inserted with its commit record,
//! so a long transaction's WAL arrives later than it would (up to its service time).

mod wal;

pub use wal::{PageSet, WalProfile};

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::latency::{Quantiles, exponential};
use crate::units::{Bytes, Die, Duration, SimTime};

/// A workload's configuration.
#[derive(Clone, Debug)]
pub struct ClientsConfig {
    /// When transactions come.
    pub load: Load,
    /// WAL of a transaction without images and without its commit record. Where WAL comes in
    /// steps, with it; and 0 if there are no transactions behind it.
    pub records: Quantiles,
    /// Pages that a transaction touches.
    pub pages: Vec<PageSet>,
    /// Backend time of a transaction before it inserts its commit record (nanoseconds).
    pub service: Quantiles,
    /// So many transactions and no more, of an open or a closed loop.
    pub transactions: Option<u64>,
    /// End of the run: nothing starts at or after it.
    pub end: SimTime,
}

/// When transactions come.
#[derive(Clone, Debug)]
pub enum Load {
    /// At a rate: `gap` on average, exponential if `poisson`, else constant.
    Open {
        /// Mean gap between two starts.
        gap: Duration,
        /// Whether gaps are exponential.
        poisson: bool,
    },
    /// So many clients, each waiting for its answer and then thinking.
    Closed {
        /// How many.
        clients: u32,
        /// Time from an answer to the next start (nanoseconds).
        think: Quantiles,
    },
    /// WAL in steps; nobody waits.
    Wal {
        /// Length of a step.
        step: Duration,
        /// How much, when.
        profile: WalProfile,
    },
    /// Long transactions.
    Bulk {
        /// Start of the first.
        at: SimTime,
        /// From one start to the next; `None`: only one.
        every: Option<Duration>,
        /// WAL of each.
        bytes: Bytes,
        /// Time over which its WAL is made.
        over: Duration,
    },
    /// WAL alone for some time, and again later: in order, none before the end of the last.
    Bursts(Vec<Burst>),
}

/// WAL that is made over a time, and that nobody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// When it starts.
    pub at: SimTime,
    /// How much.
    pub bytes: Bytes,
    /// Over how long.
    pub over: Duration,
}

/// A transaction, or a step of WAL, that wants to insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it wants to insert.
    pub at: SimTime,
    /// Its intended start: latency counts from here.
    pub start: SimTime,
    /// The client of a closed loop; otherwise the transaction's ordinal, wrapped.
    pub client: u32,
    /// WAL to insert before the commit record.
    pub wal: Bytes,
    /// What it is.
    pub kind: ArrivalKind,
}

/// What an arrival is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArrivalKind {
    /// A transaction whose client waits for the answer.
    Commit,
    /// WAL that is flushed, as commits of many would be; nobody's latency is measured, and no
    /// buffer is dirty for it.
    Step,
    /// The same of transactions, which dirty buffers.
    Transactions,
    /// WAL of a transaction that has not come to its end.
    Records,
}

/// The clients of one workload.
#[derive(Clone, Debug)]
pub struct Clients {
    config: ClientsConfig,
    arrivals: Die,
    wal: Die,
    images: Die,
    service: Die,
    think: Die,
    /// Whether the primary takes full-page images.
    full_page_writes: bool,
    /// Whether transactions insert in the order in which they start (closed loop: are answered).
    in_order: bool,
    /// See [`Clients::is_plain`].
    plain: bool,
    /// The service time, if it is constant.
    fixed_service: Duration,
    /// See [`Clients::mean_service`].
    mean_service: Duration,
    /// Pages of each set not touched since the redo point.
    untouched: Vec<u64>,
    /// Intended start of the next transaction of an open loop, step or bulk.
    start: SimTime,
    /// Transactions whose insert comes in another order than their start: (insert, start, client).
    queue: BinaryHeap<Reverse<(SimTime, SimTime, u32)>>,
    /// The same, where service times are constant and order cannot change.
    line: VecDeque<(SimTime, SimTime, u32)>,
    /// Transactions started so far.
    started: u64,
    /// Transactions of a closed loop that may still be begun.
    left: u64,
    /// WAL of the profile handed out so far, and the step it belongs to.
    step: u64,
    /// Bursts that are over.
    burst: usize,
    next: SimTime,
}

/// A bulk transaction inserts this often.
const BULK_STEP: Duration = Duration::ms(10);

impl Clients {
    /// A workload's clients before the first transaction. `seed` and `name` key its dice.
    pub fn new(config: ClientsConfig, full_page_writes: bool, seed: u64, name: &str) -> Clients {
        let die = |purpose| Die::new(seed, purpose, name);
        let constant_think = match &config.load {
            Load::Closed { think, .. } => think.is_constant(),
            Load::Open { .. } | Load::Wal { .. } | Load::Bulk { .. } | Load::Bursts(_) => true,
        };
        let mut clients = Clients {
            arrivals: die("arrival"),
            wal: die("wal"),
            images: die("image"),
            service: die("service"),
            think: die("think"),
            full_page_writes,
            in_order: constant_think && config.service.is_constant(),
            plain: matches!(config.load, Load::Open { .. })
                && config.service.is_constant()
                && (config.pages.is_empty() || !full_page_writes),
            fixed_service: Duration(config.service.max()),
            mean_service: Duration(config.service.mean()),
            untouched: config.pages.iter().map(|set| set.pages).collect(),
            start: SimTime::ZERO,
            queue: BinaryHeap::new(),
            line: VecDeque::new(),
            started: 0,
            left: config.transactions.unwrap_or(u64::MAX),
            step: 0,
            burst: 0,
            next: SimTime::NEVER,
            config,
        };
        clients.end_after_the_last();
        clients.begin();
        clients
    }

    /// When the next arrival wants to insert; [`SimTime::NEVER`] if none will without an answer.
    pub fn next_insert(&self) -> SimTime {
        self.next
    }

    /// Transactions started so far: those whose intended start was handed out.
    pub fn started(&self) -> u64 {
        self.started
    }

    /// Whether transactions come at a rate, insert in the order in which they start, and never
    /// with a full-page image.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// The most WAL of one transaction without images.
    pub fn largest(&self) -> Bytes {
        Bytes(self.config.records.max())
    }

    /// Backend time of a transaction before its commit record, on average.
    #[inline]
    pub fn mean_service(&self) -> Duration {
        self.mean_service
    }

    /// Plain transactions that want to insert up to `until`, `most` of them at the most: hands
    /// their intended starts and clients to `begin`. Their WAL is to be drawn next.
    #[inline]
    pub fn take_plain(
        &mut self,
        until: SimTime,
        most: u64,
        mut begin: impl FnMut(SimTime, u32),
    ) -> usize {
        let Load::Open { gap, poisson } = self.config.load else { return 0 };
        if self.next > until {
            return 0;
        }
        let (mut arrivals, service) = (self.arrivals, self.fixed_service);
        let (mut start, mut client) = (self.start.0, self.started as u32);
        // Whoever starts by then inserts by `until`, and starts before the end.
        let limit = until.since(SimTime::ZERO + service).0.min(self.config.end.0.saturating_sub(1));
        let mut taken = 0;
        while start <= limit && taken < most {
            begin(SimTime(start), client);
            start += gap_after(&mut arrivals, gap, poisson).0;
            client = client.wrapping_add(1);
            taken += 1;
        }
        (self.arrivals, self.start) = (arrivals, SimTime(start));
        self.started += taken;
        self.next = self.in_time(self.start) + service;
        taken as usize
    }

    /// WAL of plain transactions that were just taken.
    #[inline]
    pub fn plain_wal<T>(&mut self, taken: &mut [T], mut give: impl FnMut(&mut T, Bytes)) {
        self.config.records.draw_each(&mut self.wal, taken, |one, bytes| give(one, Bytes(bytes)));
    }

    /// Hands out the arrival of [`Clients::next_insert`].
    pub fn take(&mut self) -> Arrival {
        let arrival = self.take_any();
        if arrival.kind == ArrivalKind::Commit {
            self.started += 1;
        }
        self.find_next();
        arrival
    }

    fn take_any(&mut self) -> Arrival {
        match self.config.load {
            Load::Open { gap, poisson } if self.in_order => {
                let (at, start, client) = (self.next, self.start, self.started as u32);
                self.start = start + self.gap(gap, poisson);
                Arrival { at, start, client, wal: self.transaction(), kind: ArrivalKind::Commit }
            }
            Load::Open { .. } => self.take_open(),
            Load::Closed { .. } => self.take_closed(),
            Load::Wal { step, .. } => self.take_step(step),
            Load::Bulk { every, bytes, over, .. } => self.take_bulk(every, bytes, over),
            Load::Bursts(ref bursts) => {
                let Burst { bytes, over, .. } = bursts[self.burst];
                self.take_burst(bytes, over)
            }
        }
    }

    /// A client of a closed loop has its answer and goes on after it has thought.
    pub fn answered(&mut self, now: SimTime, client: u32) {
        if let Load::Closed { think, .. } = &self.config.load {
            let pause = think.drawn_with(|| self.think.throw());
            self.start_client(now + Duration(pause), client);
            self.find_next();
        }
    }

    /// A redo point has moved: every page needs an image again.
    pub fn redo_moved(&mut self) {
        for (untouched, set) in self.untouched.iter_mut().zip(&self.config.pages) {
            *untouched = set.pages;
        }
    }

    /// An open loop with so many transactions ends with the start of the last of them: its starts
    /// depend on nothing, so they are known beforehand.
    fn end_after_the_last(&mut self) {
        let (Load::Open { gap, poisson }, Some(most)) =
            (&self.config.load, self.config.transactions)
        else {
            return;
        };
        let mut arrivals = self.arrivals;
        let mut last = SimTime::ZERO;
        for _ in 0..most {
            last += gap_after(&mut arrivals, *gap, *poisson);
            if last >= self.config.end {
                return;
            }
        }
        self.config.end = last + Duration(1);
    }

    fn begin(&mut self) {
        match self.config.load {
            Load::Open { gap, poisson } => self.start = SimTime::ZERO + self.gap(gap, poisson),
            Load::Closed { clients, .. } => {
                (0..clients).for_each(|client| self.start_client(SimTime::ZERO, client));
            }
            Load::Wal { step, .. } => self.start = SimTime::ZERO + step,
            Load::Bulk { at, .. } => self.start = at,
            Load::Bursts(ref bursts) => {
                self.start = bursts.first().map_or(SimTime::NEVER, |burst| burst.at);
            }
        }
        self.find_next();
    }

    fn find_next(&mut self) {
        self.next = match &self.config.load {
            Load::Open { gap, poisson } => {
                let (gap, poisson) = (*gap, *poisson);
                match self.in_order {
                    true => self.in_time(self.start) + self.fixed_service,
                    false => self.fill_queue(gap, poisson),
                }
            }
            Load::Closed { .. } => match self.in_order {
                true => self.line.front().map_or(SimTime::NEVER, |first| first.0),
                false => self.queue.peek().map_or(SimTime::NEVER, |first| first.0.0),
            },
            Load::Wal { .. } => match self.start <= self.config.end {
                true => self.start,
                false => SimTime::NEVER,
            },
            Load::Bulk { over, .. } => self.in_time(self.start) + self.along(*over),
            Load::Bursts(bursts) => match bursts.get(self.burst) {
                Some(burst) => self.in_time(self.start) + self.along(burst.over),
                None => SimTime::NEVER,
            },
        };
    }

    /// When the next piece of a bulk is inserted, from its start.
    fn along(&self, over: Duration) -> Duration {
        let steps = over.0.div_ceil(BULK_STEP.0).max(1);
        let along = u128::from(over.0) * u128::from(self.step + 1) / u128::from(steps);
        Duration(u64::try_from(along).unwrap_or(u64::MAX))
    }

    /// Nothing starts at or after the end of the run.
    #[inline]
    fn in_time(&self, start: SimTime) -> SimTime {
        if start < self.config.end { start } else { SimTime::NEVER }
    }

    #[inline]
    fn gap(&mut self, mean: Duration, poisson: bool) -> Duration {
        gap_after(&mut self.arrivals, mean, poisson)
    }

    fn take_open(&mut self) -> Arrival {
        let Reverse((at, start, _)) = self.queue.pop().expect("next_insert found one");
        let client = self.started as u32;
        Arrival { at, start, client, wal: self.transaction(), kind: ArrivalKind::Commit }
    }

    /// Draws starts until none can insert before the first of the queue.
    fn fill_queue(&mut self, gap: Duration, poisson: bool) -> SimTime {
        loop {
            let first = self.queue.peek().map_or(SimTime::NEVER, |first| first.0.0);
            if self.in_time(self.start) >= first {
                return first;
            }
            let start = self.start;
            let service = Duration(self.config.service.quantile(self.service.throw()));
            self.queue.push(Reverse((start + service, start, 0)));
            self.start = start + self.gap(gap, poisson);
        }
    }

    fn start_client(&mut self, start: SimTime, client: u32) {
        if start >= self.config.end || self.left == 0 {
            return;
        }
        self.left -= 1;
        if self.in_order {
            let insert = start + self.fixed_service;
            self.line.push_back((insert, start, client));
        } else {
            let service = Duration(self.config.service.quantile(self.service.throw()));
            self.queue.push(Reverse((start + service, start, client)));
        }
    }

    fn take_closed(&mut self) -> Arrival {
        let (at, start, client) = match self.in_order {
            true => self.line.pop_front().expect("next_insert found one"),
            false => self.queue.pop().expect("next_insert found one").0,
        };
        Arrival { at, start, client, wal: self.transaction(), kind: ArrivalKind::Commit }
    }

    fn take_step(&mut self, step: Duration) -> Arrival {
        let at = self.start;
        let from = SimTime(at.0 - step.0);
        let wal = match &self.config.load {
            Load::Wal { profile, .. } => profile.between(from, at),
            Load::Open { .. } | Load::Closed { .. } | Load::Bulk { .. } | Load::Bursts(_) => {
                Bytes(0)
            }
        };
        self.start = at + step;
        let each = self.config.records.mean();
        if each == 0 {
            return Arrival { at, start: at, client: 0, wal, kind: ArrivalKind::Step };
        }
        let images = if self.full_page_writes { self.images_of(wal.0 / each) } else { 0 };
        let wal = Bytes(wal.0 + images);
        Arrival { at, start: at, client: 0, wal, kind: ArrivalKind::Transactions }
    }

    /// Images of the pages that so many transactions are the first to touch: as many as there are
    /// on average.
    fn images_of(&mut self, transactions: u64) -> u64 {
        let mut wal = 0;
        for (set, untouched) in self.config.pages.iter().zip(&mut self.untouched) {
            let touches = transactions * u64::from(set.touches_per_thousand) / 1_000;
            let missed = set.missed(touches);
            // What is left of a page is a page by that chance.
            let left = u128::from(*untouched) * u128::from(missed);
            let left = (left + u128::from(self.images.throw())) >> 64;
            wal += (*untouched - left as u64) * set.image.0;
            *untouched = left as u64;
        }
        wal
    }

    fn take_bulk(&mut self, every: Option<Duration>, bytes: Bytes, over: Duration) -> Arrival {
        let steps = over.0.div_ceil(BULK_STEP.0).max(1);
        let share = |step: u64| (u128::from(bytes.0) * u128::from(step) / u128::from(steps)) as u64;
        let (at, start) = (self.next, self.start);
        let wal = Bytes(share(self.step + 1) - share(self.step));
        self.step += 1;
        let last = self.step == steps;
        if last {
            self.step = 0;
            self.start = every.map_or(SimTime::NEVER, |every| start + every.max(over));
        }
        let kind = if last { ArrivalKind::Commit } else { ArrivalKind::Records };
        Arrival { at, start, client: 0, wal, kind }
    }

    /// A piece of a burst. What it makes is flushed as it comes.
    fn take_burst(&mut self, bytes: Bytes, over: Duration) -> Arrival {
        let Arrival { at, start, wal, kind, .. } = self.take_bulk(None, bytes, over);
        if kind == ArrivalKind::Commit {
            self.burst += 1;
            if let Load::Bursts(bursts) = &self.config.load {
                let next = bursts.get(self.burst);
                self.start = next.map_or(SimTime::NEVER, |burst| burst.at);
            }
        }
        Arrival { at, start, client: 0, wal, kind: ArrivalKind::Step }
    }

    /// WAL of one transaction: its records, and images of pages touched for the first time.
    fn transaction(&mut self) -> Bytes {
        let records = self.config.records.drawn_with(|| self.wal.throw());
        if !self.full_page_writes || self.config.pages.is_empty() {
            return Bytes(records);
        }
        Bytes(records + self.page_images())
    }

    /// Images of the pages that a transaction is the first to touch.
    #[inline(never)]
    fn page_images(&mut self) -> u64 {
        let mut wal = 0;
        for (set, untouched) in self.config.pages.iter().zip(&mut self.untouched) {
            let mut touches = set.touches_per_thousand / 1000;
            let rest = u64::from(set.touches_per_thousand % 1000);
            if rest > 0 && ((self.images.throw() >> 32) * 1000) >> 32 < rest {
                touches += 1;
            }
            for _ in 0..touches {
                let page = (u128::from(self.images.throw()) * u128::from(set.pages)) >> 64;
                if (page as u64) < *untouched {
                    *untouched -= 1;
                    wal += set.image.0;
                }
            }
        }
        wal
    }
}

/// Time from one start of an open loop to the next.
#[inline]
fn gap_after(die: &mut Die, mean: Duration, poisson: bool) -> Duration {
    if poisson { Duration(exponential(mean.0, die.throw())) } else { mean }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(load: Load, service: Quantiles) -> ClientsConfig {
        let records = Quantiles::constant(100);
        let end = SimTime(10_000_000_000);
        ClientsConfig { load, records, pages: Vec::new(), service, transactions: None, end }
    }

    #[test]
    fn an_open_loop_keeps_its_rate_and_its_order_of_inserts() {
        for service in [Quantiles::constant(40_000), Quantiles::uniform(0, 5_000_000)] {
            let load = Load::Open { gap: Duration::us(100), poisson: true };
            let mut clients = Clients::new(config(load, service), true, 7, "w");
            let mut last = SimTime::ZERO;
            while clients.next_insert() != SimTime::NEVER {
                let arrival = clients.take();
                assert!(arrival.at >= last && arrival.start <= arrival.at);
                last = arrival.at;
            }
            assert!((99_000..101_000).contains(&clients.started()), "{}", clients.started());
        }
    }

    #[test]
    fn so_many_transactions_and_no_more() {
        for (poisson, service) in [
            (true, Quantiles::constant(40_000)),
            (false, Quantiles::constant(0)),
            (true, Quantiles::uniform(0, 5_000_000)),
        ] {
            let load = Load::Open { gap: Duration::us(100), poisson };
            let config = ClientsConfig { transactions: Some(100), ..config(load, service) };
            let mut clients = Clients::new(config, true, 7, "w");
            while clients.next_insert() != SimTime::NEVER {
                clients.take();
            }
            assert_eq!(clients.started(), 100);
        }
        let load = Load::Closed { clients: 2, think: Quantiles::constant(1_000) };
        let config = config(load, Quantiles::constant(500));
        let config = ClientsConfig { transactions: Some(3), ..config };
        let mut clients = Clients::new(config, true, 7, "w");
        while clients.next_insert() != SimTime::NEVER {
            let arrival = clients.take();
            clients.answered(arrival.at, arrival.client);
        }
        assert_eq!(clients.started(), 3);
    }

    #[test]
    fn a_client_of_a_closed_loop_waits_for_its_answer() {
        let load = Load::Closed { clients: 2, think: Quantiles::constant(1_000) };
        let mut clients = Clients::new(config(load, Quantiles::constant(500)), true, 7, "w");
        assert_eq!((clients.take().client, clients.take().client), (0, 1));
        assert_eq!(clients.next_insert(), SimTime::NEVER);
        clients.answered(SimTime(10_000), 1);
        assert_eq!(clients.next_insert(), SimTime(11_500));
    }

    #[test]
    fn a_profile_hands_out_all_of_its_wal() {
        let history = vec![(Duration(0), Bytes(0)), (Duration::s(3), Bytes(1_000_003))];
        for (profile, total) in [
            (WalProfile::Constant(1_000_001), 10 * 1_000_001),
            (WalProfile::Daily(vec![86_400, 7]), 864_000),
            (WalProfile::History(history), 3 * 1_000_003 + 333_334),
        ] {
            let load = Load::Wal { step: Duration::ms(100), profile };
            let mut clients = Clients::new(config(load, Quantiles::constant(0)), true, 7, "w");
            let mut made = 0;
            while clients.next_insert() != SimTime::NEVER {
                made += clients.take().wal.0;
            }
            assert_eq!(made, total);
        }
    }

    #[test]
    fn a_page_pays_once_for_each_redo_point() {
        let load = Load::Open { gap: Duration::us(100), poisson: false };
        let mut config = config(load, Quantiles::constant(0));
        config.pages =
            vec![PageSet { pages: 50, touches_per_thousand: 1_500, image: Bytes(1_000_000) }];
        let mut clients = Clients::new(config, true, 7, "w");
        for _ in 0..3 {
            let wal: u64 = (0..5_000).map(|_| clients.take().wal.0).sum();
            assert_eq!(wal, 5_000 * 100 + 50 * 1_000_000);
            clients.redo_moved();
        }
    }

    #[test]
    fn steps_of_transactions_take_the_images_that_their_transactions_would() {
        let pages = PageSet { pages: 18_500, touches_per_thousand: 1_165, image: Bytes(7_960) };
        let (rate, each, seconds) = (2_000, 262, 60);
        let play = |load, each| {
            let mut config = config(load, Quantiles::constant(0));
            (config.pages, config.records) = (vec![pages], Quantiles::constant(each));
            config.end = SimTime::ZERO + Duration::s(seconds);
            let mut clients = Clients::new(config, true, 7, "w");
            let mut made = 0;
            while clients.next_insert() != SimTime::NEVER {
                made += clients.take().wal.0;
            }
            made as f64
        };
        let gap = Duration(1_000_000_000 / rate);
        let one_by_one = play(Load::Open { gap, poisson: false }, each);
        let profile = WalProfile::Constant(rate * each);
        let together = play(Load::Wal { step: Duration::s(1), profile }, each);
        // The last step is that at 59 s.
        let apart = (together / one_by_one - 1.0).abs();
        assert!(apart < 0.01, "{together} {one_by_one}");
    }

    #[test]
    fn a_bulk_transaction_ends_with_one_commit() {
        let (at, bytes, over) = (SimTime(1_000_000_000), Bytes::mb(100), Duration::s(2));
        let load = Load::Bulk { at, every: None, bytes, over };
        let mut clients = Clients::new(config(load, Quantiles::constant(0)), true, 7, "w");
        let (mut made, mut commits) = (0, 0);
        while clients.next_insert() != SimTime::NEVER {
            let arrival = clients.take();
            made += arrival.wal.0;
            commits += u32::from(arrival.kind == ArrivalKind::Commit);
        }
        assert_eq!((made, commits), (bytes.0, 1));
    }
}
