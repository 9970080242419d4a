//! Synchronous replication: who is asked for, who there is, and who is away.

use models::postgres::guc::SynchronousCommit;
use models::postgres::syncrep::{Method, StandbyNames};
use models::units::{Duration, human};

use super::scene::{Outage, Scene};
use super::{Found, rules};
use crate::error::enumerate;
use crate::scenario::{Scenario, ServerIndex};
use crate::workload::Workload;

/// What the primary asks for, and which standbys that means.
struct Asked {
    names: StandbyNames,
    /// Standbys on the list, the first choice first.
    listed: Vec<ServerIndex>,
    /// How many have to confirm.
    number: usize,
}

impl Asked {
    /// `None` if it asks for nobody.
    fn by(scenario: &Scenario) -> Option<Asked> {
        let primary = scenario.primary();
        let asked = &scenario.servers[primary].settings.synchronous_standby_names;
        let names = StandbyNames::parse(asked).ok().filter(|names| !names.is_empty())?;
        let mut listed: Vec<(u32, ServerIndex)> = scenario
            .servers
            .iter()
            .enumerate()
            .filter(|(_, standby)| standby.upstream == Some(primary))
            .map(|(index, standby)| (names.priority(&standby.settings.cluster_name), index))
            .filter(|(priority, _)| *priority > 0)
            .collect();
        listed.sort_unstable();
        let number = usize::try_from(names.number()).unwrap_or(usize::MAX);
        let listed = listed.into_iter().map(|(_, index)| index).collect();
        Some(Asked { names, listed, number })
    }
}

/// The mean time that a commit waits at the least, with nobody before it: for the disk of the
/// primary, and for the nearest standbys that are enough.
pub(super) fn least_wait(scenario: &Scenario, workload: &Workload) -> Duration {
    let primary = &scenario.servers[scenario.primary()];
    let level = workload.synchronous_commit.unwrap_or(primary.settings.synchronous_commit);
    let at_home = if level == SynchronousCommit::Off { 0 } else { primary.disk.fsync.mean() };
    let asked = Asked::by(scenario).filter(|_| level > SynchronousCommit::Local);
    let away = asked.map_or(0, |asked| {
        let wait = |standby: &ServerIndex| {
            let link = scenario.link(*standby, scenario.primary());
            let way = link.map_or(0, |link| link.rtt.mean());
            let disk = scenario.servers[*standby].disk.fsync.mean();
            if level > SynchronousCommit::RemoteWrite { way + disk } else { way }
        };
        let mut waits: Vec<u64> = asked.listed.iter().map(wait).collect();
        waits.sort_unstable();
        // Without enough of them they wait for ever, which another rule says.
        waits.get(asked.number.saturating_sub(1)).copied().unwrap_or(0)
    });
    Duration(at_home + away)
}

/// Every rule of this file.
pub(super) fn check(scene: &Scene<'_>, found: &mut Vec<Found>) {
    same_name(scene, found);
    workloads(scene, found);
    let Some(asked) = Asked::by(scene.scenario) else { return };
    unknown(scene, &asked, found);
    if commits_wait(scene) && asked.listed.len() >= asked.number {
        absences(scene, &asked, found);
    }
    for index in &asked.listed {
        if scene.settings(*index).wal_receiver_status_interval.is_none() {
            let name = &scene.scenario.servers[*index].name;
            let what = format!("`{name}` is synchronous and tells its position only when asked");
            let help = "set wal_receiver_status_interval to '10s', the default, or less";
            let span = scene.setting(*index, "wal_receiver_status_interval");
            found.push(Found::new(&rules::SYN007, span, what, help));
        }
    }
}

/// Whether any commit waits for standbys.
fn commits_wait(scene: &Scene<'_>) -> bool {
    let of_server = scene.primary().1.settings.synchronous_commit;
    let waits = |level: SynchronousCommit| level > SynchronousCommit::Local;
    let mut levels =
        scene.scenario.workloads.iter().map(|w| w.synchronous_commit.unwrap_or(of_server));
    if scene.scenario.workloads.is_empty() { waits(of_server) } else { levels.any(waits) }
}

/// Names that nobody has, and too few standbys.
fn unknown(scene: &Scene<'_>, asked: &Asked, found: &mut Vec<Found>) {
    let (primary, server) = scene.primary();
    let span = scene.setting(primary, "synchronous_standby_names");
    let of = format!("synchronous_standby_names of `{}`", server.name);
    let called = |name: &str| {
        // Its own name is on the list for the day when it is a standby.
        name == "*"
            || scene
                .scenario
                .servers
                .iter()
                .any(|s| s.settings.cluster_name.eq_ignore_ascii_case(name))
    };
    let nobody: Vec<&str> =
        asked.names.names().iter().map(String::as_str).filter(|name| !called(name)).collect();
    if !nobody.is_empty() {
        let what = format!("{of} names {}: no standby is called that", enumerate(nobody));
        let help = match enumerate(scene.standbys().map(|(_, s, _)| &*s.settings.cluster_name)) {
            names if names.is_empty() => "there is no standby".to_owned(),
            names => format!("standbys are {names}"),
        };
        found.push(Found::new(&rules::SYN002, span, what, help));
    }
    let (listed, number) = (asked.listed.len(), asked.number);
    let are = |count: usize| if count == 1 { "one is".to_owned() } else { format!("{count} are") };
    let standbys = |count: usize| match count {
        1 => "one standby".to_owned(),
        _ => format!("{count} standbys"),
    };
    if listed < number {
        let there = if listed == 0 { "none is".to_owned() } else { are(listed) };
        let what = format!(
            "{of} asks for {} and {there} there: commits that wait for a standby wait for ever",
            standbys(number)
        );
        let help = if listed == 0 {
            "name standbys that stream from the primary".to_owned()
        } else {
            format!("ask for {listed} at most, or list more standbys")
        };
        found.push(Found::new(&rules::SYN003, span, what, help));
    } else if listed == number && commits_wait(scene) {
        let names = asked.listed.iter().map(|index| &*scene.scenario.servers[*index].name);
        let what = match number {
            1 => format!(
                "{} is the only synchronous standby: if it fails, writes stop",
                enumerate(names)
            ),
            _ => format!("{} are all needed: if one fails, writes stop", enumerate(names)),
        };
        let help = "list one standby more than have to confirm";
        found.push(Found::new(&rules::SYN004, span, what, help));
    }
}

