//! Laws of answers to clients: a commit's level keeps its promise, and every commit is counted.
//!
//! Commits are answered in the order of their WAL, so of many that are answered at once the last
//! tells for all: it has to be flushed, and what releases commits (`lsn[mode]`) has to be with the
//! standbys themselves: what they have written, flushed, replayed. Under
//! [`super::Checks::Moments`] the commits must end before `lsn[mode]`, too. Which standbys must
//! have it is worked out here from the walsenders that stream and the names, apart from the rules
//! that released the commits.
//!
//! While the world is patient (`world/patience.rs`), standbys are ahead of the answers: what counts
//! is what they had when the answer was given.
//!
//! A standby may have lost what it reported by the time the commit is answered: written WAL with
//! its host, replayed WAL with its processes. What it had before it was struck counts.
//!
//! **Source.** Manual, `synchronous_commit`, `synchronous_standby_names`; `syncrep.c`
//! (`SyncRepGetCandidateStandbys`).
//!
//! **Not modelled.** An answer at `off`: whoever inserts has its answer, so there is nothing to
//! hold it against.

use models::postgres::backend::Waiting;
use models::postgres::effect::Out;
use models::postgres::primary::Primary;
use models::postgres::server::{Server, State};
use models::postgres::syncrep::{Method, WaitMode};
use models::postgres::walsender::Phase;
use models::trace::law::Law;
use models::units::{Lsn, SimTime, UsableBytes};

use super::{Count, Findings, View, replayed};

/// What the laws of answers remember.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    /// See [`super::Checks::Moments`].
    exact: bool,
    /// Answers so far.
    acknowledged: u64,
    /// Of each server, the end of the last commit that it answered at `local` or above, in
    /// whichever of its lives: of another server's it may lack some that no standby had to have.
    promised: Vec<UsableBytes>,
    required: Option<Required>,
    /// What each server had written and replayed before something befell it.
    heights: Vec<(Lsn, Lsn)>,
    /// What each standby had flushed when, while the world is patient.
    disks: Vec<Disk>,
}

/// What a standby had flushed while it was ahead of the answers.
#[derive(Clone, Debug, Default)]
struct Disk {
    /// Until when, and what.
    had: Vec<(SimTime, Lsn)>,
    /// So many of them are over.
    over: usize,
}

impl Disk {
    /// What it had flushed at `at`, if that is `now` by now. `at` never goes back.
    #[inline]
    fn flushed_at(&mut self, at: SimTime, now: Lsn) -> Lsn {
        while let Some(&(until, flushed)) = self.had.get(self.over) {
            if at < until {
                return flushed;
            }
            self.over += 1;
        }
        now
    }
}

/// The standbys that a commit waits for now.
#[derive(Clone, Debug, Default)]
struct Required {
    /// One a walsender: `FIRST`: those that are chosen; `ANY`: all that count.
    standbys: Vec<usize>,
    /// So many of them must have it.
    number: usize,
}

impl Answers {
    pub(super) fn new(servers: usize, exact: bool) -> Answers {
        Answers {
            exact,
            acknowledged: 0,
            promised: vec![UsableBytes::default(); servers],
            required: None,
            heights: vec![(Lsn::INVALID, Lsn::INVALID); servers],
            disks: vec![Disk::default(); servers],
        }
    }

    /// Where a standby that is ahead of the answers notes until when it had flushed what.
    pub(super) fn disk(&mut self, standby: usize) -> &mut Vec<(SimTime, Lsn)> {
        &mut self.disks[standby].had
    }

    /// No standby is ahead any more.
    pub(super) fn forget_disks(&mut self) {
        for disk in &mut self.disks {
            disk.had.clear();
            disk.over = 0;
        }
    }

    #[inline]
    pub(super) fn forget_required(&mut self) {
        self.required = None;
    }

