//! `[fault.X]`: what breaks, when, and when it heals.

use models::disk::Slowdown;
use models::postgres::command::StopMode;
use models::trace::fact::Scope;
use models::units::{Duration, Rate};

use super::schedule::Schedule;
use super::servers::Servers;
use super::{Context, Fields, Finding, Span, keys, limits, links};
use crate::error::{choices, enumerate};
use crate::fault::{Fault, FaultKind, Worse};
use crate::keys::FaultEntry;
use crate::read::{named, no_such};
use crate::scenario::{Link, Route, ServerIndex};

/// The links, and which of them each pair of servers uses.
type Network<'a> = (&'a [Link], &'a [Route]);

/// Reads all faults.
pub(super) fn read(
    cx: Context<'_>,
    servers: &Servers<'_>,
    network: Network<'_>,
    duration: Option<(Duration, Span)>,
    seed: u64,
) -> Vec<Fault> {
    named(cx.root, "fault", limits::MOST_FAULTS, cx.findings)
        .into_iter()
        .filter_map(|(entry, table)| {
            let title = format!("[fault.{}]", entry.key);
            let fields = Fields::new(table, &keys::FAULT, &title, entry.key_span, cx.findings);
            fault(cx, &fields, servers, network, duration).map(|kind| {
                let name = entry.key.clone();
                (name, kind)
            })
        })
        .flat_map(|(name, (kind, schedule))| {
            let times = schedule.times(seed, &name);
            let fault = move |(at, lasts)| {
                let (name, kind) = (name.clone(), kind.clone());
                Fault { name, at, lasts, kind }
            };
            times.into_iter().map(fault)
        })
        .collect()
}

/// What a fault does, and when.
fn fault(
    cx: Context<'_>,
    fields: &Fields<'_>,
    servers: &Servers<'_>,
    network: Network<'_>,
    duration: Option<(Duration, Span)>,
) -> Option<(FaultKind, Schedule)> {
    let heals = fields.get("kind").and_then(|_| fields.text("kind")) != Some("link_reset");
    let schedule = Schedule::read(fields, heals, duration);
    let kind = kind(cx, fields, servers, network)?;
    if let (true, Some(entry)) = (kind.momentary(), fields.table.entry("for")) {
        let message = format!("`{}` is over as soon as it began and takes no `for`", kind.name());
        let help = "repeat it with `every`, or use link_cut";
        cx.report(Finding::new(entry.key_span, message).help(help));
    }
    Some((kind, schedule?))
}

/// `at`, within the run.
pub(super) fn moment(fields: &Fields<'_>, duration: Option<(Duration, Span)>) -> Option<Duration> {
    let Some(node) = fields.get("at") else {
        fields.missing("at", "say when it begins: at = '30s'");
        return None;
    };
    let at = fields.duration("at")?;
    if let Some((end, span)) = duration.filter(|(end, _)| at >= *end) {
        let message = format!("{} begins at {at}, when the run is over", fields.title);
        let finding = Finding::new(node.span, message).label(span, format!("it ends at {end}"));
        fields.findings.push(finding.help("let it begin earlier, or `duration` be longer"));
    }
    Some(at)
}

