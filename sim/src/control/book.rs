//! Waiting: for a moment, for something to hold in the world, for mail.
//!
//! Bookings lie beside the world, ordered by (time, sequence); the sequence is taken when a sleep
//! is first polled, so of two sleeps to one moment the first to suspend is the first to wake. A
//! watch is registered while its future waits and is level-triggered: when it holds at the close
//! of a moment its registration ends and the task is woken; if it no longer holds by the time the
//! task looks, the future waits on. Dropping a future unbooks it, so a losing arm of a select
//! leaves nothing behind.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** Mail takes the delay its sender names; it does not travel over the world's
//! links, and a mailbox has no bound.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use futures_util::{FutureExt, select_biased};
use models::units::{Duration, SimTime};

use super::ctl::{Ctl, ctl, try_ctl};
use super::trouble::{Trouble, caught};
use crate::world::Watch;

/// When, and the how-manieth booking of the run.
type Key = (SimTime, u64);

/// A moment that somebody booked.
enum Booking {
    Wake(Waker),
    Deliver(Box<dyn FnOnce()>),
}

/// The booked moments of a run.
#[derive(Default)]
pub(super) struct Book {
    taken: u64,
    bookings: BTreeMap<Key, Booking>,
}

impl Book {
    fn add(&mut self, at: SimTime, booking: Booking) -> Key {
        self.taken += 1;
        self.bookings.insert((at, self.taken), booking);
        (at, self.taken)
    }

    /// The first booked moment, or [`SimTime::NEVER`].
    pub(super) fn next(&self) -> SimTime {
        self.bookings.first_key_value().map_or(SimTime::NEVER, |((at, _), _)| *at)
    }
}

/// Futures that wait for something in the world. Two lists of one length, so that the world can
/// be handed the first as it is.
#[derive(Default)]
pub(super) struct Watchers {
    taken: u64,
    watches: Vec<Watch>,
    waiting: Vec<(u64, Waker)>,
}

impl Watchers {
    pub(super) fn watches(&self) -> &[Watch] {
        &self.watches
    }

    fn position(&self, key: u64) -> Option<usize> {
        self.waiting.iter().position(|(k, _)| *k == key)
    }

    fn remove(&mut self, index: usize) -> Waker {
        self.watches.remove(index);
        self.waiting.remove(index).1
    }
}

impl Ctl {
    /// Fires the first booking if it is due. Of several at one moment the others wait until all
    /// that this one leads to has happened.
    pub(super) fn fire_one(&self) -> Result<bool, Trouble> {
        let now = self.now();
        let first = {
            let mut book = self.book.borrow_mut();
            if book.next() > now { None } else { book.bookings.pop_first() }
        };
        match first.map(|(_, booking)| booking) {
            None => return Ok(false),
            Some(Booking::Wake(waker)) => waker.wake(),
            Some(Booking::Deliver(deliver)) => caught(deliver)
                .map_err(|message| self.trouble_in("something sent with `after`", message))?,
        }
        Ok(true)
    }

    /// Wakes everybody whose watch holds now; whether there was anybody.
    pub(super) fn wake_watchers(&self) -> bool {
        let woken: Vec<Waker> = {
            let world = self.world.borrow();
            let mut watchers = self.watchers.borrow_mut();
            let held = |w: &Watchers| w.watches.iter().position(|&watch| world.holds(watch));
            std::iter::from_fn(|| held(&watchers).map(|index| watchers.remove(index))).collect()
        };
        let any = !woken.is_empty();
        woken.into_iter().for_each(Waker::wake);
        any
    }
}

/// Waits for `d`; see [`sleep_until`].
pub fn sleep(d: Duration) -> Sleep {
    sleep_until(ctl().now() + d)
}

/// Waits until the world has played everything up to and including `at`. Suspends at least once,
/// even if `at` is over: what is booked for this moment and was booked before goes first.
pub fn sleep_until(at: SimTime) -> Sleep {
    Sleep { at, key: None }
}

