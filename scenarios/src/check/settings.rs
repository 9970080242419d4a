//! Rules that look at one server's settings alone: all that a `postgresql.conf` has.

use std::collections::BTreeMap;

use models::postgres::guc::{ArchiveMode, Settings, SynchronousCommit, WalLevel};
use models::postgres::syncrep::StandbyNames;
use models::units::{Bytes, Duration};

use super::conf::Role;
use super::scene::Scene;
use super::{Found, rules};
use crate::error::enumerate;
use crate::resolve::Written;
use crate::resolve::settings::Given;
use crate::scenario::ServerIndex;
use crate::source::Span;

/// One server, or one file that a server is to have.
pub(super) struct Subject<'a> {
    /// What it is to be, if that is known.
    pub role: Option<Role>,
    /// Whether standbys stream from it, if that is known.
    pub streams: Option<bool>,
    /// Its settings.
    pub settings: &'a Settings,
    /// Where they were given.
    pub written: &'a Written,
}

impl<'a> Subject<'a> {
    /// A setting, if it was given.
    fn given(&self, name: &str) -> Option<&'a Given> {
        self.written.given.get(name)
    }

    /// Where a setting was given, or else the server.
    fn span(&self, name: &str) -> Span {
        self.given(name).map_or(self.written.span, |given| given.span)
    }

    fn is_primary(&self) -> bool {
        self.role != Some(Role::Standby)
    }

    fn is_standby(&self) -> bool {
        self.role != Some(Role::Primary)
    }

    fn show(&self, name: &str) -> String {
        self.settings.show(name).unwrap_or_default()
    }
}

/// Looks at every server of a variant. What several servers were given at once is said once.
pub(super) fn of_scenario(scene: &Scene<'_>, found: &mut Vec<Found>) {
    let servers = scene.scenario.servers.iter().zip(scene.written).enumerate();
    for (index, (server, written)) in servers {
        let role = if server.upstream.is_none() { Role::Primary } else { Role::Standby };
        let streams = scene.scenario.servers.iter().any(|other| other.upstream == Some(index));
        let settings = &server.settings;
        let subject = Subject { role: Some(role), streams: Some(streams), settings, written };
        let mut own = Vec::new();
        check(&subject, &mut own);
        for one in own {
            let known = |f: &Found| f.rule.code == one.rule.code && f.draft.span == one.draft.span;
            if !found.iter().any(known) {
                found.push(one);
            }
        }
    }
    not_modelled(scene, found);
}

/// Every rule of this file.
pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Found>) {
    amounts(subject, found);
    durability(subject, found);
    slots(subject, found);
    synchronous(subject, found);
    timeouts(subject, found);
    roles(subject, found);
    standby(subject, found);
}

/// Sizes that mean something else than they seem to.
fn amounts(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let settings = subject.settings;
    let segment = settings.wal_segment_size;
    let (min, max) = (settings.min_wal_size, settings.max_wal_size);
    if min > max {
        let place = ["min_wal_size", "max_wal_size"].into_iter().find_map(|n| subject.given(n));
        let span = place.map_or(subject.written.span, |given| given.span);
        let what = format!("min_wal_size is {min} and max_wal_size {max}");
        let help = format!("set min_wal_size to {max} or less, or raise max_wal_size");
        found.push(Found::new(&rules::WAL003, span, what, help));
    }
    let kept = [
        ("wal_keep_size", Some(settings.wal_keep_size)),
        ("max_slot_wal_keep_size", settings.max_slot_wal_keep_size),
    ];
    for (name, size) in kept {
        let Some((size, given)) = size.zip(subject.given(name)) else { continue };
        if size > Bytes(0) && segment.segments_in(size) == 0 {
            let whole = Bytes(segment.bytes());
            let what = format!("{name} = {size} is less than a segment of {whole} and keeps none");
            let help = format!("give a multiple of {whole}");
            found.push(Found::new(&rules::WAL004, given.span, what, help));
        }
    }
    if let Some(given) = subject.given("wal_keep_size")
        && let Ok(number @ 1..) = given.value.trim().parse::<u64>()
    {
        let what = format!("wal_keep_size = {number} is {number}MB, not {number} segments");
        let help = format!(
            "write the unit; {number} segments are '{}'",
            Bytes(number.saturating_mul(segment.bytes()))
        );
        found.push(Found::new(&rules::WAL010, given.span, what, help));
    }
    if settings.wal_level == WalLevel::Logical && subject.is_primary() {
        let what = "wal_level = logical writes more WAL than is summed up or simulated here";
        let help = "expect more WAL where rows are updated and deleted, or measure it: \
                    `history` of a workload takes what you measured";
        found.push(Found::new(&rules::WAL009, subject.span("wal_level"), what, help));
    }
}

