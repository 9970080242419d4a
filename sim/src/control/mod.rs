//! The control plane: what has a life of its own is an async task on a madsim node.
//!
//! # One clock
//! The world is played by one *driver*, the future that madsim blocks on. It asks when the next
//! booked moment is, has the world play all data events up to there, and then wakes whoever
//! waits. Control code sleeps with [`sleep_until`] or waits for something to hold in the world
//! with [`wait_for`]; both book beside the world, which knows no waker. Faults land on the exact
//! nanosecond, and between two control events the world runs at full speed, at most [`CHUNK`] at a
//! time so that somebody outside can look and stop it. madsim's own clock is moved along for logs
//! and read by nobody.
//!
//! # One order
//! At one moment come first all data events; then *one* booking and every task it wakes, lowest
//! task id first; then the data events that these made at that same moment; then the next booking,
//! in the order in which they were booked. The end of the run is a moment like any other: what
//! is booked for it happens.
//!
//! madsim picks among ready tasks by its own dice. They have no say here: it only ever runs
//! empty shells, one a node, and a shell does something only when the driver has granted it a
//! task (`task.rs`). Any seed of madsim's gives the same run.
//!
//! # One log
//! Every touch of the world goes through [`apply`] and [`fact`] and is logged; [`replay()`] plays
//! the log on a bare world.
//!
//! # Rules for control code
//! * `select_biased!`, never `select!`: the latter throws dice of its own. `sim/clippy.toml` bans
//!   what is known to break a run.
//! * Let others go first with `sleep(Duration::ZERO)`.
//! * What recurs faster than every 100 ms belongs into the world.
//! * A letter may have waited for a paused reader: put a deadline into it.
//!
//! **Source.** madsim 0.2.34 for the life of nodes.
//!
//! **Not modelled.** Agents that talk over the world's links.

mod book;
mod ctl;
mod faults;
mod host;
mod operator;
mod replay;
mod task;
mod trouble;

use std::rc::Rc;
use std::sync::atomic::Ordering;

use madsim::Config;
use madsim::runtime::Runtime;
use models::units::{Duration, SimTime};
use scenarios::scenario::Scenario;

pub use book::{
    Inbox, Post, Sleep, WaitFor, after, mailbox, sleep, sleep_until, timeout, wait_for,
};
pub use ctl::{apply, fact, finish, now, observe, with};
pub use host::{Condition, Hosts};
pub use replay::{Logged, Touch, replay};
pub use task::{Join, Node, is_up, kill, node, pause, restart, resume, spawn, spawn_on};

use crate::look::Looks;
use crate::world::{Reached, World};
use crate::{Options, Outside, RunError};
use ctl::{Ctl, Installed};
use trouble::{Trouble, caught};

/// The longest stretch that the world plays between two looks outside.
pub const CHUNK: Duration = Duration::ms(100);

/// How many turns the driver takes at one moment before it calls that a bug. The busiest honest
/// moment (every agent of a large cluster woken by one fault) needs some hundreds.
const TURNS_PER_MOMENT: u64 = 1_000_000;

/// What is left when a run has been played.
#[derive(Debug)]
pub struct Played {
    /// The world at its end.
    pub world: World,
    /// What the control plane did to it.
    pub log: Vec<Logged>,
    /// How many times a task was polled.
    pub polls: u64,
}

/// Why the driver ended.
enum End {
    Done,
    Stopped(SimTime),
}

/// Plays a scenario on a thread of its own: the hosts, their postmasters, the fault schedule, the
/// operator, and what `cast` adds to them. Then `epilogue` makes of it, on that same thread, what
/// is wanted.
pub fn play<T: Send>(
    scenario: &Scenario,
    options: Options,
    outside: &Outside,
    cast: impl FnOnce(&Rc<Hosts>) + Send,
    epilogue: impl FnOnce(Played) -> T + Send,
) -> Result<T, RunError> {
    play_watched(scenario, options, outside, None, cast, epilogue)
}

/// The same for somebody who looks at the world meanwhile: the run ends with the last look.
pub fn play_watched<T: Send>(
    scenario: &Scenario,
    options: Options,
    outside: &Outside,
    looks: Option<Looks<'_>>,
    cast: impl FnOnce(&Rc<Hosts>) + Send,
    epilogue: impl FnOnce(Played) -> T + Send,
) -> Result<T, RunError> {
    let internal = |message: String| RunError::Internal {
        scenario: scenario.name.clone(),
        variant: scenario.variant.clone(),
        seed: scenario.seed,
        message,
    };
    let outer = |message| Trouble { at: None, place: "the engine".to_owned(), message };
    let on_thread = || {
        trouble::keep_panics();
        caught(|| play_here(scenario, options, outside, looks, cast))
            .unwrap_or_else(|message| Err(outer(message)))
            .and_then(|end| match end {
                Ok(played) => caught(|| epilogue(played)).map(Ok).map_err(outer),
                Err(stopped) => Ok(Err(stopped)),
            })
    };
    if outside.stop.load(Ordering::Relaxed) {
        return Err(RunError::Stopped(SimTime::ZERO));
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("run".to_owned());
        let thread = thread
            .spawn_scoped(scope, on_thread)
            .map_err(|error| internal(format!("no thread for the run: {error}")))?;
        let end = thread.join().map_err(|_| internal("the run's thread died".to_owned()))?;
        end.map_err(|trouble| internal(trouble.to_string()))?.map_err(RunError::Stopped)
    })
}

