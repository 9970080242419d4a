//! Every fault from end to end, on scenarios as a user writes them, held against PostgreSQL's
//! rules: who notices what and when, which commits wait, what is lost, and that all is well again.

mod crashes;
mod disks;
mod freezes;
mod links;
mod others;
mod questions;
#[path = "../scenes/mod.rs"]
mod scenes;
mod worse;

use models::trace::Run;

/// A primary and standbys `pg2`, `pg3`, ... with disks of 1 ms.
fn cluster(seconds: u32, standbys: u32, settings: &[(&str, &str)], rest: &str) -> String {
    let mut text = format!("duration = '{seconds}s'\n[postgresql]\n");
    for (name, value) in settings {
        text += &format!("{name} = '{value}'\n");
    }
    text += "[server.pg1]\ndisk = { fsync = '1ms' }\n";
    for n in 2..2 + standbys {
        text += &format!("[server.pg{n}]\nupstream = 'pg1'\ndisk = {{ fsync = '1ms' }}\n");
    }
    text + rest
}

/// A fault; `healed` such as `for = '20s'`, or nothing.
fn fault(name: &str, kind: &str, keys: &str, at: &str) -> String {
    format!("[fault.{name}]\nkind = '{kind}'\nat = '{at}'\n{keys}\n")
}

const SYNC: (&str, &str) = ("synchronous_standby_names", "pg2");
const BETWEEN: &str = "between = ['pg1', 'pg2']";
/// A hundred commits a second, at even distances: all latencies are the model's.
const COMMITS: &str =
    "[workload.w]\nrate = '100/s'\narrivals = 'constant'\nwal = '500B'\nservice = '40us'\n";

/// Every standby streams and has everything, and whoever could be answered is.
fn assert_all_is_well(run: &Run) {
    let told = questions::story(run);
    for standby in &run.summary.standbys {
        assert!(standby.connected && !standby.lost, "{standby:?}\n{told}");
        assert!(standby.lag_bytes.end <= 16_384, "{standby:?}\n{told}");
        assert!(standby.replay_lag_seconds.end < 0.1, "{standby:?}\n{told}");
    }
    for server in &run.summary.servers {
        assert_ne!(server.role, "down", "{told}");
    }
}

/// Commits that have neither an answer nor an end: refused, or still waiting.
fn unanswered(run: &Run) -> u64 {
    let commits = run.summary.commits;
    commits.attempted - commits.acknowledged - commits.unknown
}
