//! The arrows of a diagram, and what they say.

use std::collections::BTreeSet;

use maud::{Markup, html};
use models::trace::flow::{Kind, Passed, Stop, Window};
use models::units::SimTime;

use super::Message;
use super::place::{Column, along};
use super::svg::{Drawing, TOP};

impl Drawing<'_> {
    /// A message.
    pub fn arrow(&self, message: &Message) -> Markup {
        let Passed { sent, arrived, from, to, .. } = message.passed;
        let kind = kind(message);
        let aside = self.of.commit.is_some() && !message.of_commit;
        let (solid, again, stop) = self.pieces(message);
        let arrives = arrived <= self.of.window.to;
        let head = format!("url(#{kind})");
        let head = |is_last: bool| (arrives && is_last).then_some(&head);
        html! {
            g class={ "message" @if aside { " aside" } } data-sent=(sent.0)
                data-arrived=[(arrived < SimTime::NEVER).then_some(arrived.0)]
                data-from=(self.of.name(from)) data-to=(self.of.name(to)) {
                title { (self.of.title(message)) }
                @if let Some(d) = &solid {
                    path class={ "arrow " (kind) } d=(d) marker-end=[head(again.is_none())] {}
                }
                @if let Some(d) = again {
                    path class={ "arrow again " (kind) } d=(d) marker-end=[head(true)] {}
                }
                @if let Some(d) = stop { path class="stop" d=(d) {} }
            }
        }
    }

    /// The way of a message: up to where it was stopped, from there on, and what stopped it.
    fn pieces(&self, message: &Message) -> (Option<String>, Option<String>, Option<String>) {
        let Window { from: first, to: last } = self.of.window;
        let Passed { sent, arrived, from, to, stopped, .. } = message.passed;
        let (x1, x2) = (self.line_of(from), self.line_of(to));
        let (top, bottom) = (TOP, self.scale.bottom());
        let piece = |(x1, y1): (i32, i32), (x2, y2): (i32, i32)| format!("M{x1} {y1}L{x2} {y2}");
        let end = || match arrived <= last {
            true => (x2, self.scale.y(arrived)),
            false => (along((x1, x2), (sent, arrived), last), bottom),
        };
        let Some(stop) = stopped else {
            let begin = match sent >= first {
                true => (x1, self.scale.y(sent)),
                false => (along((x1, x2), (sent, arrived), first), top),
            };
            return (Some(piece(begin, end())), None, None);
        };
        let x = x1 + (x2 - x1) * 7 / 10;
        let goes_on = arrived < SimTime::NEVER;
        if sent < first {
            return (None, goes_on.then(|| piece((x, top), end())), None);
        }
        let y = (self.scale.y(sent) + 20).min(if goes_on { end().1 } else { bottom });
        let mark = match stop {
            Stop::Cut => format!("M{} {}l20 20m0 -20l-20 20", x - 10, y - 10),
            Stop::Hold => format!("M{} {}v24m12 0v-24", x - 6, y - 12),
        };
        let before = piece((x1, self.scale.y(sent)), (x, y));
        (Some(before), goes_on.then(|| piece((x, y), end())), Some(mark))
    }

    /// What messages say.
    pub fn labels(&self) -> Markup {
        let mut said = BTreeSet::new();
        let shown = self.messages.iter().filter(|message| {
            let column = Column::Said(message.passed.from);
            self.rows.contains(&(message.passed.sent, column))
                && said.insert((message.passed.sent, message.passed.from))
        });
        html! {
            @for message in shown {
                @let x = self.line_of(message.passed.from);
                @let y = self.scale.y(message.passed.sent) - 7;
                @if self.of.is_standby(message.passed.from) {
                    text class="label end" x=(x - 22) y=(y) { (message.label) }
                } @else {
                    text class="label" x=(x + 22) y=(y) { (message.label) }
                }
            }
        }
    }
}

/// The class of its arrow.
fn kind(message: &Message) -> &'static str {
    match message.passed.kind() {
        Kind::Wal => "wal",
        Kind::Reply => "reply",
        Kind::Keepalive => "keepalive",
        Kind::Other => "other",
    }
}
