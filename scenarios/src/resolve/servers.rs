//! `[server.X]`: who there is, who streams from whom, on which disks.

use std::collections::BTreeMap;

use models::postgres::PgVersion;
use models::postgres::guc::WalLevel;
use models::units::{Bytes, Rate, SegmentSize};

use super::settings::{self, Configured, Given, MINIMAL};
use super::{Context, Fields, Finding, Span, Table, Value, keys, limits};
use crate::error::choices;
use crate::presets;
use crate::read::{name_is_good, named, no_such};
use crate::scenario::{Disk, Server, ServerIndex, ServerState, Start};
use crate::tree::Node;

/// WAL that a startup process replays a second, unless the file says otherwise.
/// Assumption: one core with all pages in memory; it decides how fast a standby catches up.
const DEFAULT_REPLAY: Rate = match Rate::new(200 << 20) {
    Some(rate) => rate,
    None => panic!("not zero"),
};

/// The servers while other tables are read.
pub(crate) struct Servers<'a> {
    list: Vec<Draft<'a>>,
}

/// Where a server and its settings were written, for those who have more to say about them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    /// Where the server was named.
    pub span: Span,
    /// What was given, by lower-case name.
    pub given: BTreeMap<String, Given>,
}

struct Draft<'a> {
    name: &'a str,
    span: Span,
    site: Option<(&'a str, Span)>,
    upstream: Option<(&'a str, Span)>,
    /// It has an `upstream`, if perhaps a wrong one.
    is_standby: bool,
    slot: Option<(&'a str, Span)>,
    state: ServerState,
    disk: Option<Disk>,
    separate_wal_disk: bool,
    replay: Rate,
    configured: Configured,
    index: Option<ServerIndex>,
}

/// Reads all servers.
pub(super) fn read<'a>(cx: Context<'a>, version: PgVersion) -> Servers<'a> {
    let tables = named(cx.root, "server", limits::MOST_SERVERS, cx.findings);
    if tables.is_empty() && cx.root.get("server").is_none_or(|n| n.table().is_some()) {
        let span = Span { start: cx.root.span.start, end: cx.root.span.start };
        let finding = Finding::new(span, "the file has no server");
        cx.report(finding.help("at least one: [server.pg1]"));
    }
    let list = tables.iter().map(|(entry, table)| draft(cx, entry, table, version)).collect();
    let mut servers = Servers { list };
    servers.connect(cx);
    servers.check_slots(cx);
    servers.check_segments(cx);
    servers.check_room(cx);
    servers
}

fn draft<'a>(
    cx: Context<'a>,
    entry: &'a crate::tree::Entry,
    table: &'a Table,
    version: PgVersion,
) -> Draft<'a> {
    let title = format!("[server.{}]", entry.key);
    let fields = Fields::new(table, &keys::SERVER, &title, entry.key_span, cx.findings);
    let spanned = |key: &str| Some((fields.text(key)?, fields.get(key)?.span));
    let data_disk = disk(cx, &fields, "disk");
    let wal_disk = fields.get("wal_disk").map(|_| disk(cx, &fields, "wal_disk"));
    let site = spanned("site");
    if let Some((site, span)) = site {
        name_is_good(site, span, "site", cx.findings);
    }
    Draft {
        name: &entry.key,
        span: entry.key_span,
        site,
        upstream: spanned("upstream"),
        is_standby: fields.get("upstream").is_some(),
        slot: spanned("slot"),
        state: state(cx, &fields),
        separate_wal_disk: wal_disk.is_some(),
        disk: wal_disk.unwrap_or(data_disk),
        replay: fields.byte_rate("replay").unwrap_or(DEFAULT_REPLAY),
        configured: settings::read(cx, &fields, &entry.key, version),
        index: None,
    }
}