    /// Clients have the answers to `commits`, in the order of their WAL for each bit of `released`.
    /// Without one they were answered at `off`.
    #[inline]
    pub(super) fn answered(
        &mut self,
        view: View<'_>,
        commits: &[Waiting],
        released: u8,
        findings: &mut Findings,
    ) {
        self.acknowledged += commits.len() as u64;
        let server = &view.servers[view.primary];
        let State::Primary(primary) = server.state() else { return };
        let Some(last) = commits.last().filter(|_| released != 0) else { return };
        let promised = &mut self.promised[view.primary];
        *promised = last.end.max(*promised);
        if released == 1 << WaitMode::Flush as u8 {
            // The usual case.
            self.released(view, primary, WaitMode::Flush, findings);
        } else {
            self.released_all(view, primary, released, findings);
            if released & Out::LOCAL != 0 {
                self.look_at_end(view, commits, (server.flushed(), "flushed"), findings);
            }
        }
        if self.exact && released.is_power_of_two() && released != Out::LOCAL {
            let mode = WaitMode::ALL[released.trailing_zeros() as usize];
            let synced = primary.syncrep().synced(mode);
            self.look_at_end(view, commits, (synced, "with enough standbys"), findings);
        }
    }

    /// Commits were answered that waited for standbys in some modes.
    #[inline(never)]
    fn released_all(
        &mut self,
        view: View<'_>,
        primary: &Primary,
        released: u8,
        findings: &mut Findings,
    ) {
        for mode in WaitMode::ALL.into_iter().filter(|&mode| released & 1 << mode as u8 != 0) {
            self.released(view, primary, mode, findings);
        }
    }

    /// Commits were answered that waited for standbys in `mode`: these have it all.
    #[inline(always)]
    fn released(
        &mut self,
        view: View<'_>,
        primary: &Primary,
        mode: WaitMode,
        findings: &mut Findings,
    ) {
        let server = &view.servers[view.primary];
        let synced = primary.syncrep().synced(mode);
        if synced > server.flushed() {
            self.not_flushed(view, synced, findings);
        }
        let (disks, heights) = (&mut self.disks, &self.heights);
        let required = self.required.get_or_insert_with(|| required(primary, server));
        let there = match mode {
            // The usual case.
            WaitMode::Flush => how_many(required, |standby| {
                let flushed = view.servers[standby].flushed();
                disks[standby].flushed_at(view.now, flushed) >= synced
            }),
            WaitMode::Write | WaitMode::Apply => {
                how_many(required, |s| position(view, heights, s, mode) >= synced)
            }
        };
        if there < required.number {
            self.not_there(view, mode, synced, findings);
        }
    }

    /// None of the commits that were answered ends behind `upto`. Not inlined: what surrounds it is
    /// faster without it.
    #[inline(never)]
    fn look_at_end(
        &self,
        view: View<'_>,
        commits: &[Waiting],
        (upto, is): (Lsn, &str),
        findings: &mut Findings,
    ) {
        let server = &view.servers[view.primary];
        let end = commits.iter().map(|commit| commit.end).max().unwrap_or_default();
        let end = end.end_lsn(server.host.files.size);
        findings.now = view.now;
        findings.expect(end <= upto, Law::CommitLevel, server.id(), |_| {
            format!("commits up to {end} were answered, and {upto} is {is}")
        });
    }

    #[cold]
    fn not_flushed(&self, view: View<'_>, end: Lsn, findings: &mut Findings) {
        let server = &view.servers[view.primary];
        let flushed = server.flushed();
        findings.now = view.now;
        findings.broken(Law::CommitLevel, server.id(), |_| {
            format!("commits up to {end} were answered, and {flushed} is flushed")
        });
    }

    #[cold]
    fn not_there(&self, view: View<'_>, mode: WaitMode, synced: Lsn, findings: &mut Findings) {
        let Some(required) = &self.required else { return };
        let server = &view.servers[view.primary];
        findings.now = view.now;
        findings.broken(Law::CommitLevel, server.id(), |names| {
            let has = |&standby: &usize| {
                format!("{} {}", names[standby], position(view, &self.heights, standby, mode))
            };
            let all: Vec<String> = required.standbys.iter().map(has).collect();
            let (number, done, all) = (required.number, done(mode), all.join(", "));
            format!(
                "commits up to {synced} were answered, which {number} standbys had to have \
                 {done}; they had: {all}"
            )
        });
    }

    /// Something befalls a server: it may lose what it has.
    pub(super) fn note_heights(&mut self, view: View<'_>) {
        for (height, server) in self.heights.iter_mut().zip(view.servers) {
            height.0 = height.0.max(server.host.files.written);
            height.1 = height.1.max(replayed(server, view.now));
        }
    }

