//! The texts that one scenario is made of, and places in them.
//!
//! A scenario is rarely one file: it includes a profile, reads a `postgresql.conf`, and takes
//! values from the command line. All texts lie one after the other in one numbering, so that a
//! [`Span`] alone says which text it is in, and a value that a variant or `--set` puts somewhere
//! else still knows where it was written.

use std::ops::Range;
use std::sync::Arc;

/// A piece of one of the texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    /// First byte, in the numbering of all texts.
    pub start: usize,
    /// First byte behind it.
    pub end: usize,
}

impl Span {
    /// From a range within the text that begins at `base`.
    pub fn at(base: usize, range: Range<usize>) -> Span {
        Span { start: base + range.start, end: base + range.end }
    }
}

/// One text.
#[derive(Clone, Debug)]
struct Source {
    name: String,
    text: Arc<str>,
    base: usize,
}

/// All texts, in the order in which they were read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    list: Vec<Source>,
}

/// A place as people name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The text's name.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Bytes within the text.
    pub span: Range<usize>,
}

impl Sources {
    /// Adds a text; returns where its numbering begins.
    pub fn add(&mut self, name: &str, text: &str) -> usize {
        // One byte between two texts, so that the end of one is not the start of the next.
        let base = self.list.last().map_or(0, |s| s.base + s.text.len() + 1);
        self.list.push(Source { name: name.to_owned(), text: Arc::from(text), base });
        base
    }

    /// The text of that name; the last one if there are several.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.list.iter().rev().find(|s| s.name == name).map(|s| &*s.text)
    }

    /// Where a span is.
    pub fn place(&self, span: Span) -> Place {
        let after = self.list.partition_point(|s| s.base <= span.start);
        let Some(source) = self.list.get(after.saturating_sub(1)) else {
            return Place { file: String::new(), line: 1, column: 1, span: 0..0 };
        };
        let text = &*source.text;
        let start = floor(text, span.start - source.base);
        let end = floor(text, span.end.saturating_sub(source.base)).max(start);
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Place {
            file: source.name.clone(),
            line: before.matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            span: start..end,
        }
    }
}

/// The nearest character boundary at or before `index`.
fn floor(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}
