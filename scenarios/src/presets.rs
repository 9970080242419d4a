//! Disks and workloads that need not be spelled out, each with where its numbers come from.
//!
//! A disk is what PostgreSQL notices of it: the time of an fsync with little to write, the rate
//! of a sequential write, and the bound on large ones. A workload is the WAL of
//! one transaction: its records, and the sets of pages it touches, each of which pays a full-page
//! image at its first touch after a checkpoint begins. That is what makes the sawtooth.
//!
//! **Source.** Each preset names its own. Workloads are fitted to pgbench at scale 10 on
//! PostgreSQL 15.18, 32,000 transactions after a checkpoint (`postgres.md` 1.3); the fit is held
//! within 10 % by a test.
//!
//! **Not modelled.** Other scales than 10; wal_compression; index pages that split.

use models::latency::{ONE, Quantiles};
use models::units::{Bytes, Duration, Rate};

use crate::scenario::Disk;
use crate::workload::{PageSet, TransactionWal};

/// A disk by name.
#[derive(Debug)]
pub struct DiskPreset {
    /// Its name in a file.
    pub name: &'static str,
    /// What it stands for.
    pub doc: &'static str,
    /// Where its numbers come from.
    pub source: &'static str,
    /// Time of an fsync in microseconds: min, p50, p99, p99.9, max.
    pub fsync_us: [u64; 5],
    /// Sequential write in MB/s.
    pub write_mb: u64,
}

/// A workload's WAL by name.
#[derive(Debug)]
pub struct WorkloadPreset {
    /// Its name in a file.
    pub name: &'static str,
    /// What it stands for.
    pub doc: &'static str,
    /// Where its numbers come from.
    pub source: &'static str,
    /// WAL of a transaction without images and without its commit record.
    pub records: u64,
    /// The pages it touches.
    pub pages: &'static [PageSet],
}

/// WAL of a plain commit record: 34 bytes, aligned to 8 (`postgres.md` 1.3).
pub const COMMIT_RECORD: Bytes = Bytes(40);

/// The preset of a server that names no disk.
pub const DEFAULT_DISK: &str = "nvme";
/// The preset of a workload that names no WAL.
pub const DEFAULT_WORKLOAD: &str = "pgbench-simple-update";

/// Every disk.
pub static DISKS: [DiskPreset; 4] = [
    DiskPreset {
        name: "nvme",
        doc: "A local NVMe drive with power-loss protection.",
        // Assumption: the tail and the write rate. The tail decides p99.9 of `local` commits and
        // little else.
        source: "pg_test_fsync of the host of basics/production: fdatasync of 8 kB 139 us; \
                 tail and write rate are assumptions. A consumer drive without power-loss \
                 protection is ten times slower (Samsung 990 PRO: 1,643 us, tanelpoder.com 2025)",
        fsync_us: [100, 140, 400, 1_500, 5_000],
        write_mb: 1_500,
    },
    DiskPreset {
        name: "ssd",
        doc: "A SATA SSD.",
        // Assumption: every number, within a factor of two. It scales `local` commits.
        source: "an assumption: between the NVMe drive and the network volume; SATA carries less \
                 than 600 MB/s",
        fsync_us: [400, 800, 3_000, 8_000, 20_000],
        write_mb: 450,
    },
    DiskPreset {
        name: "cloud-ssd",
        doc: "A network volume of a cloud provider (general purpose).",
        // Assumption: the times of an fsync, within a factor of two. They scale `local` commits.
        source: "125 MB/s is the default of an AWS gp3 volume; the times are an assumption: a \
                 round trip to another host and an SSD there",
        fsync_us: [800, 1_300, 5_000, 15_000, 50_000],
        write_mb: 125,
    },
    DiskPreset {
        name: "hdd",
        doc: "A disk of 7,200 turns a minute without a write cache.",
        // Assumption: the tail.
        source: "one turn is 8.3 ms; pg_test_fsync on a slower SATA disk (WD2002FYPS): fdatasync \
                 12.2 ms, fsync 47.7 ms (gist pklaus/3f4756c3, 2020); the tail is an assumption",
        fsync_us: [4_200, 8_300, 25_000, 50_000, 100_000],
        write_mb: 150,
    },
];

/// Every workload.
pub static WORKLOADS: [WorkloadPreset; 3] = [
    WorkloadPreset {
        name: "pgbench-simple-update",
        doc: "pgbench -N at scale 10: an UPDATE of a random account, an INSERT into history.",
        source: "PostgreSQL 15.18, scale 10: 262 B without images; images fitted within 10 %",
        records: 222,
        pages: &[PageSet { pages: 18_500, touches_per_thousand: 1_165, image: Bytes(7_960) }],
    },
    WorkloadPreset {
        name: "pgbench-tpcb-like",
        doc: "pgbench's default at scale 10: three UPDATEs and an INSERT into history.",
        source: "PostgreSQL 15.18, scale 10: 410 B without images; images fitted within 10 %",
        records: 370,
        pages: &[
            PageSet { pages: 2_400, touches_per_thousand: 980, image: Bytes(7_850) },
            PageSet { pages: 18_000, touches_per_thousand: 1_060, image: Bytes(7_850) },
        ],
    },
    WorkloadPreset {
        name: "pgbench-insert",
        doc: "One INSERT of one narrow row into a table without an index.",
        source: "PostgreSQL 15.18: 112 B of WAL with its commit record; new pages take no image",
        records: 72,
        pages: &[],
    },
];

