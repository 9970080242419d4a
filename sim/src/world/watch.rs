//! What control code waits for: something that holds in the world or does not.
//!
//! Watches are looked at when a moment closes, those that change with facts only after one, those
//! of positions always. Control never sees half of a moment.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** Nothing: this is machinery.

use models::postgres::server::{Server, State};
use models::postgres::statement::{Answer, Statement};
use models::postgres::walsender::{Phase, WalSender};
use models::trace::fact::{ServerId, What};
use models::units::Lsn;

use super::World;

/// Something that control code waits for; it holds or it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// The server accepts connections.
    Ready(ServerId),
    /// WAL is durable there up to the position.
    Flushed(ServerId, Lsn),
    /// It is no standby.
    OutOfRecovery(ServerId),
    /// No operator's session writes there or waits for its commit.
    Written(ServerId),
    /// No postmaster runs.
    Down(ServerId),
    /// It is not frozen.
    Thawed(ServerId),
    /// So many checkpoints were completed since the run began, or none runs.
    Checkpoints(ServerId, u64),
    /// Its upstream shows the standby in state `streaming`.
    Streaming(ServerId),
    /// The standby has replayed all that the primary has flushed.
    CaughtUp(ServerId),
    /// A session there sees so many rows of a workload, by its index.
    Rows(ServerId, u16, u64),
    /// No walsender serves the standby.
    Disconnected(ServerId),
    /// The WAL that the standby needs next is gone.
    Lost(ServerId),
}

impl Watch {
    /// Whether it may come true without a fact.
    pub(super) fn is_of_positions(self) -> bool {
        match self {
            Watch::Flushed(..) | Watch::Written(_) | Watch::CaughtUp(_) | Watch::Rows(..) => true,
            Watch::Ready(_)
            | Watch::OutOfRecovery(_)
            | Watch::Down(_)
            | Watch::Thawed(_)
            | Watch::Checkpoints(..)
            | Watch::Streaming(_)
            | Watch::Disconnected(_)
            | Watch::Lost(_) => false,
        }
    }
}

/// Checkpoints and restartpoints of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoints {
    /// Completed since the run began.
    pub done: u64,
    /// Whether one runs.
    pub running: bool,
}

impl Checkpoints {
    /// Takes note of what happened on its server.
    pub(super) fn happened(&mut self, what: &What) {
        match what {
            What::CheckpointStarted { .. } => self.running = true,
            What::CheckpointDone { .. } => {
                self.running = false;
                self.done += 1;
            }
            What::Crashed { .. } | What::Panicked { .. } | What::Starting => self.running = false,
            _ => {}
        }
    }
}

impl World {
    /// Whether what a watch waits for is so.
    pub fn holds(&self, watch: Watch) -> bool {
        let of = |server: ServerId| &self.servers[server.index()];
        match watch {
            Watch::Ready(server) => of(server).is_ready(),
            Watch::Flushed(server, lsn) => of(server).flushed() >= lsn,
            Watch::OutOfRecovery(server) => !matches!(of(server).state(), State::Standby(_)),
            Watch::Written(server) => !of(server).is_writing(),
            Watch::Down(server) => matches!(of(server).state(), State::Down),
            Watch::Thawed(server) => of(server).frozen().is_none(),
            Watch::Checkpoints(server, wanted) => {
                let now = self.checkpoints(server);
                now.done >= wanted || !now.running
            }
            Watch::Streaming(standby) => {
                self.sender_of(standby).is_some_and(|s| s.phase() == Phase::Streaming)
            }
            Watch::Rows(server, workload, at_least) => {
                let answer = self.answer(server, Statement::Count { workload });
                matches!(answer, Answer::Count(rows) if rows >= at_least)
            }
            Watch::CaughtUp(standby) => self.has_caught_up(of(standby)),
            Watch::Disconnected(standby) => self.sender_of(standby).is_none(),
            Watch::Lost(standby) => {
                matches!(of(standby).state(), State::Standby(standby) if standby.lost)
            }
        }
    }

    /// Checkpoints of a server.
    pub fn checkpoints(&self, server: ServerId) -> Checkpoints {
        self.checkpoints[server.index()]
    }

    /// The walsender that serves a standby.
    pub(crate) fn sender_of(&self, standby: ServerId) -> Option<&WalSender> {
        self.servers.iter().find_map(|server| {
            let State::Primary(primary) = server.state() else { return None };
            primary.senders().map(|(_, sender)| sender).find(|s| s.standby() == standby)
        })
    }

    fn has_caught_up(&self, standby: &Server) -> bool {
        let ready = standby.is_ready() && matches!(standby.state(), State::Standby(_));
        ready && standby.replayed(self.now) >= self.servers[self.primary].flushed()
    }
}
