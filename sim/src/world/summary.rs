//! The end of a run: the world's state and its record become a [`Run`].
//!
//! Also the regular looks at the world that fill the series: what each server's and each
//! standby's row of the views would show.

use std::collections::BTreeMap;

use models::postgres::command::SlotName;
use models::postgres::guc::Settings;
use models::postgres::lag::LagColumns;
use models::postgres::server::{Server, State};
use models::postgres::slot::Slot;
use models::postgres::statement::{Answer, Asked};
use models::postgres::views::{self, WalStatus};
use models::postgres::walsender::WalSender;
use models::trace::commit::StageSample;
use models::trace::fact::ServerId;
use models::trace::law::Violations;
use models::trace::sample::StandbySamples;
use models::trace::summary::{
    Commits, LatencyMs, MaxEnd, ServerSummary, SlotSummary, StandbySummary, StatementSummary,
    Summary,
};
use models::trace::{FaultSpan, InitialStream, OperatorAction, Run, Setting, WalLimits};
use models::units::{Bytes, Duration, Lsn, SimTime};
use scenarios::action::Deed;
use scenarios::scenario::{Scenario, ServerState};
use scenarios::workload::Workload;

use super::World;
use super::recorder::Recorder;
use crate::checkers::Count;

impl World {
    /// Everything before `now` has happened: looks that are due are taken, in order. Nothing
    /// happens between the last event and a look.
    pub(super) fn look_around(&mut self, now: SimTime) {
        while self.next_look < now {
            self.now = self.now.max(self.next_look);
            self.read_all_quiet(self.now);
            self.check_all();
            if self.digest.next_moment() == self.next_look {
                self.digest.note_moment();
            } else if let Some(mut recorder) = self.recorder.take() {
                let sample = self.take_stages();
                recorder.stages(self.now, &sample);
                self.look(&mut recorder);
                recorder.looked();
                self.recorder = Some(recorder);
            }
            self.book_looks();
        }
    }

    pub(super) fn book_looks(&mut self) {
        let recorder = self.recorder.as_ref().map(Recorder::next_look);
        let recorder = recorder.filter(|&at| at <= self.end).unwrap_or(SimTime::NEVER);
        self.next_look = recorder.min(self.digest.next_moment());
    }

    /// What the servers have seen of where the time of commits goes.
    fn take_stages(&mut self) -> StageSample {
        let mut all = StageSample::default();
        for sample in self.servers.iter_mut().map(Server::take_stages) {
            all.early.add_all(&sample.early);
            all.followed.add_all(&sample.followed);
        }
        all
    }

    /// A checkpoint has removed files: just before, pg_wal was at its largest.
    pub(super) fn note_files(&mut self, server: usize, added: u32, removed: u32) {
        let host = &self.servers[server].host;
        let files = &host.files;
        let gone = u64::from(removed) * files.size.bytes();
        let new = u64::from(added) * files.size.bytes();
        let before = Bytes((host.pg_wal().0 + gone).saturating_sub(new));
        if let Some(recorder) = &mut self.recorder {
            recorder.pg_wal(server, self.now, before);
        }
    }

    /// One row of every series.
    fn look(&self, recorder: &mut Recorder) {
        let at = recorder.next_look();
        for (server, samples) in self.servers.iter().zip(&mut recorder.samples.servers) {
            if let State::Primary(primary) = server.state() {
                samples.insert_lsn.add(at, primary.wal.insert_lsn().0);
            }
            samples.flush_lsn.add(at, server.flushed().0);
            let files = &server.host.files;
            samples.oldest_lsn.add(at, files.oldest * files.size.bytes());
        }
        for (index, server) in self.servers.iter().enumerate() {
            recorder.pg_wal(index, at, server.host.pg_wal());
        }
        self.look_at_slots(recorder);
        self.sample_slots(recorder, at);
        recorder.flushed(self.servers[self.primary].flushed());
        for index in 0..self.standbys.len() {
            let replayed = self.servers[self.standbys[index]].replayed(self.now);
            recorder.lag_band(index, replayed);
            let recent = recorder.recent_lag(index, self.lag_bytes(index));
            let row = self.row(index);
            let samples = &mut recorder.samples.standbys[index];
            samples.lag_bytes.add(at, recent);
            if let Some(row) = row {
                row.add_to(samples, at);
                let seen = &mut recorder.standbys[index].replay_lag;
                *seen = (*seen).max(row.lags.replay_lag.unwrap_or(Duration::ZERO));
            }
        }
    }

