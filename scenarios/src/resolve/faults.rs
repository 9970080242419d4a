//! `[fault.X]`: what breaks, when, and when it heals.

use models::disk::Slowdown;
use models::postgres::command::StopMode;
use models::trace::fact::Scope;
use models::units::Duration;

use super::servers::Servers;
use super::{Context, Fields, Finding, Span, keys, limits, links};
use crate::error::{choices, enumerate};
use crate::fault::{Fault, FaultKind};
use crate::keys::FaultEntry;
use crate::read::named;
use crate::scenario::{Route, ServerIndex};

/// Reads all faults.
pub(super) fn read(
    cx: Context<'_>,
    servers: &Servers<'_>,
    routes: &[Route],
    duration: Option<(Duration, Span)>,
) -> Vec<Fault> {
    named(cx.root, "fault", limits::MOST_FAULTS, cx.findings)
        .into_iter()
        .filter_map(|(entry, table)| {
            let title = format!("[fault.{}]", entry.key);
            let fields = Fields::new(table, &keys::FAULT, &title, entry.key_span, cx.findings);
            fault(cx, &entry.key, &fields, servers, routes, duration)
        })
        .collect()
}

fn fault(
    cx: Context<'_>,
    name: &str,
    fields: &Fields<'_>,
    servers: &Servers<'_>,
    routes: &[Route],
    duration: Option<(Duration, Span)>,
) -> Option<Fault> {
    let at = moment(fields, duration);
    let lasts = fields.positive_duration("for");
    let kind = kind(cx, fields, servers, routes)?;
    if let (true, Some(entry)) = (kind.momentary(), fields.table.entry("for")) {
        let message = format!("`{}` is over as soon as it began and takes no `for`", kind.name());
        let help = "repeat it as another [fault.X], or use link_cut";
        cx.report(Finding::new(entry.key_span, message).help(help));
    }
    Some(Fault { name: name.to_owned(), at: at?, lasts, kind })
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
        fields.findings.push(finding);
    }
    Some(at)
}

fn kind(
    cx: Context<'_>,
    fields: &Fields<'_>,
    servers: &Servers<'_>,
    routes: &[Route],
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
        "disk_full" => Some(FaultKind::DiskFull { server: server(cx, fields, servers)? }),
        "disk_stall" => Some(FaultKind::DiskStall { server: server(cx, fields, servers)? }),
        "disk_slow" => {
            let (server, slowdown) = (server(cx, fields, servers), slowdown(fields));
            Some(FaultKind::DiskSlow { server: server?, slowdown: slowdown? })
        }
        "replay_pause" => {
            let server = server(cx, fields, servers)?;
            if let (true, Some(node)) =
                (servers.primary_index() == Some(server), fields.get("server"))
            {
                let message =
                    format!("`{}` is the primary and replays nothing", servers.name(server));
                cx.report(Finding::new(node.span, message).help("name a standby"));
            }
            Some(FaultKind::ReplayPause { server })
        }
        "link_cut" | "link_hold" | "link_reset" => {
            let between = pairs(cx, fields, servers, routes)?;
            Some(match kind {
                "link_cut" => FaultKind::LinkCut { between },
                "link_hold" => FaultKind::LinkHold { between },
                _ => FaultKind::LinkReset { between },
            })
        }
        _ => None,
    }
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
        let own = ["kind", "at", "for"].contains(&entry.key.as_str());
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
