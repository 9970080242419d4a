//! The quantities of the simulator: WAL positions, moments, durations, sizes, rates and dice.
//!
//! The only file with unit arithmetic. Everything is an integer: nanoseconds, bytes, bytes a
//! second, and 64-bit throws of a counter generator, so that a run has the same bits on every
//! machine. WAL positions carry PostgreSQL's own arithmetic: the insert position is kept as a
//! *usable* byte position that does not count page headers, and is turned into an [`Lsn`] where
//! somebody looks at it.
//!
//! **Source.** `xlog.c:XLogBytePosToRecPtr`, `XLogBytePosToEndRecPtr`, `xlog_internal.h`
//! (`XLogFileName`, `XLByteToSeg`, `XLByteToPrevSeg`), `pg_lsn.c`; the same in 13 to 18.
//!
//! **Not modelled.** Block sizes other than 8 kB.

pub mod human;

use std::fmt;
use std::num::NonZero;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A position in the write-ahead log (`XLogRecPtr`): the first byte not yet covered.
/// Printed as PostgreSQL 13 to 18 do, `0/3000148`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl Lsn {
    /// `0/0` (`InvalidXLogRecPtr`), which views show as NULL.
    pub const INVALID: Lsn = Lsn(0);

    /// Whether this is a position at all, that is, not `0/0`.
    pub fn is_valid(self) -> bool {
        self.0 != 0
    }

    /// The number of the segment that holds the byte at this position (`XLByteToSeg`).
    pub fn segment(self, size: SegmentSize) -> u64 {
        self.0.wrapping_shr(size.shift)
    }

    /// The number of the segment that holds the byte *before* this position
    /// (`XLByteToPrevSeg`): the one a record ending here lies in.
    pub fn previous_segment(self, size: SegmentSize) -> u64 {
        self.0.saturating_sub(1).wrapping_shr(size.shift)
    }

    /// The start of the segment that holds this position.
    pub fn segment_start(self, size: SegmentSize) -> Lsn {
        Lsn(self.0 & !(size.bytes() - 1))
    }

    /// The start of the page that holds this position.
    pub fn page_start(self) -> Lsn {
        Lsn(self.0 & !(PAGE - 1))
    }

    /// Bytes from `earlier` to here; zero if `earlier` is ahead (`pg_wal_lsn_diff`, clamped).
    pub fn since(self, earlier: Lsn) -> Bytes {
        Bytes(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

impl Serialize for Lsn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The text is not a WAL position (`invalid input syntax for type pg_lsn`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid input syntax for type pg_lsn: \"{0}\"")]
pub struct LsnError(pub String);

impl FromStr for Lsn {
    type Err = LsnError;

    /// One to eight hexadecimal digits, a slash, one to eight more (`pg_lsn_in_internal`).
    fn from_str(text: &str) -> Result<Lsn, LsnError> {
        let wrong = || LsnError(text.to_owned());
        let half = |digits: &str| {
            let all_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
            if all_hex && (1..=8).contains(&digits.len()) {
                u64::from_str_radix(digits, 16).map_err(|_| wrong())
            } else {
                Err(wrong())
            }
        };
        let (high, low) = text.split_once('/').ok_or_else(wrong)?;
        Ok(Lsn(half(high)? << 32 | half(low)?))
    }
}

impl Add<Bytes> for Lsn {
    type Output = Lsn;
    fn add(self, bytes: Bytes) -> Lsn {
        Lsn(self.0 + bytes.0)
    }
}

/// `XLOG_BLCKSZ`: bytes of a WAL page.
pub const PAGE: u64 = 8192;
/// `SizeOfXLogShortPHD`: header of every page but a segment's first.
const PAGE_HEADER: u64 = 24;
/// `SizeOfXLogLongPHD`: header of the first page of a segment.
const SEGMENT_HEADER: u64 = 40;

/// `wal_segment_size`: a power of two from 1 MB to 1 GB, fixed at initdb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentSize {
    /// From 20 to 30: no shift by it needs a check.
    shift: u32,
}

impl SegmentSize {
    /// The default, 16 MB.
    pub const DEFAULT: SegmentSize = SegmentSize { shift: 24 };

    /// `None` unless `bytes` is a power of two from 1 MB to 1 GB.
    pub fn new(bytes: u64) -> Option<SegmentSize> {
        let fits = bytes.is_power_of_two() && (1 << 20..=1 << 30).contains(&bytes);
        fits.then(|| SegmentSize { shift: bytes.trailing_zeros() })
    }