    fn look_at_slots(&self, recorder: &mut Recorder) {
        for (index, server) in self.servers.iter().enumerate() {
            for slot in server.host.slots.iter() {
                let record = recorder.slots.entry((index, slot.name)).or_default();
                record.retained = record.retained.max(self.retained(server, slot));
                if let Some(status) = views::wal_status(server, slot).map(WalStatus::name)
                    && !record.statuses.contains(&status)
                {
                    record.statuses.push(status);
                }
            }
        }
    }

    /// One row of pg_replication_slots.
    fn sample_slots(&self, recorder: &mut Recorder, at: SimTime) {
        for (index, server) in self.servers.iter().enumerate() {
            for slot in server.host.slots.iter() {
                let samples = recorder.samples.slot(index, server.host.slot_name(slot.name));
                samples.retained_bytes.add(at, self.retained(server, slot));
                samples.active.add(at, u64::from(slot.owner.is_some()));
                if let Some(status) = views::wal_status(server, slot) {
                    // In the order of `WAL_STATUSES`.
                    samples.wal_status.add(at, status as u64);
                }
                if let Some(safe) = views::safe_wal_size(server, slot) {
                    samples.safe_wal_size.add(at, u64::try_from(safe).unwrap_or(0));
                }
            }
        }
    }

    /// What bounds each server's pg_wal.
    fn limits(&self, scenario: &Scenario) -> Vec<WalLimits> {
        let limits = |(server, config): (&Server, &scenarios::scenario::Server)| {
            let settings = server.settings();
            WalLimits {
                max_wal_size: settings.max_wal_size,
                wal_keep_size: settings.wal_keep_size,
                max_slot_wal_keep_size: settings.max_slot_wal_keep_size,
                capacity: config.disk.capacity,
            }
        };
        self.servers.iter().zip(&scenario.servers).map(limits).collect()
    }

    /// WAL from a slot's restart_lsn to the insert position.
    fn retained(&self, server: &Server, slot: &Slot) -> u64 {
        slot.restart.map_or(0, |restart| server.replayed(self.now).since(restart).0)
    }

    /// The truth in bytes: what the primary has flushed and a standby has not replayed.
    fn lag_bytes(&self, standby: usize) -> Bytes {
        let replayed = self.servers[self.standbys[standby]].replayed(self.now);
        self.servers[self.primary].flushed().since(replayed)
    }