fn state(cx: Context<'_>, fields: &Fields<'_>) -> ServerState {
    let text = fields.get("state").map(|n| (&n.value, n.span));
    if let Some((Value::Text(text), span)) = text
        && text == "empty"
    {
        let finding = Finding::new(span, "`state = 'empty'` is not built yet: no base backup");
        cx.report(finding.help("a standby starts as a caught-up copy: it is `up` or `down`"));
        return ServerState::Down;
    }
    match fields.word("state") {
        Some("down") => ServerState::Down,
        _ => ServerState::Up,
    }
}

/// A server's disk; without one, the file's.
fn disk(cx: Context<'_>, fields: &Fields<'_>, key: &str) -> Option<Disk> {
    let of_all = || match cx.root.get("disk") {
        Some(node) => disk_of(cx, node, "`disk`", &|| presets::disk(presets::DEFAULT_DISK)),
        None => presets::disk(presets::DEFAULT_DISK),
    };
    match fields.get(key) {
        Some(node) => disk_of(cx, node, &format!("`{key}` of {}", fields.title), &of_all),
        None => of_all(),
    }
}

/// A disk: a preset's name, or a table, whose preset is `base` unless it names one.
fn disk_of(
    cx: Context<'_>,
    node: &Node,
    title: &str,
    base: &dyn Fn() -> Option<Disk>,
) -> Option<Disk> {
    match &node.value {
        Value::Text(name) => disk_preset(cx, name, node.span),
        Value::Table(table) => {
            let own = Fields::new(table, &keys::DISK, title, node.span, cx.findings);
            let mut disk = match (own.text("preset"), own.get("preset")) {
                (Some(name), Some(preset)) => disk_preset(cx, name, preset.span)?,
                _ => base()?,
            };
            disk.fsync = own.time_quantiles("fsync").unwrap_or(disk.fsync);
            disk.write = own.byte_rate("write").unwrap_or(disk.write);
            disk.write_call = own.duration("write_call").unwrap_or(disk.write_call);
            disk.capacity = own.size("capacity").or(disk.capacity);
            Some(disk)
        }
        _ => {
            let name = title.split(" of ").next().unwrap_or(title);
            let message = format!("{name} is a preset or a table, not {}", node.kind());
            let help = choices("", "presets are", presets::disk_names());
            cx.report(Finding::new(node.span, message).help(help));
            None
        }
    }
}

fn disk_preset(cx: Context<'_>, name: &str, span: Span) -> Option<Disk> {
    let disk = presets::disk(name);
    if disk.is_none() {
        let help = choices(name, "presets are", presets::disk_names());
        let message = format!("there is no disk preset `{}`", name.escape_debug());
        cx.report(Finding::new(span, message).help(help));
    }
    disk
}

/// Reports a slot's name that PostgreSQL does not take.
pub(super) fn slot_is_good(cx: Context<'_>, slot: &str, span: Span) -> bool {
    let of_letters =
        slot.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let wrong = match slot.len() {
        0 => "is too short",
        64.. => "is too long",
        _ if of_letters => return true,
        _ => "contains invalid character",
    };
    let message = format!("replication slot name \"{}\" {wrong}", slot.escape_debug());
    let help = "Replication slot names may only contain lower case letters, numbers, and the \
                underscore character.";
    cx.report(Finding::new(span, message).help(help));
    false
}