fn kind(
    cx: Context<'_>,
    fields: &Fields<'_>,
    servers: &Servers<'_>,
    network: Network<'_>,
) -> Option<FaultKind> {
    if fields.get("kind").is_none() {
        fields.missing("kind", &choices("", "it is one of", keys::FAULT_KINDS.iter().copied()));
        return None;
    }
    let kind = fields.text("kind")?;
    let Some(entry) = keys::fault(kind) else {
        report_kind(cx, fields, kind);
        return None;
    };
    refuse(fields, entry);
    match kind {
        "crash" | "freeze" => {
            let server = server(cx, fields, servers);
            let what = match fields.word("what") {
                Some("host") => Scope::Host,
                _ => Scope::Processes,
            };
            let server = server?;
            Some(match kind {
                "crash" => FaultKind::Crash { what, server },
                _ => FaultKind::Freeze { what, server },
            })
        }
        "stop" => {
            let mode = match fields.word("mode") {
                Some("immediate") => StopMode::Immediate,
                _ => StopMode::Fast,
            };
            Some(FaultKind::Stop { mode, server: server(cx, fields, servers)? })
        }
        "site_down" => site_down(cx, fields, servers),
        "bulk_write" => bulk_write(fields),
        "clock_jump" => {
            if fields.get("by").is_none() {
                fields.missing("by", "say how far: by = '90s', or by = '-5min'");
            }
            let (server, by) = (server(cx, fields, servers), fields.signed_time("by"));
            Some(FaultKind::ClockJump { server: server?, by: by? })
        }
        "disk_full" => Some(FaultKind::DiskFull { server: server(cx, fields, servers)? }),
        "disk_stall" => Some(FaultKind::DiskStall { server: server(cx, fields, servers)? }),
        "disk_slow" => {
            let (server, slowdown) = (server(cx, fields, servers), slowdown(fields));
            Some(FaultKind::DiskSlow { server: server?, slowdown: slowdown? })
        }
        "replay_pause" => replay_pause(cx, fields, servers),
        "link_cut" | "link_hold" | "link_reset" => {
            let between = pairs(cx, fields, servers, network.1)?;
            Some(match kind {
                "link_cut" => FaultKind::LinkCut { between },
                "link_hold" => FaultKind::LinkHold { between },
                _ => FaultKind::LinkReset { between },
            })
        }
        "link_delay" | "link_loss" | "link_bandwidth" => worse(cx, kind, fields, servers, network),
        _ => None,
    }
}

/// A standby's replay.
fn replay_pause(cx: Context<'_>, fields: &Fields<'_>, servers: &Servers<'_>) -> Option<FaultKind> {
    let server = server(cx, fields, servers)?;
    if let (true, Some(node)) = (servers.primary_index() == Some(server), fields.get("server")) {
        let message = format!("`{}` is the primary and replays nothing", servers.name(server));
        cx.report(Finding::new(node.span, message).help("name a standby"));
    }
    Some(FaultKind::ReplayPause { server })
}

/// All servers of a site.
fn site_down(cx: Context<'_>, fields: &Fields<'_>, servers: &Servers<'_>) -> Option<FaultKind> {
    if fields.get("site").is_none() {
        fields.missing("site", &choices("", "the file has", servers.sites()));
        return None;
    }
    let site = fields.text("site")?;
    if servers.is_server(site) || servers.meant(site).is_none() {
        let span = fields.get("site")?.span;
        cx.report(no_such(span, "site", site, servers.sites()));
        return None;
    }
    Some(FaultKind::SiteDown { servers: servers.meant(site)? })
}

/// So much over the time that the fault lasts.
fn bulk_write(fields: &Fields<'_>) -> Option<FaultKind> {
    for (key, help) in [("bytes", "say how much: bytes = '1GB'"), ("for", "say over how long")] {
        if fields.get(key).is_none() {
            fields.missing(key, help);
        }
    }
    fields.get("for")?;
    Some(FaultKind::BulkWrite { bytes: fields.size("bytes")? })
}

/// A link that gets worse, in both directions or in one.
fn worse(
    cx: Context<'_>,
    kind: &str,
    fields: &Fields<'_>,
    servers: &Servers<'_>,
    network: Network<'_>,
) -> Option<FaultKind> {
    let ways = ways(cx, fields, servers, network.1);
    let missing = |key: &str, help: &str| {
        if fields.get(key).is_none() {
            fields.missing(key, help);
        }
    };
    let how = match kind {
        "link_delay" => {
            missing("delay", "say how much longer: delay = '50ms'");
            Worse::Delay(fields.time_quantiles("delay")?)
        }
        "link_loss" => {
            missing("loss", "say which share of packets: loss = 0.01");
            Worse::Loss(fields.loss("loss")?)
        }
        _ => {
            missing("bandwidth", "say what is left: bandwidth = '10Mbit/s'");
            let (bandwidth, ways) = (fields.link_rate("bandwidth")?, ways.as_ref()?);
            is_less(fields, bandwidth, ways, network)?;
            are_all(cx, fields, servers, ways, network)?;
            Worse::Bandwidth(bandwidth)
        }
    };
    Some(FaultKind::LinkWorse { ways: ways?, how })
}

