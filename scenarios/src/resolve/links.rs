//! `[network]` and `[link.X]`: which way two servers talk.

use models::latency::Quantiles;
use models::network::Loss;
use models::units::{Bytes, Duration, Rate};

use super::servers::Servers;
use super::{Context, Fields, Finding, Span, Table, keys, limits};
use crate::read::{named, no_such};
use crate::scenario::{Link, Route, ServerIndex};

/// A link's properties.
#[derive(Clone)]
struct Way {
    rtt: Quantiles,
    bandwidth: Rate,
    window: Bytes,
    loss: Loss,
}

/// 10 Gbit/s.
const DEFAULT_BANDWIDTH: Rate = match Rate::new(1_250_000_000) {
    Some(rate) => rate,
    None => panic!("not zero"),
};
/// Linux's `tcp_rmem` maximum: what a connection may have under way.
const DEFAULT_WINDOW: Bytes = Bytes::mb(6);
/// Two rooms of one building.
const DEFAULT_RTT: Duration = Duration::us(500);

/// A link of the file and the pairs it may carry.
struct Candidate<'a> {
    name: &'a str,
    way: Way,
    between: [(&'a str, Span); 2],
    ends: [Vec<ServerIndex>; 2],
    /// How many of its ends are servers rather than sites.
    servers: usize,
    span: Span,
}

impl Candidate<'_> {
    fn carries(&self, a: ServerIndex, b: ServerIndex) -> bool {
        let [left, right] = &self.ends;
        (left.contains(&a) && right.contains(&b)) || (left.contains(&b) && right.contains(&a))
    }
}

/// Reads links; one route for every two servers that stream.
pub(super) fn read(cx: Context<'_>, servers: &Servers<'_>) -> (Vec<Link>, Vec<Route>) {
    let network = network(cx);
    let candidates: Vec<Candidate<'_>> = named(cx.root, "link", limits::MOST_LINKS, cx.findings)
        .into_iter()
        .filter_map(|(entry, table)| {
            candidate(cx, &entry.key, entry.key_span, table, &network, servers)
        })
        .collect();
    let clashes = clashes(cx, &candidates, servers);
    let mut links: Vec<Link> = candidates.iter().map(|c| link(c.name, &c.way)).collect();
    let mut routes = Vec::new();
    for (a, b) in servers.streams() {
        let index = choose(&candidates, a, b).unwrap_or_else(|| {
            links.push(link(&format!("{}-{}", servers.name(b), servers.name(a)), &network));
            links.len() - 1
        });
        routes.push(Route { a: b, b: a, link: index });
    }
    for (i, candidate) in candidates.iter().enumerate() {
        let streams = servers.streams();
        let carried = streams.iter().any(|(a, b)| candidate.carries(*a, *b));
        if !carried && !streams.is_empty() {
            report_unused(cx, candidate);
        } else if carried && !clashes && !routes.iter().any(|r| r.link == i) {
            let message = format!(
                "every stream that [link.{}] could carry has a link of its own",
                candidate.name
            );
            cx.report(Finding::new(candidate.span, message).help("take it out"));
        }
    }
    (links, routes)
}

fn report_unused(cx: Context<'_>, candidate: &Candidate<'_>) {
    let [(a, _), (b, _)] = candidate.between;
    let message = format!("nothing streams between `{a}` and `{b}`");
    let finding = Finding::new(candidate.between[0].1, message)
        .label(candidate.span, "so this link would carry nothing")
        .help("a standby streams from its `upstream`; name those two servers or their sites");
    cx.report(finding);
}

fn network(cx: Context<'_>) -> Way {
    let default = Way {
        rtt: Quantiles::constant(DEFAULT_RTT.0),
        bandwidth: DEFAULT_BANDWIDTH,
        window: DEFAULT_WINDOW,
        loss: Loss::NONE,
    };
    match cx.table("network") {
        None => default,
        Some((table, span)) => {
            way(&Fields::new(table, &keys::NETWORK, "[network]", span, cx.findings), &default)
        }
    }
}

