//! `[action.X]` and `[[step]]`: what an operator does, when, and in which order.
//!
//! Both are read by one reader: in an `[action.X]` the value of its kind stands under a key of
//! its own, in a step's `do` the kind itself is the key.

use models::postgres::command::{Interrupt, StopMode};
use models::postgres::statement::{Statement, WriteCommand};
use models::units::{Bytes, Duration};

use super::faults::moment;
use super::servers::{Servers, slot_is_good};
use super::{Context, Fields, Finding, Span, Table, Value, keys, limits, settings};
use crate::action::{Action, Condition, Deed, Step, View};
use crate::error::{choices, enumerate};
use crate::keys::{ActionEntry, Place};
use crate::read::named;
use crate::scenario::ServerIndex;
use crate::tree::{Entry, Node};

/// What is read, and what it needs.
struct Reader<'a, 'f> {
    cx: Context<'a>,
    servers: &'f Servers<'a>,
    /// Names of slots: those that standbys use, then those that actions name.
    slots: Vec<String>,
    /// Slots that are made on the way.
    made: Vec<(ServerIndex, usize)>,
    /// Slots that are dropped, and where that is written.
    dropped: Vec<(ServerIndex, usize, Span)>,
}

/// Everything that an operator does.
pub(super) struct Operations {
    /// At moments.
    pub actions: Vec<Action>,
    /// In order.
    pub steps: Vec<Step>,
    /// Every slot's name in the file, once.
    pub slots: Vec<String>,
}

/// Reads all actions and steps.
pub(super) fn read(
    cx: Context<'_>,
    servers: &Servers<'_>,
    duration: Option<(Duration, Span)>,
) -> Operations {
    let mut reader =
        Reader { cx, servers, slots: servers.slots(), made: Vec::new(), dropped: Vec::new() };
    let actions = reader.actions(duration);
    let steps = reader.steps();
    reader.check_dropped();
    Operations { actions, steps, slots: reader.slots }
}