    /// Bytes of a segment.
    pub fn bytes(self) -> u64 {
        1u64.wrapping_shl(self.shift)
    }

    /// Whole segments in `size`, rounded down (`ConvertToXSegs`).
    pub fn segments_in(self, size: Bytes) -> u64 {
        size.0 >> self.shift
    }

    /// Bytes of a segment that are not page headers (`UsableBytesInSegment`).
    fn usable(self) -> u64 {
        (self.bytes() / PAGE) * (PAGE - PAGE_HEADER) - (SEGMENT_HEADER - PAGE_HEADER)
    }
}

/// The insert position without page headers (`Insert->CurrBytePos`).
///
/// Invariant: a multiple of 8, since records are aligned (`MAXALIGN`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsableBytes(pub u64);

impl UsableBytes {
    /// Where the next record starts: behind the header when the position is at a page start
    /// (`XLogBytePosToRecPtr`).
    pub fn start_lsn(self, size: SegmentSize) -> Lsn {
        self.to_lsn(size, false)
    }

    /// Where the record that ends here ends: not counting the header of a page not yet begun
    /// (`XLogBytePosToEndRecPtr`).
    pub fn end_lsn(self, size: SegmentSize) -> Lsn {
        self.to_lsn(size, true)
    }

    fn to_lsn(self, size: SegmentSize, end: bool) -> Lsn {
        let usable = size.usable();
        let (segment, rest) = (self.0 / usable, self.0 % usable);
        let first_page = PAGE - SEGMENT_HEADER;
        let offset = if rest < first_page {
            if end && rest == 0 { 0 } else { rest + SEGMENT_HEADER }
        } else {
            let rest = rest - first_page;
            let (page, rest) = (rest / (PAGE - PAGE_HEADER), rest % (PAGE - PAGE_HEADER));
            let header = if end && rest == 0 { 0 } else { PAGE_HEADER };
            PAGE * (1 + page) + rest + header
        };
        Lsn((segment << size.shift) + offset)
    }

    /// The usable position of a record boundary at `lsn` (`XLogRecPtrToBytePos`). A position
    /// inside a page header counts as the header's end.
    #[inline(always)]
    pub fn from_lsn(lsn: Lsn, size: SegmentSize) -> UsableBytes {
        let segment = lsn.segment(size) * size.usable();
        let offset = lsn.0 - lsn.segment_start(size).0;
        let (page, offset) = (offset / PAGE, offset % PAGE);
        UsableBytes(if page == 0 {
            segment + offset.saturating_sub(SEGMENT_HEADER)
        } else {
            let before = (PAGE - SEGMENT_HEADER) + (page - 1) * (PAGE - PAGE_HEADER);
            segment + before + offset.saturating_sub(PAGE_HEADER)
        })
    }

    /// The first position at which `pg_current_wal_insert_lsn()`, which counts the header of a page
    /// not yet begun, is at `lsn` or behind it.
    pub fn reaching(lsn: Lsn, size: SegmentSize) -> UsableBytes {
        UsableBytes((UsableBytes::from_lsn(lsn, size).0 + 7) & !7)
    }

    /// Whether a record that ends here ends with its segment.
    pub fn is_segment_start(self, size: SegmentSize) -> bool {
        self.0.is_multiple_of(size.usable())
    }

    /// The first segment end behind this position.
    pub fn segment_end(self, size: SegmentSize) -> UsableBytes {
        UsableBytes((self.0 / size.usable() + 1) * size.usable())
    }

    /// The position after a record of `length` bytes, aligned to 8 (`MAXALIGN64`).
    #[inline]
    pub fn after(self, length: Bytes) -> UsableBytes {
        // Nothing wraps: no run comes near to 2^63 bytes of WAL.
        UsableBytes(self.0.wrapping_add(length.0.wrapping_add(7) & !7))
    }
}

/// The identifier of a timeline, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct TimelineId(pub u32);

impl TimelineId {
    /// The one that a promotion begins.
    #[must_use]
    pub fn next(self) -> TimelineId {
        TimelineId(self.0 + 1)
    }
}

impl fmt::Display for TimelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A WAL segment file: a timeline and a segment number. Prints its file name
/// (`XLogFileName`), `000000010000000000000003`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WalSegment {
    /// The timeline it was written on.
    pub timeline: TimelineId,
    /// `XLogSegNo`: position divided by the segment size.
    pub number: u64,
    /// The cluster's segment size, which the name depends on.
    pub size: SegmentSize,
}

