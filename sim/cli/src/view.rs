//! `walden view`: a view of a server at a moment of a run, as psql prints it.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use models::postgres::PgVersion;
use models::postgres::views::Query;
use models::trace::fact::ServerId;
use models::trace::table::Table;
use models::units::SimTime;
use reports::psql::{self, Form};
use scenarios::scenario::Scenario;
use sim::Outside;
use sim::look::{Moment, Unreachable};

use crate::errors::Failure;
use crate::exit::Exit;
use crate::opened::Opened;
use crate::play;
use crate::progress::{self, Shown};
use crate::stop::Stop;
use crate::terminal::{ColorChoice, Terminal};

/// Not one query but several, on several servers.
const MONITOR: &str = "monitor";

/// `--help` closes with these.
const MORE: &str = "\
Views:
  pg_stat_replication, pg_stat_wal_receiver, pg_replication_slots, pg_stat_wal,
  pg_stat_bgwriter, pg_stat_checkpointer, pg_ls_waldir
      all columns of the run's pg_version, in its order
  pg_is_in_recovery, pg_current_wal_lsn, pg_current_wal_insert_lsn,
  pg_current_wal_flush_lsn, pg_last_wal_receive_lsn, pg_last_wal_replay_lsn,
  pg_last_xact_replay_timestamp
      functions
  status, lag, slots, role, last_replay
      five monitoring queries that tutorials teach, as they are: with their NULLs and
      empty results
  lag_timestamp
      one that fails: it asks for a column that there is not
  monitor
      an overview of all servers
`walden list views` tells what each shows, with its SQL.

Examples:
  walden view latest --at 90s pg_stat_replication
      the primary's standbys, 90 s into the last run
  walden view latest --at 90s pg_stat_wal_receiver --server pg2 -x
      the other end of the stream, a line for each column
  walden view slots/offline_capped --variant base --at 1h pg_replication_slots --csv
      a scenario of the catalogue, for a spreadsheet

What no model knows is always the same: addresses are 192.0.2.1, .2, ... in the order of the
file, ports 40001, 40002, ... by connection, and 5432 of servers; standbys are the role
replicator (16384); process ids are those of the logs; time 0 is 2000-01-01 00:00:00+00, and
statistics begin there or with a crash. Columns that nothing counts are empty, and a note on
standard error names them.

Exits with 1 if the server answers with an error or not at all: that is printed on standard
error as psql does.";

/// Show a view of a server at a moment of a run, as psql prints it.
///
/// The run is played again up to that moment, and until everything has happened that is due at
/// it. The bytes are those that psql prints of a real server of the same major version.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = MORE)]
pub struct ViewArgs {
    /// The run's folder, its run.toml, or `latest`; or a scenario or a name of the catalogue.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// What to show: a view, a function, a monitoring query, or `monitor`.
    #[arg(value_name = "VIEW")]
    pub view: String,
    /// The moment, from the start of the run, such as 90s or 1.5h.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub at: String,
    /// On which server; the primary unless given. `monitor` shows all.
    #[arg(long, value_name = "NAME")]
    pub server: Option<String>,
    /// Of which variant, if the run has several.
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,
    /// A line for each column, as psql's -x.
    #[arg(short = 'x', long)]
    pub expanded: bool,
    /// Comma-separated values, as psql's --csv.
    #[arg(long, conflicts_with = "expanded")]
    pub csv: bool,
    /// Where the folder `runs` is that `latest` is looked up in.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
    /// Print no progress and no notes.
    #[arg(long, short)]
    pub quiet: bool,
}

impl ViewArgs {
    fn form(&self) -> Form {
        match (self.expanded, self.csv) {
            (true, _) => Form::Expanded,
            (false, true) => Form::Csv,
            (false, false) => Form::Aligned,
        }
    }
}

/// What is looked at.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Query(Query),
    Monitor,
}

/// Does it.
pub fn view(args: &ViewArgs, color: ColorChoice) -> Result<Exit, Failure> {
    let stop = Stop::listen().map_err(|e| Failure::Internal { message: e.to_string() })?;
    let wanted = wanted(args)?;
    let at = moment(&args.at)?;
    let run = Opened::find(&args.run, &args.out)?;
    let variant = run.one_variant(args.variant.as_deref())?;
    let scenario = run.scenarios[variant].clone();
    if at.since(SimTime::ZERO) > scenario.duration {
        let (given, whole) = (&args.at, scenario.duration);
        return Err(wrong(
            format!("--at {given} is after the end of the run"),
            format!("the run takes {whole}"),
        ));
    }
    let server = find_server(args, &scenario)?;
    let commit_times = match wanted {
        Wanted::Query(query) if query.shows_commit_time() => vec![server],
        Wanted::Query(_) => Vec::new(),
        Wanted::Monitor => shown_by_monitor(args, &scenario, server),
    };
    let shown = Shown { what: &scenario.name, total: at.0, quiet: args.quiet };
    let outside = [Outside::default()];
    let seen = progress::watch(shown, &progress::of(&outside), &outside, &stop, || {
        Moment::of(&scenario, at, &commit_times, &outside[0])
    })?;
    stop.check()?;
    let seen = seen.map_err(|error| play::failure(&error, &stop))?;
    run.check_repeats(variant, seen.digests())?;
    let mut terminal = Terminal::new(color);
    let exit = match wanted {
        Wanted::Query(query) => show(args, &seen, server, query, &mut terminal),
        Wanted::Monitor => {
            monitor(&seen, &shown_by_monitor(args, &scenario, server), &mut terminal);
            Exit::Met
        }
    };
    terminal.finish()?;
    Ok(exit)
}

