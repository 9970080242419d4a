//! R1's commit path written directly as madsim tasks: what the core is measured against, and held
//! against.
//!
//! It is the program that one would write with madsim alone, made lean: the flusher, and for every
//! standby a walsender, a reader of its replies, a walreceiver and a startup process, each a task;
//! [`Mailbox`]es between them, whose messages fall due at a moment. Nothing is done per commit but
//! drawing it, queueing it and counting it: arrivals are drawn when the flusher looks, and a
//! release is a scan of a queue. Three things make it fast and exact:
//!
//! * madsim's `sleep` takes at least a millisecond, but `Sleep::reset` has no such floor, so every
//!   task owns one `Sleep` for good ([`Alarm`]).
//! * A sender sets the alarm of an idle reader to the moment the message falls due, so a message
//!   costs one wake-up, not one to learn of it and one to have it.
//! * Moments are computed and travel with the messages. madsim's own clock, which every poll moves
//!   by 50 to 100 ns, only wakes tasks; no result is read from it.
//!
//! It throws the core's dice (`"arrival"` and `"wal"` of the workload, `"fsync"` of each server),
//! so that the two are also each other's oracle (`tests/oracle.rs`): written apart, with nothing in
//! common but dice, units and histogram, they must find the same latencies.
//!
//! **Source.** `xlog.c:XLogFlush` (group commit), `walsender.c:XLogSendPhysical` (chunks),
//! `walreceiver.c:WalReceiverMain` (drain, reply, flush, reply), `syncrep.c:SyncRepReleaseWaiters`.
//!
//! **Not modelled.** What R1 does not show: page headers and record alignment (0.5 % of the WAL),
//! the fsync at a segment's end (one in 1,600), checkpoints, timeouts, keepalives, TCP's window;
//! faults, of course. The core pays for all of these.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration as StdDuration, Instant};

use madsim::runtime::Runtime;
use madsim::time::{Sleep, TimeHandle};
use models::latency::exponential;
use models::trace::histogram::Histogram;
use models::units::{Bytes, Die, Duration, PAGE, Rate};

/// Standbys that R1 streams to; one of them must have flushed.
const STANDBYS: usize = 2;
/// The workload, and the owner of its dice.
pub const WORKLOAD: &str = "commits";
/// The servers, primary first; each owns its fsync die.
pub const SERVERS: [&str; STANDBYS + 1] = ["pg1", "pg2", "pg3"];
/// Mean gap between two commits: 10,000 a second.
pub const GAP: Duration = Duration::us(100);
/// WAL of a commit, from the first to below the second.
pub const WAL: (u64, u64) = (512, 1_536);
/// Time of an fsync, from the first to below the second.
pub const FSYNC: (u64, u64) = (900_000, 1_100_000);
/// Time of a standby's write() call.
pub const WRITE_CALL: Duration = Duration::us(20);
/// One way of the link.
pub const DELAY: Duration = Duration::us(250);
/// Bytes a second on the link, 1 Gbit/s.
pub const BANDWIDTH: Rate = Rate::new(125_000_000).expect("not zero");
/// WAL that a standby replays a second.
pub const REPLAY: Rate = Rate::new(200_000_000).expect("not zero");

/// `MAX_SEND_SIZE`: WAL in one message.
const CHUNK: u64 = 16 * PAGE;
/// CopyData, message type and header before the WAL of a message.
const XLOG_DATA_HEADER: u64 = 30;
/// A status update in its CopyData.
const STATUS_UPDATE: u64 = 39;

/// What a run measured.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Latency of every released commit.
    pub latency: Histogram,
    /// Local flushes.
    pub flushes: u64,
    /// The furthest position any standby reported as replayed.
    pub replayed: u64,
}

impl Outcome {
    /// Everything measured in one number, to tell two runs apart.
    pub fn digest(&self) -> u64 {
        let latency = &self.latency;
        let spread = (1..100).filter_map(|p| latency.percentile(p * 10_000));
        let rest = [latency.count(), self.flushes, self.replayed];
        let mut die = Die::new(0, "digest", "madsim-only");
        for number in spread.chain(latency.max()).map(|d| d.0).chain(rest) {
            die.branch(number);
        }
        die.at(1)
    }
}

