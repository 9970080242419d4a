//! How large a scenario may be, so that no file that is accepted can hang a run or fill memory.

use models::units::{Bytes, Duration};

/// Longest time that any key takes: 10 years.
pub const LONGEST: Duration = Duration::s(10 * 366 * 86_400);
/// Longest simulated time: 366 days.
pub const LONGEST_RUN: Duration = Duration::s(366 * 86_400);
/// Largest size that any key takes.
pub const LARGEST: Bytes = Bytes(1 << 50);
/// Highest rate of disks, links, replay and WAL, in bytes a second.
pub const FASTEST: u64 = 100 << 30;
/// Shortest mean gap of an open loop: 10 million starts a second.
pub const SHORTEST_GAP: Duration = Duration(100);
/// Most transactions that the open loops of one variant may start.
pub const MOST_TRANSACTIONS: u64 = 2_000_000_000;
/// Most steps of WAL-only workloads in one variant.
pub const MOST_STEPS: u64 = 200_000_000;
/// Most WAL that WAL-only, bulk and open-loop workloads may make in one variant.
pub const MOST_WAL: u128 = 1 << 58;
/// Most servers.
pub const MOST_SERVERS: usize = 16;
/// Most workloads.
pub const MOST_WORKLOADS: usize = 32;
/// Most links.
pub const MOST_LINKS: usize = 64;
/// Most faults.
pub const MOST_FAULTS: usize = 1_000;
/// Most actions.
pub const MOST_ACTIONS: usize = 1_000;
/// Most actions that the steps of one variant come to, each as often as it is repeated.
pub const MOST_DEEDS: u64 = 1_000_000;
/// Most actions that the steps of a file name.
pub const MOST_NAMED_DEEDS: usize = 10_000;
/// Most clients of all closed loops together.
pub const MOST_CLIENTS: u64 = 100_000;
/// Shortest time from an answer to the next commit in a closed loop (service and think).
pub const SHORTEST_CYCLE: Duration = Duration::us(1);
/// Most variants, the matrix multiplied out.
pub const MOST_VARIANTS: usize = 200;
/// Most rows of a WAL history.
pub const MOST_ROWS: usize = 200_000;
/// Most rows of WAL histories in all variants together.
pub const MOST_ROWS_OF_ALL: usize = 10_000_000;
/// Most settings in one table or file.
pub const MOST_SETTINGS: usize = 1_000;
/// Most changes that one variant makes, and most lines of the matrix.
pub const MOST_CHANGES: usize = 200;
/// Most expectations.
pub const MOST_EXPECTATIONS: usize = 1_000;
/// Most files that one scenario may read.
pub const MOST_FILES: usize = 100;
/// Longest name of a server, site, link, workload, fault or variant.
pub const LONGEST_NAME: usize = 63;