/// What interruptions do to commits.
fn absences(scene: &Scene<'_>, asked: &Asked, found: &mut Vec<Found>) {
    let outages = scene.outages();
    let primary = scene.primary().0;
    for outage in outages.iter().filter(|outage| asked.listed.contains(&outage.standby)) {
        let covers = |other: &Outage, standby: ServerIndex| {
            other.standby == standby
                && other.from <= outage.from
                && other.to.is_none_or(|to| to > outage.from)
        };
        let is_away = |standby: &ServerIndex| outages.iter().any(|o| covers(o, *standby));
        let left = asked.listed.iter().filter(|standby| !is_away(standby)).count();
        let name = &scene.scenario.servers[outage.standby].name;
        let length = human::duration(scene.length(outage).0);
        let from = human::duration(outage.from.0);
        let names = scene.setting(primary, "synchronous_standby_names");
        let span = outage.span.unwrap_or(names);
        if left < asked.number {
            let what = format!(
                "from {from} on `{name}` is away for {length}, and commits wait: {} of {} \
                 synchronous standbys are left, {} must confirm",
                left,
                asked.listed.len(),
                asked.number
            );
            let help = "list another standby, or change synchronous_standby_names meanwhile";
            found.push(
                Found::new(&rules::SYN010, span, what, help).label(Some(names), "asked for here"),
            );
            continue;
        }
        let chosen = asked.listed.iter().take(asked.number).any(|i| *i == outage.standby);
        let timeout = scene.settings(primary).wal_sender_timeout;
        if outage.silent && chosen && asked.names.method() == Method::First {
            let wait = timeout
                .filter(|t| *t < scene.length(outage))
                .map_or(length, |t: Duration| t.to_string());
            let what = format!(
                "`{name}` falls silent at {from}: commits wait for it for up to {wait} before \
                 the next standby takes over"
            );
            let help = "a shorter wal_sender_timeout, or ANY instead of FIRST";
            found.push(Found::new(&rules::SYN011, span, what, help));
        }
    }
}

/// Standbys that go by one name.
fn same_name(scene: &Scene<'_>, found: &mut Vec<Found>) {
    let standbys: Vec<_> = scene.standbys().collect();
    for (at, (index, standby, _)) in standbys.iter().enumerate() {
        let name = &standby.settings.cluster_name;
        let same = |(_, other, _): &&(usize, &crate::scenario::Server, usize)| {
            other.settings.cluster_name.eq_ignore_ascii_case(name)
        };
        if let Some((first, other, _)) = standbys[..at].iter().find(same) {
            let what =
                format!("`{}` and `{}` both go by the name {name}", other.name, standby.name);
            let help = "give each its own cluster_name, or none: then it is the server's key";
            let there = scene.setting(*first, "cluster_name");
            let span = scene.setting(*index, "cluster_name");
            found.push(
                Found::new(&rules::SYN009, span, what, help).label(Some(there), "the other one"),
            );
        }
    }
}

/// Workloads whose own level waits for standbys where none is synchronous.
fn workloads(scene: &Scene<'_>, found: &mut Vec<Found>) {
    let settings = &scene.primary().1.settings;
    let names = StandbyNames::parse(&settings.synchronous_standby_names);
    if !names.is_ok_and(|names| names.is_empty()) {
        return;
    }
    for workload in &scene.scenario.workloads {
        let Some(level) = workload.synchronous_commit else { continue };
        let span = scene.value(&["workload", &workload.name, "synchronous_commit"]);
        let Some(span) = span else { continue };
        match level {
            SynchronousCommit::RemoteWrite | SynchronousCommit::RemoteApply => {
                let what = format!(
                    "commits of `{}` ask for a standby, and synchronous_standby_names is empty",
                    workload.name
                );
                let help = "name the standbys: synchronous_standby_names = 'FIRST 1 (pg2, pg3)'";
                found.push(Found::new(&rules::SYN005, span, what, help));
            }
            SynchronousCommit::Off => {
                let delay = Duration(settings.wal_writer_delay.0 * 3);
                let what = format!(
                    "commits of `{}` wait for no disk: a crash of the primary alone loses up to \
                     {delay}",
                    workload.name
                );
                let help = "for asynchronous replication leave it on: no standby is waited for";
                found.push(Found::new(&rules::SYN006, span, what, help));
            }
            SynchronousCommit::Local | SynchronousCommit::On => {}
        }
    }
}
