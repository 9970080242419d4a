//! What a file comes to: defaults, presets, settings, links, variants.

use models::postgres::guc::SynchronousCommit;
use models::trace::fact::Scope;
use models::units::{Bytes, Duration, Lsn};
use scenarios::ScenarioFile;
use scenarios::fault::FaultKind;
use scenarios::scenario::{Recycled, Scenario, ServerState};
use scenarios::workload::{Arrivals, Load, WalProfile};

fn file(text: &str) -> ScenarioFile {
    let mut read = |path: &str| match path {
        "pg.conf" => Ok("wal_keep_size = 512MB\nmax_wal_size = 4GB\nport = 5432\n".to_owned()),
        "wal.csv" => Ok("now,lsn\n2026-01-01 00:00:00+00,0/3000000\n\
                         2026-01-01 00:00:10+00,0/3A00000\n"
            .to_owned()),
        "profile.toml" => Ok("seed = 9\n[network]\nrtt = '3ms'\nwindow = '1MB'\n".to_owned()),
        _ => Err("no such file".to_owned()),
    };
    ScenarioFile::parse("folder/test", text, &mut read).unwrap_or_else(|e| panic!("{e}"))
}

fn variants(text: &str) -> Vec<Scenario> {
    file(text).variants().unwrap_or_else(|e| panic!("{e}"))
}

fn one(text: &str) -> Scenario {
    let mut variants = variants(text);
    assert_eq!(variants.len(), 1);
    variants.remove(0)
}

#[test]
fn what_is_left_out_has_the_documented_defaults() {
    let s = one("duration = '10s'\n[server.pg1]\n[server.pg2]\nupstream = 'pg1'\n\
                 [workload.w]\nrate = '1000/s'\n");
    assert_eq!((s.name.as_str(), s.title.as_str()), ("folder/test", "folder/test"));
    assert_eq!((s.variant.as_str(), s.seed, s.pg_version.major()), ("base", 1, 17));
    assert_eq!((s.start.lsn, s.start.timeline.0), (Lsn(0x300_0028), 1));
    assert_eq!(s.start.recycled, Recycled::Min);
    assert_eq!(s.links.len(), 1);
    assert_eq!(s.links[0].name, "pg1-pg2");
    assert_eq!(s.links[0].rtt.max(), 500_000);
    assert_eq!(s.links[0].bandwidth.bytes_per_second(), 1_250_000_000);
    assert_eq!(s.links[0].window, Bytes::mb(6));
    assert_eq!(s.servers[1].settings.cluster_name, "pg2");
    assert_eq!(s.servers[1].state, ServerState::Up);
    assert_eq!((s.primary(), s.servers[1].upstream), (0, Some(0)));
    let w = &s.workloads[0];
    assert_eq!((w.service.max(), w.synchronous_commit), (40_000, None));
    assert!(matches!(w.load, Load::Open { gap: Duration(1_000_000), arrivals: Arrivals::Poisson }));
    assert_eq!(w.wal.pages.len(), 1);
}

#[test]
fn settings_are_layered_and_say_what_is_not_modelled() {
    let s = one("duration = '10s'\n[postgresql]\nwal_keep_size = '1GB'\n\
                 checkpoint_completion_target = 0.5\n[server.pg1]\nconf_file = 'pg.conf'\n\
                 [server.pg1.postgresql]\nsynchronous_commit = 'local'\n\
                 pg_stat_statements.max = 100\n[server.pg2]\nupstream = 'pg1'\n");
    let (pg1, pg2) = (&s.servers[0].settings, &s.servers[1].settings);
    assert_eq!(pg1.wal_keep_size, Bytes::gb(1));
    assert_eq!(pg1.max_wal_size, Bytes::gb(4));
    assert_eq!(pg2.max_wal_size, Bytes::gb(1));
    assert_eq!(pg1.synchronous_commit, SynchronousCommit::Local);
    assert_eq!(pg2.synchronous_commit, SynchronousCommit::On);
    assert_eq!(s.not_modelled, ["pg1: pg_stat_statements.max", "pg1: port"]);
}

#[test]
fn the_files_disk_is_every_servers_and_a_servers_table_fills_up_from_it() {
    let s = one("duration = '10s'\n[disk]\npreset = 'ssd'\nfsync = '2ms'\ncapacity = '50GB'\n\
                 [server.pg1]\n\
                 [server.pg2]\nupstream = 'pg1'\ndisk = { capacity = '9GB' }\n\
                 [server.pg3]\nupstream = 'pg1'\ndisk = { preset = 'hdd', capacity = '9GB' }\n\
                 [server.pg4]\nupstream = 'pg1'\ndisk = 'hdd'\n");
    let disk = |n: usize| &s.servers[n].disk;
    let fsync: Vec<u64> = (0..4).map(|n| disk(n).fsync.max()).collect();
    assert_eq!(fsync, [2_000_000, 2_000_000, 100_000_000, 100_000_000]);
    let capacity: Vec<Option<Bytes>> = (0..4).map(|n| disk(n).capacity).collect();
    let gb = |n| Some(Bytes::gb(n));
    assert_eq!(capacity, [gb(50), gb(9), gb(9), None]);
    assert_eq!(disk(1).write, disk(0).write);
    assert_ne!(disk(2).write, disk(0).write);
}

