//! What the command line and its files give.

use std::path::{Path, PathBuf};

use models::latency::Quantiles;
use models::postgres::checkpointer::CheckpointConfig;
use models::units::{Bytes, Duration};
use scenarios::ScenarioFile;
use scenarios::import::Input;
use scenarios::import::lsn_samples::WalHistory;
use scenarios::presets;
use scenarios::scenario::{Scenario, ServerIndex};
use scenarios::workload::{Load, TransactionWal, WalProfile};
use sim::plan::history::{History, Sample};
use sim::plan::measure::Quantity;
use sim::plan::outage::Outages;
use sim::plan::sawtooth::{self, Cycle};
use sim::plan::trial::Stage;
use sim::plan::{Keep, Question, Sampling};

use super::outages::{OUTAGE_HELP, outages, stressed};
use super::{Goal, PlanArgs, Searched, SettingArg, UntilArg};
use crate::errors::{Failure, Origin};
use crate::input;

/// The question, and what there is to say about where it comes from.
pub struct Given {
    /// What is asked for.
    pub goal: Goal,
    /// What it is asked of.
    pub question: Question,
    /// The size of pg_wal's volume, if a setting is to fit it.
    pub volume: Option<Bytes>,
    /// WAL comes at a constant rate.
    pub constant: bool,
    /// What became of the history's rows.
    pub remarks: Vec<String>,
    /// When the history begins, in seconds since the midnight (UTC) before a Monday.
    pub starts: Option<u64>,
    /// How long before its loss a standby is to be noticed.
    pub alert: Duration,
}

impl Given {
    /// Whether a standby is away.
    pub fn has_outages(&self) -> bool {
        match self.goal {
            Goal::Keep(_) | Goal::Measure(_) => true,
            Goal::Search(Searched::Bandwidth { outage, .. }) => outage,
            Goal::Search(Searched::MaxWalSize) => false,
        }
    }

    /// How often a trial is played, about; for the bar.
    pub fn plays_a_trial(&self) -> u64 {
        match self.goal {
            Goal::Keep(_) | Goal::Measure(_) if self.volume.is_none() => 1,
            Goal::Search(Searched::MaxWalSize) if self.volume.is_some() => 8,
            Goal::Keep(_) | Goal::Measure(_) | Goal::Search(_) => 4,
        }
    }
}

/// The world of a plan whose command line names no scenario.
const WORLD: &str = "\
duration = '1h'
[server.primary]
[server.standby]
upstream = 'primary'
[workload.history]
wal_rate = '1kB/s'
";
/// What is added to it for a slot.
const SLOT: &str = "server.standby.slot";

/// Reads everything that is named.
pub fn read(args: &PlanArgs) -> Result<Given, Failure> {
    let goal = goal(args)?;
    decided(args, goal)?;
    let volume = volume(args, goal)?;
    let mut scenario = scenario(args, goal)?;
    let standby = standby(args, goal, &scenario)?;
    let mut remarks = Vec::new();
    let (history, starts) = history(args, &scenario, &mut remarks)?;
    let history = changed(args, history)?;
    let (records, transactions) = images(args, &scenario, &history, &mut remarks)?;
    let outages = match &args.outage {
        Some(text) => stressed(outages(text)?, args.stress.as_deref())?,
        None => Outages::Fixed(Duration::ZERO),
    };
    bounded(args, &history, &outages)?;
    let risk = share(&args.risk)?;
    let alert = length("--alert", &args.alert)?;
    if let Goal::Search(Searched::Bandwidth { .. }) = goal {
        // The link decides, not what is kept.
        for keep in [Keep::WalKeepSize, Keep::MaxSlotWalKeepSize] {
            scenario = keep.in_force(&scenario, None);
        }
    }
    let stage =
        Stage { scenario, standby, history: records, transactions, outages, seed: args.seed };
    let trials = args.trials.map(|trials| trials as usize);
    let constant = args.rate.is_some();
    let sampling = Sampling { risk, trials };
    let question = Question { stage, history, sampling };
    Ok(Given { goal, question, volume, constant, remarks, starts, alert })
}

