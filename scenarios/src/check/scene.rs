//! A variant, where its parts were written, and which standby is away when.

use std::cell::OnceCell;

use models::postgres::guc::Settings;
use models::trace::fact::Scope;
use models::units::{Bytes, Duration, human};

use super::wal::WalMade;
use crate::action::Deed;
use crate::fault::FaultKind;
use crate::resolve::Written;
use crate::scenario::{Scenario, Server, ServerIndex, ServerState};
use crate::source::Span;
use crate::tree::{Table, Value};

/// A variant that is looked at.
pub(super) struct Scene<'a> {
    /// The variant.
    pub scenario: &'a Scenario,
    /// Where its servers were written, in the same order.
    pub written: &'a [Written],
    root: &'a Table,
    wal: OnceCell<WalMade<'a>>,
}

/// A standby without its upstream, or an upstream without its standby.
#[derive(Clone, Debug)]
pub(super) struct Outage {
    /// Who is away.
    pub standby: ServerIndex,
    /// Since when.
    pub from: Duration,
    /// Until when; `None`: to the end of the run.
    pub to: Option<Duration>,
    /// Nobody is told: the connection looks whole until a timeout.
    pub silent: bool,
    /// Over the network, so that the standby notices by its own timeout.
    pub link: bool,
    /// What TCP loses it sends again at doubling distances, so that it may last longer.
    pub resent: bool,
    /// Where it was written.
    pub span: Option<Span>,
}

impl<'a> Scene<'a> {
    /// Looks at a variant.
    pub fn new(scenario: &'a Scenario, written: &'a [Written], root: &'a Table) -> Scene<'a> {
        Scene { scenario, written, root, wal: OnceCell::new() }
    }

    /// The primary and its index.
    pub fn primary(&self) -> (ServerIndex, &'a Server) {
        let primary = self.scenario.primary();
        (primary, &self.scenario.servers[primary])
    }

    /// Standbys with their indices and their upstreams'.
    pub fn standbys(
        &self,
    ) -> impl Iterator<Item = (ServerIndex, &'a Server, ServerIndex)> + use<'a> {
        let servers = self.scenario.servers.iter().enumerate();
        servers.filter_map(|(index, server)| Some((index, server, server.upstream?)))
    }

    /// Settings of a server.
    pub fn settings(&self, server: ServerIndex) -> &'a Settings {
        &self.scenario.servers[server].settings
    }

    /// Where a server's setting was given, or else where the server was named.
    pub fn setting(&self, server: ServerIndex, name: &str) -> Span {
        let written = &self.written[server];
        written.given.get(name).map_or(written.span, |given| given.span)
    }

    /// Where the value at a path was written.
    pub fn value(&self, path: &[&str]) -> Option<Span> {
        self.root
            .at(&path.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>())
            .map(|entry| entry.node.span)
    }

    /// Where the table or key at a path was named.
    pub fn key(&self, path: &[&str]) -> Option<Span> {
        self.root
            .at(&path.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>())
            .map(|entry| entry.key_span)
    }

    /// Where the n-th step was written.
    pub fn step(&self, number: usize) -> Option<Span> {
        match &self.root.get("step")?.value {
            Value::List(steps) => steps.get(number).map(|step| step.span),
            _ => None,
        }
    }

    /// The WAL that the workloads make.
    pub fn wal(&self) -> &WalMade<'a> {
        self.wal.get_or_init(|| WalMade::new(self.scenario))
    }

    /// Where the first workload was named.
    pub fn workload(&self) -> Option<Span> {
        self.key(&["workload", &self.scenario.workloads.first()?.name])
    }

    /// How long an outage is within the run.
    pub fn length(&self, outage: &Outage) -> Duration {
        let end = outage.to.unwrap_or(self.scenario.duration).min(self.scenario.duration);
        Duration(end.0.saturating_sub(outage.from.0))
    }

    /// How long an outage is, in words.
    pub fn away(&self, outage: &Outage) -> String {
        let length = human::duration(self.length(outage).0);
        match outage.to.filter(|to| *to < self.scenario.duration) {
            Some(_) => format!("is away for {length}"),
            None => format!("is away for the last {length} of the run"),
        }
    }