#[test]
fn servers_before_sites_before_the_network() {
    let s = one("duration = '10s'\n[server.pg1]\nsite = 'home'\n\
                 [server.pg2]\nupstream = 'pg1'\nsite = 'away'\n\
                 [server.pg3]\nupstream = 'pg1'\nsite = 'away'\n\
                 [server.pg4]\nupstream = 'pg1'\n\
                 [network]\nrtt = '1ms'\n\
                 [link.sites]\nbetween = ['home', 'away']\nbandwidth = '100Mbit/s'\n\
                 [link.own]\nbetween = ['pg3', 'pg1']\nrtt = '9ms'\n");
    let used: Vec<(usize, &str)> =
        s.routes.iter().map(|r| (r.b, s.links[r.link].name.as_str())).collect();
    assert_eq!(used, [(1, "sites"), (2, "own"), (3, "pg1-pg4")]);
    assert!(s.routes.iter().all(|r| r.a == 0));
    assert_eq!(s.links[0].rtt.max(), 1_000_000);
    assert_eq!(s.links[0].bandwidth.bytes_per_second(), 12_500_000);
}

#[test]
fn workloads_of_every_kind() {
    let s = one("duration = '20min'\n[server.pg1]\n\
                 [workload.closed]\nclients = 5\nthink = '1ms'\nwal = '1kB'\n\
                 synchronous_commit = 'remote_apply'\n\
                 [workload.flat]\nwal_rate = '2MB/s'\n\
                 [workload.day]\ndaily = ['0MB/s', '1MB/s']\nstep = '5s'\n\
                 [workload.past]\nhistory = 'wal.csv'\nstretch = '20s'\n\
                 [workload.job]\nbulk = '1GB'\nat = '1min'\nover = '10s'\nevery = '5min'\n");
    let load = |name: &str| &s.workloads.iter().find(|w| w.name == name).expect(name).load;
    assert!(matches!(load("closed"), Load::Closed { clients: 5, .. }));
    assert_eq!(s.workloads[0].wal.records.max(), 1024 - 40);
    assert_eq!(s.workloads[0].synchronous_commit, Some(SynchronousCommit::RemoteApply));
    let Load::Wal { step, profile: WalProfile::Constant(rate) } = load("flat") else {
        panic!("{:?}", load("flat"));
    };
    assert_eq!((*step, *rate), (Duration::s(1), 2 << 20));
    assert!(matches!(load("day"), Load::Wal { step, profile: WalProfile::Daily(rates) }
        if *step == Duration::s(5) && rates == &[0, 1 << 20]));
    let Load::Wal { profile: WalProfile::History(points), .. } = load("past") else {
        panic!("{:?}", load("past"));
    };
    assert_eq!(points, &[(Duration(0), Bytes(0)), (Duration::s(20), Bytes(0xA0_0000 * 2))]);
    assert!(matches!(load("job"), Load::Bulk { every: Some(_), bytes: Bytes(0x4000_0000), .. }));
}

#[test]
fn disks_take_from_their_preset_what_they_leave_out() {
    let s = one("duration = '10s'\n[server.pg1]\n\
                 disk = { preset = 'hdd', capacity = '10GB', fsync = '1ms' }\n\
                 [server.pg2]\nupstream = 'pg1'\nwal_disk = 'ssd'\ndisk = 'hdd'\n\
                 [server.pg3]\nupstream = 'pg1'\nstate = 'down'\n\
                 disk = { fsync = { p50 = '2ms', max = '8ms' } }\n");
    let [a, b, c] = s.servers.as_slice() else { panic!() };
    assert_eq!(a.disk.fsync.max(), 1_000_000);
    assert_eq!(a.disk.write.bytes_per_second(), 150 << 20);
    assert_eq!((a.disk.capacity, a.separate_wal_disk), (Some(Bytes::gb(10)), false));
    assert_eq!((b.disk.write.bytes_per_second(), b.separate_wal_disk), (450 << 20, true));
    assert_eq!(c.disk.fsync.quantile(0), 1_000_000);
    assert_eq!(c.state, ServerState::Down);
}