    /// A standby's row of its upstream's pg_stat_replication, if it has one.
    fn row(&self, standby: usize) -> Option<Row<'_>> {
        let id = self.servers[self.standbys[standby]].id();
        self.servers.iter().find_map(|server| {
            let State::Primary(primary) = server.state() else { return None };
            let (index, sender) = primary.senders().find(|(_, s)| s.standby() == id)?;
            let known = &primary.standbys()[index];
            let (sync_state, _) = primary.syncrep().sync_state(primary.standbys(), index);
            Some(Row {
                sender,
                write: known.write,
                flush: known.flush,
                replay: known.apply,
                lags: sender.columns(),
                sync_state: sync_state.name(),
            })
        })
    }

    /// The run is over.
    pub fn finish(mut self, scenario: &Scenario) -> Run {
        self.now = self.end;
        self.read_all_quiet(self.end);
        self.feed(self.end);
        self.look_around(SimTime(self.end.0 + 1));
        let mut recorder =
            self.recorder.take().unwrap_or_else(|| Recorder::new(scenario.duration, &[], &[]));
        let sample = self.take_stages();
        recorder.stages(self.end, &sample);
        recorder.close_stages(self.end);
        self.check_all();
        self.recorder = Some(recorder);
        self.note_absent(scenario);
        let mut recorder = self.recorder.take().expect("put there just now");
        let mut summary = self.summary(scenario, &mut recorder);
        let violations = self.take_violations();
        summary.laws = violations.as_ref().map(Violations::summary).unwrap_or_default();
        let violations = violations.unwrap_or_default();
        summary.expectations = scenario.expect.iter().map(|e| e.judge(&summary)).collect();
        let limits = self.limits(scenario);
        let (digest, moments) = self.digest.finish();
        Run {
            scenario: scenario.name.clone(),
            title: scenario.title.clone(),
            question: scenario.question.clone(),
            variant: scenario.variant.clone(),
            seed: scenario.seed,
            walden: crate::VERSION.to_owned(),
            pg_version: scenario.pg_version,
            duration: scenario.duration,
            servers: scenario.servers.iter().map(|s| s.name.clone()).collect(),
            workloads: scenario.workloads.iter().map(|w| w.name.clone()).collect(),
            slots: scenario.slots.clone(),
            streams: streams(scenario),
            limits,
            settings: scenario.servers.iter().map(settings).collect(),
            faults: scenario.faults.iter().map(|f| span(f, scenario.duration)).collect(),
            actions: actions(scenario),
            summary,
            digest,
            moments,
            latency: recorder.latency,
            facts: recorder.facts,
            observations: recorder.observations,
            looks: Vec::new(),
            samples: recorder.samples,
            violations,
        }
    }

    fn summary(&mut self, scenario: &Scenario, recorder: &mut Recorder) -> Summary {
        let latency = &recorder.latency;
        let at = |share| latency.percentile(share).map_or(0.0, Duration::as_millis);
        let seconds = scenario.duration.as_seconds();
        let commits = self.commits(latency.count());
        Summary {
            name: scenario.variant.clone(),
            settings: scenario.variant_settings.iter().cloned().collect::<BTreeMap<_, _>>(),
            digest: format!("{:016x}", self.digest.value()),
            simulated_seconds: seconds,
            events: self.events,
            commits,
            tps: commits.acknowledged as f64 / seconds,
            latency_ms: LatencyMs {
                mean: latency.mean().map_or(0.0, Duration::as_millis),
                p50: at(500_000),
                p90: at(900_000),
                p99: at(990_000),
                p999: at(999_000),
                max: latency.max().map_or(0.0, Duration::as_millis),
            },
            servers: self.server_summaries(scenario, recorder),
            standbys: self.standby_summaries(scenario, recorder),
            slots: self.slot_summaries(scenario, recorder),
            failovers: self.failover_summaries(scenario),
            statements: statement_summaries(scenario, recorder),
            expectations: Vec::new(),
            laws: Vec::new(),
        }
    }

    /// What became of all commits. Those of an open loop that found no primary, or no room in
    /// wal_buffers, were attempted too.
    fn commits(&mut self, acknowledged: u64) -> Commits {
        let before = self.count();
        for workload in self.workloads.iter_mut().filter(|w| !w.closed) {
            while workload.clients.next_insert() < self.end {
                workload.clients.take();
            }
        }
        let Count { attempted, cancelled, unknown, mut refused, mut waiting } = self.count();
        // A frozen primary has not refused anybody.
        match self.servers[self.primary].frozen() {
            Some(_) => waiting += attempted - before.attempted,
            None => refused += attempted - before.attempted,
        }
        let lost = self.lost_commits();
        Commits { attempted, acknowledged, cancelled, lost, unknown, refused, waiting }
    }

    fn server_summaries(&self, scenario: &Scenario, recorder: &Recorder) -> Vec<ServerSummary> {
        let records = recorder.servers.iter().copied().chain(std::iter::repeat(Default::default()));
        let summary = |((server, config), record): (
            (&Server, &scenarios::scenario::Server),
            super::recorder::ServerRecord,
        )| {
            let role = match server.state() {
                State::Primary(_) => "primary",
                State::Standby(_) => "standby",
                State::Down | State::Recovering { .. } => "down",
            };
            let down = record.down_since.map_or(Duration::ZERO, |since| self.end.since(since));
            let pg_wal = server.host.pg_wal().0;
            ServerSummary {
                name: config.name.clone(),
                role,
                timeline: server.host.timeline,
                insert_lsn: server.replayed(self.now),
                flush_lsn: server.flushed(),
                pg_wal_bytes: MaxEnd { max: record.pg_wal.0.max(pg_wal), end: pg_wal },
                checkpoints: server.checkpoints(),
                downtime_seconds: (record.downtime + down).as_seconds(),
                rows: self.rows_at_end(server.id().index(), scenario),
            }
        };
        self.servers.iter().zip(&scenario.servers).zip(records).map(summary).collect()
    }

    fn rows_at_end(&self, server: usize, scenario: &Scenario) -> BTreeMap<String, u64> {
        let seen = |(index, workload): (usize, &Workload)| {
            let rows = self.rows(server, u16::try_from(index).ok()?)?;
            Some((workload.name.clone(), rows))
        };
        if !self.takes_sessions(server) {
            return BTreeMap::new();
        }
        scenario.workloads.iter().enumerate().filter_map(seen).collect()
    }

    fn standby_summaries(
        &self,
        scenario: &Scenario,
        recorder: &mut Recorder,
    ) -> Vec<StandbySummary> {
        let mut summaries = Vec::new();
        for index in 0..self.standbys.len() {
            let server = &self.servers[self.standbys[index]];
            let config = &scenario.servers[self.standbys[index]];
            let lag = self.lag_bytes(index).0;
            let record = recorder.standbys.get(index).copied().unwrap_or_default();
            let row = self.row(index);
            let replay_lag = row.as_ref().and_then(|row| row.lags.replay_lag).unwrap_or_default();
            let (connected, lost) = match server.state() {
                State::Standby(standby) => (standby.receiver.is_streaming(), standby.lost),
                State::Down | State::Recovering { .. } | State::Primary(_) => (false, false),
            };
            let upstream = config.upstream.map(|u| scenario.servers[u].name.clone());
            let position = |at: fn(&Row) -> Lsn| row.as_ref().map_or(Lsn::INVALID, at);
            summaries.push(StandbySummary {
                name: config.name.clone(),
                upstream: upstream.unwrap_or_default(),
                connected: connected && row.is_some(),
                lost,
                sent_lsn: position(|row| row.sender.sent()),
                write_lsn: position(|row| row.write),
                flush_lsn: position(|row| row.flush),
                replay_lsn: position(|row| row.replay),
                lag_bytes: MaxEnd { max: record.lag_bytes.max(lag), end: lag },
                lag_bands: record.bands,
                replay_lag_seconds: MaxEnd {
                    max: record.replay_lag.max(replay_lag).as_seconds(),
                    end: replay_lag.as_seconds(),
                },
                sync_state: row.map_or("", |row| row.sync_state),
                wal_needed_bytes: record.needed.0,
            });
        }
        summaries
    }

    fn slot_summaries(&self, scenario: &Scenario, recorder: &mut Recorder) -> Vec<SlotSummary> {
        self.look_at_slots(recorder);
        let mut summaries = Vec::new();
        for (index, server) in self.servers.iter().enumerate() {
            for slot in server.host.slots.iter() {
                let record = recorder.slots.get(&(index, slot.name)).cloned().unwrap_or_default();
                let end = self.retained(server, slot);
                let wal_status = views::wal_status(server, slot).map(WalStatus::name);
                summaries.push(SlotSummary {
                    server: scenario.servers[index].name.clone(),
                    slot_name: server.host.slot_name(slot.name).to_owned(),
                    active: slot.owner.is_some(),
                    restart_lsn: slot.restart,
                    wal_status,
                    wal_status_seen: record.statuses,
                    safe_wal_size: views::safe_wal_size(server, slot),
                    retained_bytes: MaxEnd { max: record.retained.max(end), end },
                    wal_needed_bytes: record.needed.0,
                });
            }
        }
        summaries
    }
}

