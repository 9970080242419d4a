//! WAL that has to stay: checkpoints, wal_keep_size, slots and the disk that holds it all.

use models::units::{Bytes, Duration, human};

use super::scene::{Outage, Scene};
use super::{Found, rules};
use crate::action::Deed;
use crate::error::enumerate;
use crate::scenario::ServerIndex;

/// Every rule of this file.
pub(super) fn check(scene: &Scene<'_>, found: &mut Vec<Found>) {
    checkpoints(scene, found);
    for outage in scene.outages() {
        missed(scene, &outage, found);
    }
    for (index, ..) in scene.scenario.servers.iter().enumerate() {
        unlimited(scene, index, found);
        disk(scene, index, found);
    }
    unprotected(scene, found);
    not_reserved(scene, found);
}

/// Checkpoints that WAL starts.
fn checkpoints(scene: &Scene<'_>, found: &mut Vec<Found>) {
    let wal = scene.wal();
    if !wal.requested {
        return;
    }
    let (primary, server) = scene.primary();
    let settings = &server.settings;
    let span = scene.setting(primary, "max_wal_size");
    let (each, max) = (human::duration(wal.interval.0), settings.max_wal_size);
    let most = if wal.at_most { "up to " } else { "" };
    let rate = human::bytes(wal.rate());
    let made = wal.since_checkpoint(settings.checkpoint_timeout);
    let needed = Bytes(
        u64::try_from(
            u128::from(made) * u128::from(1_000_000 + settings.checkpoint_completion_target)
                / 1_000_000,
        )
        .unwrap_or(u64::MAX),
    );
    let help = format!(
        "max_wal_size = '{}' lets checkpoint_timeout ({}) decide",
        room(needed),
        settings.checkpoint_timeout
    );
    let often = settings.checkpoint_warning.is_some_and(|warning| wal.interval < warning);
    let rule = if often { &rules::WAL001 } else { &rules::WAL002 };
    let what = format!(
        "at {most}{rate}/s of WAL a checkpoint starts every {each}, since max_wal_size is {max}"
    );
    found.push(
        Found::new(rule, span, what, help).label(scene.workload(), "the WAL comes from here"),
    );
}

/// A standby that is away, and what is kept for it.
fn missed(scene: &Scene<'_>, outage: &Outage, found: &mut Vec<Found>) {
    let standby = &scene.scenario.servers[outage.standby];
    let Some(upstream) = standby.upstream else { return };
    let settings = scene.settings(upstream);
    let segment = settings.wal_segment_size.bytes();
    let (length, missed) = (scene.length(outage), scene.missed(outage));
    let name = &standby.name;
    let away = format!(
        "`{name}` {} and misses {}{} of WAL",
        scene.away(outage),
        if scene.wal().at_most { "up to " } else { "" },
        human::bytes(missed.0)
    );
    let lost = Loss { scene, outage, missed, length };
    match &standby.slot {
        None => {
            let keep = settings.wal_keep_size;
            if lost.is_possible(keep) {
                let span = scene.setting(upstream, "wal_keep_size");
                let what = format!("{away}; wal_keep_size keeps {keep}: it {}", lost.verb(keep));
                let help = format!(
                    "wal_keep_size = '{}' on `{}`, or a slot for `{name}`",
                    room(with_margin(missed, segment)),
                    scene.scenario.servers[upstream].name
                );
                found.push(
                    Found::new(&rules::WAL005, span, what, help)
                        .label(outage.span, "it is away here"),
                );
            }
        }
        Some(slot) => {
            if let Some(cap) = settings.max_slot_wal_keep_size {
                let kept = cap.max(settings.wal_keep_size);
                if lost.is_possible(kept) {
                    let span = scene.setting(upstream, "max_slot_wal_keep_size");
                    let what =
                        format!("{away}; slot `{slot}` keeps {kept}: it {}", lost.verb(kept));
                    let help = format!(
                        "max_slot_wal_keep_size = '{}', if the disk has room for it",
                        room(with_margin(missed, segment))
                    );
                    found.push(
                        Found::new(&rules::SLT003, span, what, help)
                            .label(outage.span, "it is away here"),
                    );
                }
            }
            idle(scene, outage, upstream, found);
            if standby.settings.hot_standby_feedback {
                let span = scene.setting(outage.standby, "hot_standby_feedback");
                let what = format!(
                    "`{name}` {}, and slot `{slot}` keeps its rows from vacuum",
                    scene.away(outage)
                );
                let help = "expect dead rows on the primary, or turn the feedback off before";
                found.push(
                    Found::new(&rules::SLT007, span, what, help)
                        .label(outage.span, "it is away here"),
                );
            }
        }
    }
}

