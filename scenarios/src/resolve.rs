//! From a checked file to what the simulator is given.
//!
//! One variant at a time: the tree already has the variant's changes, and every value in it
//! still knows where it was written. Each part reads its tables, leaves findings and goes on;
//! only when no part found anything is there a [`Scenario`].

mod actions;
mod faults;
mod links;
mod schedule;
mod servers;
pub(crate) mod settings;
mod workloads;

use models::postgres::PgVersion;
use models::units::{Duration, Lsn, PAGE, SegmentSize, TimelineId};

use crate::error::{Finding, Findings};
use crate::expect;
use crate::keys;
use crate::library::Library;
use crate::limits;
use crate::read::Fields;
use crate::scenario::{Recycled, Scenario, Start};
use crate::source::Span;
use crate::tree::{Table, Value};

pub(crate) use servers::Written;

/// What a variant is called and what it changes, for screens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    /// Catalogue name or file stem.
    pub name: &'a str,
    /// The file's first comment.
    pub question: &'a str,
    /// The variant's name.
    pub variant: &'a str,
    /// Path and value of what it sets.
    pub settings: &'a [(String, String)],
    /// The names of all variants.
    pub variants: &'a [String],
}

/// What every part of the resolution needs.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The file with the variant's changes.
    pub root: &'a Table,
    /// Files that it names.
    pub library: &'a Library<'a>,
    /// Where findings go.
    pub findings: &'a Findings,
}

impl<'a> Context<'a> {
    /// A table of the file that need not be there.
    fn table(&self, key: &str) -> Option<(&'a Table, Span)> {
        let entry = self.root.entry(key)?;
        let table = entry.node.table();
        if table.is_none() {
            let message = format!("`{key}` is a table, not {}", entry.node.kind());
            self.findings.push(Finding::new(entry.node.span, message));
        }
        table.map(|t| (t, entry.key_span))
    }

    fn report(&self, finding: Finding) {
        self.findings.push(finding);
    }
}

/// Resolves one variant, and says where its servers were written; `None` if something was found.
pub(crate) fn scenario(cx: Context<'_>, case: Case<'_>) -> Option<(Scenario, Vec<Written>)> {
    let span = Span { start: cx.root.span.start, end: cx.root.span.start };
    let fields = Fields::new(cx.root, &keys::ROOT, "the file", span, cx.findings);
    let title = fields.text("title").unwrap_or(case.name).to_owned();
    let seed = fields.count("seed").unwrap_or(1);
    let duration = run_time(&fields);
    let version = version(&fields);
    let servers = servers::read(cx, version);
    let start = start(cx, servers.segment_size());
    let (links, routes) = links::read(cx, &servers);
    let workloads = workloads::read(cx, duration, version);
    let faults = faults::read(cx, &servers, (&links, &routes), duration, seed);
    let operations = actions::read(cx, &servers, duration);
    if let Some(start) = &start {
        servers.check_capacity(cx, start);
    }
    let expect = expect::read(cx, &servers.names(), servers.primary());
    let order = expect::order::read(cx, case, &servers.names(), servers.primary());
    let shares = expect::share::read(cx, &servers.names(), servers.primary());
    if !cx.findings.is_empty() {
        return None;
    }
    let (servers, not_modelled, written) = servers.finish()?;
    let scenario = Scenario {
        name: case.name.to_owned(),
        variant: case.variant.to_owned(),
        variant_settings: case.settings.to_vec(),
        title,
        question: case.question.to_owned(),
        seed,
        duration: duration?.0,
        pg_version: version,
        start: start?,
        servers,
        routes,
        links,
        workloads,
        faults,
        expect,
        order,
        shares,
        actions: operations.actions,
        steps: operations.steps,
        slots: operations.slots,
        not_modelled,
    };
    Some((scenario, written))
}

/// `duration` and where it is written.
fn run_time(fields: &Fields<'_>) -> Option<(Duration, Span)> {
    let Some(node) = fields.get("duration") else {
        fields.missing("duration", "say how long to simulate: duration = '2min'");
        return None;
    };
    let duration = fields.positive_duration("duration")?;
    if duration > limits::LONGEST_RUN {
        let finding = Finding::new(node.span, format!("`duration` is {duration}"));
        fields.findings.push(finding.help("a run is at most 366d long"));
        return None;
    }
    Some((duration, node.span))
}

