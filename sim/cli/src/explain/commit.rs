//! Where the time of one commit went.

use models::trace::commit::Stage;
use models::units::{Duration, SimTime, human};
use reports::export::diagram::{Followed, Place, Step};
use serde::Serialize;
use sim::explain::commit::{CommitPath, Point, find};
use sim::world::trail::Sought;

use super::{Asked, drawn};
use crate::errors::Failure;
use crate::file;
use crate::screen::grid;
use crate::terminal::{Style, Terminal};

/// Prints it; whether there is such a commit.
pub fn explain(
    asked: &Asked<'_>,
    sought: Sought,
    terminal: &mut Terminal,
) -> Result<bool, Failure> {
    let (seen, path) = asked.play(2, |outside| find(asked.scenario(), sought, outside))?;
    let Some(path) = path else {
        let there = match seen.answers {
            0 => "no commit was answered".to_owned(),
            count => format!("{} commits were answered", human::count(count)),
        };
        terminal.line(format!("There is no such commit: {there}."));
        return Ok(false);
    };
    asked.run.check_repeats(asked.variant, &seen.digests)?;
    let told = Told { asked, path: &path };
    if let Some(file) = &asked.args.diagram {
        let picture = drawn::svg(asked, &path, told.followed())?;
        file::write(file, &picture)?;
    }
    if asked.args.json {
        terminal.line(super::json(asked, "commit", super::value(&told.data())?)?);
    } else {
        told.print(terminal);
    }
    Ok(true)
}

struct Told<'a> {
    asked: &'a Asked<'a>,
    path: &'a CommitPath,
}

/// A part as long as this, of the latency, is told in words, too.
const WEIGHTY: f64 = 0.5;
/// What else is said must be worth as much of the latency.
const WORTH_A_WORD: f64 = 0.02;