impl<'a> Servers<'a> {
    /// Their names, in order.
    pub fn names(&self) -> Vec<&'a str> {
        self.list.iter().map(|s| s.name).collect()
    }

    /// The server of that name; reports it if there is none.
    pub fn find(&self, cx: Context<'_>, name: &str, span: Span) -> Option<ServerIndex> {
        let found = self.list.iter().position(|s| s.name == name);
        if found.is_none() && !self.list.is_empty() {
            cx.report(no_such(span, "server", name, self.names().iter().copied()));
        }
        found
    }

    /// The primary, if there is one.
    pub fn primary_index(&self) -> Option<ServerIndex> {
        self.list.iter().position(|s| !s.is_standby)
    }

    /// A server's settings.
    pub fn settings(&self, index: ServerIndex) -> Option<&Configured> {
        self.list.get(index).map(|s| &s.configured)
    }

    /// Every slot that a standby uses, by name, each once.
    pub fn slots(&self) -> Vec<String> {
        let names = self.list.iter().filter_map(|s| s.slot);
        let mut names: Vec<String> = names.map(|(slot, _)| slot.to_owned()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The slots that standbys of a server use on it.
    pub fn slots_of(&self, server: ServerIndex) -> Vec<&'a str> {
        let mine = self.list.iter().filter(|s| s.index == Some(server));
        mine.filter_map(|s| Some(s.slot?.0)).collect()
    }

    /// The primary's name, if there is one.
    pub fn primary(&self) -> Option<&'a str> {
        self.list.iter().find(|s| !s.is_standby).map(|s| s.name)
    }

    /// The servers that a name means: one, or all of a site. `None` if there are none.
    pub fn meant(&self, name: &str) -> Option<Vec<ServerIndex>> {
        if let Some(index) = self.list.iter().position(|s| s.name == name) {
            return Some(vec![index]);
        }
        let at_site = |s: &Draft<'_>| s.site.is_some_and(|(site, _)| site == name);
        let found: Vec<ServerIndex> =
            (0..self.list.len()).filter(|i| at_site(&self.list[*i])).collect();
        (!found.is_empty()).then_some(found)
    }

    /// Whether a name is a server's rather than a site's.
    pub fn is_server(&self, name: &str) -> bool {
        self.list.iter().any(|s| s.name == name)
    }

    /// The names of sites, each once.
    pub fn sites(&self) -> Vec<&'a str> {
        self.ends().into_iter().filter(|name| !self.is_server(name)).collect()
    }

    /// Every name that `between` takes.
    pub fn ends(&self) -> Vec<&'a str> {
        let mut names = self.names();
        for (site, _) in self.list.iter().filter_map(|s| s.site) {
            if !names.contains(&site) {
                names.push(site);
            }
        }
        names
    }

    /// A server's name by index.
    pub fn name(&self, index: ServerIndex) -> &'a str {
        self.list.get(index).map_or("", |s| s.name)
    }

    /// Pairs that stream, in the order of the standbys.
    pub fn streams(&self) -> Vec<(ServerIndex, ServerIndex)> {
        let pairs = self.list.iter().enumerate();
        pairs.filter_map(|(i, s)| Some((i, s.index?))).collect()
    }

    /// Looks upstreams up; exactly one server must have none, and nobody cascades yet.
    fn connect(&mut self, cx: Context<'_>) {
        let names = self.names();
        for i in 0..self.list.len() {
            let Some((name, span)) = self.list[i].upstream else { continue };
            match names.iter().position(|n| *n == name) {
                Some(up) if up == i => {
                    let message = format!("`{name}` cannot stream from itself");
                    cx.report(Finding::new(span, message).label(self.list[i].span, "defined here"));
                }
                Some(up) => self.list[i].index = Some(up),
                None => cx.report(no_such(span, "server", name, names.iter().copied())),
            }
        }
        self.check_sites(cx);
        let primaries: Vec<&Draft<'_>> = self.list.iter().filter(|s| !s.is_standby).collect();
        match primaries.as_slice() {
            [_] => self.check_cascades(cx),
            [first, second, ..] => {
                let message =
                    format!("`{}` and `{}` both have no `upstream`", first.name, second.name);
                let finding = Finding::new(second.span, message)
                    .label(first.span, "the first one is defined here")
                    .help("one server is the primary; every other one names its `upstream`");
                cx.report(finding);
            }
            [] if self.list.is_empty() => {}
            [] => self.report_no_primary(cx),
        }
        if let [primary] = primaries.as_slice() {
            self.check_primary(cx, primary);
        }
    }

    fn check_primary(&self, cx: Context<'_>, primary: &Draft<'_>) {
        let Some(entry) = cx.root.at(&["server".to_owned(), primary.name.to_owned()]) else {
            return;
        };
        let span = |key: &str| entry.node.table().and_then(|t| t.get(key)).map(|n| n.span);
        if let (ServerState::Down, Some(span)) = (primary.state, span("state")) {
            let message = format!("`{}` is the primary and cannot start down", primary.name);
            let help = "take it down with a fault: kind = 'crash', at = '0s'";
            cx.report(Finding::new(span, message).help(help));
        }
        if let (Some((slot, _)), Some(span)) = (primary.slot, span("slot")) {
            let message = format!("`{}` is the primary and streams from nobody", primary.name);
            let help =
                format!("slot `{slot}` is made on the upstream of the standby that names it");
            cx.report(Finding::new(span, message).help(help));
        }
    }

    fn report_no_primary(&self, cx: Context<'_>) {
        let Some((first, span)) = self.list.iter().find_map(|s| Some((s.name, s.upstream?.1)))
        else {
            return;
        };
        // Follow the upstreams until a server comes up twice.
        let mut seen: Vec<ServerIndex> = Vec::new();
        let mut at = self.list.iter().position(|s| s.name == first);
        while let Some(i) = at.filter(|i| !seen.contains(i)) {
            seen.push(i);
            at = self.list[i].index;
        }
        let message = "no server is the primary: each of them has an `upstream`";
        let mut finding = Finding::new(span, message);
        if let Some(again) = at {
            let from = seen.iter().position(|i| *i == again).unwrap_or(0);
            let mut names: Vec<&str> = seen[from..].iter().map(|i| self.list[*i].name).collect();
            names.push(self.list[again].name);
            for i in seen[from..].iter().filter_map(|i| self.list[*i].upstream).map(|u| u.1) {
                if i != span {
                    finding = finding.label(i, "and here");
                }
            }
            finding = finding.help(format!("they go round in a circle: {}", names.join(" <- ")));
        }
        cx.report(finding);
    }

    fn check_cascades(&self, cx: Context<'_>) {
        for server in &self.list {
            let (Some((_, span)), Some(up)) = (server.upstream, server.index) else { continue };
            let Some((above, above_span)) = self.list[up].upstream else { continue };
            let message = format!(
                "`{}` would stream from the standby `{}`: cascades are not built yet",
                server.name, self.list[up].name
            );
            let finding = Finding::new(span, message)
                .label(above_span, format!("`{}` streams from `{above}`", self.list[up].name))
                .help("let every standby stream from the primary");
            cx.report(finding);
        }
    }

    fn check_sites(&self, cx: Context<'_>) {
        for (site, span) in self.list.iter().filter_map(|s| s.site) {
            if let Some(server) = self.list.iter().find(|s| s.name == site) {
                let message = format!("`{site}` is the name of a server and cannot be a site too");
                cx.report(Finding::new(span, message).label(server.span, "the server"));
            }
        }
    }

    fn check_slots(&self, cx: Context<'_>) {
        let mut seen: BTreeMap<(&str, &str), Span> = BTreeMap::new();
        for server in &self.list {
            let Some((slot, span)) = server.slot else { continue };
            if !slot_is_good(cx, slot, span) {
                continue;
            }
            let Some((upstream, _)) = server.upstream else { continue };
            if let Some(first) = seen.insert((upstream, slot), span) {
                let message = format!("slot `{slot}` on `{upstream}` serves two standbys");
                let finding = Finding::new(span, message)
                    .label(first, "used here")
                    .help("a physical slot serves one standby at a time: name another one");
                cx.report(finding);
            }
        }
    }

    /// At time 0 the slots that standbys name exist.
    fn check_room(&self, cx: Context<'_>) {
        let Some(primary) = self.list.iter().find(|s| !s.is_standby) else { return };
        let settings = &primary.configured.settings;
        let given = |name: &str| primary.configured.span(name).unwrap_or(primary.span);
        let standbys: Vec<_> = self.list.iter().filter(|s| s.is_standby).collect();
        // With max_wal_senders above 0 the primary itself would not start: that has been said.
        let minimal = settings.wal_level == WalLevel::Minimal && settings.max_wal_senders == 0;
        if let (true, Some(standby)) = (minimal, standbys.first()) {
            let message = format!("`{}` cannot stream at wal_level = 'minimal'", standby.name);
            let finding = Finding::new(given("wal_level"), message);
            cx.report(finding.label(standby.span, "the standby").help(MINIMAL));
        }
        let slots = standbys.iter().filter(|s| s.slot.is_some()).count();
        if slots > settings.max_replication_slots as usize {
            let most = settings.max_replication_slots;
            let message = format!("{slots} slots are named, and max_replication_slots is {most}");
            let finding = Finding::new(given("max_replication_slots"), message);
            cx.report(finding.help("PostgreSQL would say: all replication slots are in use"));
        }
    }

    /// Every volume has room for the files that are on it at the start.
    pub fn check_capacity(&self, cx: Context<'_>, start: &Start) {
        for server in &self.list {
            let Some(capacity) = server.disk.as_ref().and_then(|disk| disk.capacity) else {
                continue;
            };
            let settings = &server.configured.settings;
            let (oldest, newest) = start.files(settings);
            let files = Bytes((newest - oldest + 1) * settings.wal_segment_size.bytes());
            if capacity >= files {
                continue;
            }
            let disk = if server.separate_wal_disk { "wal_disk" } else { "disk" };
            let path = ["server", server.name, disk, "capacity"].map(str::to_owned);
            let of_all = ["disk", "capacity"].map(str::to_owned);
            let written = cx.root.at(&path).or_else(|| cx.root.at(&of_all));
            let span = written.map_or(server.span, |entry| entry.node.span);
            let message = format!("pg_wal of `{}` has {files} at the start", server.name);
            let help =
                format!("that is `min_wal_size`, or what [start] says, and {capacity} are less");
            cx.report(Finding::new(span, message).help(help));
        }
    }

    fn check_segments(&self, cx: Context<'_>) {
        let Some(first) = self.list.first() else { return };
        for other in &self.list[1..] {
            let (a, b) = (first.configured.segment_size(), other.configured.segment_size());
            if a != b {
                let span = other.configured.span("wal_segment_size").unwrap_or(other.span);
                let message =
                    format!("wal_segment_size of `{}` is not that of `{}`", other.name, first.name);
                let there = first.configured.span("wal_segment_size").unwrap_or(first.span);
                let finding = Finding::new(span, message)
                    .label(there, "the other one is here")
                    .help("a standby is a copy of its primary: put it into [postgresql]");
                cx.report(finding);
            }
        }
    }

    /// Size of a WAL segment, the same on all.
    pub fn segment_size(&self) -> SegmentSize {
        self.list.first().map_or(SegmentSize::DEFAULT, |s| s.configured.segment_size())
    }

    /// The servers, settings that no model reads, and where everything was written.
    pub fn finish(self) -> Option<(Vec<Server>, Vec<String>, Vec<Written>)> {
        let mut servers = Vec::new();
        let mut not_modelled = Vec::new();
        let mut written = Vec::new();
        for draft in self.list {
            not_modelled.extend(
                draft.configured.not_modelled().map(|name| format!("{}: {name}", draft.name)),
            );
            written.push(Written { span: draft.span, given: draft.configured.given });
            servers.push(Server {
                name: draft.name.to_owned(),
                site: draft.site.map(|(site, _)| site.to_owned()),
                upstream: draft.index,
                slot: draft.slot.map(|(slot, _)| slot.to_owned()),
                state: draft.state,
                disk: draft.disk?,
                separate_wal_disk: draft.separate_wal_disk,
                replay: draft.replay,
                settings: draft.configured.settings,
            });
        }
        Some((servers, not_modelled, written))
    }
}