/// `pg_version`; the default if it is wrong.
fn version(fields: &Fields<'_>) -> PgVersion {
    let number = match fields.get("pg_version").map(|n| (&n.value, n.span)) {
        None => None,
        Some((Value::Integer(n), span)) => {
            let version = n.parse().ok().and_then(PgVersion::new);
            if version.is_none() {
                let finding = Finding::new(span, format!("PostgreSQL {n} is not modelled"));
                fields.findings.push(finding.help("`pg_version` is a whole number from 13 to 18"));
            }
            version
        }
        Some((value, span)) => {
            let given = match value {
                Value::Text(t) | Value::Float(t) => format!("`pg_version` cannot be `{t}`"),
                _ => "`pg_version` is a number".to_owned(),
            };
            let help = "the major version alone, from 13 to 18: pg_version = 17";
            fields.findings.push(Finding::new(span, given).help(help));
            None
        }
    };
    number.unwrap_or(PgVersion::DEFAULT)
}

/// `[start]`.
fn start(cx: Context<'_>, size: SegmentSize) -> Option<Start> {
    // Segment 1 is the first there is, and initdb and a base backup use up two.
    let default = Lsn(3 * size.bytes() + 40);
    let empty = Table::default();
    let (table, span) = cx.table("start").unwrap_or((&empty, Span::default()));
    let fields = Fields::new(table, &keys::START, "[start]", span, cx.findings);
    let timeline = fields.count("timeline").and_then(|t| u32::try_from(t).ok()).unwrap_or(1);
    let recycled = match (fields.count("files_after"), fields.word("recycled")) {
        (Some(files), _) => Recycled::Files(files),
        (None, Some("max")) => Recycled::Max,
        (None, Some("none")) => Recycled::None,
        (None, _) => Recycled::Min,
    };
    if let (Some(entry), Some(_)) = (table.entry("recycled"), fields.get("files_after")) {
        let message = "`recycled` and `files_after` both say which files there are".to_owned();
        cx.report(Finding::new(entry.key_span, message).help("leave one of them out"));
    }
    let lsn = match fields.text("lsn") {
        None => default,
        Some(text) => start_lsn(&fields, text, size)?,
    };
    let files_before = fields.count("files_before").unwrap_or(0);
    if files_before >= lsn.segment(size) {
        let first = lsn.segment(size) - 1;
        let message = format!("there are only {first} segments before the one of {lsn}");
        let span = fields.get("files_before").map_or(span, |node| node.span);
        cx.report(Finding::new(span, message).help(format!("at most {first}")));
        return None;
    }
    Some(Start { lsn, timeline: TimelineId(timeline), recycled, files_before })
}

/// A position where a record may begin: behind the page header, on a multiple of 8.
fn start_lsn(fields: &Fields<'_>, text: &str, size: SegmentSize) -> Option<Lsn> {
    let span = fields.get("lsn")?.span;
    let wrong = |message: String, help: String| {
        fields.findings.push(Finding::new(span, message).help(help));
        None
    };
    let lsn: Lsn = match text.parse() {
        Ok(lsn) => lsn,
        Err(e) => {
            let error: models::units::LsnError = e;
            return wrong(error.to_string(), "a WAL position is written '0/3000028'".to_owned());
        }
    };
    let header = if lsn == lsn.segment_start(size) || lsn.0 - lsn.segment_start(size).0 < PAGE {
        40
    } else {
        24
    };
    if lsn.segment(size) == 0 || lsn.0 > 1 << 60 {
        let first = Lsn(size.bytes() + 40);
        let help = format!("the first segment that is ever used is the second: from {first} on");
        return wrong(format!("no WAL begins at {lsn}"), help);
    }
    if !lsn.0.is_multiple_of(8) || lsn.0 % PAGE < header {
        let page = lsn.page_start();
        let near = Lsn((lsn.0.next_multiple_of(8)).max(page.0 + header));
        let help = format!("records begin at multiples of 8 behind the page header: {near}");
        return wrong(format!("no record begins at {lsn}"), help);
    }
    Some(lsn)
}