/// Whether a standby may be lost by an interruption.
pub(super) fn may_be_lost(scene: &Scene<'_>, outage: &Outage) -> bool {
    let standby = &scene.scenario.servers[outage.standby];
    let Some(upstream) = standby.upstream else { return false };
    let settings = scene.settings(upstream);
    let kept = match (&standby.slot, settings.max_slot_wal_keep_size) {
        (None, _) => settings.wal_keep_size,
        (Some(_), Some(cap)) => cap.max(settings.wal_keep_size),
        (Some(_), None) => return false,
    };
    let (missed, length) = (scene.missed(outage), scene.length(outage));
    Loss { scene, outage, missed, length }.is_possible(kept)
}

/// Whether WAL that is missed is gone in the end.
struct Loss<'a, 'b> {
    scene: &'a Scene<'b>,
    outage: &'a Outage,
    missed: Bytes,
    length: Duration,
}

impl Loss<'_, '_> {
    /// More is missed than kept, and a checkpoint ends meanwhile to remove the rest.
    fn is_possible(&self, kept: Bytes) -> bool {
        let upstream = self.scene.scenario.servers[self.outage.standby].upstream;
        let segment = upstream.map_or(0, |u| self.scene.settings(u).wal_segment_size.bytes());
        self.missed.0 > kept.0.saturating_add(segment) && self.length >= self.scene.wal().interval
    }

    /// Up to the WAL of one checkpoint it may be lucky.
    fn verb(&self, kept: Bytes) -> &'static str {
        let interval = self.scene.wal().interval;
        let cycle = self.scene.wal().between(self.outage.from, self.outage.from + interval);
        let certain = self.missed.0 > kept.0.saturating_add(cycle.0) && !self.scene.wal().at_most;
        if certain { "is lost" } else { "may be lost" }
    }
}

/// A slot that is given up because nobody used it (18).
fn idle(scene: &Scene<'_>, outage: &Outage, upstream: ServerIndex, found: &mut Vec<Found>) {
    let Some(timeout) = scene.settings(upstream).idle_replication_slot_timeout else { return };
    let length = scene.length(outage);
    if length <= timeout {
        return;
    }
    let name = &scene.scenario.servers[outage.standby].name;
    let what = format!("`{name}` {}, and its slot is given up after {timeout}", scene.away(outage));
    let help = "make idle_replication_slot_timeout longer than any maintenance";
    let span = scene.setting(upstream, "idle_replication_slot_timeout");
    found.push(Found::new(&rules::SLT006, span, what, help).label(outage.span, "it is away here"));
}

/// Slots without a limit, against the disk.
fn unlimited(scene: &Scene<'_>, index: ServerIndex, found: &mut Vec<Found>) {
    let server = &scene.scenario.servers[index];
    let settings = &server.settings;
    let users: Vec<(ServerIndex, &str)> = scene
        .standbys()
        .filter(|(.., upstream)| *upstream == index)
        .filter_map(|(standby, s, _)| Some((standby, s.slot.as_deref()?)))
        .collect();
    if users.is_empty() || settings.max_slot_wal_keep_size.is_some() {
        return;
    }
    let slots = enumerate(users.iter().map(|(_, slot)| *slot));
    let span = scene.setting(index, "max_slot_wal_keep_size");
    let Some(capacity) = server.disk.capacity else {
        let what = format!("nothing limits what {slots} keeps on `{}`", server.name);
        let help = "set max_slot_wal_keep_size; give the disk a `capacity` to see what is at stake";
        found.push(Found::new(&rules::SLT002, span, what, help));
        return;
    };
    let outages = scene.outages();
    let of_users = |o: &&Outage| users.iter().any(|(standby, _)| *standby == o.standby);
    let longest = outages.iter().filter(of_users).max_by_key(|o| scene.length(o).0);
    let from = longest.map_or(Duration::ZERO, |o| o.from);
    let Some(full) = scene.wal().time_for(from, capacity) else { return };
    let after = human::duration(full.0);
    let at_least = if scene.wal().at_most { "at the earliest " } else { "" };
    let volume = format!("the {capacity} of `{}`", server.name);
    let what = match longest.filter(|o| scene.length(o) >= full) {
        Some(outage) => format!(
            "without `{}` slot {slots} fills {volume} {at_least}after {after}",
            scene.scenario.servers[outage.standby].name
        ),
        None => {
            format!("if its standby stays away, {slots} fills {volume} {at_least}after {after}")
        }
    };
    let spare = capacity.0.saturating_sub(settings.max_wal_size.0);
    let help = format!(
        "max_slot_wal_keep_size = '{}' at most: what that costs is the standby, not the primary",
        whole(Bytes(spare.saturating_sub(2 * settings.wal_segment_size.bytes())))
    );
    let there = scene.value(&["server", &server.name, "disk", "capacity"]);
    let found_it = Found::new(&rules::SLT001, span, what, help).label(there, "its volume");
    found.push(found_it.label(longest.and_then(|o| o.span), "it is away here"));
}