/// What pg_stat_replication shows of a standby.
struct Row<'a> {
    sender: &'a WalSender,
    write: Lsn,
    flush: Lsn,
    replay: Lsn,
    lags: LagColumns,
    sync_state: &'static str,
}

impl Row<'_> {
    fn add_to(&self, samples: &mut StandbySamples, at: SimTime) {
        samples.sent_lsn.add(at, self.sender.sent().0);
        samples.write_lsn.add(at, self.write.0);
        samples.flush_lsn.add(at, self.flush.0);
        samples.replay_lsn.add(at, self.replay.0);
        let lags = [
            (&mut samples.write_lag, self.lags.write_lag),
            (&mut samples.flush_lag, self.lags.flush_lag),
            (&mut samples.replay_lag, self.lags.replay_lag),
        ];
        for (series, lag) in lags {
            if let Some(lag) = lag {
                series.add(at, lag.0);
            }
        }
    }
}

/// What a server has that a new one has not. `cluster_name` is left out where it is only the
/// server's name.
fn settings(server: &scenarios::scenario::Server) -> Vec<Setting> {
    let defaults = Settings::defaults(server.settings.version());
    let changed = server.settings.changed().into_iter();
    let own = changed.filter(|(name, value)| *name != "cluster_name" || *value != server.name);
    let setting = |(name, value): (&str, String)| {
        let default = defaults.show(name).unwrap_or_default();
        Setting { name: name.to_owned(), value, default }
    };
    own.map(setting).collect()
}