/// See [`sleep_until`].
#[must_use = "a sleep that nobody awaits books nothing"]
#[derive(Debug)]
pub struct Sleep {
    at: SimTime,
    key: Option<Key>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let ctl = ctl();
        let mut book = ctl.book.borrow_mut();
        let Some(key) = self.key else {
            let at = self.at.max(ctl.now());
            self.key = Some(book.add(at, Booking::Wake(cx.waker().clone())));
            return Poll::Pending;
        };
        match book.bookings.get_mut(&key) {
            Some(Booking::Wake(waker)) => {
                waker.clone_from(cx.waker());
                Poll::Pending
            }
            Some(Booking::Deliver(_)) | None => Poll::Ready(()),
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let (Some(key), Some(ctl)) = (self.key, try_ctl()) {
            ctl.book.borrow_mut().bookings.remove(&key);
        }
    }
}

/// Waits until `watch` holds. If it holds already, this does not suspend.
pub fn wait_for(watch: Watch) -> WaitFor {
    WaitFor { watch, key: None }
}

/// See [`wait_for`].
#[must_use = "a watch that nobody awaits watches nothing"]
#[derive(Debug)]
pub struct WaitFor {
    watch: Watch,
    key: Option<u64>,
}

impl WaitFor {
    fn forget(&mut self, ctl: &Ctl) {
        let mut watchers = ctl.watchers.borrow_mut();
        if let Some(index) = self.key.take().and_then(|key| watchers.position(key)) {
            watchers.remove(index);
        }
    }
}

impl Future for WaitFor {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let ctl = ctl();
        if ctl.world.borrow().holds(self.watch) {
            self.forget(&ctl);
            return Poll::Ready(());
        }
        let mut watchers = ctl.watchers.borrow_mut();
        if let Some(index) = self.key.and_then(|key| watchers.position(key)) {
            watchers.waiting[index].1.clone_from(cx.waker());
        } else {
            watchers.taken += 1;
            let key = watchers.taken;
            watchers.watches.push(self.watch);
            watchers.waiting.push((key, cx.waker().clone()));
            self.key = Some(key);
        }
        Poll::Pending
    }
}

impl Drop for WaitFor {
    fn drop(&mut self) {
        if let Some(ctl) = try_ctl() {
            self.forget(&ctl);
        }
    }
}

/// Waits for `f`, but no longer than `d`: `None` if that was not enough. If both end at one
/// moment, `f` wins.
pub async fn timeout<F: Future>(d: Duration, f: F) -> Option<F::Output> {
    let mut f = pin!(f.fuse());
    let mut over = pin!(sleep(d).fuse());
    select_biased! {
        output = f => Some(output),
        () = over => None,
    }
}

/// Does something in `d`, whoever is alive then: for what is in flight.
pub fn after(d: Duration, f: impl FnOnce() + 'static) {
    let ctl = ctl();
    if !ctl.closing.get() {
        let at = ctl.now() + d;
        ctl.book.borrow_mut().add(at, Booking::Deliver(Box::new(f)));
    }
}

/// A mailbox: letters arrive in the order of their arrival times, outlive their sender, and are
/// lost with the inbox.
pub fn mailbox<T: 'static>() -> (Post<T>, Inbox<T>) {
    let letters = Rc::new(RefCell::new(Letters { arrived: VecDeque::new(), reader: None }));
    (Post(Rc::downgrade(&letters)), Inbox(letters))
}

#[derive(Debug)]
struct Letters<T> {
    arrived: VecDeque<T>,
    reader: Option<Waker>,
}

/// Where letters are handed in; see [`mailbox`].
#[derive(Debug)]
pub struct Post<T>(Weak<RefCell<Letters<T>>>);

impl<T> Clone for Post<T> {
    fn clone(&self) -> Post<T> {
        Post(Weak::clone(&self.0))
    }
}

impl<T: 'static> Post<T> {
    /// Sends a letter that takes `delay`.
    pub fn send(&self, delay: Duration, letter: T) {
        let to = Weak::clone(&self.0);
        after(delay, move || {
            let Some(letters) = to.upgrade() else { return };
            letters.borrow_mut().arrived.push_back(letter);
            let reader = letters.borrow_mut().reader.take();
            if let Some(reader) = reader {
                reader.wake();
            }
        });
    }
}

/// Where letters are read; see [`mailbox`].
#[derive(Debug)]
pub struct Inbox<T>(Rc<RefCell<Letters<T>>>);

impl<T> Inbox<T> {
    /// The next letter.
    pub async fn recv(&mut self) -> T {
        poll_fn(|cx| {
            let mut letters = self.0.borrow_mut();
            match letters.arrived.pop_front() {
                Some(letter) => Poll::Ready(letter),
                None => {
                    letters.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}