fn length(flag: &str, text: &str) -> Result<Duration, Failure> {
    scenarios::duration(text).map_err(|why| wrong(flag, text, why.help))
}

/// Something on the command line that cannot be.
pub fn wrong(flag: &str, text: &str, help: impl Into<String>) -> Failure {
    Failure::Argument {
        message: format!("{flag} cannot be `{}`", text.escape_debug()),
        help: Some(help.into()),
    }
}

/// What is asked for, with the options that belong to it.
fn goal(args: &PlanArgs) -> Result<Goal, Failure> {
    let setting = args.setting;
    let timed = setting == Some(SettingArg::Bandwidth);
    let without = setting == Some(SettingArg::MaxWalSize);
    let options = [
        ("--within", args.within.is_some(), timed, timed),
        ("--outage", args.outage.is_some(), !without, !without && !timed),
        ("--stress", args.stress.is_some(), args.outage.is_some(), false),
    ];
    for (flag, given, possible, needed) in options {
        let message = match given {
            true if !possible => format!("{flag} has no say in this plan"),
            false if needed => format!("{flag} is missing"),
            true | false => continue,
        };
        let help = match flag {
            "--within" => {
                "bandwidth needs --within TIME: how long the standby may take to catch \
                           up, or without --outage, how far behind it may be"
            }
            "--outage" if without => "max_wal_size is planned without an outage",
            "--outage" => OUTAGE_HELP,
            _ => "there is no outage to make longer",
        };
        return Err(Failure::Usage { message: format!("{message}: {help}") });
    }
    Ok(match (setting, args.until) {
        (Some(SettingArg::MaxSlotWalKeepSize), _) => Goal::Keep(Keep::MaxSlotWalKeepSize),
        (Some(SettingArg::PgWal), _) => Goal::Measure(Quantity::PgWal),
        (Some(SettingArg::MaxWalSize), _) => Goal::Search(Searched::MaxWalSize),
        (Some(SettingArg::Bandwidth), _) => {
            let text = args.within.as_deref().unwrap_or_default();
            let within = length("--within", text)?;
            if !(Duration::s(1)..=Duration::s(7 * 86_400)).contains(&within) {
                return Err(wrong("--within", text, "a time from 1s to 7d"));
            }
            Goal::Search(Searched::Bandwidth { within, outage: args.outage.is_some() })
        }
        (None, Some(UntilArg::CaughtUp)) => Goal::Measure(Quantity::CaughtUp),
        (None, Some(UntilArg::DiskFull)) => Goal::Measure(Quantity::DiskFull(disk(args)?)),
        (Some(SettingArg::WalKeepSize) | None, _) => Goal::Keep(Keep::WalKeepSize),
    })
}

/// Refuses to set what the plan itself sets.
fn decided(args: &PlanArgs, goal: Goal) -> Result<(), Failure> {
    let settings: &[&str] = match goal {
        Goal::Keep(keep) => &[keep.name()],
        Goal::Measure(_) => &[],
        Goal::Search(Searched::MaxWalSize) => &["max_wal_size"],
        Goal::Search(Searched::Bandwidth { .. }) => {
            &[Keep::WalKeepSize.name(), Keep::MaxSlotWalKeepSize.name()]
        }
    };
    let is_decided = |path: &str| {
        let mut keys = path.rsplit('.');
        keys.next().is_some_and(|key| settings.contains(&key)) && keys.next() == Some("postgresql")
    };
    let Some((path, _)) = args.set.iter().find(|(path, _)| is_decided(path)) else {
        return Ok(());
    };
    let help = "the plan tries values of its own; a scenario with yours is what \
                `walden check` and `walden run` judge";
    Err(Failure::Usage { message: format!("--set {path} has no say in this plan: {help}") })
}