/// What a crash may cost.
fn durability(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let settings = subject.settings;
    if !settings.full_page_writes {
        let what = "full_page_writes = off: a crash of the host may leave torn pages";
        let help = "leave it on; wal_compression makes the images smaller";
        found.push(Found::new(&rules::WAL006, subject.span("full_page_writes"), what, help));
    }
    if !settings.fsync {
        let what = "fsync = off: a crash of the host may leave a cluster beyond repair";
        let help = "leave it on; for commits that need not be durable use synchronous_commit = off";
        found.push(Found::new(&rules::WAL007, subject.span("fsync"), what, help));
    }
    if subject.streams.is_none()
        && (settings.wal_level == WalLevel::Minimal || settings.max_wal_senders == 0)
    {
        let minimal = settings.wal_level == WalLevel::Minimal;
        let name = if minimal { "wal_level" } else { "max_wal_senders" };
        let what = format!("{name} = {}: no standby can connect", subject.show(name));
        let help = "for standbys set wal_level = \"replica\" and max_wal_senders = 10, and restart"
            .replace('"', "'");
        found.push(Found::new(&rules::WAL008, subject.span(name), what, help));
    }
    archive(subject, found);
}

/// The archiver, which nothing simulates yet: what can be said without.
fn archive(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let settings = subject.settings;
    let silent = ["archive_command", "archive_library"]
        .iter()
        .all(|n| subject.given(n).is_none_or(|given| given.value.trim().is_empty()));
    if settings.archive_mode != ArchiveMode::Off && silent && subject.is_primary() {
        let what = "archive_mode is on without archive_command: pg_wal keeps every segment";
        let help = "give archive_command, or archive_mode = off (needs a restart)";
        found.push(Found::new(&rules::ARC001, subject.span("archive_mode"), what, help));
    }
    let often = settings.archive_timeout.filter(|timeout| *timeout < Duration::s(60));
    if let (Some(timeout), true) = (often, subject.is_primary()) {
        let segment = Bytes(settings.wal_segment_size.bytes());
        let an_hour = Bytes(segment.0.saturating_mul(3_600_000_000_000 / timeout.0.max(1)));
        let what = format!(
            "archive_timeout = {timeout} switches a segment of {segment} that often: up to {} an \
             hour",
            models::units::human::bytes(an_hour.0)
        );
        let help = "a minute or more; for less to lose use a standby, which streams";
        found.push(Found::new(&rules::ARC002, subject.span("archive_timeout"), what, help));
    }
}

/// What slots may keep.
fn slots(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let settings = subject.settings;
    let segment = settings.wal_segment_size;
    let Some(cap) = settings.max_slot_wal_keep_size else {
        // A scenario's slots are judged with its disks.
        if subject.streams.is_none() && subject.is_primary() && settings.max_replication_slots > 0 {
            let span = subject.span("max_slot_wal_keep_size");
            let what = "max_slot_wal_keep_size = -1: nothing limits what replication slots keep";
            let help = "set it to what the volume of pg_wal can spare beside max_wal_size";
            found.push(Found::new(&rules::SLT002, span, what, help));
        }
        return;
    };
    let Some(given) = subject.given("max_slot_wal_keep_size") else { return };
    let max = settings.max_wal_size;
    if cap < max {
        let what = format!("max_slot_wal_keep_size = {cap} is below max_wal_size = {max}");
        let help = format!("{max} or more: pg_wal has that size anyway");
        let found_it = Found::new(&rules::SLT004, given.span, what, help);
        let there = subject.given("max_wal_size").map(|given| given.span);
        found.push(found_it.label(there, "max_wal_size"));
    }
    let keep = settings.wal_keep_size;
    if segment.segments_in(keep) > segment.segments_in(cap) {
        let what = format!("max_slot_wal_keep_size = {cap}, and wal_keep_size keeps {keep} anyway");
        let help = "with slots wal_keep_size can be 0; or raise the limit of slots above it";
        let there = subject.given("wal_keep_size").map(|given| given.span);
        found
            .push(Found::new(&rules::SLT005, given.span, what, help).label(there, "wal_keep_size"));
    }
}