/// A bandwidth that no link is above takes nothing away.
fn is_less(
    fields: &Fields<'_>,
    bandwidth: Rate,
    ways: &[(ServerIndex, ServerIndex)],
    (links, routes): Network<'_>,
) -> Option<()> {
    let used = |route: &&Route| ways.iter().any(|way| joins(route, *way));
    let most = routes.iter().filter(used).map(|route| links[route.link].bandwidth).max()?;
    if bandwidth < most {
        return Some(());
    }
    let node = fields.get("bandwidth")?;
    let message = "the link has no more than that anyway".to_owned();
    let help = format!("it has {} Mbit/s: name less", most.bytes_per_second() / 125_000);
    fields.findings.push(Finding::new(node.span, message).help(help));
    None
}

/// Bandwidth belongs to a link: all that use it must be meant.
fn are_all(
    cx: Context<'_>,
    fields: &Fields<'_>,
    servers: &Servers<'_>,
    ways: &[(ServerIndex, ServerIndex)],
    (links, routes): Network<'_>,
) -> Option<()> {
    let used = |link| routes.iter().any(|r| r.link == link && ways.iter().any(|w| joins(r, *w)));
    let left_out = |route: &&Route| used(route.link) && !ways.iter().any(|way| joins(route, *way));
    let Some(other) = routes.iter().find(left_out) else { return Some(()) };
    let node = fields.get("between")?;
    let message = format!(
        "`{}` and `{}` share [link.{}] and would have less bandwidth too",
        servers.name(other.a),
        servers.name(other.b),
        links[other.link].name
    );
    let help = "name the sites that the link joins, or give those two a link of their own";
    cx.report(Finding::new(node.span, message).help(help));
    None
}

fn joins(route: &Route, (from, to): (ServerIndex, ServerIndex)) -> bool {
    (route.a, route.b) == (from, to) || (route.b, route.a) == (from, to)
}

/// Who sends to whom: both ways between the two ends, or one.
fn ways(
    cx: Context<'_>,
    fields: &Fields<'_>,
    servers: &Servers<'_>,
    routes: &[Route],
) -> Option<Vec<(ServerIndex, ServerIndex)>> {
    pairs(cx, fields, servers, routes)?;
    let between = fields.two_names("between")?;
    let [left, right] = links::ends(cx, servers, between)?;
    let (there, back) = match fields.text("from") {
        None => (true, true),
        Some(from) if between[0].0 == between[1].0 && from == between[0].0 => (true, true),
        Some(from) if from == between[0].0 => (true, false),
        Some(from) if from == between[1].0 => (false, true),
        Some(from) => {
            let names = between.map(|(name, _)| name);
            let message = format!("`from` cannot be `{}`", from.escape_debug());
            let help = choices(from, "it is one of the two of `between`:", names);
            cx.report(Finding::new(fields.get("from")?.span, message).help(help));
            return None;
        }
    };
    let mut ways: Vec<(ServerIndex, ServerIndex)> = Vec::new();
    let joined = |way| routes.iter().any(|route| joins(route, way));
    for (a, b) in left.iter().flat_map(|a| right.iter().map(move |b| (*a, *b))) {
        for (way, meant) in [((a, b), there), ((b, a), back)] {
            if meant && joined(way) && !ways.contains(&way) {
                ways.push(way);
            }
        }
    }
    Some(ways)
}