/// Who streams at the start, from the segment that holds the position.
fn streams(scenario: &Scenario) -> Vec<InitialStream> {
    let up = |server: usize| scenario.servers[server].state == ServerState::Up;
    let stream = |(index, server): (usize, &scenarios::scenario::Server)| {
        let upstream = server.upstream.filter(|&upstream| up(upstream) && up(index))?;
        let name = server.slot.as_ref();
        let slot = name.and_then(|name| scenario.slots.iter().position(|slot| slot == name));
        Some(InitialStream {
            upstream: ServerId(upstream as u8),
            standby: ServerId(index as u8),
            start: scenario.start.lsn.segment_start(server.settings.wal_segment_size),
            slot: slot.map(|slot| SlotName(slot as u16)),
        })
    };
    scenario.servers.iter().enumerate().filter_map(stream).collect()
}

fn statement_summaries(scenario: &Scenario, recorder: &Recorder) -> Vec<StatementSummary> {
    let summary = |(number, &(server, action, asked)): (usize, &(ServerId, u16, Asked))| {
        let named = scenario.actions.get(usize::from(action)).map(|action| action.name.clone());
        let table = asked.statement.workload().map(|w| &scenario.workloads[usize::from(w)].name);
        let mut summary = StatementSummary {
            name: named.unwrap_or_else(|| (number + 1).to_string()),
            server: scenario.servers[server.index()].name.clone(),
            at_seconds: Duration(asked.at.0).as_seconds(),
            sql: asked.statement.sql(table.map_or("", String::as_str)),
            value: None,
            count: None,
            sqlstate: Some("00000"),
            message: None,
        };
        match asked.answer {
            Answer::Bool(yes) => summary.value = Some(if yes { "t" } else { "f" }),
            Answer::Count(rows) => summary.count = Some(rows),
            Answer::Done => {}
            Answer::Failed(failure) => {
                summary.sqlstate = failure.sqlstate();
                summary.message = Some(failure.message(scenario.pg_version).0);
            }
        }
        summary
    };
    recorder.asked.iter().enumerate().map(summary).collect()
}

/// What the operator was to do, in the order in which facts number it.
fn actions(scenario: &Scenario) -> Vec<OperatorAction> {
    let label = |place: String, deed: &Deed| OperatorAction {
        place,
        what: scenario.describe(deed),
        idle: matches!(
            deed,
            Deed::Observe(..)
                | Deed::Statement(..)
                | Deed::Wait(..)
                | Deed::WaitRows { .. }
                | Deed::Sleep(_)
        ),
    };
    let single = scenario.actions.iter();
    let single = single.map(|action| label(format!("action {}", action.name), &action.deed));
    let steps = scenario.steps.iter().enumerate().flat_map(|(index, step)| {
        step.deeds.iter().map(move |deed| label(format!("step {}", index + 1), deed))
    });
    single.chain(steps).collect()
}

/// When a fault of a file holds.
pub(crate) fn span(fault: &scenarios::fault::Fault, duration: Duration) -> FaultSpan {
    let from = SimTime::ZERO + fault.at;
    let until = fault.lasts.map(|lasts| from + lasts);
    FaultSpan {
        name: fault.name.clone(),
        kind: fault.kind.name(),
        from,
        until: until.filter(|&until| until < SimTime::ZERO + duration),
        momentary: fault.kind.momentary(),
    }
}
