//! What logs have about connections between servers that fail or end.
//!
//! **Source.** `walreceiver.c`, `libpqwalreceiver.c`; libpq's `fe-connect.c`; `postmaster.c`.

use super::super::fact::{ConnectionEnd, Refusal, ServerId};
use super::{Level, Lines, Process};
use crate::units::Lsn;

impl Lines<'_, '_> {
    /// A stream has ended, as its walreceiver tells.
    pub(super) fn receiver_ended(&mut self, server: ServerId, why: ConnectionEnd) {
        let text = match why {
            ConnectionEnd::NoSpace => {
                return self.no_space(server, Process::WalReceiver, Level::Fatal);
            }
            ConnectionEnd::PeerClosed | ConnectionEnd::PeerTerminated => {
                "could not receive data from WAL stream: server closed the connection \
                 unexpectedly\n\tThis probably means the server terminated abnormally\n\tbefore or \
                 while processing the request."
            }
            ConnectionEnd::Timeout => "terminating walreceiver due to timeout",
            // libpq keeps the errors of a connection together from 14 on.
            ConnectionEnd::Terminated if self.major < 14 => {
                "could not send end-of-streaming message to primary: no COPY in progress"
            }
            ConnectionEnd::Terminated if self.major < 18 => {
                "could not send end-of-streaming message to primary: server closed the connection \
                 unexpectedly\n\tThis probably means the server terminated abnormally\n\tbefore or \
                 while processing the request.\nno COPY in progress"
            }
            ConnectionEnd::Terminated => {
                "could not send end-of-streaming message to primary: server closed the connection \
                 unexpectedly\n\tThis probably means the server terminated abnormally\n\tbefore or \
                 while processing the request.\ninvalid socket\nno COPY in progress"
            }
            ConnectionEnd::Shutdown => {
                "terminating walreceiver process due to administrator command"
            }
        };
        self.add(server, Process::WalReceiver, Level::Fatal, text.to_owned());
    }

    /// A walreceiver could not connect or start.
    pub(super) fn connect_failed(
        &mut self,
        server: ServerId,
        upstream: ServerId,
        why: Refusal,
        start: Lsn,
    ) {
        let host = self.words.name(upstream).to_owned();
        // libpq says where it tried first from 14 on, and last before.
        let tried = if self.major >= 14 {
            format!("connection to server at \"{host}\", port 5432 failed: ")
        } else {
            String::new()
        };
        let unheard = |error: &str| {
            if self.major >= 14 {
                format!(
                    "{tried}{error}\n\tIs the server running on that host and accepting TCP/IP \
                     connections?"
                )
            } else {
                format!(
                    "could not connect to server: {error}\n\tIs the server running on host \
                     \"{host}\" and accepting\n\tTCP/IP connections on port 5432?"
                )
            }
        };
        let why = match why {
            Refusal::ConnectionRefused => unheard("Connection refused"),
            Refusal::ConnectTimeout => unheard("Connection timed out"),
            Refusal::StartingUp | Refusal::ShuttingDown => {
                let does = if why == Refusal::StartingUp { "starting up" } else { "shutting down" };
                let text = format!("the database system is {does}");
                self.add(upstream, Process::WalSender(server), Level::Fatal, text.clone());
                format!("{tried}FATAL:  {text}")
            }
            Refusal::TooManySenders { max } => {
                let name = if self.major >= 17 { "\"max_wal_senders\"" } else { "max_wal_senders" };
                let text = format!(
                    "number of requested standby connections exceeds {name} (currently {max})"
                );
                self.add(upstream, Process::WalSender(server), Level::Fatal, text.clone());
                format!("{tried}FATAL:  {text}")
            }
            Refusal::SegmentRemoved { segment } => {
                let text = format!("requested WAL segment {segment} has already been removed");
                self.add_of_sender(upstream, server, Level::Error, &text);
                let text = format!("could not receive data from WAL stream: ERROR:  {text}");
                return self.add(server, Process::WalReceiver, Level::Fatal, text);
            }
            Refusal::Terminated => {
                let text = "terminating connection due to administrator command";
                let text = format!("could not receive data from WAL stream: FATAL:  {text}");
                return self.add(server, Process::WalReceiver, Level::Fatal, text);
            }
            Refusal::SlotActive { .. }
            | Refusal::NoSuchSlot { .. }
            | Refusal::SlotInvalid { .. } => {
                return self.slot_refused(server, upstream, why, start);
            }
        };
        let receiver = if self.major >= 18 {
            format!("streaming replication receiver \"{}\" ", self.words.name(server))
        } else {
            String::new()
        };
        let text = format!("{receiver}could not connect to the primary server: {why}");
        self.add(server, Process::WalReceiver, Level::Fatal, text);
    }
}