/// How slow a disk becomes: exactly one of two keys says it.
fn slowdown(fields: &Fields<'_>) -> Option<Slowdown> {
    match (fields.get("factor"), fields.get("fsync")) {
        (Some(_), None) => Some(Slowdown { fsync: None, factor: fields.factor("factor")? }),
        (None, Some(_)) => {
            let fsync = Some(fields.time_quantiles("fsync")?);
            Some(Slowdown { fsync, ..Slowdown::NONE })
        }
        (None, None) => {
            fields.missing("factor", "say how slow it is: factor = 10, or fsync = '50ms'");
            None
        }
        (Some(factor), Some(fsync)) => {
            let message = "`factor` and `fsync` both say how slow the disk is".to_owned();
            let finding = Finding::new(fsync.span, message).label(factor.span, "the other one");
            fields.findings.push(finding.help("leave one of them out"));
            None
        }
    }
}

fn report_kind(cx: Context<'_>, fields: &Fields<'_>, kind: &str) {
    let Some(node) = fields.get("kind") else { return };
    let list = keys::FAULT_KINDS.iter().copied();
    if keys::FAULT_KINDS_NOT_BUILT.contains(&kind) {
        let message = format!("the fault `{kind}` is not built yet");
        let help = choices("", "there are", list);
        return cx.report(Finding::new(node.span, message).help(help));
    }
    let message = format!("there is no fault of kind `{}`", kind.escape_debug());
    cx.report(Finding::new(node.span, message).help(choices(kind, "there are", list)));
}

/// Keys that belong to other kinds of faults.
fn refuse(fields: &Fields<'_>, kind: &FaultEntry) {
    for entry in &fields.table.entries {
        let own = ["kind", "at", "for", "every", "times"].contains(&entry.key.as_str());
        if own
            || kind.with.contains(&entry.key.as_str())
            || fields.section.key(&entry.key).is_none()
        {
            continue;
        }
        let message = format!("`{}` is not a key of the fault `{}`", entry.key, kind.name);
        let takes = enumerate(kind.with.iter().copied().chain(["at", "for"]));
        fields
            .findings
            .push(Finding::new(entry.key_span, message).help(format!("it takes {takes}")));
    }
}

fn server(cx: Context<'_>, fields: &Fields<'_>, servers: &Servers<'_>) -> Option<ServerIndex> {
    let Some(node) = fields.get("server") else {
        fields.missing("server", &choices("", "the file has", servers.names()));
        return None;
    };
    servers.find(cx, fields.text("server")?, node.span)
}

/// The pairs that `between` means; at least one of them streams.
fn pairs(
    cx: Context<'_>,
    fields: &Fields<'_>,
    servers: &Servers<'_>,
    routes: &[Route],
) -> Option<Vec<(ServerIndex, ServerIndex)>> {
    if fields.get("between").is_none() {
        let names = servers.ends();
        fields.missing("between", &choices("", "two of", names.iter().copied()));
        return None;
    }
    let between = fields.two_names("between")?;
    let [left, right] = links::ends(cx, servers, between)?;
    let mut pairs: Vec<(ServerIndex, ServerIndex)> = Vec::new();
    for a in &left {
        for b in right.iter().filter(|b| *b != a) {
            let pair = (*a.min(b), *a.max(b));
            if !pairs.contains(&pair) {
                pairs.push(pair);
            }
        }
    }
    let talk = |(a, b): &(ServerIndex, ServerIndex)| {
        routes.iter().any(|r| (r.a, r.b) == (*a, *b) || (r.a, r.b) == (*b, *a))
    };
    if !pairs.iter().any(talk) && !routes.is_empty() {
        let message = format!("nothing streams between `{}` and `{}`", between[0].0, between[1].0);
        let help = "a standby streams from its `upstream`; name those two servers or their sites";
        cx.report(Finding::new(between[0].1, message).help(help));
        return None;
    }
    Some(pairs)
}