#[test]
fn faults_are_resolved_to_servers_and_pairs() {
    let s = one("duration = '1min'\n[server.pg1]\nsite = 'a'\n[server.pg2]\nupstream = 'pg1'\n\
                 site = 'b'\n[server.pg3]\nupstream = 'pg1'\nsite = 'b'\n\
                 [fault.dead]\nkind = 'crash'\nserver = 'pg2'\nwhat = 'host'\nat = '3s'\n\
                 [fault.cut]\nkind = 'link_cut'\nbetween = ['b', 'a']\nat = '4s'\nfor = '5s'\n\
                 [fault.inside]\nkind = 'link_reset'\nbetween = ['pg3', 'pg1']\nat = '0s'\n");
    assert_eq!(s.faults[0].kind, FaultKind::Crash { what: Scope::Host, server: 1 });
    assert_eq!((s.faults[0].at, s.faults[0].lasts), (Duration::s(3), None));
    assert_eq!(s.faults[1].kind, FaultKind::LinkCut { between: vec![(0, 1), (0, 2)] });
    assert_eq!(s.faults[1].lasts, Some(Duration::s(5)));
    assert_eq!(s.faults[2].kind, FaultKind::LinkReset { between: vec![(0, 2)] });
}

const WORLD: &str = "duration = '10s'\n[server.pg1]\n[server.pg2]\nupstream = 'pg1'\nslot = 's'\n";

#[test]
fn variants_and_matrix_multiply_and_the_base_comes_first() {
    let text = format!(
        "{WORLD}[expect]\ncommits.lost = '== 0'\ntps = '> 1'\n\
         [variant.bare]\nunset = ['server.pg2.slot']\nexpect = {{ 'commits.lost' = '> 0' }}\n\
         [matrix]\n'server.pg1.disk' = ['ssd', 'hdd']\nnetwork.rtt = ['1ms', '2ms']\n"
    );
    let all = variants(&text);
    let names: Vec<&str> = all.iter().map(|s| s.variant.as_str()).collect();
    assert_eq!(
        names[..5],
        ["base,ssd,1ms", "base,ssd,2ms", "base,hdd,1ms", "base,hdd,2ms", "bare,ssd,1ms"]
    );
    assert_eq!(all.len(), 8);
    assert_eq!(
        (all[0].servers[1].slot.as_deref(), all[4].servers[1].slot.as_deref()),
        (Some("s"), None)
    );
    assert_eq!(all[5].links[0].rtt.max(), 2_000_000);
    let wanted =
        |s: &Scenario| -> Vec<String> { s.expect.iter().map(|e| e.wanted.clone()).collect() };
    assert_eq!(
        (wanted(&all[0]), wanted(&all[4])),
        (vec!["== 0".into(), "> 1".into()], vec!["> 0".into(), "> 1".into()])
    );
    assert_eq!(all[4].variant_settings[0], ("server.pg2.slot".into(), "(unset)".into()));
    assert_eq!(all[4].variant_settings[1], ("server.pg1.disk".into(), "ssd".into()));
}

#[test]
fn with_only_a_matrix_its_values_are_the_names() {
    let all = variants(&format!("{WORLD}[matrix]\n'postgresql.wal_keep_size' = [0, '1GB']\n"));
    let names: Vec<&str> = all.iter().map(|s| s.variant.as_str()).collect();
    assert_eq!(names, ["0", "1GB"]);
    assert_eq!(all[1].servers[0].settings.wal_keep_size, Bytes::gb(1));
}

#[test]
fn a_variant_may_bring_a_table_and_reach_into_a_preset() {
    let all = variants(&format!(
        "base = false\n{WORLD}[variant.cut]\nset = {{ 'fault.x' = {{ kind = 'link_cut', \
         between = ['pg1', 'pg2'], at = '1s' }}, server.pg1.disk.fsync = '7ms' }}\n"
    ));
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].faults.len(), 1);
    assert_eq!(all[0].servers[0].disk.fsync.max(), 7_000_000);
}

#[test]
fn the_command_line_goes_before_the_file() {
    let sets = [
        ("server.pg2.replay".to_owned(), "20MB/s".to_owned()),
        ("duration".to_owned(), "'3s'".to_owned()),
        ("network.rtt".to_owned(), "{ p50 = '1ms', max = '4ms' }".to_owned()),
        ("postgresql.wal_keep_size".to_owned(), "64".to_owned()),
    ];
    let changed = file(WORLD).with(&sets, Some(77)).unwrap_or_else(|e| panic!("{e}"));
    let s = changed.variants().expect("good").remove(0);
    assert_eq!((s.duration, s.seed), (Duration::s(3), 77));
    assert_eq!(s.servers[1].replay.bytes_per_second(), 20 << 20);
    assert_eq!(s.links[0].rtt.max(), 4_000_000);
    assert_eq!(s.servers[0].settings.wal_keep_size, Bytes::mb(64));
    let again = changed.with(&[("seed".to_owned(), "5".to_owned())], None).expect("good");
    assert_eq!(again.variants().expect("good")[0].seed, 77, "--seed goes before --set seed");
}

