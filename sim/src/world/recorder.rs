//! What a run leaves behind, written down as it happens; never feeds anything back.
//!
//! The recorder is told what was acknowledged and what happened, and looks at the world at the
//! moments of its series. It owns no die and no entry on the agenda: switching it off changes no
//! bit of the digest.

use std::collections::BTreeMap;

use models::postgres::command::SlotName;
use models::postgres::statement::Asked;
use models::trace::commit::{StageSample, StageTimes};
use models::trace::fact::{Fact, Facts, ServerId};
use models::trace::histogram::Histogram;
use models::trace::observation::Observations;
use models::trace::sample::Samples;
use models::trace::summary::LagBands;
use models::units::{Bytes, Duration, Lsn, SimTime};

use super::needs::LastCheckpoint;

/// What is written down.
#[derive(Clone, Debug)]
pub struct Recorder {
    /// Facts in order.
    pub facts: Facts,
    /// What an operator looked at.
    pub observations: Observations,
    /// Statements: where, by which action, and what came of them; at most [`MOST_ASKED`].
    pub asked: Vec<(ServerId, u16, Asked)>,
    /// Latencies of all commits.
    pub latency: Histogram,
    /// Series over time.
    pub samples: Samples,
    /// Every server's downtime and largest pg_wal.
    pub servers: Vec<ServerRecord>,
    /// Every slot that there is: what it was seen as.
    pub slots: BTreeMap<(usize, SlotName), SlotRecord>,
    /// Every standby's largest lags, in the order of [`Samples::standbys`].
    pub standbys: Vec<StandbyRecord>,
    /// What the primary had flushed at each look.
    flushed: Vec<(SimTime, Lsn)>,
    /// When the series want a look next.
    next_look: SimTime,
    /// Latency of commits whose stages are not written yet.
    unstaged: u64,
    /// What was followed in the whole run.
    followed: StageTimes,
    /// The bucket of the series that acknowledgements fall into now.
    bucket: Bucket,
}

/// Statements that a summary has; all of them are facts.
pub const MOST_ASKED: usize = 1_000;

/// A server's extremes.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerRecord {
    /// Largest pg_wal.
    pub pg_wal: Bytes,
    /// Time without accepting connections, until `down_since`.
    pub downtime: Duration,
    /// Since when it accepts none.
    pub down_since: Option<SimTime>,
    /// The last checkpoint that ended.
    pub(super) last_checkpoint: LastCheckpoint,
}

/// What a slot was seen as.
#[derive(Clone, Debug, Default)]
pub struct SlotRecord {
    /// Every `wal_status`, in order of first appearance.
    pub statuses: Vec<&'static str>,
    /// Most WAL it kept.
    pub retained: u64,
    /// What `max_slot_wal_keep_size` had to allow.
    pub needed: Bytes,
}

/// A standby's extremes.
#[derive(Clone, Copy, Debug, Default)]
pub struct StandbyRecord {
    /// Largest lag in bytes.
    pub lag_bytes: u64,
    /// Largest `replay_lag`.
    pub replay_lag: Duration,
    /// Largest lag in bytes since the series looked last.
    recent_lag_bytes: u64,
    /// Time in each band.
    pub bands: LagBands,
    /// WAL that had to be kept for it.
    pub needed: Bytes,
    /// The first look whose flush position it has not replayed: an index into
    /// [`Recorder::flushed`].
    lacks: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    start: SimTime,
    end: SimTime,
    commits: u64,
    latency_sum: u64,
    latency_max: u64,
}

impl Recorder {
    /// An empty record of a run of `duration`.
    pub fn new(duration: Duration, servers: &[String], standbys: &[(String, String)]) -> Recorder {
        let samples = Samples::new(duration, servers, standbys);
        let end = SimTime::ZERO + samples.commits.period();
        Recorder {
            facts: Facts::default(),
            observations: Observations::default(),
            asked: Vec::new(),
            latency: Histogram::default(),
            samples,
            servers: vec![ServerRecord::default(); servers.len()],
            slots: BTreeMap::new(),
            standbys: vec![StandbyRecord::default(); standbys.len()],
            flushed: Vec::new(),
            next_look: SimTime::ZERO,
            unstaged: 0,
            followed: StageTimes::default(),
            bucket: Bucket { end, ..Bucket::default() },
        }
    }

    /// When the series want a look at the world.
    pub fn next_look(&self) -> SimTime {
        self.next_look
    }

    /// The world has been looked at.
    pub fn looked(&mut self) {
        self.next_look += self.samples.commits.period();
    }

