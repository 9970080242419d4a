//! What walreceivers were told of their upstream's end of WAL.
//!
//! Every message of a stream says where the sender's WAL ends: what is flushed there for WAL, what
//! was sent for a keepalive. No model needs that, so no message carries it; when somebody is going
//! to look at `pg_stat_wal_receiver`, it is noted as messages are sent, and taken over when they
//! are read.
//!
//! **Source.** `walsender.c:XLogSendPhysical`, `WalSndKeepalive`;
//! `walreceiver.c:ProcessWalSndrMessage`.
//!
//! **Not modelled.** Nothing more than the messages are.

use std::collections::VecDeque;

use models::postgres::ConnectionId;
use models::postgres::protocol::{Body, Message};
use models::postgres::server::{Server, State};
use models::postgres::views::LatestEnd;
use models::postgres::walreceiver::WalReceiver;
use models::trace::fact::{ServerId, What};
use models::units::{Lsn, SimTime};

use super::World;

/// What was told, by standby.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    streams: Vec<Told>,
}

/// What one walreceiver was told.
#[derive(Clone, Debug)]
struct Told {
    /// Messages not read yet: connection, when it was sent, the end of WAL in it.
    under_way: VecDeque<(ConnectionId, SimTime, Lsn)>,
    /// `latestWalEnd`: it outlives the process.
    latest: Lsn,
    /// On which connection it was raised last, and when that message was sent.
    raised: Option<(ConnectionId, SimTime)>,
}

impl Told {
    /// Takes over what was read.
    fn read(&mut self, receiver: &WalReceiver) {
        let (connection, read) = (receiver.connection(), receiver.shown().sent);
        while let Some(&(on, sent, end)) = self.under_way.front() {
            if on == connection && sent > read {
                return;
            }
            self.under_way.pop_front();
            if on == connection {
                if end > self.latest {
                    self.raised = Some((on, sent));
                }
                self.latest = end;
            }
        }
    }
}

fn receiver(server: &Server) -> Option<&WalReceiver> {
    match server.state() {
        State::Standby(standby) => Some(&standby.receiver),
        State::Down | State::Recovering { .. } | State::Primary(_) => None,
    }
}

impl Heard {
    fn new(servers: &[Server]) -> Heard {
        let told = |server: &Server| {
            let streams = receiver(server).is_some_and(WalReceiver::is_streaming);
            let latest = if streams { server.flushed() } else { Lsn::INVALID };
            Told { under_way: VecDeque::new(), latest, raised: None }
        };
        Heard { streams: servers.iter().map(told).collect() }
    }

    /// A message is sent.
    pub fn said(
        &mut self,
        servers: &[Server],
        at: SimTime,
        from: ServerId,
        to: ServerId,
        message: &Message,
    ) {
        let end = match message.body {
            Body::XLogData { .. } => servers[from.index()].flushed(),
            Body::Keepalive { .. } => sent_lsn(&servers[from.index()], to, message.connection),
            _ => return,
        };
        let told = &mut self.streams[to.index()];
        if let Some(receiver) = receiver(&servers[to.index()]) {
            told.read(receiver);
        }
        told.under_way.push_back((message.connection, at, end));
    }

    /// Something happened to a server: its walreceiver may be about to end.
    pub fn happened(&mut self, servers: &[Server], server: usize, what: &What) {
        let told = &mut self.streams[server];
        if let Some(receiver) = receiver(&servers[server]) {
            told.read(receiver);
        }
        if *what == What::Starting {
            (told.latest, told.raised) = (Lsn::INVALID, None);
        }
    }

    /// What a walreceiver knows.
    fn latest_end(&self, servers: &[Server], server: ServerId) -> Option<LatestEnd> {
        let receiver = receiver(&servers[server.index()])?;
        let mut told = self.streams[server.index()].clone();
        told.read(receiver);
        let raised = told.raised.filter(|(on, _)| *on == receiver.connection());
        Some(LatestEnd { lsn: told.latest, raised: raised.map(|(_, sent)| sent) })
    }
}

/// `sentPtr` of the walsender of a connection.
fn sent_lsn(server: &Server, standby: ServerId, connection: ConnectionId) -> Lsn {
    let senders = server.primary_state().into_iter().flat_map(|primary| primary.senders());
    let mut own = senders.filter(|(_, s)| s.standby() == standby && s.connection() == connection);
    own.next().map_or(Lsn::INVALID, |(_, sender)| sender.sent())
}

impl World {
    /// Somebody is going to look at views: notes what they show and no model needs.
    pub fn hear_messages(&mut self) {
        self.heard = Some(Box::new(Heard::new(&self.servers)));
    }

    /// What a server's walreceiver was told of its upstream's end of WAL, if that was noted.
    pub fn latest_end(&self, server: ServerId) -> Option<LatestEnd> {
        self.heard.as_ref()?.latest_end(&self.servers, server)
    }
}
