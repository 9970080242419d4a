//! Status updates that nobody waits for are read later than they arrive, and nobody can tell.
//!
//! A workload at `remote_apply` that never runs makes every status update an event of its own.
//! With and without it, everything that can be seen must be the same.

use models::postgres::PgVersion;
use models::trace::Run;
use scenarios::file::ScenarioFile;
use sim::{Options, Outside};

/// Plays `body` with and without a workload that forbids quiet messages.
fn both_ways(name: &str, body: &str) -> [Run; 2] {
    let loud = "[workload.never]\nbulk = '8kB'\nat = '19999ms'\nover = '1h'\n\
                synchronous_commit = 'remote_apply'\n";
    [body.to_owned(), format!("{body}\n{loud}")].map(|text| {
        let file =
            ScenarioFile::parse(name, &text, &mut |f| Err(f.to_owned())).expect("a scenario");
        let scenario = file.variants().expect("its variants").remove(0);
        assert_eq!(scenario.pg_version, PgVersion::DEFAULT);
        sim::run(&scenario, Options::default(), &Outside::default()).expect("a run")
    })
}

#[test]
fn quiet_status_updates_change_nothing_that_can_be_seen() {
    for (name, body) in [
        ("async", "rate = '500/s'\nsynchronous_commit = 'local'"),
        ("off", "rate = '500/s'\nsynchronous_commit = 'off'"),
        ("on", "clients = 4\nthink = '2ms'"),
        ("busy", "rate = '5000/s'\nwal = '2kB'"),
    ] {
        let text = format!(
            "duration = '20s'\n[server.pg1.postgresql]\n\
             synchronous_standby_names = 'FIRST 1 (pg2, pg3)'\n[server.pg1]\n\
             [server.pg2]\nupstream = 'pg1'\nreplay = '3MB/s'\n[server.pg3]\nupstream = 'pg1'\n\
             [network]\nrtt = '3ms'\n[workload.orders]\n{body}\n\
             [fault.cut]\nkind = 'link_cut'\nbetween = ['pg1', 'pg2']\nat = '5s'\nfor = '3s'\n\
             [fault.down]\nkind = 'crash'\nserver = 'pg2'\nat = '12s'\nfor = '2s'\n"
        );
        let [quiet, loud] = both_ways(name, &text);
        assert!(quiet.summary.events < loud.summary.events, "{name}: nothing was quiet");
        assert_eq!(quiet.summary.commits.acknowledged, loud.summary.commits.acknowledged, "{name}");
        assert_eq!(quiet.summary.latency_ms, loud.summary.latency_ms, "{name}");
        let facts = |run: &Run| run.facts.iter().copied().collect::<Vec<_>>();
        assert_eq!(facts(&quiet), facts(&loud), "{name}");
        for (a, b) in quiet.samples.standbys.iter().zip(&loud.samples.standbys) {
            let series = [
                ("sent_lsn", &a.sent_lsn, &b.sent_lsn),
                ("write_lsn", &a.write_lsn, &b.write_lsn),
                ("flush_lsn", &a.flush_lsn, &b.flush_lsn),
                ("replay_lsn", &a.replay_lsn, &b.replay_lsn),
                ("lag_bytes", &a.lag_bytes, &b.lag_bytes),
                ("write_lag", &a.write_lag, &b.write_lag),
                ("flush_lag", &a.flush_lag, &b.flush_lag),
                ("replay_lag", &a.replay_lag, &b.replay_lag),
            ];
            for (series, a_values, b_values) in series {
                for ((at, x), (_, y)) in a_values.iter().zip(b_values.iter()) {
                    assert_eq!(x, y, "{name}: {series} of {} at {at}", a.name);
                }
            }
        }
    }
}
