//! What a pointer finds in a plot: for the page's script, from the numbers that are drawn.
//!
//! A plot has columns, which are spans of time or places with a name, and for each line a text in
//! every column. Texts are made here, so that the script neither rounds nor knows a unit.

use serde::Serialize;

use super::marks::Band;
use super::panels::Points;

/// A plot's columns and lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hover {
    /// The axes, in half pixels: left, right, the first panel's top, the last one's bottom.
    pub area: (i32, i32, i32, i32),
    /// From one panel's top to the next one's, in half pixels.
    pub apart: i32,
    /// Where columns are that are no spans of time, and their names.
    pub places: Vec<(i32, &'static str)>,
    /// From top to bottom.
    pub panels: Vec<Panel>,
}

/// One pair of axes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Panel {
    /// What it shows.
    pub name: Option<String>,
    /// The run, if it is of one.
    pub run: Option<usize>,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its name.
    pub label: String,
    /// Its run.
    pub run: usize,
    /// Its colour and dash pattern.
    pub style: usize,
    /// A span of time, in seconds.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub step: String,
    /// The text of every column, with `|` between them, `–` if there is no value. One that stays
    /// for some columns is written once, with their number: `0B*12`.
    pub texts: String,
    /// The words of the strip beneath: from when, until when (seconds), which.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bands: Vec<(String, Option<String>, &'static str)>,
}

impl Line {
    /// A line with these texts.
    pub fn new(
        label: &str,
        run: usize,
        style: usize,
        texts: impl Iterator<Item = Option<String>>,
    ) -> Line {
        let texts: Vec<String> = texts.map(|text| text.unwrap_or_else(|| "–".to_owned())).collect();
        let stretches = texts.chunk_by(|a, b| a == b).map(|same| match same.len() {
            1 => same[0].clone(),
            columns => format!("{}*{columns}", same[0]),
        });
        let joined = stretches.collect::<Vec<_>>().join("|");
        let (step, bands) = (String::new(), Vec::new());
        Line { label: label.to_owned(), run, style, step, texts: joined, bands }
    }

    /// Its columns are those of `points`, which are evenly spaced; beneath it stands a strip.
    pub fn over_time(self, points: &Points, strip: &[Band]) -> Line {
        let step = points.get(1).map_or(String::new(), |(at, _)| seconds(at.0));
        let band = |band: &Band| {
            (seconds(band.from.0), band.until.map(|until| seconds(until.0)), band.word)
        };
        Line { step, bands: strip.iter().map(band).collect(), ..self }
    }
}

/// Nanoseconds as seconds, exactly: `104.5`.
pub fn seconds(nanos: u64) -> String {
    let (whole, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    if rest == 0 {
        return whole.to_string();
    }
    format!("{whole}.{rest:09}").trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_stays_is_written_once() {
        let texts = ["1kB", "1kB", "–", "–", "2kB"].map(|text| Some(text.to_owned()));
        let texts = texts.into_iter().map(|text| text.filter(|text| text != "–"));
        assert_eq!(Line::new("base", 0, 0, texts).texts, "1kB*2|–*2|2kB");
    }

    #[test]
    fn seconds_are_exact() {
        let cases = [(0, "0"), (1, "0.000000001"), (104_500_000_000, "104.5")];
        for (nanos, text) in cases {
            assert_eq!(seconds(nanos), text);
        }
    }
}
