//! WAL of pgbench's transactions since a checkpoint: the curve that full-page images make.
//!
//! Each recorded run is one client's so many transactions after a CHECKPOINT, cut into spans that
//! double. The workload presets play the same number of transactions, with ten seeds, as one
//! hundred transactions alone scatter by several percent. Bytes and images a transaction have to be
//! within 10 % in every span.
//!
//! **Not compared.** Records a transaction: the WAL of a transaction here is a number of bytes.
//! `wal_bytes_per_tx`, which differs from `wal_bytes_stat_per_tx` by where in a page the walwriter
//! was. wal_compression, which no model has.

use models::postgres::views::Rows;
use models::trace::Run;
use models::units::{Lsn, SegmentSize, UsableBytes};
use scenarios::presets::{WORKLOADS, WorkloadPreset};
use serde_json::Value;

use super::agreement::Agreement;
use super::{observations, play};

const RECORDING: &str = include_str!("k_wal_volume.json");
const SEEDS: u64 = 10;
/// How far a mean may be off.
const SHARE: f64 = 0.1;

/// The recorded spans of one run.
struct Case {
    preset: &'static WorkloadPreset,
    script: String,
    full_page_writes: String,
    spans: Vec<Value>,
}

/// The recorded runs, in order.
fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for span in observations(RECORDING) {
        let text = |key: &str| span[key].as_str().expect("a text").to_owned();
        let (script, full_page_writes) = (text("script"), text("full_page_writes"));
        assert_eq!(span["wal_compression"], "off", "no model has it");
        match cases.last_mut() {
            Some(c) if c.script == script && c.full_page_writes == full_page_writes => {
                c.spans.push(span);
            }
            _ => {
                let name = match script.as_str() {
                    "tpcb" => "pgbench-tpcb-like",
                    "simple_update" => "pgbench-simple-update",
                    other => panic!("what is {other}?"),
                };
                let preset = WORKLOADS.iter().find(|preset| preset.name == name);
                let preset = preset.expect("it is a preset");
                cases.push(Case { preset, script, full_page_writes, spans: vec![span] });
            }
        }
    }
    cases
}

fn number(span: &Value, key: &str) -> f64 {
    span[key].as_f64().unwrap_or_else(|| panic!("no {key} in {span}"))
}

impl Case {
    /// Where WAL was at the start and after each span: a transaction starts each millisecond.
    fn positions(&self, full_page_writes: &str, seed: u64) -> Vec<f64> {
        let ends = self.spans.iter().map(|span| number(span, "tx_to") as u64);
        let ends: Vec<u64> = std::iter::once(0).chain(ends).collect();
        let last = ends[ends.len() - 1];
        let mut text = format!(
            "seed = {seed}\npg_version = 15\nduration = '{}ms'\n[postgresql]\n\
             full_page_writes = '{full_page_writes}'\nmax_wal_size = '4GB'\n\
             checkpoint_timeout = '1h'\n[server.pg1]\n[workload.w]\nrate = '1000/s'\n\
             arrivals = 'constant'\nwal = '{}'\nsynchronous_commit = 'off'\n\
             transactions = {last}\n",
            last + 100,
            self.preset.name,
        );
        for (n, end) in ends.iter().enumerate() {
            // The first transaction starts a millisecond after the run.
            text += &format!(
                "[action.look{n}]\nat = '{}us'\nkind = 'observe'\n\
                 views = ['pg_current_wal_lsn']\n",
                end * 1_000 + 500
            );
        }
        looks(&play(&text))
    }
}

fn looks(run: &Run) -> Vec<f64> {
    let usable = |lsn: Lsn| UsableBytes::from_lsn(lsn, SegmentSize::DEFAULT).0 as f64;
    let looks = run.observations.iter().filter_map(|look| match &look.rows {
        Rows::WalLsn(rows) => rows[0].insert_lsn.map(usable),
        _ => None,
    });
    looks.collect()
}

/// Compares what a transaction of a span came to on the mean.
fn compare(agreement: &mut Agreement, case: &Case) {
    let mut sums = vec![(0.0, 0.0); case.spans.len()];
    for seed in 0..SEEDS {
        let with = case.positions(&case.full_page_writes, seed);
        let without = case.positions("off", seed);
        for (n, sum) in sums.iter_mut().enumerate() {
            let grown = |at: &[f64]| at[n + 1] - at[n];
            sum.0 += grown(&with);
            sum.1 += grown(&with) - grown(&without);
        }
    }
    for (span, (bytes, of_images)) in case.spans.iter().zip(sums) {
        let transactions = (number(span, "tx_to") - number(span, "tx_from")) * SEEDS as f64;
        let what = |what: &str| {
            let (script, to) = (&case.script, number(span, "tx_to"));
            format!("{what} of {script} to the {to}th, images {}", case.full_page_writes)
        };
        let recorded = number(span, "wal_bytes_stat_per_tx");
        agreement.within(&what("bytes"), recorded, bytes / transactions, SHARE * recorded);
        if case.full_page_writes == "on" {
            let recorded = number(span, "wal_fpi_per_tx");
            let image = case.preset.pages[0].image.0 as f64;
            let images = of_images / image / transactions;
            agreement.within(&what("images"), recorded, images, SHARE * recorded);
        }
    }
}

#[test]
fn a_transaction_makes_as_much_wal_as_recorded() {
    let mut agreement = Agreement::of("WAL of pgbench's transactions since a checkpoint");
    for case in cases() {
        compare(&mut agreement, &case);
    }
    agreement.holds("k-wal_volume", 48);
}