/// The size of the volume that a setting is to fit.
fn volume(args: &PlanArgs, goal: Goal) -> Result<Option<Bytes>, Failure> {
    match goal {
        Goal::Measure(Quantity::DiskFull(_)) => Ok(None),
        Goal::Keep(_) | Goal::Search(Searched::MaxWalSize) => {
            args.disk.is_some().then(|| disk(args)).transpose()
        }
        Goal::Measure(_) | Goal::Search(_) if args.disk.is_some() => {
            let message = "--disk has no say in this plan: it goes with wal_keep_size, \
                           max_slot_wal_keep_size, max_wal_size and --until disk_full";
            Err(Failure::Usage { message: message.to_owned() })
        }
        Goal::Measure(_) | Goal::Search(_) => Ok(None),
    }
}

fn disk(args: &PlanArgs) -> Result<Bytes, Failure> {
    let text = args.disk.as_deref().unwrap_or_default();
    let size = scenarios::size(text).map_err(|why| wrong("--disk", text, why.help))?;
    let sizes = Bytes::mb(64)..=Bytes::gb(1 << 20);
    if sizes.contains(&size) { Ok(size) } else { Err(wrong("--disk", text, "from 64MB to 1024TB")) }
}

fn scenario(args: &PlanArgs, goal: Goal) -> Result<Scenario, Failure> {
    let file = match &args.scenario {
        Some(name) => {
            let mut files = input::read_all(std::slice::from_ref(name), &args.set, None)?;
            files.remove(0)
        }
        None => {
            let mut sets = args.set.clone();
            // Without one, pg_wal keeps nothing for a standby that is away.
            if goal != Goal::Keep(Keep::WalKeepSize) {
                sets.insert(0, (SLOT.to_owned(), "standby_slot".to_owned()));
            }
            let nothing = &mut |_: &str| Err("there is no such file".to_owned());
            ScenarioFile::parse("plan", WORLD, nothing)
                .and_then(|file| file.with(&sets, None))
                .map_err(|problems| Failure::Scenario { problems, origin: Origin::default() })?
        }
    };
    let variants = file.variants();
    let variants =
        variants.map_err(|problems| Failure::Scenario { problems, origin: Origin::default() })?;
    let first = variants.into_iter().next();
    first.ok_or_else(|| Failure::Internal { message: "a scenario without a variant".to_owned() })
}

/// The standby that goes away: the one that is named, or the only one.
fn standby(args: &PlanArgs, goal: Goal, scenario: &Scenario) -> Result<ServerIndex, Failure> {
    let primary = scenario.primary();
    if goal == Goal::Search(Searched::MaxWalSize) {
        // Checkpoints do not wait for standbys.
        return Ok(primary);
    }
    let standbys: Vec<ServerIndex> = (0..scenario.servers.len())
        .filter(|index| scenario.servers[*index].upstream == Some(primary))
        .collect();
    let names: Vec<&str> = standbys.iter().map(|s| scenario.servers[*s].name.as_str()).collect();
    let known = format!("standbys of the primary are {}", names.join(", "));
    let index = match &args.standby {
        Some(name) => {
            let found = names.iter().position(|known| known == name);
            standbys[found.ok_or_else(|| wrong("--standby", name, known))?]
        }
        None => match standbys[..] {
            [only] => only,
            [] => return Err(wrong("--scenario", &scenario.name, "it has no standby")),
            [..] => {
                let message = "which standby goes away?".to_owned();
                let help = Some(format!("--standby NAME; {known}"));
                return Err(Failure::Argument { message, help });
            }
        },
    };
    let server = &scenario.servers[index];
    let Goal::Keep(keep) = goal else { return Ok(index) };
    let help = match (keep, &server.slot) {
        (Keep::WalKeepSize, Some(_)) => "plan max_slot_wal_keep_size, or leave out its slot",
        (Keep::MaxSlotWalKeepSize, None) => "plan wal_keep_size, or give it a slot",
        (Keep::WalKeepSize, None) | (Keep::MaxSlotWalKeepSize, Some(_)) => return Ok(index),
    };
    let has = if server.slot.is_some() { "a" } else { "no" };
    let message = format!("{} has {has} slot: {} does not decide", server.name, keep.name());
    Err(Failure::Argument { message, help: Some(help.to_owned()) })
}