impl Told<'_> {
    fn print(&self, terminal: &mut Terminal) {
        let (path, answered) = (self.path, &self.path.answered);
        terminal.line(terminal.paint(Style::Bold, &self.title()));
        terminal.line(format!("  {}", self.about()));
        terminal.line("");
        let mut rows =
            vec![["", "took", "since its start", "wait event"].map(str::to_owned).to_vec()];
        for (point, took, at) in self.parts() {
            let place = self.stage(point).unwrap_or_default().to_owned();
            let since = human::duration(at - answered.start.0);
            let row = [self.what(point), human::duration(took.0), since, place];
            rows.push(row.to_vec());
        }
        let whole = human::duration(path.latency().0);
        rows.push(vec!["together".to_owned(), whole, String::new(), String::new()]);
        for line in grid(&rows) {
            terminal.line(format!("  {line}"));
        }
        for remark in self.remarks() {
            terminal.line("");
            for line in crate::terminal::wrap(&remark, terminal.width()) {
                terminal.line(line);
            }
        }
    }

    fn title(&self) -> String {
        let (path, answered) = (self.path, &self.path.answered);
        format!(
            "Commit {} took {}: from {} to {}",
            answered.number,
            human::duration(path.latency().0),
            human::moment(answered.start.0),
            human::moment(answered.at.0),
        )
    }

    fn about(&self) -> String {
        format!(
            "workload {}, client {}, synchronous_commit = {}, its record ends at {}",
            self.workload(),
            self.path.answered.session.client,
            self.path.level.name(),
            self.path.end
        )
    }

    /// The same for a picture.
    fn followed(&self) -> Followed {
        let step = |(point, at): &(Point, SimTime)| Step {
            key: key(*point),
            at: *at,
            place: place(*point),
            what: self.what(*point),
            stage: self.stage(*point),
        };
        Followed {
            title: self.title(),
            about: self.about(),
            end: self.path.answered.end,
            standby: self.path.standby,
            steps: self.path.points.iter().map(step).collect(),
        }
    }

    /// The parts that took time.
    fn parts(&self) -> impl Iterator<Item = (Point, Duration, u64)> + '_ {
        let parts = self.path.points.windows(2);
        let parts = parts.map(|pair| (pair[1].0, pair[1].1.since(pair[0].1), pair[1].1.0));
        parts.filter(|(_, took, _)| *took > Duration::ZERO)
    }

    fn workload(&self) -> &str {
        let workload = usize::from(self.path.answered.session.workload);
        &self.asked.scenario().workloads[workload].name
    }

    fn primary(&self) -> &str {
        let scenario = self.asked.scenario();
        &scenario.servers[scenario.primary()].name
    }

    fn standby(&self) -> &str {
        let server = self.path.standby.map(|standby| standby.index());
        server.map_or("", |server| self.asked.scenario().servers[server].name.as_str())
    }

    /// What was done in the part that ends there.
    fn what(&self, point: Point) -> String {
        let (primary, standby) = (self.primary(), self.standby());
        match point {
            Point::Started => String::new(),
            Point::Inserted => format!("{primary}: the backend's own work, up to its record"),
            Point::FlushBegan => format!("{primary}: waits until another flush is over"),
            Point::Flushed => format!("{primary}: writes and flushes"),
            Point::Sent => format!("{primary}: the walsender comes to it"),
            Point::Arrived => format!("on its way to {standby}"),
            Point::Written => format!("{standby}: reads and writes"),
            Point::StandbyFlushed => format!("{standby}: flushes"),
            Point::Applied => format!("{standby}: replays"),
            Point::Replied => format!("{standby}'s reply on its way"),
            Point::Answered if self.path.standby.is_none() && self.waits() => {
                format!("{primary}: waits for a standby, and is released without a reply")
            }
            Point::Answered => format!("{primary}: answers"),
        }
    }

    /// Whether it waits for standbys.
    fn waits(&self) -> bool {
        let last = self.path.parts().last();
        let takes_time = last.is_some_and(|(_, took)| took > Duration::ZERO);
        self.path.level.wait_mode().is_some() && (self.path.standby.is_some() || takes_time)
    }

    /// The wait event that the backend shows meanwhile.
    fn stage(&self, point: Point) -> Option<&'static str> {
        let stage = match point {
            Point::Started => return None,
            Point::Inserted => Stage::Service,
            Point::FlushBegan => Stage::WalWrite,
            Point::Flushed => Stage::WalSync,
            Point::Sent
            | Point::Arrived
            | Point::Written
            | Point::StandbyFlushed
            | Point::Applied
            | Point::Replied => Stage::SyncRep,
            Point::Answered if self.waits() => Stage::SyncRep,
            Point::Answered => Stage::Service,
        };
        Some(stage.name(self.asked.scenario().pg_version))
    }

    fn remarks(&self) -> Vec<String> {
        let path = self.path;
        let mut said = Vec::new();
        let longest = self.parts().max_by_key(|(_, took, _)| *took);
        if let Some((point, took, _)) = longest {
            let share = took.0 as f64 / path.latency().0.max(1) as f64;
            if share >= WEIGHTY {
                said.push(format!("{:.0} % of it: {}.", share * 100.0, self.what(point)));
            }
        }
        let scenario = self.asked.scenario();
        let route = path.standby.and_then(|s| scenario.link(scenario.primary(), s.index()));
        let weighs = |ahead: Duration| ahead.0 as f64 >= WORTH_A_WORD * path.latency().0 as f64;
        if let Some(link) = route.filter(|link| weighs(link.bandwidth.time_for(path.ahead))) {
            said.push(format!(
                "{} of WAL had to pass before it: {} at the {}/s of its link.",
                human::bytes(path.ahead.0),
                human::duration(link.bandwidth.time_for(path.ahead).0),
                human::bytes(link.bandwidth.bytes_per_second())
            ));
        }
        if path.together > 1 {
            said.push(format!("The same flush carried {} commits.", path.together));
        }
        let during = scenario.faults.iter().filter(|fault| {
            let begins = SimTime::ZERO + fault.at;
            let ends = fault.lasts.map_or(path.answered.at, |lasts| begins + lasts);
            begins <= path.answered.at && ends >= path.answered.start
        });
        for fault in during {
            said.push(format!("Meanwhile: fault {} ({}).", fault.name, fault.kind.name()));
        }
        said
    }

    fn data(&self) -> Data<'_> {
        let (path, answered) = (self.path, &self.path.answered);
        Data {
            number: answered.number,
            start_seconds: answered.start.since(SimTime::ZERO).as_seconds(),
            at_seconds: answered.at.since(SimTime::ZERO).as_seconds(),
            latency_seconds: path.latency().as_seconds(),
            level: path.level.name(),
            workload: self.workload(),
            client: answered.session.client,
            end_lsn: path.end.to_string(),
            standby: path.standby.map(|_| self.standby()),
            ahead_bytes: path.ahead.0,
            together: path.together,
            parts: path.points.windows(2).map(|pair| self.part(pair[1].0, pair)).collect(),
        }
    }

    fn part(&self, point: Point, pair: &[(Point, SimTime)]) -> Part<'_> {
        let there = [Point::Written, Point::StandbyFlushed, Point::Applied].contains(&point);
        Part {
            point: key(point),
            stage: self.stage(point),
            server: if there { self.standby() } else { self.primary() },
            until_seconds: pair[1].1.since(SimTime::ZERO).as_seconds(),
            seconds: pair[1].1.since(pair[0].1).as_seconds(),
        }
    }
}

/// Whose line it is on.
fn place(point: Point) -> Place {
    match point {
        Point::Started | Point::Inserted | Point::FlushBegan | Point::Flushed | Point::Answered => {
            Place::Backend
        }
        Point::Sent | Point::Replied => Place::WalSender,
        Point::Arrived | Point::Written | Point::StandbyFlushed | Point::Applied => {
            Place::WalReceiver
        }
    }
}

/// Its name in data.
fn key(point: Point) -> &'static str {
    match point {
        Point::Started => "started",
        Point::Inserted => "inserted",
        Point::FlushBegan => "flush_began",
        Point::Flushed => "flushed",
        Point::Sent => "sent",
        Point::Arrived => "arrived",
        Point::Written => "standby_written",
        Point::StandbyFlushed => "standby_flushed",
        Point::Applied => "standby_replayed",
        Point::Replied => "reply_arrived",
        Point::Answered => "answered",
    }
}

#[derive(Serialize)]
struct Data<'a> {
    number: u64,
    start_seconds: f64,
    at_seconds: f64,
    latency_seconds: f64,
    level: &'static str,
    workload: &'a str,
    client: u32,
    end_lsn: String,
    standby: Option<&'a str>,
    ahead_bytes: u64,
    together: usize,
    parts: Vec<Part<'a>>,
}

#[derive(Serialize)]
struct Part<'a> {
    point: &'static str,
    stage: Option<&'static str>,
    server: &'a str,
    until_seconds: f64,
    seconds: f64,
}