#[test]
fn names_with_dots_are_found_however_they_are_written() {
    let text = format!(
        "{WORLD}[expect]\ncommits.lost = 0\n[postgresql]\n'a.b' = 1\n\
         [matrix]\nnetwork.rtt = ['1ms', '2ms']\n"
    );
    let sets = [
        ("matrix.network.rtt".to_owned(), "['5ms']".to_owned()),
        ("expect.'commits.lost'".to_owned(), "'> 3'".to_owned()),
        ("postgresql.a.b".to_owned(), "2".to_owned()),
    ];
    let all = file(&text).with(&sets, None).unwrap_or_else(|e| panic!("{e}"));
    let all = all.variants().expect("good");
    assert_eq!(all.iter().map(|s| s.variant.as_str()).collect::<Vec<_>>(), ["5ms"]);
    assert_eq!((all[0].expect.len(), all[0].expect[0].wanted.as_str()), (1, "> 3"));
    assert_eq!(all[0].servers[0].settings.show("a.b").as_deref(), Some("2"));
}

#[test]
fn an_include_fills_in_what_is_left_out() {
    let s = one(&format!("include = 'profile.toml'\nseed = 2\n{WORLD}[network]\nrtt = '1ms'\n"));
    assert_eq!(s.seed, 2);
    assert_eq!((s.links[0].rtt.max(), s.links[0].window), (1_000_000, Bytes::mb(1)));
}

#[test]
fn a_file_names_others_from_where_it_lies() {
    let mut asked = Vec::new();
    let mut read = |path: &str| {
        asked.push(path.to_owned());
        Ok(match path {
            "data/profile.toml" => {
                "include = ['more/disk.toml']\n[workload.w]\nhistory = 'wal.csv'\n"
            }
            "data/more/disk.toml" => "[server.pg1]\nconf_file = '../pg.conf'\n",
            "data/wal.csv" => "now,lsn\n2026-11-23 06:00:00Z,0/10\n2026-11-23 06:00:01Z,0/20\n",
            _ => "wal_keep_size = 1GB\n",
        }
        .to_owned())
    };
    let text = "include = 'data/profile.toml'\nduration = '10s'\n[server.pg1]\n";
    let file = ScenarioFile::parse("a", text, &mut read).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(file.variants().expect("good")[0].servers[0].settings.wal_keep_size, Bytes::gb(1));
    let all = ["data/profile.toml", "data/more/disk.toml", "data/more/../pg.conf", "data/wal.csv"];
    assert_eq!(asked, all);
}

#[test]
fn an_archive_needs_no_other_file_and_notices_other_faults() {
    let text = format!(
        "include = 'profile.toml'\n{WORLD}[server.pg3]\nupstream = 'pg1'\nconf_file = 'pg.conf'\n\
         [workload.w]\nhistory = 'wal.csv'\n[fault.f]\nkind = 'crash'\nserver = 'pg2'\nat = '1s'\n"
    );
    let before = file(&text);
    let archive = before.archive().expect("an archive");
    assert_eq!(archive.files.keys().collect::<Vec<_>>(), ["pg.conf", "profile.toml", "wal.csv"]);
    let stored = toml::to_string(&archive).expect("TOML");
    let read: scenarios::Archive = toml::from_str(&stored).expect("the same archive");
    let after = ScenarioFile::from_archive(&read).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(format!("{:?}", before.variants()), format!("{:?}", after.variants()));
    let mut other = read.clone();
    other.faults[0].at_ns += 1;
    let refused = ScenarioFile::from_archive(&other).expect_err("other faults").to_string();
    assert!(refused.contains("not the one that was stored"), "{refused}");
    other.format = "walden.scenario/9".to_owned();
    assert!(ScenarioFile::from_archive(&other).is_err());
}

#[test]
fn a_mistake_knows_its_place_in_any_file() {
    let mut read = |_: &str| Ok("[network]\nrtt = 'soon'\n".to_owned());
    let text = format!("include = 'profile.toml'\n{WORLD}");
    let problems = ScenarioFile::parse("a", &text, &mut read).expect_err("a mistake");
    let report = problems.report();
    assert_eq!(report.len(), 1);
    assert_eq!((report[0].file.as_str(), report[0].line, report[0].column), ("profile.toml", 2, 7));
    let source = problems.source("profile.toml").expect("its text");
    assert_eq!(&source[report[0].span.clone()], "'soon'");
}