/// Levels of commits.
fn synchronous(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let settings = subject.settings;
    if !subject.is_primary() {
        return;
    }
    let names = StandbyNames::parse(&settings.synchronous_standby_names);
    let none = names.as_ref().is_ok_and(StandbyNames::is_empty);
    let level = settings.synchronous_commit;
    let span = subject.span("synchronous_commit");
    let remote = [SynchronousCommit::RemoteWrite, SynchronousCommit::RemoteApply].contains(&level);
    if remote && none {
        let shown = subject.show("synchronous_commit");
        let what = format!(
            "synchronous_commit = {shown} without synchronous_standby_names waits for no standby"
        );
        let help = "name the standbys: synchronous_standby_names = 'FIRST 1 (pg2, pg3)'";
        found.push(Found::new(&rules::SYN005, span, what, help));
    }
    if level == SynchronousCommit::Off {
        let delay = Duration(settings.wal_writer_delay.0 * 3);
        let what = format!(
            "synchronous_commit = off: a crash of the primary alone loses up to {delay} of \
             answered commits"
        );
        let help = "for asynchronous replication leave it on, with synchronous_standby_names = ''";
        found.push(Found::new(&rules::SYN006, span, what, help));
    }
    if let Ok(names) = names
        && names.names().iter().any(|name| name == "*")
    {
        let span = subject.span("synchronous_standby_names");
        let what = "'*' takes any standby, whichever connected first";
        let help = "name the standbys, so that a restart does not choose another one";
        found.push(Found::new(&rules::SYN008, span, what, help));
    }
}

/// Timeouts that are off, or that do not go together.
fn timeouts(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let settings = subject.settings;
    let streams = subject.streams != Some(false);
    if settings.wal_sender_timeout.is_none() && streams {
        let what = "wal_sender_timeout = 0: a standby that has fallen silent is never noticed";
        let help = "the default is '60s'";
        found.push(Found::new(&rules::TIM002, subject.span("wal_sender_timeout"), what, help));
    }
    if settings.wal_receiver_timeout.is_none() && subject.is_standby() {
        let what = "wal_receiver_timeout = 0: a primary that has fallen silent is never noticed";
        let help = "the default is '60s'";
        found.push(Found::new(&rules::TIM002, subject.span("wal_receiver_timeout"), what, help));
    }
    // In a scenario the two belong to two servers.
    if subject.streams.is_none()
        && let Some(timeout) = settings.wal_sender_timeout
    {
        found.extend(reports_too_seldom(
            settings,
            timeout,
            subject.span("wal_receiver_status_interval"),
        ));
    }
}

/// A standby's status interval against its walsender's timeout.
pub(super) fn reports_too_seldom(
    standby: &Settings,
    timeout: Duration,
    span: Span,
) -> Option<Found> {
    let interval = standby.wal_receiver_status_interval;
    if interval.is_some_and(|interval| interval < timeout) {
        return None;
    }
    let shown = standby.show("wal_receiver_status_interval").unwrap_or_default();
    let what =
        format!("wal_receiver_status_interval = {shown}, and wal_sender_timeout is {timeout}");
    let help = "a fifth of the timeout or less: the defaults are '10s' and '60s'";
    Some(Found::new(&rules::TIM001, span, what, help))
}