impl Serialize for WalSegment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for WalSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_id = (1u64 << 32) / self.size.bytes();
        let (id, rest) = (self.number / per_id, self.number % per_id);
        write!(f, "{:08X}{:08X}{:08X}", self.timeline.0, id, rest)
    }
}

/// A number of bytes. Scenario files and settings write it in PostgreSQL's spelling (`'16MB'`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Bytes(pub u64);

impl Bytes {
    /// `n` times 1024 bytes.
    pub const fn kb(n: u64) -> Bytes {
        Bytes(n << 10)
    }
    /// `n` times 1024 kB.
    pub const fn mb(n: u64) -> Bytes {
        Bytes(n << 20)
    }
    /// `n` times 1024 MB.
    pub const fn gb(n: u64) -> Bytes {
        Bytes(n << 30)
    }
}

impl Add for Bytes {
    type Output = Bytes;
    fn add(self, other: Bytes) -> Bytes {
        Bytes(self.0 + other.0)
    }
}

impl fmt::Display for Bytes {
    /// PostgreSQL's spelling with the largest unit that loses nothing: `16MB`, `1536kB`, `17B`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("TB", 40), ("GB", 30), ("MB", 20), ("kB", 10)];
        for (unit, shift) in units {
            if self.0 != 0 && self.0.is_multiple_of(1 << shift) {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}B", self.0)
    }
}

/// Bytes a second, never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Rate(NonZero<u64>);

impl Rate {
    /// `None` for zero: what moves nothing is a fault, not a rate.
    pub const fn new(bytes_per_second: u64) -> Option<Rate> {
        if let Some(rate) = NonZero::new(bytes_per_second) { Some(Rate(rate)) } else { None }
    }

    /// Bytes a second.
    pub fn bytes_per_second(self) -> u64 {
        self.0.get()
    }

    /// The rate of what takes `factor / one` times as long; at least a byte a second.
    pub fn divided(self, factor: u64, one: u64) -> Rate {
        let rate = u128::from(self.0.get()) * u128::from(one) / u128::from(factor.max(1));
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        Rate(NonZero::new(rate).unwrap_or(NonZero::<u64>::MIN))
    }

    /// How long `bytes` take, rounded down to the nanosecond.
    pub fn time_for(self, bytes: Bytes) -> Duration {
        const NANOS: u64 = 1_000_000_000;
        // Most transfers fit 64 bits, and 128-bit division is slow.
        Duration(match bytes.0.checked_mul(NANOS) {
            Some(product) => product / self.0,
            None => {
                u64::try_from(u128::from(bytes.0) * u128::from(NANOS) / u128::from(self.0.get()))
                    .unwrap_or(u64::MAX / 2)
            }
        })
    }

    /// The most bytes that take no longer than this: the inverse of [`Rate::time_for`].
    #[inline]
    pub fn bytes_in(self, time: Duration) -> Bytes {
        const NANOS: u64 = 1_000_000_000;
        // What takes up to `time`, rounded down, takes less than a nanosecond more.
        let until = time.0.saturating_add(1);
        Bytes(match until.checked_mul(self.0.get()) {
            Some(product) => (product - 1) / NANOS,
            None => {
                let bytes = (u128::from(until) * u128::from(self.0.get()) - 1) / u128::from(NANOS);
                u64::try_from(bytes).unwrap_or(u64::MAX)
            }
        })
    }
}

/// A moment of simulated time: nanoseconds since the start of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct SimTime(pub u64);

impl SimTime {
    /// The start of the run.
    pub const ZERO: SimTime = SimTime(0);
    /// Later than any moment of any run: "no deadline".
    pub const NEVER: SimTime = SimTime(u64::MAX);

    /// So many nanoseconds later, or earlier if below zero: within what a run can have, and
    /// [`SimTime::NEVER`] stays what it is.
    pub fn shifted(self, by: i64) -> SimTime {
        match self == SimTime::NEVER {
            true => self,
            false => SimTime(self.0.saturating_add_signed(by)),
        }
    }