/// Plays R1 for `duration` of simulated time, on a thread of its own.
// Not inside a run of ours: the bans of sim/clippy.toml are about those.
#[allow(clippy::disallowed_methods)]
pub fn run(seed: u64, duration: Duration) -> Outcome {
    let play = move || {
        let runtime = Runtime::with_seed_and_config(0, madsim::Config::default());
        runtime.block_on(primary(seed, duration.0))
    };
    std::thread::spawn(play).join().expect("a run of R1 does not panic")
}

/// Builds the cluster and is the flusher until `end`.
async fn primary(seed: u64, end: u64) -> Outcome {
    let time = TimeHandle::current();
    let shared = Rc::new(Shared::new(time.now_instant() - time.elapsed()));
    // The first poll happens at zero on madsim's clock, which is then our zero too.
    let mut flushed = Vec::new();
    let mut tasks = Vec::new();
    for name in &SERVERS[1..] {
        let news = Mailbox::new(&shared);
        flushed.push(news.clone());
        let (wal, replies) = (Link::new(&shared), Link::new(&shared));
        let standby = Rc::new(Standby::new(replies.clone()));
        let replay = Mailbox::new(&shared);
        let die = Die::new(seed, "fsync", name);
        tasks.push(spawn(walsender(news, wal.clone())));
        tasks.push(spawn(reply_reader(shared.clone(), replies.mailbox.clone())));
        tasks.push(spawn(startup(standby.clone(), replay.clone())));
        let alarm = Alarm::new(&shared);
        tasks.push(spawn(walreceiver(standby, wal.mailbox.clone(), replay, die, alarm)));
    }
    let flushes = flusher(&shared, seed, end, &flushed).await;
    // madsim drops no suspended task by itself; an aborted one goes before `block_on` returns.
    tasks.iter().for_each(|task| task.abort());
    let latency = shared.latency.borrow().clone();
    Outcome { latency, flushes, replayed: shared.replayed.get() }
}

// The competitor is madsim's own executor.
#[allow(clippy::disallowed_methods)]
fn spawn(task: impl Future<Output = ()> + 'static) -> madsim::task::JoinHandle<()> {
    madsim::task::spawn_local(task)
}

/// The primary's shared memory.
struct Shared {
    epoch: Instant,
    /// Commits that wait, in WAL order: end of the commit record, intended start.
    waiters: RefCell<VecDeque<(u64, u64)>>,
    latency: RefCell<Histogram>,
    /// `lsn[SYNC_REP_WAIT_FLUSH]`: the furthest flush position of any standby.
    synced: Cell<u64>,
    replayed: Cell<u64>,
}

impl Shared {
    fn new(epoch: Instant) -> Shared {
        Shared {
            epoch,
            waiters: RefCell::default(),
            latency: RefCell::default(),
            synced: Cell::new(0),
            replayed: Cell::new(0),
        }
    }

    /// `ANY 1`: the largest flush position counts (`SyncRepReleaseWaiters`).
    fn release(&self, now: u64, reply: Reply) {
        self.replayed.set(self.replayed.get().max(reply.replay));
        if reply.flush <= self.synced.get() {
            return;
        }
        self.synced.set(reply.flush);
        let (mut waiters, mut latency) = (self.waiters.borrow_mut(), self.latency.borrow_mut());
        while let Some(&(lsn, started)) = waiters.front() {
            if lsn > reply.flush {
                break;
            }
            waiters.pop_front();
            latency.record(Duration(now - started));
        }
    }
}

/// The open loop's next commit.
struct Arrivals {
    gap: Die,
    wal: Die,
    next: u64,
}

impl Arrivals {
    fn new(seed: u64) -> Arrivals {
        let mut gap = Die::new(seed, "arrival", WORKLOAD);
        let next = exponential(GAP.0, gap.throw());
        Arrivals { gap, wal: Die::new(seed, "wal", WORKLOAD), next }
    }

    /// Inserts every commit that has arrived by `now`; returns the insert position.
    fn insert_until(
        &mut self,
        now: u64,
        mut insert: u64,
        waiters: &mut VecDeque<(u64, u64)>,
    ) -> u64 {
        while self.next <= now {
            insert += uniform(WAL, self.wal.throw());
            waiters.push_back((insert, self.next));
            self.next += exponential(GAP.0, self.gap.throw());
        }
        insert
    }
}

