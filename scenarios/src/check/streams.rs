//! Streams: whether the link and replay keep up, when a standby is back, and what timeouts make
//! of an interruption.

use models::network::longest_silence;
use models::units::{Duration, human};

use super::retention::may_be_lost;
use super::scene::{Outage, Scene};
use super::settings::reports_too_seldom;
use super::{Found, rules};
use crate::scenario::{Link, Server, ServerIndex};

/// Every rule of this file.
pub(super) fn check(scene: &Scene<'_>, found: &mut Vec<Found>) {
    for (index, standby, upstream) in scene.standbys() {
        keeps_up(scene, index, standby, upstream, found);
        patience(scene, index, standby, upstream, found);
        room(scene, index, standby, upstream, found);
    }
    for outage in scene.outages() {
        if !may_be_lost(scene, &outage) {
            catches_up(scene, &outage, found);
        }
        noticed(scene, &outage, found);
    }
    connections(scene, found);
}

/// Bytes a second that a link carries to one standby.
fn carries(link: &Link) -> u64 {
    let bandwidth = link.bandwidth.bytes_per_second();
    let round_trip = u128::from(link.rtt.mean().max(1));
    let windows = u128::from(link.window.0) * 1_000_000_000 / round_trip;
    bandwidth.min(u64::try_from(windows).unwrap_or(u64::MAX))
}

/// Rates that grow apart.
fn keeps_up(
    scene: &Scene<'_>,
    index: ServerIndex,
    standby: &Server,
    upstream: ServerIndex,
    found: &mut Vec<Found>,
) {
    let wal = scene.wal();
    let rate = wal.rate();
    let name = &standby.name;
    let most = if wal.at_most { "up to " } else { "" };
    let comes = format!("WAL comes at {most}{}/s", human::bytes(rate));
    let behind = |speed: u64| human::bytes((rate - speed).saturating_mul(3600));
    if let Some(link) = scene.scenario.link(index, upstream)
        && carries(link) < rate
    {
        let speed = carries(link);
        let slow = if speed < link.bandwidth.bytes_per_second() { "window" } else { "bandwidth" };
        let span = scene
            .value(&["link", &link.name, slow])
            .or_else(|| scene.value(&["network", slow]))
            .or_else(|| scene.key(&["link", &link.name]))
            .unwrap_or(scene.written[index].span);
        let what = format!(
            "{comes}, and the link to `{name}` carries {}/s: the lag grows by {} an hour",
            human::bytes(speed),
            behind(speed)
        );
        let help = match slow {
            "window" => "one window a round trip is all that fits: raise `window`",
            _ => "a faster link, or less WAL (wal_compression, larger max_wal_size)",
        };
        found.push(Found::new(&rules::LAG001, span, what, help).label(scene.workload(), "the WAL"));
    }
    let replay = standby.replay.bytes_per_second();
    if replay < rate {
        let span = scene.value(&["server", name, "replay"]).unwrap_or(scene.written[index].span);
        let what = format!(
            "{comes}, and `{name}` replays {}/s: it falls behind by {} an hour",
            human::bytes(replay),
            behind(replay)
        );
        let help = "a faster standby: one process replays, on one core and one disk";
        found.push(Found::new(&rules::LAG002, span, what, help).label(scene.workload(), "the WAL"));
    }
}

/// How long after an interruption a standby is level again.
fn catches_up(scene: &Scene<'_>, outage: &Outage, found: &mut Vec<Found>) {
    let standby = &scene.scenario.servers[outage.standby];
    let (Some(upstream), Some(back)) = (standby.upstream, outage.to) else { return };
    let end = scene.scenario.duration;
    let Some(link) = scene.scenario.link(outage.standby, upstream) else { return };
    let rate = scene.wal().rate();
    let speed = carries(link).min(standby.replay.bytes_per_second());
    let missed = scene.missed(outage);
    if speed <= rate || back >= end {
        return;
    }
    let time = u128::from(missed.0) * 1_000_000_000 / u128::from(speed - rate);
    let time = Duration(u64::try_from(time).unwrap_or(u64::MAX));
    if time < Duration::s(1) {
        return;
    }
    let left = Duration(end.0 - back.0);
    let in_time = if time <= left { "" } else { ", after the end of the run" };
    let name = &standby.name;
    let what = format!(
        "`{name}` misses {} while it is away and needs about {} to catch up{in_time}",
        human::bytes(missed.0),
        human::duration(time.0)
    );
    let help = format!(
        "link and replay carry {}/s, and {}/s of WAL come meanwhile",
        human::bytes(speed),
        human::bytes(rate)
    );
    let span = outage.span.unwrap_or(scene.written[outage.standby].span);
    found.push(Found::new(&rules::LAG003, span, what, help));
}