impl<'a> Reader<'a, '_> {
    fn actions(&mut self, duration: Option<(Duration, Span)>) -> Vec<Action> {
        let tables = named(self.cx.root, "action", limits::MOST_ACTIONS, self.cx.findings);
        tables
            .into_iter()
            .filter_map(|(entry, table)| {
                let title = format!("[action.{}]", entry.key);
                let findings = self.cx.findings;
                let fields = Fields::new(table, &keys::ACTION, &title, entry.key_span, findings);
                let at = moment(&fields, duration);
                let kind = self.kind(&fields)?;
                refuse(&fields, kind, &["kind", "at", kind.value]);
                let deed = self.deed(&fields, kind, kind.value)?;
                Some(Action { name: entry.key.clone(), at: at?, deed })
            })
            .collect()
    }

    /// `kind` of an `[action.X]`.
    fn kind(&self, fields: &Fields<'_>) -> Option<&'static ActionEntry> {
        let names = keys::ACTION_KINDS;
        let Some(node) = fields.get("kind") else {
            fields.missing("kind", &choices("", "it is one of", names));
            return None;
        };
        let name = fields.text("kind")?;
        let (message, help) = match keys::action(name) {
            Some(kind) if kind.place == Place::Everywhere => return Some(kind),
            Some(_) => {
                let message = format!("`{name}` is about the order of things");
                (message, "it goes into `do` of a [[step]]".to_owned())
            }
            None => {
                let message = format!("there is no action of kind `{}`", name.escape_debug());
                (message, choices(name, "there are", names))
            }
        };
        self.cx.report(Finding::new(node.span, message).help(help));
        None
    }

    fn steps(&mut self) -> Vec<Step> {
        let Some(entry) = self.cx.root.entry("step") else { return Vec::new() };
        let Value::List(items) = &entry.node.value else {
            let message = format!("`step` is a list of tables, not {}", entry.node.kind());
            let help = "write [[step]], with two brackets";
            self.cx.report(Finding::new(entry.node.span, message).help(help));
            return Vec::new();
        };
        let mut steps = Vec::new();
        let mut deeds: u64 = 0;
        for item in items {
            let Some(table) = item.table() else {
                let message = format!("a step is a table, not {}", item.kind());
                self.cx.report(Finding::new(item.span, message).help("write [[step]]"));
                continue;
            };
            if let Some(step) = self.step(table, item.span) {
                deeds += step.deeds.len() as u64 * u64::from(step.repeat);
                steps.push(step);
            }
        }
        if steps.iter().map(|s: &Step| s.deeds.len()).sum::<usize>() > limits::MOST_NAMED_DEEDS {
            let finding = Finding::new(entry.key_span, "the steps name too many actions");
            self.cx.report(finding.help("at most 10,000: use `repeat`"));
        }
        if deeds > limits::MOST_DEEDS {
            let message = format!("the steps come to {deeds} actions");
            let help = "at most 1,000,000, each counted as often as it is repeated";
            self.cx.report(Finding::new(entry.key_span, message).help(help));
        }
        steps
    }

    fn step(&mut self, table: &'a Table, span: Span) -> Option<Step> {
        let fields = Fields::new(table, &keys::STEP, "[[step]]", span, self.cx.findings);
        let repeat = match fields.get("repeat") {
            Some(_) => fields.count("repeat").and_then(|n| u32::try_from(n).ok()),
            None => Some(1),
        };
        let Some(node) = fields.get("do") else {
            fields.missing("do", "say what is done: do = [{ checkpoint = 'pg1' }]");
            return None;
        };
        let items = match &node.value {
            Value::List(items) if !items.is_empty() => items,
            _ => {
                let message = "`do` is a list of actions, with at least one";
                let help = "write do = [{ write = '48MB' }, { checkpoint = 'pg1' }]";
                self.cx.report(Finding::new(node.span, message).help(help));
                return None;
            }
        };
        let mut deeds = Vec::new();
        for item in items {
            match item.table() {
                Some(table) => deeds.push(self.one_of_a_step(table, item.span)),
                None => {
                    let message = format!("an action of a step is a table, not {}", item.kind());
                    let help = "write { checkpoint = 'pg1' }";
                    self.cx.report(Finding::new(item.span, message).help(help));
                    deeds.push(None);
                }
            }
        }
        let deeds: Option<Vec<Deed>> = deeds.into_iter().collect();
        Some(Step { deeds: deeds?, repeat: repeat? })
    }

    /// A table of `do`.
    fn one_of_a_step(&mut self, table: &'a Table, span: Span) -> Option<Deed> {
        let title = "`do` of a [[step]]";
        let fields = Fields::new(table, &keys::DEED, title, span, self.cx.findings);
        let given: Vec<(&'static ActionEntry, Span)> = table
            .entries
            .iter()
            .filter_map(|entry| Some((keys::action(&entry.key)?, entry.key_span)))
            .collect();
        match given.as_slice() {
            [] => {
                // A name that there is not has been reported.
                if table.entries.iter().all(|e| keys::DEED.key(&e.key).is_some()) {
                    let help = choices("", "one of", keys::ACTIONS.iter().map(|k| k.name));
                    let message = "this action does not say what is done";
                    self.cx.report(Finding::new(span, message).help(help));
                }
                None
            }
            [(kind, _)] => {
                refuse(&fields, kind, &[kind.name]);
                self.deed(&fields, kind, kind.name)
            }
            [(first, there), (second, place), ..] => {
                let message = format!("`{}` and `{}` are two actions", first.name, second.name);
                let finding = Finding::new(*place, message)
                    .label(*there, "the other one")
                    .help("give each a table of its own: they are done in this order");
                self.cx.report(finding);
                None
            }
        }
    }

    /// The action itself; `value` is the key that has its value.
    fn deed(&mut self, fields: &Fields<'a>, kind: &ActionEntry, value: &str) -> Option<Deed> {
        if !kind.is_of_server() && fields.get(value).is_none() {
            let message = format!("`{}` needs `{value}`", kind.name);
            self.cx.report(Finding::new(fields.span, message).help(kind.doc));
        }
        // Every part is looked at, so that all mistakes are found at once.
        let server = match kind.name {
            "wait" | "sleep" => None,
            "stop" | "start" | "restart" | "promote" => self.named_server(fields, value, kind),
            _ if kind.is_of_server() => self.server_or_primary(fields, value),
            _ => self.server_or_primary(fields, "server"),
        };
        Some(match kind.name {
            "checkpoint" => Deed::Checkpoint(server?),
            "switch_wal" => Deed::SwitchWal(server?),
            "promote" => {
                self.must_be_standby(fields, value, server?);
                Deed::Promote(server?)
            }
            "write" => {
                let size = self.written(fields, value);
                Deed::Write(server?, size?)
            }
            "write_to" => {
                let lsn = fields.lsn(value);
                Deed::WriteTo(server?, lsn?)
            }
            "set" => {
                let changes = self.changes(fields, value, server);
                Deed::Set(server?, changes?)
            }
            "slot_create" => {
                let reserve = match fields.get("reserve") {
                    Some(_) => fields.switch("reserve"),
                    None => Some(false),
                };
                let slot = self.slot(fields, value)?;
                self.made.push((server?, slot));
                Deed::SlotCreate { server: server?, slot, reserve: reserve? }
            }
            "slot_drop" => {
                let slot = self.slot(fields, value)?;
                self.dropped.push((server?, slot, fields.get(value)?.span));
                Deed::SlotDrop { server: server?, slot }
            }
            "cancel_backend" => self.interrupt(fields, value, server, Interrupt::Cancel)?,
            "terminate_backend" => self.interrupt(fields, value, server, Interrupt::Terminate)?,
            "client_disconnect" => self.interrupt(fields, value, server, Interrupt::Disconnect)?,
            "stop" => {
                let mode = mode(fields);
                Deed::Stop(server?, mode?)
            }
            "start" => Deed::Start(server?),
            "restart" => {
                let mode = mode(fields);
                Deed::Restart(server?, mode?)
            }
            "observe" => {
                let views = self.views(fields, value);
                Deed::Observe(server?, views?)
            }
            "statement" => {
                let statement = self.statement(fields, value, server);
                Deed::Statement(server?, statement?)
            }
            "wait" => self.wait(fields, value)?,
            "sleep" => Deed::Sleep(fields.positive_duration(value)?),
            _ => return None,
        })
    }

    fn named_server(
        &self,
        fields: &Fields<'_>,
        key: &str,
        kind: &ActionEntry,
    ) -> Option<ServerIndex> {
        if fields.get(key).is_none() {
            let message = format!("`{}` has to name the server", kind.name);
            let help = choices("", "the file has", self.servers.names());
            self.cx.report(Finding::new(fields.span, message).help(help));
            return None;
        }
        self.servers.find(self.cx, fields.text(key)?, fields.get(key)?.span)
    }

    fn must_be_standby(&self, fields: &Fields<'_>, key: &str, server: ServerIndex) {
        if self.servers.primary_index() == Some(server) {
            let name = fields.text(key).unwrap_or_default();
            let message = format!("`{name}` is the primary: there is nothing to promote");
            let standbys = self.servers.names().into_iter().filter(|other| *other != name);
            let help = choices("", "name a standby:", standbys);
            self.cx.report(Finding::new(fields.span, message).help(help));
        }
    }

    fn server_or_primary(&self, fields: &Fields<'_>, key: &str) -> Option<ServerIndex> {
        match fields.get(key) {
            Some(node) => self.servers.find(self.cx, fields.text(key)?, node.span),
            None => self.servers.primary_index(),
        }
    }

    fn written(&self, fields: &Fields<'_>, key: &str) -> Option<Bytes> {
        let size = fields.size(key)?;
        if size > Bytes(0) && size <= MOST_WRITTEN {
            return Some(size);
        }
        let message = format!("`{key}`: {size} cannot be written in one transaction");
        let help = "more than nothing and at most 1TB; `repeat` the step for more";
        self.cx.report(Finding::new(fields.get(key)?.span, message).help(help));
        None
    }

    fn changes(
        &self,
        fields: &Fields<'_>,
        key: &str,
        server: Option<ServerIndex>,
    ) -> Option<Vec<(String, String)>> {
        let node = fields.get(key)?;
        let table = node.table().filter(|table| !table.entries.is_empty());
        let Some(table) = table else {
            let message = format!("`{key}` is a table of settings, with at least one");
            let help = format!("write {key} = {{ wal_keep_size = '1GB' }}");
            self.cx.report(Finding::new(node.span, message).help(help));
            return None;
        };
        settings::changes(self.cx, table, self.servers.settings(server?)?)
    }

    /// Something befalls sessions of a workload.
    fn interrupt(
        &self,
        fields: &Fields<'_>,
        key: &str,
        server: Option<ServerIndex>,
        how: Interrupt,
    ) -> Option<Deed> {
        let nth = match fields.get("nth") {
            Some(_) => Some(fields.count("nth").and_then(|n| u32::try_from(n).ok())?),
            None => None,
        };
        let workload = self.workload(fields, key)?;
        Some(Deed::Interrupt { server: server?, how, workload, nth })
    }

    /// A workload whose clients wait for answers, as its place among all.
    fn workload(&self, fields: &Fields<'_>, key: &str) -> Option<usize> {
        self.workload_named(fields.text(key)?, fields.get(key)?.span)
    }

    fn workload_named(&self, name: &str, span: Span) -> Option<usize> {
        let tables = self.cx.root.get("workload").and_then(Node::table);
        let entries = tables.map_or(&[][..], |tables| &tables.entries);
        let Some(index) = entries.iter().position(|entry| entry.key == name) else {
            let message = format!("there is no workload `{}`", name.escape_debug());
            let names = entries.iter().map(|entry| entry.key.as_str());
            let help = choices(name, "the file has", names);
            self.cx.report(Finding::new(span, message).help(help));
            return None;
        };
        let commits = |entry: &Entry| {
            let table = entry.node.table();
            table.is_some_and(|t| ["rate", "clients", "bulk"].iter().any(|k| t.get(k).is_some()))
        };
        if !commits(&entries[index]) {
            let message = format!("`{name}` has no sessions that commit");
            let help = "it is WAL alone: give it `rate`, `clients` or `bulk`";
            self.cx.report(Finding::new(span, message).help(help));
            return None;
        }
        Some(index)
    }

    /// One of the few statements that there are.
    fn statement(
        &self,
        fields: &Fields<'_>,
        key: &str,
        server: Option<ServerIndex>,
    ) -> Option<Statement> {
        let text = fields.text(key)?;
        let span = fields.get(key)?.span;
        let plain = text.trim().trim_end_matches(';').to_lowercase();
        let words: Vec<&str> = plain.split_whitespace().collect();
        let plain = words.join(" ");
        if plain == Statement::IsInRecovery.sql("") {
            return Some(Statement::IsInRecovery);
        }
        // Names keep their case.
        let name = |after: usize| text.split_whitespace().nth(after).map(|w| w.trim_matches(';'));
        let table = |after| Some(self.workload_named(name(after)?, span)? as u16);
        if let ["select", "count(*)", "from", _] = words.as_slice() {
            return Some(Statement::Count { workload: table(3)? });
        }
        let command = WriteCommand::ALL.into_iter().find(|command| {
            plain.strip_prefix(command.words()).is_some_and(|rest| rest.starts_with(' '))
        });
        let Some(command) = command else {
            let message = format!("`{}` is no statement that is modelled", text.escape_debug());
            let help = "there are `select pg_is_in_recovery()`, `select count(*) from W`, and on a \
                        standby `insert into W`, `update W`, `delete from W` and \
                        `truncate table W`, where W is a workload";
            self.cx.report(Finding::new(span, message).help(help));
            return None;
        };
        let workload = table(command.words().split(' ').count())?;
        if server.is_some() && server == self.servers.primary_index() {
            let message = "on the primary this would change rows, which is not modelled";
            let help = "what writes there is a [workload.X]; send it to a standby";
            self.cx.report(Finding::new(span, message).help(help));
            return None;
        }
        Some(Statement::Write { command, workload })
    }

    /// A slot's name, as its place in the list of names.
    fn slot(&mut self, fields: &Fields<'_>, key: &str) -> Option<usize> {
        let name = fields.text(key)?;
        if !slot_is_good(self.cx, name, fields.get(key)?.span) {
            return None;
        }
        if let Some(found) = self.slots.iter().position(|slot| slot == name) {
            return Some(found);
        }
        self.slots.push(name.to_owned());
        Some(self.slots.len() - 1)
    }

    fn views(&self, fields: &Fields<'_>, key: &str) -> Option<Vec<View>> {
        fields.get(key)?;
        let texts = fields.texts(key);
        let views: Vec<Option<View>> = texts
            .iter()
            .map(|(name, span)| {
                let view = View::named(name);
                if view.is_none() {
                    let message = format!("there is no view `{}`", name.escape_debug());
                    let help = choices(name, "there are", keys::VIEWS.iter().copied());
                    self.cx.report(Finding::new(*span, message).help(help));
                }
                view
            })
            .collect();
        let is_empty = |node: &Node| matches!(&node.value, Value::List(list) if list.is_empty());
        if fields.get(key).is_some_and(is_empty) {
            let help = choices("", "there are", keys::VIEWS.iter().copied());
            let message = format!("`{key}` names no view");
            self.cx.report(Finding::new(fields.get(key)?.span, message).help(help));
        }
        views.into_iter().collect::<Option<Vec<View>>>().filter(|views| !views.is_empty())
    }

    /// `'pg2 streaming'`.
    fn wait(&self, fields: &Fields<'_>, key: &str) -> Option<Deed> {
        let text = fields.text(key)?;
        let span = fields.get(key)?.span;
        let words: Vec<&str> = text.split_whitespace().collect();
        if let [server, "rows", workload, ">=", number] = words.as_slice() {
            return self.wait_rows(server, workload, number, span);
        }
        let [server, condition] = words.as_slice() else {
            let message = format!("`{key}` cannot be `{}`", text.escape_debug());
            let help = "a server and what is waited for: wait = 'pg2 streaming', or \
                        wait = 'pg2 rows orders >= 100'";
            self.cx.report(Finding::new(span, message).help(help));
            return None;
        };
        let index = self.servers.find(self.cx, server, span);
        let Some(condition) = Condition::named(condition) else {
            let names = keys::CONDITIONS.iter().map(|(name, _)| *name);
            let message = format!("nobody can wait for `{}`", condition.escape_debug());
            let help = choices(condition, "there are", names);
            self.cx.report(Finding::new(span, message).help(help));
            return None;
        };
        if condition.is_of_standby() && index.is_some() && index == self.servers.primary_index() {
            let name = condition.name();
            let message = format!("`{server}` is the primary and is never `{name}`");
            let help = "it streams from nobody: wait for the standby";
            self.cx.report(Finding::new(span, message).help(help));
            return None;
        }
        Some(Deed::Wait(index?, condition))
    }

    /// `'pg2 rows orders >= 100'`.
    fn wait_rows(&self, server: &str, workload: &str, number: &str, span: Span) -> Option<Deed> {
        let server = self.servers.find(self.cx, server, span);
        let workload = self.workload_named(workload, span);
        let at_least = number.parse().ok();
        if at_least.is_none() {
            let message = format!("`{}` is no number of rows", number.escape_debug());
            let help = "a whole number: wait = 'pg2 rows orders >= 100'";
            self.cx.report(Finding::new(span, message).help(help));
        }
        let workload = u16::try_from(workload?).ok()?;
        Some(Deed::WaitRows { server: server?, workload, at_least: at_least? })
    }

    /// A slot can only be dropped where somebody names or makes it.
    fn check_dropped(&self) {
        for &(server, slot, span) in &self.dropped {
            let there = self.servers.slots_of(server);
            let here = |i: usize| {
                self.made.contains(&(server, i)) || there.contains(&self.slots[i].as_str())
            };
            if here(slot) {
                continue;
            }
            let on = self.servers.name(server);
            let message = format!("nobody makes a slot `{}` on `{on}`", self.slots[slot]);
            let names = (0..self.slots.len()).filter(|i| here(*i));
            let names: Vec<&str> = names.map(|i| self.slots[i].as_str()).collect();
            let help = choices(&self.slots[slot], "it has", names.iter().copied());
            let help = if help.is_empty() { "make it with slot_create".to_owned() } else { help };
            self.cx.report(Finding::new(span, message).help(help));
        }
    }
}

/// Most WAL of one `write`.
const MOST_WRITTEN: Bytes = Bytes::gb(1024);

fn mode(fields: &Fields<'_>) -> Option<StopMode> {
    Some(match fields.get("mode") {
        None => StopMode::Fast,
        Some(_) => match fields.word("mode")? {
            "immediate" => StopMode::Immediate,
            _ => StopMode::Fast,
        },
    })
}

/// Keys that belong to other kinds.
fn refuse(fields: &Fields<'_>, kind: &ActionEntry, own: &[&str]) {
    let key_is_good = |key: &str| own.contains(&key) || kind.with.contains(&key);
    for entry in fields.table.entries.iter().filter(|e| !key_is_good(&e.key)) {
        if fields.section.key(&entry.key).is_none() {
            continue;
        }
        let message = format!("`{}` does not go with `{}`", entry.key, kind.name);
        let takes = own.iter().chain(kind.with).copied();
        let help = match kind.with {
            [] if own.len() == 1 => "it takes nothing else".to_owned(),
            _ => format!("it takes {}", enumerate(takes)),
        };
        fields.findings.push(Finding::new(entry.key_span, message).help(help));
    }
}