/// `Quantiles::uniform`, without its table.
fn uniform((low, high): (u64, u64), throw: u64) -> u64 {
    low + (((throw >> 32) * (high - low)) >> 32)
}

/// Group commit: one fsync at a time, each taking everything inserted when it starts.
async fn flusher(shared: &Shared, seed: u64, end: u64, news: &[Rc<Mailbox<u64>>]) -> u64 {
    let mut alarm = Alarm::new(shared);
    let mut arrivals = Arrivals::new(seed);
    let mut fsync = Die::new(seed, "fsync", SERVERS[0]);
    let (mut now, mut insert, mut flushed, mut flushes) = (0, 0, 0, 0);
    loop {
        insert = arrivals.insert_until(now, insert, &mut shared.waiters.borrow_mut());
        let flushing = insert > flushed;
        let next = if flushing { now + uniform(FSYNC, fsync.throw()) } else { arrivals.next };
        if next > end {
            alarm.until(end).await;
            return flushes;
        }
        now = next;
        alarm.until(now).await;
        if flushing {
            flushed = insert;
            flushes += 1;
            news.iter().for_each(|standby| standby.post(now, flushed));
        }
    }
}

/// Sends what is flushed, in messages of at most [`CHUNK`] that end at a page (`XLogSendPhysical`).
async fn walsender(flushed: Rc<Mailbox<u64>>, wal: Link<u64>) {
    let mut sent = 0;
    loop {
        let (now, flushed) = flushed.next().await;
        while sent < flushed {
            let mut upto = flushed;
            if flushed - sent > CHUNK {
                upto = (sent + CHUNK) / PAGE * PAGE;
            }
            wal.send(now, upto - sent + XLOG_DATA_HEADER, upto);
            sent = upto;
        }
    }
}

/// The walsender's other half (`ProcessRepliesIfAny`).
async fn reply_reader(shared: Rc<Shared>, replies: Rc<Mailbox<Reply>>) {
    loop {
        let (now, reply) = replies.next().await;
        shared.release(now, reply);
    }
}

/// A status update.
#[derive(Clone, Copy, Debug)]
struct Reply {
    flush: u64,
    replay: u64,
}

/// A standby's shared memory.
struct Standby {
    flush: Cell<u64>,
    replay: Cell<u64>,
    /// Whether the walreceiver waits for the network or for the startup process.
    idle: Cell<bool>,
    /// The startup process has replayed everything and wants that reported.
    force_reply: Cell<bool>,
    replies: Link<Reply>,
}

impl Standby {
    fn new(replies: Link<Reply>) -> Standby {
        Standby {
            flush: Cell::new(0),
            replay: Cell::new(0),
            idle: Cell::new(true),
            force_reply: Cell::new(false),
            replies,
        }
    }

    fn reply(&self, now: u64) {
        let reply = Reply { flush: self.flush.get(), replay: self.replay.get() };
        self.replies.send(now, STATUS_UPDATE, reply);
    }
}

/// Drains, replies, flushes, replies; reads nothing while it flushes.
async fn walreceiver(
    standby: Rc<Standby>,
    wal: Rc<Mailbox<u64>>,
    replay: Rc<Mailbox<u64>>,
    mut fsync: Die,
    mut alarm: Alarm,
) {
    let mut now = 0;
    loop {
        standby.idle.set(true);
        let (arrived, mut written) = wal.next().await;
        standby.idle.set(false);
        now = arrived.max(now);
        loop {
            now += WRITE_CALL.0;
            alarm.until(now).await;
            match wal.available(now) {
                Some(upto) => written = upto,
                None => break,
            }
        }
        standby.reply(now);
        now += uniform(FSYNC, fsync.throw());
        alarm.until(now).await;
        let received = Bytes(written - standby.flush.replace(written));
        standby.reply(now);
        replay.post_after(now, REPLAY.time_for(received), written);
        if standby.force_reply.take() {
            standby.reply(now);
        }
    }
}