/// Whether anybody notices an interruption that nobody is told of.
fn noticed(scene: &Scene<'_>, outage: &Outage, found: &mut Vec<Found>) {
    let standby = &scene.scenario.servers[outage.standby];
    let (true, Some(upstream), Some(span)) = (outage.silent, standby.upstream, outage.span) else {
        return;
    };
    let sender = scene.settings(upstream).wal_sender_timeout;
    let receiver = standby.settings.wal_receiver_timeout.filter(|_| outage.link);
    let status = standby.settings.wal_receiver_status_interval;
    let length = scene.length(outage);
    let (name, lasts) = (&standby.name, human::duration(length.0));
    let ends = [("wal_sender_timeout", sender), ("wal_receiver_timeout", receiver)];
    let ends = ends.into_iter().filter_map(|(setting, timeout)| Some((setting, timeout?)));
    let Some((setting, timeout)) = ends.min_by_key(|(_, timeout)| *timeout) else { return };
    // The last message may be as old as a status interval, or half of a timeout.
    let heard = status.unwrap_or(timeout).min(timeout.half());
    let silence = match outage.resent {
        true => longest_silence(length, status.unwrap_or(timeout)),
        false => length,
    };
    let sure = Duration(timeout.0 - heard.0);
    if length >= timeout {
        let what =
            format!("{lasts} without `{name}` outlast {setting} ({timeout}): the connection ends");
        let help = "expect a reconnect, and the WAL of the current segment twice";
        found.push(Found::new(&rules::TIM003, span, what, help));
    } else if silence < sure {
        let what = format!(
            "{lasts} without `{name}` are shorter than {setting} ({timeout}): nobody notices"
        );
        let help = "for a reconnect use link_reset, or let it last longer";
        found.push(Found::new(&rules::TIM004, span, what, help));
    } else if outage.resent {
        let what = format!(
            "{lasts} without `{name}` may become {} by TCP's pauses, and {setting} is {timeout}: \
             the connection may end",
            human::duration(silence.0)
        );
        let help = "link_hold passes everything at once when it heals, without TCP's pauses";
        found.push(Found::new(&rules::TIM006, span, what, help));
    }
}

/// Timeouts against status reports and round trips.
fn patience(
    scene: &Scene<'_>,
    index: ServerIndex,
    standby: &Server,
    upstream: ServerIndex,
    found: &mut Vec<Found>,
) {
    let Some(timeout) = scene.settings(upstream).wal_sender_timeout else { return };
    let span = scene.setting(index, "wal_receiver_status_interval");
    found.extend(reports_too_seldom(&standby.settings, timeout, span));
    let Some(link) = scene.scenario.link(index, upstream) else { return };
    let round_trip = Duration(link.rtt.mean());
    if timeout.half() <= round_trip {
        let what = format!(
            "wal_sender_timeout is {timeout}, and an answer of `{}` takes {}",
            standby.name,
            human::duration(round_trip.0)
        );
        let help = "several round trips at least; the default is '60s'";
        let span = scene.setting(upstream, "wal_sender_timeout");
        found.push(Found::new(&rules::TIM005, span, what, help));
    }
}

/// Settings that must not be smaller on a standby than on its primary.
const AT_LEAST_THE_PRIMARYS: [&str; 5] = [
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
];

/// A standby that could not start.
fn room(
    scene: &Scene<'_>,
    index: ServerIndex,
    standby: &Server,
    upstream: ServerIndex,
    found: &mut Vec<Found>,
) {
    for name in AT_LEAST_THE_PRIMARYS {
        let number = |server: ServerIndex| {
            scene.settings(server).show(name).and_then(|value| value.parse::<u64>().ok())
        };
        let (Some(own), Some(above)) = (number(index), number(upstream)) else { continue };
        if own < above {
            let primary = &scene.scenario.servers[upstream].name;
            let what = format!(
                "{name} is {own} on `{}` and {above} on `{primary}`: the standby would not start",
                standby.name
            );
            let help = format!("{name} = {above} or more on `{}`", standby.name);
            let there = scene.setting(upstream, name);
            let span = scene.setting(index, name);
            found.push(
                Found::new(&rules::STB003, span, what, help).label(Some(there), "the primary's"),
            );
        }
    }
}

/// Walsenders that there can be, and those that are needed.
fn connections(scene: &Scene<'_>, found: &mut Vec<Found>) {
    let primary = scene.scenario.primary();
    let standbys = scene.standbys().filter(|(.., upstream)| *upstream == primary).count() as u64;
    let most = u64::from(scene.settings(primary).max_wal_senders);
    if standbys == 0 || most >= standbys + 2 {
        return;
    }
    let span = scene.setting(primary, "max_wal_senders");
    if most < standbys {
        let what =
            format!("{standbys} standbys stream from one server whose max_wal_senders is {most}");
        let help =
            format!("max_wal_senders = {} or more, with room for a base backup", standbys + 2);
        found.push(Found::new(&rules::REP002, span, what, help));
        return;
    }
    let what = format!(
        "max_wal_senders is {most}: {standbys} for standbys and 2 for a pg_basebackup are {}",
        standbys + 2
    );
    let help = format!("max_wal_senders = {} or more, the default is 10", standbys + 2);
    found.push(Found::new(&rules::REP001, span, what, help));
}