    /// What was promised is durable; every commit is somewhere.
    pub(super) fn look(&mut self, view: View<'_>, count: Count, findings: &mut Findings) {
        let server = &view.servers[view.primary];
        let (promised, flushed) = (self.promised[view.primary], server.flushed());
        let none = promised == UsableBytes::default();
        let promised = promised.end_lsn(server.host.files.size);
        let kept = none || promised <= flushed;
        findings.expect(kept, Law::CommitDurability, server.id(), |_| {
            format!("commits up to {promised} were answered, and {flushed} is left")
        });
        let Count { attempted, cancelled, unknown, refused, waiting } = count;
        let acknowledged = self.acknowledged;
        let sum = acknowledged + cancelled + unknown + refused + waiting;
        findings.expect(attempted == sum, Law::CommitCount, server.id(), |_| {
            format!(
                "{attempted} attempted, but {acknowledged} acknowledged, {cancelled} cancelled, \
                 {unknown} unknown, {refused} refused and {waiting} waiting"
            )
        });
    }

    /// What a primary believes of its standbys is never beyond what they had.
    pub(super) fn look_at_reports(&self, server: &Server, view: View<'_>, findings: &mut Findings) {
        let State::Primary(primary) = server.state() else { return };
        for (index, sender) in primary.senders() {
            let (standby, known) = (sender.standby(), &primary.standbys()[index]);
            for (mode, reported) in
                WaitMode::ALL.into_iter().zip([known.write, known.flush, known.apply])
            {
                let had = position(view, &self.heights, standby.index(), mode);
                findings.expect(reported <= had, Law::StandbyReport, server.id(), |names| {
                    let (name, done) = (&names[standby.index()], done(mode));
                    format!("{name} is said to have {done} {reported}, and has {had}")
                });
            }
            let flushed = view.servers[standby.index()].flushed();
            let owned = server.host.slots.iter().filter(|slot| slot.owner == Some(index));
            for slot in owned.filter(|_| known.flush.is_valid()) {
                let held = slot.restart.is_none_or(|restart| restart <= flushed);
                findings.expect(held, Law::StandbyReport, server.id(), |names| {
                    let (name, slot) = (&names[standby.index()], slot.restart.unwrap_or_default());
                    format!("the slot of {name} is at {slot}, and its flush at {flushed}")
                });
            }
        }
    }
}

/// How many of those that are waited for have it, or enough.
#[inline]
fn how_many(required: &Required, mut has: impl FnMut(usize) -> bool) -> usize {
    required.standbys.iter().filter(|&&standby| has(standby)).take(required.number).count()
}

/// The furthest that a standby was, in what a mode waits for.
fn position(view: View<'_>, heights: &[(Lsn, Lsn)], standby: usize, mode: WaitMode) -> Lsn {
    let server = &view.servers[standby];
    match mode {
        WaitMode::Write => heights[standby].0.max(server.host.files.written),
        WaitMode::Flush => server.flushed(),
        WaitMode::Apply => heights[standby].1.max(replayed(server, view.now)),
    }
}

fn done(mode: WaitMode) -> &'static str {
    match mode {
        WaitMode::Write => "written",
        WaitMode::Flush => "flushed",
        WaitMode::Apply => "replayed",
    }
}

/// Whom commits wait for: by the walsenders that stream and have heard of a flush, and the names.
#[cold]
fn required(primary: &Primary, server: &Server) -> Required {
    let names = primary.syncrep().names();
    let mut ranked: Vec<(u32, usize, usize)> = primary
        .senders()
        .filter(|(index, s)| {
            s.phase() == Phase::Streaming && primary.standbys()[*index].flush.is_valid()
        })
        .map(|(index, s)| (s.standby(), index))
        .map(|(id, index)| (names.priority(server.host.application_name(id)), index, id.index()))
        .filter(|(priority, ..)| *priority > 0)
        .collect();
    let number = names.number() as usize;
    ranked.sort_unstable();
    if names.method() == Method::First {
        ranked.truncate(number);
    }
    let standbys = ranked.into_iter().map(|(.., standby)| standby).collect();
    Required { standbys, number: if names.names().is_empty() { 0 } else { number } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_disk_has_later_does_not_count() {
        let had = vec![(SimTime(10), Lsn(100)), (SimTime(20), Lsn(200))];
        let mut disk = Disk { had, over: 0 };
        let at = [0, 9, 10, 19, 20].map(|at| disk.flushed_at(SimTime(at), Lsn(300)).0);
        assert_eq!(at, [100, 100, 200, 200, 300]);
    }
}
