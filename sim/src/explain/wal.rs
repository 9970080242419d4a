//! What keeps each segment of pg_wal at a moment.
//!
//! Files go only when a checkpoint or restartpoint ends, so a file may be there that nothing keeps.
//!
//! **Source.** `xlog.c:KeepLogSeg`, `RemoveOldXlogFiles`, `XLOGfileslop`.
//!
//! **Not modelled.** The archive: nothing waits to be archived.

use models::postgres::command::SlotName;
use models::postgres::server::Server;
use models::units::{Bytes, Lsn};

/// Why a segment is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It waits to be written: created ahead, or an old file under a new name.
    Ahead,
    /// It is the one that is being written.
    Current,
    /// Crash recovery would begin at or before it: the redo point of the last checkpoint.
    Redo {
        /// That point.
        redo: Lsn,
    },
    /// `wal_keep_size`.
    WalKeepSize {
        /// Its value.
        size: Bytes,
    },
    /// A slot.
    Slot {
        /// Which.
        slot: SlotName,
        /// Its `restart_lsn`.
        restart: Lsn,
    },
    /// Nothing: it goes when the next checkpoint ends.
    Nothing,
}

/// Segments in a row that the same rules keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
    /// The rules; never empty.
    pub rules: Vec<Rule>,
}

/// What keeps the segments of a server, from the oldest to the newest.
pub fn kept(server: &Server) -> Vec<Segments> {
    let files = &server.host.files;
    let mut all: Vec<Segments> = Vec::new();
    for segment in files.oldest..=files.newest {
        let rules = rules(server, segment);
        match all.last_mut() {
            Some(last) if last.rules == rules => last.to = segment,
            Some(_) | None => all.push(Segments { from: segment, to: segment, rules }),
        }
    }
    all
}

fn rules(server: &Server, segment: u64) -> Vec<Rule> {
    let (files, settings) = (&server.host.files, server.settings());
    let size = files.size;
    let current = files.written.segment(size);
    if segment > current {
        return vec![Rule::Ahead];
    }
    let mut rules = Vec::new();
    if segment == current {
        rules.push(Rule::Current);
    }
    if segment >= files.redo.segment(size) {
        rules.push(Rule::Redo { redo: files.redo });
    }
    let behind = current - segment;
    let keep = settings.wal_keep_size;
    if keep > Bytes(0) && behind <= size.segments_in(keep) {
        rules.push(Rule::WalKeepSize { size: keep });
    }
    let cap = settings.max_slot_wal_keep_size;
    let within = cap.is_none_or(|cap| behind <= size.segments_in(cap));
    rules.extend(server.host.slots.iter().filter(|_| within).filter_map(|slot| {
        let restart = slot.restart.filter(|_| slot.invalid.is_none())?;
        (restart.segment(size) <= segment).then_some(Rule::Slot { slot: slot.name, restart })
    }));
    if rules.is_empty() {
        rules.push(Rule::Nothing);
    }
    rules
}