/// What pg_wal may hold, against the disk.
fn disk(scene: &Scene<'_>, index: ServerIndex, found: &mut Vec<Found>) {
    let server = &scene.scenario.servers[index];
    let settings = &server.settings;
    let Some(capacity) = server.disk.capacity else { return };
    let disk = if server.separate_wal_disk { "wal_disk" } else { "disk" };
    let span = scene.value(&["server", &server.name, disk, "capacity"]);
    let span = span.unwrap_or(scene.written[index].span);
    let (keep, max) = (settings.wal_keep_size, settings.max_wal_size);
    let given = |name: &str| Some(scene.setting(index, name));
    if keep >= capacity {
        let full = scene.wal().time_for(Duration::ZERO, capacity);
        let when = full.map_or(String::new(), |t| format!(" after {}", human::duration(t.0)));
        let what = format!(
            "wal_keep_size keeps {keep} and the volume of `{}` has {capacity}: it is full{when}",
            server.name
        );
        let help = "make wal_keep_size smaller than the volume, less max_wal_size";
        found.push(
            Found::new(&rules::DSK001, span, what, help).label(given("wal_keep_size"), "kept"),
        );
        return;
    }
    let has_slots = scene.standbys().any(|(_, s, up)| up == index && s.slot.is_some());
    let cap = settings.max_slot_wal_keep_size.filter(|_| has_slots).unwrap_or(Bytes(0));
    let (name, kept) =
        if cap > keep { ("max_slot_wal_keep_size", cap) } else { ("wal_keep_size", keep) };
    let sum = Bytes(kept.0 + max.0 + 2 * settings.wal_segment_size.bytes());
    if sum <= capacity {
        return;
    }
    let what = format!(
        "pg_wal of `{}` may take {}: {name} {kept}, max_wal_size {max} and two segments; \
         the volume has {capacity}",
        server.name,
        human::bytes(sum.0)
    );
    let help = format!("a volume of {}, or less to keep", room(sum));
    found.push(Found::new(&rules::DSK002, span, what, help).label(given(name), name));
}

/// Standbys for which nothing is kept.
fn unprotected(scene: &Scene<'_>, found: &mut Vec<Found>) {
    for (index, standby, upstream) in scene.standbys() {
        let settings = scene.settings(upstream);
        if standby.slot.is_some() || settings.wal_keep_size > Bytes(0) {
            continue;
        }
        let interval = if upstream == scene.scenario.primary() {
            scene.wal().interval
        } else {
            settings.checkpoint_timeout
        };
        let what = format!(
            "`{}` has no slot and wal_keep_size is 0: away for {}, it may be lost",
            standby.name,
            human::duration(interval.0)
        );
        let help = "give it a slot, or set wal_keep_size for the longest interruption";
        found.push(Found::new(&rules::SLT009, scene.written[index].span, what, help));
    }
}

/// Slots that are made and keep nothing.
fn not_reserved(scene: &Scene<'_>, found: &mut Vec<Found>) {
    let actions = scene.scenario.actions.iter();
    let mut made: Vec<_> = actions.map(|a| (&a.deed, scene.key(&["action", &a.name]))).collect();
    for (number, step) in scene.scenario.steps.iter().enumerate() {
        let span = scene.step(number);
        made.extend(step.deeds.iter().map(|deed| (deed, span)));
    }
    for (deed, span) in made {
        let Deed::SlotCreate { server, slot, reserve: false } = deed else { continue };
        let (Some(span), Some(name)) = (span, scene.scenario.slots.get(*slot)) else { continue };
        let what = format!(
            "slot `{name}` on `{}` is created without reserving WAL: it keeps none until its \
             standby connects",
            scene.scenario.servers[*server].name
        );
        let help = "create it with `reserve = true` (immediately_reserve)";
        found.push(Found::new(&rules::SLT008, span, what, help));
    }
}

/// An eighth more and a segment, since rates are means.
fn with_margin(bytes: Bytes, segment: u64) -> Bytes {
    Bytes(bytes.0.saturating_add(bytes.0 / 8).saturating_add(segment))
}

/// A size to paste that has room for so many bytes: whole GB, or steps of 64 MB below 4 GB.
fn room(bytes: Bytes) -> Bytes {
    let step = if bytes > Bytes::gb(4) { Bytes::gb(1) } else { Bytes::mb(64) };
    Bytes(bytes.0.div_ceil(step.0).saturating_mul(step.0))
}

/// A size to paste that is no more than so many bytes.
fn whole(bytes: Bytes) -> Bytes {
    let step = if bytes > Bytes::gb(4) { Bytes::gb(1) } else { Bytes::mb(64) };
    Bytes(bytes.0 / step.0 * step.0)
}
