//! How a standby becomes a primary.
//!
//! Behind its gate the standby goes to the end of its WAL ([`crate::postgres::standby`]). Then its
//! timeline begins where that WAL ends, sessions may write, and a checkpoint is asked for; until
//! that is made, a crash replays from the last restartpoint. Its slots are its own: those of the
//! server it streamed from stay there.
//!
//! **Source.** `xlog.c:StartupXLOG`, `PerformRecoveryXLogAction`, `CreateEndOfRecoveryRecord`;
//! `pg_ctl.c:do_promote`.
//!
//! **Not modelled.** The flush of the END_OF_RECOVERY record before the first session.

use super::{Gate, Server, State};
use crate::postgres::command::Refused;
use crate::postgres::effect::Out;
use crate::postgres::primary::Primary;
use crate::trace::fact::{CheckpointCause, What};
use crate::units::{Lsn, SimTime};

impl Server {
    /// `pg_ctl promote`.
    pub(super) fn promote(&mut self, now: SimTime, out: &mut Out) {
        let why = match &mut self.state {
            State::Standby(standby) => {
                standby.promote(now, &mut self.host, out);
                self.gate = Gate::Promoting;
                return self.go_on_promoting(now, out);
            }
            State::Primary(_) => Refused::RecoveryNotInProgress,
            State::Down | State::Recovering { .. } => Refused::NotRunning,
        };
        out.fact(What::CommandRefused { why });
    }

    /// A standby that is being promoted has done something: is it far enough?
    pub(super) fn go_on_promoting(&mut self, now: SimTime, out: &mut Out) {
        if let State::Standby(standby) = &mut self.state
            && let Some(end) = standby.go_on_promoting(now, &mut self.host, out)
        {
            let from = standby.receiver.upstream();
            self.become_primary(now, end, out);
            let timeline = self.host.timeline;
            out.fact(What::Promoted { timeline, at: end, from });
            out.fact(What::Ready);
        }
        self.schedule();
    }

    fn become_primary(&mut self, now: SimTime, end: Lsn, out: &mut Out) {
        self.earlier_checkpoints = self.checkpoints();
        self.keep_statistics();
        self.host.begin_timeline(end);
        (self.upstream, self.gate) = (None, Gate::Open);
        let mut primary = Primary::new(now, self.settings.version(), &self.settings, end);
        if let Some(attention) = self.attention.take() {
            primary.pay_attention(attention);
        }
        primary.recovered(self.host.files.redo, end);
        primary.end_recovery(now, &mut self.host);
        primary.request_checkpoint(now, CheckpointCause::PROMOTION, &mut self.host, out);
        self.state = State::Primary(Box::new(primary));
    }
}
