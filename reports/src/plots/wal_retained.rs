//! WAL kept for standbys over time: by slots with their `wal_status`, or without one only needed.

use models::trace::Run;
use models::trace::fact::{Refusal, What};
use models::trace::sample::{SlotSamples, StandbySamples, WAL_STATUSES, status_name};
use models::trace::series::{Merge, Series};
use models::units::SimTime;

use super::Chart;
use super::marks::{self, Band, Key, Limit};
use super::over_time::OverTime;
use super::panels::{Label, Points, add_limits, add_moments, panels, thinned};
use super::scale::Unit;

/// For each slot the WAL that it keeps. In a run without slots, for each standby the WAL that it
/// still needs, until it is refused for good, and for each upstream how far back its files reach.
pub fn series(run: &Run) -> Vec<(Label, Points)> {
    let samples = &run.samples;
    if samples.slots.is_empty() {
        return without_slots(run);
    }
    let unique = |slot: &SlotSamples| {
        samples.slots.iter().filter(|other| other.slot_name == slot.slot_name).count() == 1
    };
    let line = |slot: &SlotSamples| {
        let name = match unique(slot) {
            true => slot.slot_name.clone(),
            false => format!("{}/{}", slot.server, slot.slot_name),
        };
        (Label::of(&name), thinned(&slot.retained_bytes, Merge::Peak, run.duration))
    };
    samples.slots.iter().map(line).collect()
}

/// What the bands of a slot's strip mean.
const STATUSES: Key = Key { title: "wal_status:", words: &WAL_STATUSES, rest: "no band: NULL" };

/// For each line of [`series`] the worst `wal_status` of every span.
fn statuses(run: &Run) -> Vec<Vec<Band>> {
    if run.samples.slots.is_empty() {
        return without_slots(run).into_iter().map(|_| Vec::new()).collect();
    }
    let strip = |slot: &SlotSamples| {
        marks::bands(&thinned(&slot.wal_status, Merge::Peak, run.duration), status_name)
    };
    run.samples.slots.iter().map(strip).collect()
}

fn without_slots(run: &Run) -> Vec<(Label, Points)> {
    let samples = &run.samples;
    let server = |name: &str| samples.servers.iter().find(|server| server.name == name);
    // Whoever is primary inserts, wherever the standby streams from.
    let mut insert = samples.commits.empty_like(Merge::Peak);
    for (at, lsn) in samples.servers.iter().flat_map(|server| server.insert_lsn.iter()) {
        if let Some(lsn) = lsn {
            insert.add(at, lsn);
        }
    }
    let behind = |position: &Series| {
        let mut bytes = samples.commits.empty_like(Merge::Peak);
        for (bucket, (at, insert)) in insert.iter().enumerate() {
            if let (Some(insert), Some(position)) = (insert, position.get(bucket)) {
                bytes.add(SimTime(at.0), insert.saturating_sub(position));
            }
        }
        thinned(&bytes, Merge::Peak, run.duration)
    };
    let need = |standby: &StandbySamples| {
        let own = server(&standby.name)?;
        let mut points = behind(&own.flush_lsn);
        if let Some(lost) = lost_at(run, &standby.name) {
            points.iter_mut().filter(|point| point.0 > lost).for_each(|point| point.1 = None);
        }
        Some((Label::of(&format!("needed by {}", standby.name)), points))
    };
    let mut upstreams: Vec<&str> = Vec::new();
    for standby in &samples.standbys {
        if !upstreams.contains(&standby.upstream.as_str()) {
            upstreams.push(&standby.upstream);
        }
    }
    let files = |name: &&str| {
        let own = server(name)?;
        Some((Label::of(&format!("files on {name} reach back")), behind(&own.oldest_lsn)))
    };
    samples.standbys.iter().filter_map(need).chain(upstreams.iter().filter_map(files)).collect()
}

/// When a standby that is lost at the end was first told that the WAL it needs, or its slot, is
/// gone.
fn lost_at(run: &Run, standby: &str) -> Option<SimTime> {
    run.summary.standbys.iter().find(|own| own.name == standby && own.lost)?;
    use Refusal::{SegmentRemoved, SlotInvalid};
    let refused = |what: &What| {
        matches!(what, What::ConnectFailed { why: SegmentRemoved { .. } | SlotInvalid { .. }, .. })
    };
    let of = |id: models::trace::fact::ServerId| run.servers.get(id.index());
    let mut facts = run.facts.iter().filter(|fact| refused(&fact.what));
    facts.find(|fact| fact.server.and_then(of).is_some_and(|name| name == standby)).map(|f| f.at)
}

/// The moments at which standbys turned out to be lost.
pub fn lost(run: &Run) -> Vec<(String, SimTime)> {
    let moment = |standby: &StandbySamples| {
        let at = lost_at(run, &standby.name)?;
        Some((format!("{} lost", standby.name), at))
    };
    run.samples.standbys.iter().filter_map(moment).collect()
}

/// The settings that bound what is kept, those of all servers.
fn limits(run: &Run) -> Vec<Limit> {
    let mut limits = Vec::new();
    for server in &run.limits {
        let slot = server.max_slot_wal_keep_size.filter(|_| !run.samples.slots.is_empty());
        let all = [
            ("max_slot_wal_keep_size", slot.map_or(0, |b| b.0)),
            ("wal_keep_size", server.wal_keep_size.0),
        ];
        limits.extend(all.map(|(label, value)| Limit { label: label.to_owned(), value }));
    }
    limits
}

/// The plot.
pub fn chart(runs: &[Run], names: &[String]) -> Chart {
    let mut chart = OverTime {
        title: "WAL kept for standbys",
        reading: "For a slot: the primary's insert position less restart_lsn, and beneath it \
                  wal_status, stronger the worse it is; a lost slot keeps nothing. Without \
                  slots: the WAL that each standby still needs, and how far back the files reach. \
                  A dotted upright line: a standby asked for WAL that is gone, and has to be \
                  rebuilt.",
        y_title: "WAL up to the primary's insert position, bytes",
        unit: Unit::Bytes,
        log: false,
        empty: "there is no slot and no standby",
        duration: super::panels::longest(runs),
        panels: panels(runs, names, series),
        key: Some(STATUSES),
        table: None,
    };
    // Lines stand in the order of the runs, whether they share a panel or not.
    let lines = chart.panels.iter_mut().flat_map(|panel| &mut panel.lines);
    for (line, strip) in lines.zip(runs.iter().flat_map(statuses)) {
        line.strip = strip;
    }
    add_limits(&mut chart.panels, runs, names, limits);
    add_moments(&mut chart.panels, runs, names, lost);
    Chart::OverTime(chart)
}
