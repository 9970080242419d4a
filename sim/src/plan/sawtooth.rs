//! The sawtooth of full-page images, taken out of a history so that a trial's own checkpoints can
//! make it anew.
//!
//! After a checkpoint every page that is touched for the first time costs an image: WAL is dense
//! at first and thins out. A history has the images of the checkpoints that there were; another
//! `checkpoint_timeout` or `max_wal_size`, or time that is stretched, makes others. So for each
//! cycle's length of the history it is worked out how many transactions of a kind make as much WAL
//! with their images, and their records alone are kept. The rate stays: over a cycle of the same
//! settings, records and images together are what the history has.
//!
//! **Source.** `xloginsert.c:XLogRecordAssemble`; the pages of the presets, fitted to recordings.
//!
//! **Not modelled.** That the history's own cycles began at other moments: within a cycle they are
//! part of its rate.

use models::units::{Bytes, Duration};
use scenarios::workload::TransactionWal;

use super::history::{History, Sample};

/// A cycle of checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// It is over after so long at the latest.
    pub time: Duration,
    /// And after so much WAL.
    pub wal: Bytes,
}

/// The history's records without their images, if it is made of transactions like `wal`, whose
/// `records` are all of a transaction but its images.
pub fn without_images(history: &History, wal: &TransactionWal, cycle: Cycle) -> Option<History> {
    let mut samples = vec![Sample::default()];
    let mut made = 0;
    for pair in history.samples().windows(2) {
        let [before, after] = pair else { continue };
        // The cycle that a sample lies in, on a grid from the start of the history.
        let mut from = before.at;
        while from < after.at {
            let next = Duration((from.0 / cycle.time.0 + 1) * cycle.time.0);
            let until = next.min(after.at);
            let bytes = history.bytes_at(until).0 - history.bytes_at(from).0;
            let start = Duration(next.0 - cycle.time.0);
            let end = next.min(history.length());
            let whole = history.bytes_at(end).0 - history.bytes_at(start).0;
            // The last cycle may be cut short.
            let span = (end.0 - start.0).max(1);
            let whole = (u128::from(whole) * u128::from(cycle.time.0) / u128::from(span)) as u64;
            let (records, of) = share_of_records(wal, whole.min(cycle.wal.0));
            made += (u128::from(bytes) * u128::from(records) / u128::from(of.max(1))) as u64;
            if until < after.at {
                samples.push(Sample { at: until, bytes: Bytes(made), known: after.known });
            }
            from = until;
        }
        samples.push(Sample { at: after.at, bytes: Bytes(made), known: after.known });
    }
    History::new(samples)
}

/// How much of so much WAL since a redo point are records: their bytes, and all.
fn share_of_records(wal: &TransactionWal, whole: u64) -> (u64, u64) {
    let each = wal.records.mean().max(1);
    let all = |transactions: u64| transactions * each + images(wal, transactions);
    // The most transactions whose WAL is not more than the whole.
    let (mut low, mut high) = (0, whole / each);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if all(middle) <= whole { low = middle } else { high = middle - 1 }
    }
    // Less than one transaction with its images: as of one.
    let transactions = low.max(1);
    (transactions * each, all(transactions))
}

/// Images of so many transactions after a redo point, on average.
fn images(wal: &TransactionWal, transactions: u64) -> u64 {
    let of = |set: &models::clients::PageSet| {
        let touches = transactions * u64::from(set.touches_per_thousand) / 1_000;
        set.touched(touches) * set.image.0
    };
    wal.pages.iter().map(of).sum()
}