    /// WAL that an outage's standby misses.
    pub fn missed(&self, outage: &Outage) -> Bytes {
        let end = Duration(outage.from.0 + self.length(outage).0);
        self.wal().between(outage.from, end)
    }

    /// Everything that keeps a standby from its upstream, by standby and then by time.
    pub fn outages(&self) -> Vec<Outage> {
        let mut outages: Vec<Outage> = self
            .standbys()
            .flat_map(|(index, server, up)| self.outages_of(index, server, up))
            .collect();
        outages.sort_by_key(|outage| (outage.standby, outage.from));
        outages
    }

    fn outages_of(
        &self,
        index: ServerIndex,
        server: &Server,
        upstream: ServerIndex,
    ) -> Vec<Outage> {
        let mut found = Vec::new();
        for fault in &self.scenario.faults {
            let is = |pairs: &[(ServerIndex, ServerIndex)]| {
                pairs.iter().any(|pair| [*pair, (pair.1, pair.0)].contains(&(index, upstream)))
            };
            let (silent, link) = match &fault.kind {
                FaultKind::Crash { server, .. } | FaultKind::Stop { server, .. }
                    if *server == index =>
                {
                    (false, false)
                }
                // A walreceiver that hangs in an fsync reads and says nothing.
                FaultKind::Freeze { server, .. } | FaultKind::DiskStall { server }
                    if *server == index =>
                {
                    (true, false)
                }
                // Of hosts that die nobody is told.
                FaultKind::SiteDown { servers } if servers.contains(&index) => (true, false),
                FaultKind::LinkCut { between } | FaultKind::LinkHold { between } if is(between) => {
                    (true, true)
                }
                FaultKind::Crash { .. }
                | FaultKind::Stop { .. }
                | FaultKind::Freeze { .. }
                | FaultKind::LinkCut { .. }
                | FaultKind::LinkHold { .. }
                | FaultKind::LinkReset { .. }
                | FaultKind::LinkWorse { .. }
                | FaultKind::SiteDown { .. }
                | FaultKind::BulkWrite { .. }
                | FaultKind::ClockJump { .. }
                | FaultKind::DiskFull { .. }
                | FaultKind::DiskSlow { .. }
                | FaultKind::DiskStall { .. }
                | FaultKind::ReplayPause { .. } => continue,
            };
            let frozen = FaultKind::Freeze { server: index, what: Scope::Host };
            let resent = fault.kind == frozen || matches!(fault.kind, FaultKind::LinkCut { .. });
            let to = fault.lasts.map(|lasts| Duration(fault.at.0.saturating_add(lasts.0)));
            let span = self.key(&["fault", &fault.name]);
            found.push(Outage { standby: index, from: fault.at, to, silent, link, resent, span });
        }
        found.extend(self.stopped_by_hand(index, server));
        found
    }

    /// Down at the start, or stopped by an action, until an action starts it. Steps come at times
    /// that nobody knows beforehand, so a server that one of them handles is left out.
    fn stopped_by_hand(&self, index: ServerIndex, server: &Server) -> Vec<Outage> {
        let is = |deed: &Deed| deed.server() == Some(index);
        let handles = |deed: &Deed| is(deed) && matches!(deed, Deed::Start(_) | Deed::Stop(..));
        if self.scenario.steps.iter().flat_map(|step| &step.deeds).any(handles) {
            return Vec::new();
        }
        let mut deeds: Vec<_> = self.scenario.actions.iter().filter(|a| handles(&a.deed)).collect();
        deeds.sort_by_key(|action| action.at);
        let outage = |from: Duration, span: Option<Span>| Outage {
            standby: index,
            from,
            to: None,
            silent: false,
            link: false,
            resent: false,
            span,
        };
        let mut found: Vec<Outage> = Vec::new();
        if server.state == ServerState::Down {
            found.push(outage(Duration::ZERO, self.value(&["server", &server.name, "state"])));
        }
        for action in deeds {
            let open = found.last_mut().filter(|last| last.to.is_none());
            match (&action.deed, open) {
                (Deed::Start(_), Some(last)) => last.to = Some(action.at),
                (Deed::Stop(..), None) => {
                    found.push(outage(action.at, self.key(&["action", &action.name])));
                }
                _ => {}
            }
        }
        found
    }
}