    /// Something happened.
    pub fn fact(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    /// So large is a server's pg_wal.
    pub fn pg_wal(&mut self, server: usize, at: SimTime, bytes: Bytes) {
        self.samples.servers[server].pg_wal_bytes.add(at, bytes.0);
        let record = &mut self.servers[server];
        record.pg_wal = record.pg_wal.max(bytes);
    }

    /// A statement was answered.
    pub fn asked(&mut self, server: ServerId, action: u16, asked: Asked) {
        if self.asked.len() < MOST_ASKED {
            self.asked.push((server, action, asked));
        }
    }

    /// Clients have had their answers at `at`, after these latencies.
    #[inline]
    pub fn answered(&mut self, at: SimTime, latencies: impl ExactSizeIterator<Item = Duration>) {
        if at >= self.bucket.end {
            self.next_bucket(at);
        }
        self.bucket.commits += latencies.len() as u64;
        let (sum, max) = self.latency.record_all(latencies);
        self.bucket.latency_sum += sum;
        self.bucket.latency_max = self.bucket.latency_max.max(max);
    }

    /// The primary has flushed: a standby is so many bytes behind.
    #[inline]
    pub fn lag(&mut self, standby: usize, bytes: Bytes) {
        let largest = self.lag_of(standby);
        *largest = (*largest).max(bytes.0);
    }

    /// The largest that was so far, since somebody asked.
    #[inline]
    pub fn lag_of(&mut self, standby: usize) -> &mut u64 {
        &mut self.standbys[standby].recent_lag_bytes
    }

    /// The largest lag of a standby since this was asked last, with `now_bytes` its lag now.
    pub fn recent_lag(&mut self, standby: usize, now_bytes: Bytes) -> u64 {
        let record = &mut self.standbys[standby];
        let recent = record.recent_lag_bytes.max(now_bytes.0);
        record.lag_bytes = record.lag_bytes.max(recent);
        record.recent_lag_bytes = 0;
        recent
    }

    /// The primary has flushed up to `flushed` at this look.
    pub fn flushed(&mut self, flushed: Lsn) {
        self.flushed.push((self.next_look, flushed));
    }

    /// At this look a standby has replayed up to `replayed`: it was in a band since the last one.
    pub fn lag_band(&mut self, standby: usize, replayed: Lsn) {
        let [.., (before, _), (now, flushed)] = self.flushed[..] else { return };
        let record = &mut self.standbys[standby];
        let has = |index: usize| self.flushed.get(index).is_some_and(|(_, lsn)| *lsn <= replayed);
        while has(record.lacks) {
            record.lacks += 1;
        }
        while record.lacks > 0 && !has(record.lacks - 1) {
            record.lacks -= 1;
        }
        let behind = flushed.since(replayed);
        let age = self.flushed.get(record.lacks).map_or(Duration::ZERO, |(at, _)| now.since(*at));
        record.bands.add(behind, age, now.since(before));
    }

    /// Whether a server accepts connections from now on.
    pub fn available(&mut self, server: usize, now: SimTime, ready: bool) {
        let record = &mut self.servers[server];
        match (record.down_since, ready) {
            (Some(since), true) => {
                record.downtime += now.since(since);
                record.down_since = None;
            }
            (None, false) => record.down_since = Some(now),
            (Some(_), false) | (None, true) => {}
        }
    }

    /// Writes the bucket in hand and begins the one that holds `at`.
    fn next_bucket(&mut self, at: SimTime) {
        self.close_bucket();
        let period = self.samples.commits.period();
        let start = SimTime(at.0 - at.0 % period.0);
        self.bucket = Bucket { start, end: start + period, ..Bucket::default() };
    }

    /// Writes where the time went of the commits that were acknowledged before `at`: exactly for
    /// those that did not wait, for the others in the shares of those that were followed.
    pub fn stages(&mut self, at: SimTime, sample: &StageSample) {
        self.close_bucket();
        let waited = self.unstaged.saturating_sub(sample.early.total());
        let mut times = sample.early;
        self.unstaged = waited;
        self.followed.add_all(&sample.followed);
        if sample.followed.total() > 0 {
            times.add_all(&sample.followed.scaled_to(waited));
            self.unstaged = 0;
        }
        self.write_stages(at, &times);
    }

    /// Writes the stages of commits that nobody was followed among, in the shares of all.
    pub fn close_stages(&mut self, end: SimTime) {
        let times = self.followed.scaled_to(self.unstaged);
        self.unstaged -= times.total();
        self.write_stages(end, &times);
    }

    fn write_stages(&mut self, at: SimTime, times: &StageTimes) {
        let before = SimTime(at.0.saturating_sub(1));
        for (series, nanos) in self.samples.stages.iter_mut().zip(times.0) {
            if nanos > 0 {
                series.add(before, nanos);
            }
        }
    }

    /// Writes the bucket in hand.
    pub fn close_bucket(&mut self) {
        let Bucket { start, commits, latency_sum, latency_max, .. } = self.bucket;
        if commits > 0 {
            self.samples.commits.add(start, commits);
            self.samples.latency_sum.add(start, latency_sum);
            self.samples.latency_max.add(start, latency_max);
            self.unstaged += latency_sum;
        }
        self.bucket = Bucket { start, end: self.bucket.end, ..Bucket::default() };
    }
}
