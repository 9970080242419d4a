//! The gate in front of a primary: sessions are let in, not yet, or not any more.
//!
//! After crash recovery a primary takes sessions only when the checkpoint at its end is made, and
//! a primary that shuts down takes none while its last checkpoint and its walsenders end. Here are
//! the operator's commands that write WAL or stop the server, too: they go through that gate.
//!
//! **Source.** `postmaster.c:pmdie`, `PostmasterStateMachine`; `xlog.c:StartupXLOG`.
//!
//! **Not modelled.** `smart` shutdown.

use super::{Control, Gate, Server, State, turn_away};
use crate::postgres::command::{Refused, StopMode};
use crate::postgres::effect::Out;
use crate::postgres::host::Host;
use crate::postgres::primary::Primary;
use crate::postgres::protocol::{Body, Message};
use crate::trace::fact::{CheckpointCause, Refusal, Scope, ServerId, What};
use crate::units::SimTime;

impl Server {
    /// A command that writes WAL.
    pub(super) fn on_primary(
        &mut self,
        out: &mut Out,
        act: impl FnOnce(&mut Primary, &mut Host, &mut Out),
    ) {
        let why = match &mut self.state {
            State::Primary(primary) if self.gate == Gate::Open => {
                return act(primary, &mut self.host, out);
            }
            State::Standby(standby) if standby.is_ready() => Refused::RecoveryInProgress,
            _ => Refused::NotRunning,
        };
        out.fact(What::CommandRefused { why });
    }

    /// `CHECKPOINT`.
    pub(super) fn checkpoint(&mut self, now: SimTime, out: &mut Out) {
        if let State::Standby(standby) = &mut self.state
            && standby.is_ready()
        {
            standby.catch_up(now, &mut self.host, out);
            standby.request_restartpoint(now, &mut self.host, out);
            return;
        }
        self.on_primary(out, |primary, host, out| {
            primary.request_checkpoint(now, CheckpointCause::REQUESTED, host, out);
        });
    }

    /// Whether an operator's session still writes, or waits for its commit.
    pub fn is_writing(&self) -> bool {
        matches!(&self.state, State::Primary(primary) if primary.is_writing())
    }

    /// The postmaster is told to shut down.
    pub(super) fn stop(&mut self, now: SimTime, mode: StopMode, out: &mut Out) {
        if matches!(self.state, State::Down) || self.gate == Gate::Closing {
            return out.fact(What::CommandRefused { why: Refused::NotRunning });
        }
        out.fact(What::StopRequested { mode });
        match (&mut self.state, mode) {
            (State::Primary(primary), StopMode::Fast) if self.gate == Gate::Open => {
                let toll = primary.shut_down(now, &mut self.host, out);
                self.unknown_commits += toll.unknown;
                self.gate = Gate::Closing;
            }
            (State::Standby(standby), StopMode::Fast) => {
                standby.shut_down(now, &mut self.host, out);
                self.consistent_at = standby.replayed_at(now);
                self.down_in_order(now, out);
            }
            (_, _) => {
                self.die(now, Scope::Processes, out);
                out.fact(What::ShutDown);
            }
        }
    }

    /// The last process has ended in order.
    fn down_in_order(&mut self, now: SimTime, out: &mut Out) {
        self.earlier_checkpoints = self.checkpoints();
        self.keep_statistics();
        if let State::Primary(primary) = &mut self.state {
            self.attention = primary.take_attention(self.host.files.flushed);
        }
        self.state = State::Down;
        self.gate = Gate::Open;
        self.control = Control::ShutDown { at: now };
        self.host.slots.save_all();
        self.host.slots.restore(now);
        out.fact(What::ShutDown);
    }

    /// A primary that takes no sessions has done something: is it far enough?
    pub(super) fn behind_the_gate(&mut self, now: SimTime, out: &mut Out) {
        if let State::Primary(primary) = &mut self.state {
            match self.gate {
                Gate::Opening if !primary.is_checkpointing() => {
                    self.gate = Gate::Open;
                    out.fact(What::Ready);
                }
                Gate::Closing => {
                    primary.go_on_shutting_down(&mut self.host, out);
                    if primary.is_shut_down() {
                        self.down_in_order(now, out);
                    }
                }
                Gate::Opening | Gate::Promoting | Gate::Open => {}
            }
        }
        self.schedule();
    }

    pub(super) fn receive_behind_the_gate(
        &mut self,
        now: SimTime,
        from: ServerId,
        message: &Message,
        out: &mut Out,
    ) {
        if let State::Standby(standby) = &mut self.state {
            standby.message(now, from, message, &mut self.host, out);
            return self.go_on_promoting(now, out);
        }
        let State::Primary(primary) = &mut self.state else { return };
        if message.body == Body::Connect || !primary.serves(from, message.connection) {
            let why = match self.gate {
                Gate::Closing => Refusal::ShuttingDown,
                Gate::Opening | Gate::Promoting | Gate::Open => Refusal::StartingUp,
            };
            turn_away(from, message, why, out);
        } else {
            primary.message(now, from, message, &mut self.host, out);
        }
        self.behind_the_gate(now, out);
    }
}
