//! What `ping` and `fping` print: the round trip time between two hosts.
//!
//! Each answer has a time. Answers that are missing are lost packets: the summary's count, or else
//! the gaps in the sequence. With `-q` there is only the summary, of which the mean stands for the
//! median. Names and addresses are not looked at.
//!
//! **Source.** iputils `ping_common.c` (`gather_statistics`, `finish`), macOS and BusyBox `ping`,
//! `fping` (`-c`, `-C`, `-l`); their output in English.
//!
//! **Not modelled.** A ping has 64 bytes and finds an idle link: bandwidth and queues are not in
//! it. Half of the loss is taken to happen in each direction.

use super::spread::Spread;
use super::{File, Told, in_unit};
use crate::error::{Finding, Findings};

/// Round trips between two hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundTrips {
    /// Their times in nanoseconds.
    pub times: Spread,
    /// Packets that were sent, where that is known.
    pub sent: u64,
    /// Packets of which no answer came; never more than `sent`.
    pub lost: u64,
    /// What became of the lines with answers.
    pub told: Told,
}

const MILLISECOND: u64 = 1_000_000;
/// Longer than any answer: such a time is a mistake in reading.
const LONGEST: u64 = 600_000 * MILLISECOND;
const HELP: &str = "a line is such as: 64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=0.254 ms";

#[derive(Default)]
struct Count {
    times: Vec<u64>,
    /// From a summary.
    summaries: Vec<u64>,
    sent: u64,
    received: u64,
    told: Told,
}

/// Reads the output of pings; what is wrong is left in `findings`.
pub(super) fn parse(files: &[File<'_>], findings: &Findings) -> Option<RoundTrips> {
    let mut count = Count::default();
    for file in files {
        read_file(*file, &mut count, findings);
    }
    let Count { times, summaries, sent, received, told } = count;
    let answers = times.len() as u64;
    let Some(times) = Spread::of(times).or_else(|| Spread::of(summaries)) else {
        if findings.is_empty() {
            let message = "there is no answer in it";
            let first = files.first()?.first_line();
            findings.push(Finding::new(first, message).help(HELP));
        }
        return None;
    };
    // A ping that was interrupted has no summary.
    let sent = sent.max(answers + told.rows_dropped());
    let lost = if received > 0 { sent.saturating_sub(received) } else { sent - answers };
    Some(RoundTrips { times, sent, lost, told })
}

fn read_file(file: File<'_>, count: &mut Count, findings: &Findings) {
    for (number, span, line) in file.lines() {
        let wrong = |message: String, help: &str| {
            findings.push(Finding::new(file.span(span.clone()), message).help(help));
        };
        if let Some((sent, received)) = summary_of_packets(line) {
            if received > sent {
                wrong(
                    format!("{received} answers to {sent} packets"),
                    "answers are at most as many",
                );
            }
            count.sent = count.sent.saturating_add(sent);
            count.received = count.received.saturating_add(received);
        } else if let Some(values) = summary_of_times(line) {
            match values.map(|text| in_unit(text, MILLISECOND)) {
                [Some(min), Some(mean), Some(max)] if min <= mean && mean <= max => {
                    count.summaries.extend([min, mean, max]);
                }
                [Some(_), Some(_), Some(_)] => {
                    wrong("the mean is not between min and max".to_owned(), "min/avg/max");
                }
                _ => wrong("no times in this summary".to_owned(), "min/avg/max/mdev in ms"),
            }
        } else if let Some(why) = no_answer(line) {
            count.told.rows += 1;
            count.told.drop_row(why, file.name, number);
        } else if let Some(time) = answer(line) {
            count.told.rows += 1;
            match time {
                Some(nanos) if nanos > LONGEST => {
                    wrong("an answer after more than 10 minutes".to_owned(), HELP);
                }
                Some(nanos) => {
                    count.told.used += 1;
                    count.times.push(nanos);
                }
                None => wrong("there is no time in this answer".to_owned(), HELP),
            }
        } else if !is_talk(line) {
            wrong("this is no line of ping".to_owned(), HELP);
        }
    }
}

/// `20 packets transmitted, 20 received, 0% packet loss`, or fping's `xmt/rcv/%loss = 5/5/0%`.
fn summary_of_packets(line: &str) -> Option<(u64, u64)> {
    if let Some((_, rest)) = line.split_once("xmt/rcv/%loss = ") {
        let mut parts = rest.split('/');
        return Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?));
    }
    let (sent, rest) = line.split_once(" packets transmitted, ")?;
    let received = rest.split_whitespace().next()?;
    Some((sent.trim().parse().ok()?, received.parse().ok()?))
}

/// `rtt min/avg/max/mdev = 0.034/0.053/0.254/0.046 ms`.
fn summary_of_times(line: &str) -> Option<[&str; 3]> {
    let (_, rest) = line.split_once("min/avg/max")?;
    let (_, values) = rest.split_once("= ")?;
    let mut values = values.split('/').map(|v| v.trim().trim_end_matches(" ms"));
    Some([values.next()?, values.next().unwrap_or(""), values.next().unwrap_or("")])
}

/// Why a line that is about a packet has no answer that counts.
fn no_answer(line: &str) -> Option<&'static str> {
    let has = |text: &str| line.contains(text);
    if has("(DUP!)") {
        Some("the same answer again")
    } else if has("Unreachable") || has("unreachable") {
        Some("the host was not reached")
    } else if has("timed out") || has("Request timeout") || has("no answer yet") {
        Some("no answer")
    } else {
        None
    }
}

/// The time of an answer; nothing in it if it cannot be read.
fn answer(line: &str) -> Option<Option<u64>> {
    if line.contains("bytes from") {
        let time = line.split_once("time=").or_else(|| line.split_once("time<"));
        let text = time.and_then(|(_, rest)| rest.split_whitespace().next());
        let number = text.map(|text| text.trim_end_matches("ms"));
        let in_ms = line.trim_end().ends_with("ms");
        return Some(number.filter(|_| in_ms).and_then(|n| in_unit(n, MILLISECOND)));
    }
    // fping: `host : [0], 84 bytes, 0.12 ms (0.12 avg, 0% loss)`.
    let (_, rest) = line.split_once(" bytes, ")?;
    let (number, _) = rest.split_once(" ms")?;
    Some(in_unit(number, MILLISECOND))
}

/// What stands around answers.
fn is_talk(line: &str) -> bool {
    let line = line.trim();
    line.is_empty()
        || line.starts_with("PING ")
        || line.starts_with("---")
        || line.starts_with("From ")
        || line.starts_with("ping: ")
        || line.starts_with("pipe ")
        || line.contains("+0 duplicates")
        || line == "^C"
}