/// The same on this thread, which must be fresh: the first runtime of a thread is the one that
/// is deterministic. The inner error is the moment at which it was stopped.
fn play_here(
    scenario: &Scenario,
    options: Options,
    outside: &Outside,
    looks: Option<Looks<'_>>,
    cast: impl FnOnce(&Rc<Hosts>),
) -> Result<Result<Played, SimTime>, Trouble> {
    let mut world = World::new(scenario, options.record);
    world.check_laws(options.laws);
    if let Some(looks) = &looks {
        if looks.hear {
            world.hear_messages();
        }
        world.look_for_commits(looks.commits);
        if let Some(wanted) = looks.follow {
            world.follow(wanted);
        }
    }
    let end = world.end();
    let runtime = Runtime::with_seed_and_config(options.madsim_seed, Config::default());
    let mut here = None;
    let end = runtime.block_on(async {
        let ctl = Rc::new(Ctl::new(world, runtime.handle().clone()));
        here = Some((Installed::new(Rc::clone(&ctl)), Rc::clone(&ctl)));
        let set = caught(|| {
            node("the stage", std::future::pending::<()>);
            let hosts = Hosts::new(scenario);
            spawn(faults::inject(Rc::clone(&hosts), scenario.clone()));
            operator::operate(&hosts, scenario);
            cast(&hosts);
        });
        let end = match set {
            Ok(()) => match looks {
                None => ctl.drive(end, outside).await,
                Some(looks) => ctl.drive_and_look(end, looks, outside).await,
            },
            Err(message) => Err(ctl.trouble_in("setting up", message)),
        };
        // The shells of the dead leave madsim's queue before `block_on` returns.
        caught(|| ctl.take_apart()).map_err(|m| ctl.trouble_in("taking the run apart", m))?;
        end
    });
    drop(runtime);
    let (installed, ctl) = here.expect("the driver's first act");
    drop(installed);
    match (end?, Rc::into_inner(ctl)) {
        (End::Stopped(at), _) => Ok(Err(at)),
        (End::Done, Some(ctl)) => Ok(Ok(Played {
            world: ctl.world.into_inner(),
            log: ctl.log.into_inner(),
            polls: ctl.polls.get(),
        })),
        (End::Done, None) => unreachable!("nothing outlives `take_apart` that holds a `Ctl`"),
    }
}

impl Ctl {
    /// Drives from one look to the next.
    async fn drive_and_look(
        &self,
        end: SimTime,
        looks: Looks<'_>,
        outside: &Outside,
    ) -> Result<End, Trouble> {
        for at in looks.at.iter().map(|at| (*at).min(end)) {
            if let End::Stopped(moment) = self.drive(at, outside).await? {
                return Ok(End::Stopped(moment));
            }
            let mut world = self.world.borrow_mut();
            world.settle_for_look();
            if world.now() < at {
                break;
            }
            (looks.look)(&world);
        }
        Ok(End::Done)
    }

    /// The driver: see the head of this file for the order that it keeps.
    async fn drive(&self, end: SimTime, outside: &Outside) -> Result<End, Trouble> {
        let (mut moment, mut turns) = (self.now(), 0);
        loop {
            while let Some(task) = self.pop_ready() {
                turns += 1;
                if turns > TURNS_PER_MOMENT {
                    return Err(self.restless(&self.place_of(task)));
                }
                self.hand_over(task).await?;
            }
            outside.played.store(moment.0, Ordering::Relaxed);
            if outside.stop.load(Ordering::Relaxed) {
                return Ok(End::Stopped(moment));
            }
            if self.finished.get() {
                return Ok(End::Done);
            }
            let booked = self.book.borrow().next();
            // What tasks did may have made data events at this same moment.
            let until = if self.touched.take() {
                moment
            } else {
                booked.max(moment).min(end).min(moment + CHUNK)
            };
            let saw = self.play_world(until)?;
            let now = self.now();
            if now > moment {
                self.clock.advance(std::time::Duration::from_nanos(now.since(moment).0));
                (moment, turns) = (now, 0);
            }
            turns += 1;
            if turns > TURNS_PER_MOMENT {
                return Err(self.restless("what was sent with `after`, or a watch"));
            }
            let woken = self.wake_watchers() || saw == Reached::Saw || self.fire_one()?;
            if !woken && moment >= end {
                outside.played.store(moment.0, Ordering::Relaxed);
                return Ok(End::Done);
            }
        }
    }

    fn play_world(&self, until: SimTime) -> Result<Reached, Trouble> {
        caught(|| self.world.borrow_mut().run_until(until, self.watchers.borrow().watches()))
            .map_err(|message| self.trouble_in("the world", message))
    }

    fn restless(&self, place: &str) -> Trouble {
        self.trouble_in(place, format!("{TURNS_PER_MOMENT} wake-ups at one moment"))
    }
}