fn wrong(message: String, help: String) -> Failure {
    Failure::Argument { message, help: Some(help) }
}

/// The view that is named.
fn wanted(args: &ViewArgs) -> Result<Wanted, Failure> {
    if args.view == MONITOR {
        if args.form() != Form::Aligned {
            let message = "monitor has a form of its own: neither -x nor --csv".to_owned();
            return Err(Failure::Usage { message });
        }
        return Ok(Wanted::Monitor);
    }
    Query::named(&args.view).map(Wanted::Query).ok_or_else(|| {
        let names = Query::NAMED.into_iter().map(Query::name).chain([MONITOR]);
        let names: Vec<&str> = names.collect();
        let help = scenarios::choices(&args.view, "there are", names.iter().copied());
        wrong(format!("{} is no view", args.view), help)
    })
}

/// The moment that is named.
fn moment(text: &str) -> Result<SimTime, Failure> {
    match scenarios::duration(text) {
        Ok(at) => Ok(SimTime::ZERO + at),
        Err(unreadable) => Err(wrong(format!("--at: {}", unreadable.message), unreadable.help)),
    }
}

fn find_server(args: &ViewArgs, scenario: &Scenario) -> Result<ServerId, Failure> {
    let names: Vec<&str> = scenario.servers.iter().map(|server| server.name.as_str()).collect();
    let index = match &args.server {
        None => scenario.primary(),
        Some(wanted) => names.iter().position(|name| name == wanted).ok_or_else(|| {
            let help = scenarios::choices(wanted, "there are", names.iter().copied());
            wrong(format!("the run has no server {wanted}"), help)
        })?,
    };
    Ok(id_of(index))
}

fn id_of(index: usize) -> ServerId {
    ServerId(u8::try_from(index).expect("a scenario has at most 16 servers"))
}

/// Prints one query's result; how that ends.
fn show(
    args: &ViewArgs,
    seen: &Moment,
    server: ServerId,
    query: Query,
    terminal: &mut Terminal,
) -> Exit {
    match seen.ask(server, query) {
        Ok(Ok(table)) => {
            print(terminal, &psql::table(&table, args.form()));
            let version = seen.server(server).settings().version();
            note(args, &table, query, version);
            Exit::Met
        }
        Ok(Err(error)) => {
            complain(&psql::error(&error, &query.sql()));
            Exit::NotMet
        }
        Err(why) => {
            complain(&unreachable(seen, server, why));
            Exit::NotMet
        }
    }
}

/// Says which columns nothing is known of.
fn note(args: &ViewArgs, table: &Table, query: Query, version: PgVersion) {
    let is_null = |name: &&str| {
        let index = table.columns.iter().position(|column| column.name == **name);
        index.is_some_and(|index| table.rows.iter().any(|row| row[index].is_none()))
    };
    let missing = query.not_modelled(version).iter().copied().filter(is_null);
    let missing: Vec<&str> = missing.collect();
    if !args.quiet && !missing.is_empty() {
        complain(&format!("note: not modelled, and therefore empty: {}\n", missing.join(", ")));
    }
}

/// Text whose lines all end.
fn print(terminal: &mut Terminal, text: &str) {
    terminal.line(text.strip_suffix('\n').unwrap_or(text));
}

/// Prints on standard error. Who has closed it does not want to know.
fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// What psql prints where it gets no session.
fn unreachable(seen: &Moment, server: ServerId, why: Unreachable) -> String {
    let version = seen.server(server).settings().version();
    why.told(&seen.names()[server.index()], server, version)
}

/// The servers that `monitor` shows.
fn shown_by_monitor(args: &ViewArgs, scenario: &Scenario, server: ServerId) -> Vec<ServerId> {
    match args.server {
        Some(_) => vec![server],
        None => (0..scenario.servers.len()).map(id_of).collect(),
    }
}

/// An overview: of a primary its standbys and slots, of a standby how far it is.
fn monitor(seen: &Moment, servers: &[ServerId], terminal: &mut Terminal) {
    for &server in servers {
        let name = &seen.names()[server.index()];
        terminal.line(name);
        terminal.line("-".repeat(name.chars().count()));
        let parts: &[(&str, Query, Form)] = match seen.server(server).upstream() {
            None => &[
                ("Connected standbys:", Query::MonitorStandbys, Form::Expanded),
                ("Replication slots:", Query::MonitorSlots, Form::Aligned),
            ],
            Some(_) => &[("Recovery:", Query::MonitorRecovery, Form::Expanded)],
        };
        for (title, query, form) in parts {
            let answer = match seen.ask(server, *query) {
                Ok(answer) => answer,
                Err(why) => {
                    terminal.line(unreachable(seen, server, why));
                    break;
                }
            };
            terminal.line(title);
            print(
                terminal,
                &match answer {
                    Ok(table) => psql::table(&table, *form),
                    Err(error) => psql::error(&error, &query.sql()) + "\n",
                },
            );
        }
    }
}
