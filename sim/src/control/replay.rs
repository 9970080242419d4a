//! A run's control plane as a list: what it did to the world, and after how many data events.
//!
//! The world is deterministic between two touches, so the list and a fresh world give the whole
//! run again without a single task. Looking into the past (`explain`) is built on that.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** Why something was done: that is the tasks' knowledge.

use models::postgres::statement::Statement;
use models::trace::fact::{ServerId, What};
use models::units::SimTime;
use scenarios::action::View;

use crate::world::{Action, World};

/// One touch of the world by the control plane.
#[derive(Clone, Debug, PartialEq)]
pub enum Touch {
    /// Something was done to it.
    Action(Action),
    /// Something was noted in it.
    Fact(Option<ServerId>, What),
    /// Somebody looked at a view.
    Look(ServerId, View),
    /// Somebody sent a statement; the number of the action that did.
    Ask(ServerId, Statement, u16),
    /// Somebody had seen enough: the run ended.
    Finish,
}

impl Touch {
    pub(super) fn play(self, world: &mut World) {
        match self {
            Touch::Action(action) => world.apply(action),
            Touch::Fact(server, what) => world.fact(server, what),
            Touch::Look(server, view) => world.observe(server, view),
            Touch::Ask(server, statement, action) => world.ask(server, statement, action),
            Touch::Finish => world.end_here(),
        }
    }
}

/// A touch, with its place in the order of data events.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// When.
    pub at: SimTime,
    /// How many data events came before it. Of several touches at one moment it tells which
    /// followed each other at once, and which let data events go in between.
    pub events: u64,
    /// What was done.
    pub touch: Touch,
}

/// Plays a bare world to `until`, doing to it what the log says up to there.
///
/// # Panics
/// If the world is not the one that the log was taken from: a touch then does not find the
/// number of data events before it that it was logged with.
pub fn replay(world: &mut World, log: &[Logged], until: SimTime) {
    for logged in log.iter().take_while(|l| l.at <= until) {
        if world.now() < logged.at || world.events() < logged.events {
            world.run_until(logged.at, &[]);
        }
        assert_eq!(world.events(), logged.events, "data events before {logged:?}");
        logged.touch.clone().play(world);
    }
    world.run_until(until, &[]);
}