    /// Time from `earlier` to here; zero if `earlier` is later.
    pub fn since(self, earlier: SimTime) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for SimTime {
    type Output = SimTime;
    /// Saturates at [`SimTime::NEVER`].
    fn add(self, d: Duration) -> SimTime {
        SimTime(self.0.saturating_add(d.0))
    }
}

impl AddAssign<Duration> for SimTime {
    fn add_assign(&mut self, d: Duration) {
        *self = *self + d;
    }
}

impl fmt::Display for SimTime {
    /// Seconds with three decimals, as in server logs: `12.034 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} s", self.0 / 1_000_000_000, self.0 / 1_000_000 % 1000)
    }
}

/// A span of simulated time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Duration(pub u64);

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration(0);

    /// `n` microseconds.
    pub const fn us(n: u64) -> Duration {
        Duration(n * 1_000)
    }
    /// `n` milliseconds.
    pub const fn ms(n: u64) -> Duration {
        Duration(n * 1_000_000)
    }
    /// `n` seconds.
    pub const fn s(n: u64) -> Duration {
        Duration(n * 1_000_000_000)
    }
    /// Half of it, rounded down.
    pub const fn half(self) -> Duration {
        Duration(self.0 / 2)
    }
    /// As seconds, for people: never read back into a model.
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }
    /// As milliseconds, for people: never read back into a model.
    pub fn as_millis(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl Add for Duration {
    type Output = Duration;
    fn add(self, other: Duration) -> Duration {
        Duration(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Duration {
    fn add_assign(&mut self, other: Duration) {
        *self = *self + other;
    }
}

impl Sub for Duration {
    type Output = Duration;
    /// Never below zero.
    fn sub(self, other: Duration) -> Duration {
        Duration(self.0.saturating_sub(other.0))
    }
}

impl SubAssign for Duration {
    fn sub_assign(&mut self, other: Duration) {
        *self = *self - other;
    }
}

impl fmt::Display for Duration {
    /// PostgreSQL's spelling with the largest unit that loses nothing: `5min`, `500us`, `17ns`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units: [(&str, u64); 6] = [
            ("d", 86_400_000_000_000),
            ("h", 3_600_000_000_000),
            ("min", 60_000_000_000),
            ("s", 1_000_000_000),
            ("ms", 1_000_000),
            ("us", 1_000),
        ];
        for (unit, nanos) in units {
            if self.0 != 0 && self.0.is_multiple_of(nanos) {
                return write!(f, "{}{unit}", self.0 / nanos);
            }
        }
        write!(f, "{}ns", self.0)
    }
}

/// One thing's own luck: a counter generator keyed by (seed, purpose, owner).
///
/// The n-th throw depends on nothing but the key and n, so one thing's luck never moves
/// another's, and the n-th fsync of a disk draws the same number in every variant of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Die {
    key: u64,
    /// The key, and [`GOLDEN`] for every throw so far.
    counter: u64,
}

impl Die {
    /// The die for `purpose` (such as `"fsync"`) of `owner` (such as `"pg1"`).
    pub fn new(seed: u64, purpose: &str, owner: &str) -> Die {
        let mut key = mix(seed ^ 0x5741_4c44_454e);
        for byte in purpose.bytes().chain([0]).chain(owner.bytes()) {
            key = mix(key ^ u64::from(byte));
        }
        Die { key, counter: key }
    }

    /// The next throw, uniform over all 64-bit numbers.
    #[inline]
    pub fn throw(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(GOLDEN);
        mix(self.counter)
    }

    /// What the next throw will be.
    #[inline]
    pub fn next(&self) -> u64 {
        mix(self.counter.wrapping_add(GOLDEN))
    }

    /// The n-th throw, without throwing (counted from 1).
    #[inline]
    pub fn at(&self, n: u64) -> u64 {
        mix(self.key.wrapping_add(n.wrapping_mul(GOLDEN)))
    }

    /// The same die on another branch of history: every throw from here on differs.
    pub fn branch(&mut self, branch: u64) {
        let thrown = self.counter.wrapping_sub(self.key);
        self.key = mix(self.key ^ mix(branch ^ GOLDEN));
        self.counter = self.key.wrapping_add(thrown);
    }
}

/// 2^64 divided by the golden ratio, made odd: the increment of SplitMix64.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's finaliser (Steele, Lea, Flood 2014; Stafford's variant 13).
#[inline]
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: SegmentSize = SegmentSize::DEFAULT;

    #[test]
    fn bytes_in_is_the_inverse_of_time_for() {
        for rate in [1, 7, 999, 100_000, 200 << 20, 3_000_000_000, u64::MAX / 3] {
            let rate = Rate::new(rate).expect("not zero");
            for bytes in [1, 2, 184, 8_191, 131_072, 1 << 24, 1 << 33] {
                let took = rate.time_for(Bytes(bytes));
                assert!(rate.bytes_in(took) >= Bytes(bytes), "{bytes} at {rate:?}");
                let more = rate.bytes_in(took);
                assert!(more.0 > 1 << 60 || rate.time_for(more + Bytes(1)) > took, "{more:?}");
                if took > Duration::ZERO {
                    assert!(rate.bytes_in(Duration(took.0 - 1)) < Bytes(bytes), "{bytes}");
                }
            }
        }
    }

    /// Inserts a record of `length` bytes at `start`; returns its end and the next start.
    fn insert(start: &str, length: u64) -> (String, String) {
        let at = UsableBytes::from_lsn(start.parse().expect("an LSN"), S);
        let end = at.after(Bytes(length));
        (end.end_lsn(S).to_string(), end.start_lsn(S).to_string())
    }

    #[test]
    fn a_record_ends_where_postgresql_ends_it() {
        for (start, length, end, next) in [
            ("0/3000028", 34, "0/3000050", "0/3000050"),
            ("0/3001FF8", 34, "0/3002038", "0/3002038"),
            ("0/3001FD8", 34, "0/3002000", "0/3002018"),
            ("0/3FFFFD8", 34, "0/4000000", "0/4000028"),
            ("0/3FFFFF8", 34, "0/4000048", "0/4000048"),
            ("0/3000028", 8229, "0/3002068", "0/3002068"),
        ] {
            assert_eq!(insert(start, length), (end.to_owned(), next.to_owned()), "{start}");
        }
    }

    #[test]
    fn a_position_is_reached_exactly_where_a_record_can_end() {
        let reaching = |lsn: &str| {
            let lsn = lsn.parse().expect("an LSN");
            let at = UsableBytes::reaching(lsn, S);
            (at.end_lsn(S).to_string(), at.start_lsn(S).to_string())
        };
        let is = |lsn: &str, end: &str, insert: &str| {
            assert_eq!(reaching(lsn), (end.to_owned(), insert.to_owned()), "{lsn}");
        };
        is("0/3000050", "0/3000050", "0/3000050");
        is("0/3000051", "0/3000058", "0/3000058");
        // What is inserted next goes behind the header, which is there already.
        is("0/3002000", "0/3002000", "0/3002018");
        is("0/3002008", "0/3002000", "0/3002018");
        is("0/4000010", "0/4000000", "0/4000028");
        is("0/4000028", "0/4000000", "0/4000028");
        is("0/4000029", "0/4000030", "0/4000030");
    }

    #[test]
    fn usable_positions_and_lsns_are_inverse() {
        for size in [1 << 20, 1 << 24, 1 << 30] {
            let size = SegmentSize::new(size).expect("a segment size");
            for n in 0..200_000u64 {
                let usable = UsableBytes(n * 8 * 37);
                assert_eq!(UsableBytes::from_lsn(usable.start_lsn(size), size), usable);
                assert_eq!(UsableBytes::from_lsn(usable.end_lsn(size), size), usable);
            }
        }
    }

    #[test]
    fn segment_names_are_postgresqls() {
        let name = |number, size| {
            WalSegment {
                timeline: TimelineId(1),
                number,
                size: SegmentSize::new(size).expect("a segment size"),
            }
            .to_string()
        };
        assert_eq!(name(3, 16 << 20), "000000010000000000000003");
        assert_eq!(name(0x1_0003, 16 << 20), "000000010000010000000003");
        assert_eq!(name(0x1003, 1 << 20), "000000010000000100000003");
    }

    #[test]
    fn lsn_text_is_read_as_postgresql_reads_it() {
        assert_eq!("1/2a".parse(), Ok(Lsn(0x1_0000_002a)));
        for wrong in ["", "1", "/1", "1/", "123456789/1", "1/123456789", "g/1", "+1/1", " 1/1"] {
            assert!(wrong.parse::<Lsn>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn throws_depend_on_their_number_alone() {
        let mut die = Die::new(42, "fsync", "pg1");
        let (first, second) = (die.throw(), die.throw());
        assert_eq!((first, second), (die.at(1), die.at(2)));
        assert_ne!(Die::new(42, "fsync", "pg2").at(1), first);
        assert_ne!(Die::new(43, "fsync", "pg1").at(1), first);
    }
}