fn way(fields: &Fields<'_>, default: &Way) -> Way {
    let window = fields.size("window");
    if let (Some(Bytes(..1024)), Some(node)) = (window, fields.get("window")) {
        let finding = Finding::new(node.span, "`window` is below 1kB");
        fields.findings.push(finding.help("a connection cannot move less than a packet"));
    }
    Way {
        rtt: fields.time_quantiles("rtt").unwrap_or_else(|| default.rtt.clone()),
        bandwidth: fields.link_rate("bandwidth").unwrap_or(default.bandwidth),
        window: window.unwrap_or(default.window),
        loss: fields.loss("loss").unwrap_or(default.loss),
    }
}

fn link(name: &str, way: &Way) -> Link {
    let Way { rtt, bandwidth, window, loss } = way.clone();
    Link { name: name.to_owned(), rtt, bandwidth, window, loss }
}

fn candidate<'a>(
    cx: Context<'a>,
    name: &'a str,
    span: Span,
    table: &'a Table,
    network: &Way,
    servers: &Servers<'_>,
) -> Option<Candidate<'a>> {
    let title = format!("[link.{name}]");
    let fields = Fields::new(table, &keys::LINK, &title, span, cx.findings);
    let way = way(&fields, network);
    if fields.get("between").is_none() {
        fields.missing("between", "name two servers or sites: between = ['pg1', 'pg2']");
        return None;
    }
    let between = fields.two_names("between")?;
    let ends = ends(cx, servers, between)?;
    let servers = between.iter().filter(|(n, _)| servers.is_server(n)).count();
    Some(Candidate { name, way, between, ends, servers, span })
}

/// What two names of servers or sites mean; reports names that mean nothing.
pub(super) fn ends(
    cx: Context<'_>,
    servers: &Servers<'_>,
    between: [(&str, Span); 2],
) -> Option<[Vec<ServerIndex>; 2]> {
    let meant = between.map(|(name, span)| {
        let found = servers.meant(name);
        if found.is_none() && !servers.names().is_empty() {
            cx.report(no_such(span, "server or site", name, servers.ends()));
        }
        found
    });
    let [Some(a), Some(b)] = meant else { return None };
    if between[0].0 == between[1].0 && servers.is_server(between[0].0) {
        let message = format!("`{}` is on both ends", between[0].0);
        cx.report(Finding::new(between[1].1, message).label(between[0].1, "the other end"));
        return None;
    }
    Some([a, b])
}

/// The link that two servers use: the one that names most servers.
fn choose(candidates: &[Candidate<'_>], a: ServerIndex, b: ServerIndex) -> Option<usize> {
    let carrying = candidates.iter().enumerate().filter(|(_, c)| c.carries(a, b));
    carrying.max_by_key(|(_, c)| c.servers).map(|(i, _)| i)
}

/// Reports links of which it cannot be said which one two servers use; whether there were any.
fn clashes(cx: Context<'_>, candidates: &[Candidate<'_>], servers: &Servers<'_>) -> bool {
    let mut any = false;
    for (i, second) in candidates.iter().enumerate() {
        for first in &candidates[..i] {
            let both = |(a, b): &(ServerIndex, ServerIndex)| {
                first.servers == second.servers && first.carries(*a, *b) && second.carries(*a, *b)
            };
            let Some((a, b)) = servers.streams().into_iter().find(both) else { continue };
            let message = format!(
                "[link.{}] and [link.{}] both lie between `{}` and `{}`",
                first.name,
                second.name,
                servers.name(b),
                servers.name(a)
            );
            let finding = Finding::new(second.between[0].1, message)
                .label(first.between[0].1, "the other one")
                .help("two servers talk over one link; one that names servers goes before sites");
            cx.report(finding);
            any = true;
        }
    }
    any
}
