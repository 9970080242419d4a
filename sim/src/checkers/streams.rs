//! Laws of WAL on its way: only what is flushed is sent, and nothing is left out.
//!
//! On each connection every message of WAL begins where the one before it ended.
//!
//! **Source.** `walsender.c:XLogSendPhysical`.
//!
//! **Not modelled.** An older connection to the same standby, which nobody reads any more; what
//! a link does to messages.

use models::postgres::ConnectionId;
use models::postgres::protocol::{Body, Message};
use models::postgres::server::Server;
use models::trace::fact::ServerId;
use models::trace::law::Law;
use models::units::Lsn;

use super::Findings;

/// Where the newest connection between two servers is.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    count: usize,
    sent: Vec<Flow>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    connection: ConnectionId,
    end: Lsn,
}

impl Streams {
    pub(super) fn new(count: usize) -> Streams {
        Streams { count, sent: vec![Flow::default(); count * count] }
    }

    pub(super) fn sent(
        &mut self,
        from: &Server,
        to: ServerId,
        message: &Message,
        findings: &mut Findings,
    ) {
        let Body::XLogData { start, end, .. } = message.body else { return };
        let flushed = from.flushed();
        findings.expect(end <= flushed, Law::StreamOrder, from.id(), |names| {
            let to = &names[to.index()];
            format!("WAL up to {end} was sent to {to}, and {flushed} is flushed")
        });
        let flow = &mut self.sent[from.id().index() * self.count + to.index()];
        if let Some(last) = flow.gap_before(message.connection, start, end) {
            findings.broken(Law::StreamOrder, from.id(), |names| {
                let to = &names[to.index()];
                format!("WAL from {start} on was sent to {to} behind WAL up to {last}")
            });
        }
    }
}

impl Flow {
    /// Takes a message; the end of the last one if it was not where this one starts.
    fn gap_before(&mut self, connection: ConnectionId, start: Lsn, end: Lsn) -> Option<Lsn> {
        if connection == self.connection {
            let last = std::mem::replace(&mut self.end, end);
            (last != start).then_some(last)
        } else {
            if connection > self.connection {
                *self = Flow { connection, end };
            }
            None
        }
    }
}