/// The disk of that name, without a capacity.
pub fn disk(name: &str) -> Option<Disk> {
    let preset = DISKS.iter().find(|d| d.name == name)?;
    let [min, p50, p99, p999, max] = preset.fsync_us.map(|us| us * 1_000);
    let points =
        [(0, min), (ONE / 2, p50), (ONE / 100 * 99, p99), (ONE / 1000 * 999, p999), (ONE, max)];
    Some(Disk {
        fsync: Quantiles::new(&points)?,
        write: Rate::new(preset.write_mb << 20)?,
        // About 1 us for 8 kB on any of them: part of what `service` stands for.
        write_call: Duration::ZERO,
        capacity: None,
    })
}

/// The WAL of the workload of that name.
pub fn workload(name: &str) -> Option<TransactionWal> {
    let preset = WORKLOADS.iter().find(|w| w.name == name)?;
    Some(TransactionWal {
        records: Quantiles::constant(preset.records),
        pages: preset.pages.to_vec(),
    })
}

/// The names of all disks.
pub fn disk_names() -> impl Iterator<Item = &'static str> + Clone {
    DISKS.iter().map(|d| d.name)
}

/// The names of all workloads.
pub fn workload_names() -> impl Iterator<Item = &'static str> + Clone {
    WORKLOADS.iter().map(|w| w.name)
}

#[cfg(test)]
mod tests {
    use models::units::Die;

    use super::*;

    /// Transactions since the checkpoint, and WAL of one (`wal_bytes_stat_per_tx`): pgbench at
    /// scale 10 on PostgreSQL 15.18, full_page_writes on, wal_compression off.
    const SIMPLE_UPDATE: [(u64, u64, f64); 9] = [
        (0, 100, 9799.6),
        (100, 200, 9384.7),
        (200, 500, 9475.4),
        (500, 1000, 8978.4),
        (1000, 2000, 8642.6),
        (2000, 4000, 7823.4),
        (4000, 8000, 6553.6),
        (8000, 16000, 4619.3),
        (16000, 32000, 2315.8),
    ];
    const TPCB_LIKE: [(u64, u64, f64); 9] = [
        (0, 100, 15970.8),
        (100, 200, 15427.5),
        (200, 500, 15067.7),
        (500, 1000, 14088.5),
        (1000, 2000, 12199.1),
        (2000, 4000, 9855.4),
        (4000, 8000, 6944.0),
        (8000, 16000, 4508.0),
        (16000, 32000, 2427.3),
    ];

    /// WAL of each transaction after a checkpoint: a touch needs an image with the chance that
    /// its page is still untouched.
    fn play(name: &str, seed: u64) -> Vec<u64> {
        let wal = workload(name).expect("a preset");
        let mut die = Die::new(seed, "pages", name);
        let mut untouched: Vec<u64> = wal.pages.iter().map(|p| p.pages).collect();
        let chance = |die: &mut Die, part: u64, whole: u64| die.throw() % whole < part;
        (0..32_000)
            .map(|_| {
                let mut bytes = wal.records.mean() + COMMIT_RECORD.0;
                for (set, left) in wal.pages.iter().zip(&mut untouched) {
                    let touches = u64::from(set.touches_per_thousand);
                    let extra = u64::from(chance(&mut die, touches % 1000, 1000));
                    for _ in 0..touches / 1000 + extra {
                        if chance(&mut die, *left, set.pages) {
                            *left -= 1;
                            bytes += set.image.0;
                        }
                    }
                }
                bytes
            })
            .collect()
    }

    fn assert_fits(name: &str, curve: &[(u64, u64, f64)]) {
        // Twenty checkpoints, since a hundred transactions alone scatter by several percent.
        let runs: Vec<Vec<u64>> = (0..20).map(|seed| play(name, seed)).collect();
        for (from, to, measured) in curve {
            let (from_, to_) = (*from as usize, *to as usize);
            let sum: u64 = runs.iter().map(|run| run[from_..to_].iter().sum::<u64>()).sum();
            let mean = sum as f64 / (runs.len() * (to_ - from_)) as f64;
            let off = mean / measured - 1.0;
            assert!(off.abs() < 0.1, "{name} {from} to {to}: {mean:.0} B, measured {measured} B");
        }
    }

    #[test]
    fn wal_after_a_checkpoint_falls_as_measured() {
        assert_fits("pgbench-simple-update", &SIMPLE_UPDATE);
        assert_fits("pgbench-tpcb-like", &TPCB_LIKE);
    }

    #[test]
    fn wal_without_images_is_as_measured() {
        for (name, measured) in
            [("pgbench-simple-update", 262), ("pgbench-tpcb-like", 410), ("pgbench-insert", 112)]
        {
            let wal = workload(name).expect("a preset");
            assert_eq!(wal.records.mean() + COMMIT_RECORD.0, measured, "{name}");
        }
    }

    #[test]
    fn every_preset_can_be_had_by_name() {
        assert!(disk_names().all(|name| disk(name).is_some()));
        assert!(workload_names().all(|name| workload(name).is_some()));
        assert!(disk(DEFAULT_DISK).is_some() && workload(DEFAULT_WORKLOAD).is_some());
        let p50 = |name| disk(name).map(|d| d.fsync.quantile(1 << 63));
        assert!(p50("nvme") < p50("ssd") && p50("ssd") < p50("cloud-ssd"));
        assert!(p50("cloud-ssd") < p50("hdd"));
    }
}