/// The history, and the second of the week at which it begins.
fn history(
    args: &PlanArgs,
    scenario: &Scenario,
    remarks: &mut Vec<String>,
) -> Result<(History, Option<u64>), Failure> {
    if let Some(rate) = &args.rate {
        let bytes = scenarios::bytes_per_second(rate);
        let bytes = bytes.map_err(|why| wrong("--rate", rate, why.help))?;
        return match bytes {
            0 => Err(wrong("--rate", rate, "a rate above zero, such as 8MB/s")),
            bytes => Ok((History::constant(bytes), None)),
        };
    }
    if !args.history.is_empty() {
        return samples(&args.history, remarks);
    }
    let Some(Load::Wal { profile, .. }) = scenario.workloads.first().map(|w| &w.load) else {
        let message = "there is no history".to_owned();
        let help = "--history FILE, --rate RATE, or a scenario whose first workload is \
                    `wal_rate` or `history`";
        return Err(Failure::Argument { message, help: Some(help.to_owned()) });
    };
    match profile {
        WalProfile::Constant(_) if args.scenario.is_none() => {
            let help = Some("--history FILE, or --rate RATE such as 8MB/s".to_owned());
            Err(Failure::Argument { message: "how much WAL is there?".to_owned(), help })
        }
        WalProfile::Constant(rate) => Ok((History::constant(*rate), None)),
        WalProfile::Daily(rates) => Ok((daily(rates), Some(0))),
        WalProfile::History(points) => {
            let sample = |&(at, bytes): &_| Sample { at, bytes, known: true };
            let history = History::new(points.iter().map(sample).collect());
            let history = history.ok_or_else(|| Failure::Internal {
                message: "a scenario's history that is none".to_owned(),
            })?;
            Ok((history, None))
        }
    }
}

/// A day of equal parts, each with its rate.
fn daily(rates: &[u64]) -> History {
    let part = 86_400 / rates.len().max(1) as u64;
    let mut samples = vec![Sample::default()];
    for rate in rates {
        let last = samples[samples.len() - 1];
        samples.push(Sample {
            at: last.at + Duration::s(part),
            bytes: Bytes(last.bytes.0 + rate * part),
            known: true,
        });
    }
    History::new(samples).expect("a day has parts")
}

fn samples(
    paths: &[PathBuf],
    remarks: &mut Vec<String>,
) -> Result<(History, Option<u64>), Failure> {
    let texts = paths.iter().map(|path| text(path)).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let inputs: Vec<Input<'_>> =
        names.iter().zip(&texts).map(|(file, text)| Input { file, text }).collect();
    let read = WalHistory::read(&inputs)
        .map_err(|problems| Failure::Scenario { problems, origin: Origin::default() })?;
    for remark in read.told.dropped.iter().chain(&read.told.remarks) {
        let place = format!("{}, first in line {} of {}", remark.what, remark.line, remark.file);
        let rows =
            if remark.rows == 1 { "1 row".to_owned() } else { format!("{} rows", remark.rows) };
        remarks.push(format!("{rows}: {place}"));
    }
    let known = |from: Duration| !read.unknown.iter().any(|s| s.from <= from && from < s.to);
    let mut last = Duration::ZERO;
    let sample = |s: &scenarios::import::lsn_samples::LsnSample| {
        let known = known(last);
        last = s.at;
        Sample { at: s.at, bytes: s.bytes, known }
    };
    let history = History::new(read.samples.iter().map(sample).collect());
    let history = history.ok_or_else(|| Failure::Argument {
        message: format!("{}: nothing of it can be used", names.join(", ")),
        help: None,
    })?;
    // The first of January 1970 was a Thursday.
    Ok((history, Some((read.starts.seconds() + 3 * 86_400) % (7 * 86_400))))
}