/// Settings that only a server in recovery reads.
const OF_STANDBYS: &[&str] = &[
    "hot_standby",
    "hot_standby_feedback",
    "max_standby_archive_delay",
    "max_standby_streaming_delay",
    "primary_conninfo",
    "primary_slot_name",
    "recovery_min_apply_delay",
    "recovery_target_timeline",
    "restore_command",
    "wal_receiver_create_temp_slot",
    "wal_receiver_status_interval",
    "wal_receiver_timeout",
    "wal_retrieve_retry_interval",
];

/// Settings that only a server that takes writes reads.
const OF_PRIMARIES: &[&str] = &[
    "archive_timeout",
    "commit_delay",
    "commit_siblings",
    "full_page_writes",
    "synchronous_commit",
    "synchronous_standby_names",
    "wal_compression",
];

/// Settings of the other role. What all servers are given at once is meant for whoever needs it.
fn roles(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let (rule, names, are, help) = match subject.role {
        Some(Role::Primary) => {
            (&rules::STB001, OF_STANDBYS, "a primary", "put it where standbys are configured")
        }
        Some(Role::Standby) => {
            let help = "keep it if it is right for the server once it is promoted";
            (&rules::STB002, OF_PRIMARIES, "a standby", help)
        }
        None => return,
    };
    let own = names.iter().filter_map(|name| Some((*name, subject.given(name)?)));
    for (name, given) in own.filter(|(_, given)| !given.shared) {
        let what = format!("{name} has no effect on {are}");
        found.push(Found::new(rule, given.span, what, help));
    }
}

/// What a standby does with queries.
fn standby(subject: &Subject<'_>, found: &mut Vec<Found>) {
    let settings = subject.settings;
    if !subject.is_standby() {
        return;
    }
    for (name, delay) in [
        ("max_standby_streaming_delay", settings.max_standby_streaming_delay),
        ("max_standby_archive_delay", settings.max_standby_archive_delay),
    ] {
        if delay.is_none() {
            let what = format!("{name} = -1: one query may stop replay for as long as it runs");
            let help = "the longest query that the standby has to finish, such as '15min'";
            found.push(Found::new(&rules::STB004, subject.span(name), what, help));
        }
    }
    if settings.hot_standby_feedback {
        let what =
            "hot_standby_feedback = on keeps dead rows for the standby's queries, and no more";
        let help = "locks still conflict: max_standby_streaming_delay says how long those wait";
        found.push(Found::new(&rules::STB005, subject.span("hot_standby_feedback"), what, help));
    }
    if !settings.hot_standby && subject.role == Some(Role::Standby) {
        let what = "hot_standby = off: the standby takes no connections";
        let help = "on, unless nobody may read there";
        found.push(Found::new(&rules::STB006, subject.span("hot_standby"), what, help));
    }
}

/// Settings that no model reads, once a file or table.
fn not_modelled(scene: &Scene<'_>, found: &mut Vec<Found>) {
    let mut groups: BTreeMap<(Option<Span>, Option<ServerIndex>), Names<'_>> = BTreeMap::new();
    for (index, written) in scene.written.iter().enumerate() {
        for (name, given) in &written.given {
            if !Settings::is_modelled(name) {
                let own = (!given.shared && given.file.is_none()).then_some(index);
                groups.entry((given.file, own)).or_default().insert(given.span, name);
            }
        }
    }
    for names in groups.values() {
        found.extend(unread(names));
    }
}

/// Names by where they stand.
pub(super) type Names<'a> = BTreeMap<Span, &'a str>;

/// Settings that one finding names.
const MOST_NAMES: usize = 8;

/// The finding about settings that no model reads, by where they are.
pub(super) fn unread(names: &Names<'_>) -> Option<Found> {
    let (first, _) = names.first_key_value()?;
    let are = if names.len() == 1 { "is" } else { "are" };
    let shown = enumerate(names.values().copied().take(MOST_NAMES));
    let more = names.len().saturating_sub(MOST_NAMES);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let what = format!("{shown}{more} {are} not modelled");
    let help = "nothing to do: a run is the same with them and without";
    Some(Found::new(&rules::CFG004, *first, what, help))
}