/// Replays what is flushed; a message falls due when its WAL is replayed.
async fn startup(standby: Rc<Standby>, replay: Rc<Mailbox<u64>>) {
    loop {
        let (now, upto) = replay.next().await;
        standby.replay.set(upto);
        if upto < standby.flush.get() {
            continue;
        }
        if standby.idle.get() {
            standby.reply(now);
        } else {
            standby.force_reply.set(true);
        }
    }
}

/// One direction of a link: serialises, then delays, and keeps order.
struct Link<T> {
    mailbox: Rc<Mailbox<T>>,
    /// When the last byte given to it has left.
    free: Rc<Cell<u64>>,
}

impl<T> Clone for Link<T> {
    fn clone(&self) -> Link<T> {
        Link { mailbox: self.mailbox.clone(), free: self.free.clone() }
    }
}

impl<T: Copy> Link<T> {
    fn new(shared: &Shared) -> Link<T> {
        Link { mailbox: Mailbox::new(shared), free: Rc::default() }
    }

    fn send(&self, now: u64, bytes: u64, message: T) {
        let left = self.free.get().max(now) + BANDWIDTH.time_for(Bytes(bytes)).0;
        self.free.set(left);
        self.mailbox.post(left + DELAY.0, message);
    }
}

/// Messages in order, each with the moment it falls due, for one reader.
struct Mailbox<T>(RefCell<Letters<T>>);

struct Letters<T> {
    messages: VecDeque<(u64, T)>,
    alarm: Alarm,
    /// Wakes the reader; known since it first waited.
    reader: Option<Waker>,
    /// The reader waits and no alarm is set: the box is empty.
    unattended: bool,
}

impl<T: Copy> Mailbox<T> {
    fn new(shared: &Shared) -> Rc<Mailbox<T>> {
        Rc::new(Mailbox(RefCell::new(Letters {
            messages: VecDeque::new(),
            alarm: Alarm::new(shared),
            reader: None,
            unattended: false,
        })))
    }

    /// Adds a message; `due` is never before an earlier message's.
    fn post(&self, due: u64, message: T) {
        let mut inner = self.0.borrow_mut();
        inner.messages.push_back((due, message));
        if inner.unattended {
            inner.unattended = false;
            inner.wake_at(due);
        }
    }

    /// Adds a message that takes `work` after the one before it, or after `now`.
    fn post_after(&self, now: u64, work: Duration, message: T) {
        let begin = self.0.borrow().messages.back().map_or(now, |&(due, _)| due.max(now));
        self.post(begin + work.0, message);
    }

    /// The first message, if it has fallen due by `now`.
    fn available(&self, now: u64) -> Option<T> {
        let mut inner = self.0.borrow_mut();
        inner.messages.pop_front_if(|&mut (due, _)| due <= now).map(|(_, message)| message)
    }

    /// The next message and the moment it fell due.
    async fn next(&self) -> (u64, T) {
        poll_fn(|context| self.0.borrow_mut().poll_next(context)).await
    }
}

impl<T: Copy> Letters<T> {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<(u64, T)> {
        if let Some(&(due, message)) = self.messages.front() {
            if self.alarm.poll(due, context).is_ready() {
                self.messages.pop_front();
                return Poll::Ready((due, message));
            }
        } else {
            self.unattended = true;
        }
        if self.reader.is_none() {
            self.reader = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// Sets the reader's alarm on its behalf.
    fn wake_at(&mut self, due: u64) {
        if let Some(reader) = &self.reader
            && self.alarm.poll(due, &mut Context::from_waker(reader)).is_ready()
        {
            reader.wake_by_ref();
        }
    }
}

/// A `Sleep` that is used again and again, and so has no floor.
struct Alarm {
    epoch: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Alarm {
    fn new(shared: &Shared) -> Alarm {
        let sleep = Box::pin(TimeHandle::current().sleep_until(shared.epoch));
        Alarm { epoch: shared.epoch, sleep }
    }

    fn poll(&mut self, due: u64, context: &mut Context<'_>) -> Poll<()> {
        self.sleep.as_mut().reset(self.epoch + StdDuration::from_nanos(due));
        self.sleep.as_mut().poll(context)
    }

    async fn until(&mut self, due: u64) {
        self.sleep.as_mut().reset(self.epoch + StdDuration::from_nanos(due));
        self.sleep.as_mut().await;
    }
}