/// What is in a file.
pub fn text(path: &Path) -> Result<String, Failure> {
    input::read_text(path).map_err(|why| Failure::Unreadable {
        path: path.display().to_string(),
        why: why.to_string(),
    })
}

/// A factor: numerator and denominator.
pub fn factor(flag: &str, text: &str) -> Result<(u64, u64), Failure> {
    let factor = scenarios::decimal(text).filter(|(n, d)| *n > 0 && *n / *d <= 1_000_000);
    factor.ok_or_else(|| wrong(flag, text, "a factor above zero, up to 1,000,000, such as 1.5"))
}

/// Stretched and grown.
fn changed(args: &PlanArgs, history: History) -> Result<History, Failure> {
    let mut history = history;
    let changes = [("--stretch", &args.stretch), ("--growth", &args.growth)];
    for (flag, text) in changes {
        let Some(text) = text else { continue };
        let (n, d) = factor(flag, text)?;
        let larger = match flag {
            "--stretch" => history.stretched(n, d),
            _ => history.grown(n, d),
        };
        let too_much = || wrong(flag, text, "the history then has too much WAL, or is too long");
        history = larger.ok_or_else(too_much)?;
    }
    Ok(history)
}

/// What the WAL is made of, and the history without images if they are made anew.
fn images(
    args: &PlanArgs,
    scenario: &Scenario,
    history: &History,
    remarks: &mut Vec<String>,
) -> Result<(History, TransactionWal), Failure> {
    let anew = args.stretch.is_some().then_some(presets::DEFAULT_WORKLOAD);
    let name = args.images.as_deref().or(anew).unwrap_or("history");
    let preset = if name == "history" { Some(presets::DEFAULT_WORKLOAD) } else { Some(name) };
    let Some(mut wal) = preset.and_then(presets::workload) else {
        let names: Vec<_> = presets::workload_names().collect();
        let help = format!("history, or one of {}", names.join(", "));
        return Err(wrong("--images", name, help));
    };
    wal.records = Quantiles::constant(wal.records.mean() + presets::COMMIT_RECORD.0);
    if name == "history" {
        wal.pages.clear();
        return Ok((history.clone(), wal));
    }
    let settings = &scenario.servers[scenario.primary()].settings;
    let config = CheckpointConfig::from(settings);
    let size = settings.wal_segment_size;
    let wal_of_cycle = Bytes(config.segments(size) * size.bytes());
    let cycle = Cycle { time: config.timeout, wal: wal_of_cycle };
    let records = sawtooth::without_images(history, &wal, cycle).ok_or_else(|| {
        Failure::Internal { message: "a history without its images is none".to_owned() }
    })?;
    remarks.push(format!("full-page images are made anew, as {name} makes them"));
    Ok((records, wal))
}

/// WAL of one outage that is played: days of a machine's time, and no server that there is.
const MOST_WAL: u128 = 64 << 40;

/// Refuses what no trial could finish.
fn bounded(args: &PlanArgs, history: &History, outages: &Outages) -> Result<(), Failure> {
    let made = history.samples().last().map_or(0, |sample| u128::from(sample.bytes.0));
    let longest = u128::from(outages.longest().0);
    let wal = made * longest / u128::from(history.length().0.max(1));
    if wal <= MOST_WAL {
        return Ok(());
    }
    let help = format!("that is {} TB of WAL in an outage; 64 TB can be played", wal >> 40);
    Err(wrong("--outage", args.outage.as_deref().unwrap_or_default(), help))
}

/// A share, such as `1%` or `0.01`.
fn share(text: &str) -> Result<f64, Failure> {
    let share = scenarios::share(text).filter(|share| (0.000_1..=0.5).contains(share));
    share.ok_or_else(|| wrong("--risk", text, "a share from 0.01% to 50%, such as 1% or 0.01"))
}
