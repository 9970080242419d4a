//! What a diagram has of the commit that is followed: its way, its stages, and a table.

use maud::{Markup, html};
use models::units::{SimTime, human};

use super::place::ROW;
use super::svg::{BAR, Drawing, MARGIN, STAGES};
use super::{Followed, Place, exactly, style};

impl Drawing<'_> {
    /// The way of the commit that is followed.
    pub fn way(&self) -> Markup {
        let Some(commit) = self.of.commit else { return html! {} };
        let at = |place: Place| match place {
            Place::Backend => self.backend,
            Place::WalSender => self.sender,
            Place::WalReceiver => {
                commit.standby.map_or(self.sender, |standby| self.line_of(standby))
            }
        };
        let points: Vec<(i32, i32)> =
            commit.steps.iter().map(|step| (at(step.place), self.scale.y(step.at))).collect();
        let d: String = points
            .iter()
            .enumerate()
            .map(|(n, (x, y))| format!("{}{x} {y}", if n == 0 { 'M' } else { 'L' }))
            .collect();
        html! {
            (self.stages(commit))
            path class="way" d=(d) {}
            @for ((n, step), (x, y)) in (1..).zip(&commit.steps).zip(&points) {
                // What shares a place stands side by side.
                @let before = points[..n - 1].iter().rev().take_while(|p| *p == &(*x, *y)).count();
                @let x = x + 30 * before as i32;
                g class="point" data-point=(step.key) data-at=(step.at.0) {
                    title { (exactly(step.at)) "\n" (step.what) }
                    circle class="step" cx=(x) cy=(y) r="14" {}
                    text class="number" x=(x) y=(y + 7) { (n) }
                }
            }
        }
    }

    /// The bar of the commit that is followed, cut into its stages.
    fn stages(&self, commit: &Followed) -> Markup {
        let mut stages: Vec<(&str, SimTime, SimTime)> = Vec::new();
        for pair in commit.steps.windows(2) {
            let Some(name) = pair[1].stage else { continue };
            match stages.last_mut() {
                Some(last) if last.0 == name => last.2 = pair[1].at,
                _ => stages.push((name, pair[0].at, pair[1].at)),
            }
        }
        stages.retain(|(_, from, to)| to > from);
        let x = STAGES + 12;
        html! {
            @for (name, from, to) in stages {
                @let (top, end) = (self.scale.y(from), self.scale.y(to));
                @let took = to.since(from).0;
                g class="stage" data-stage=(name) data-nanos=(took) {
                    title { (name) " " (human::duration(took)) }
                    @let (class, height) = (style::of_stage(name), end - top);
                    rect class=(class) x=(x) y=(top) width=(BAR) height=(height) {}
                    text class="label end" x=(STAGES) y=((top + end) / 2 + 8) {
                        (name) " " (human::duration(took))
                    }
                }
            }
        }
    }

    /// What lies between the points of the commit.
    pub fn table(&self) -> Markup {
        let Some(commit) = self.of.commit else { return html! {} };
        let top = self.below();
        let start = commit.steps.first().map_or(SimTime::ZERO, |step| step.at);
        let took = |n: usize| match n.checked_sub(1) {
            None => String::new(),
            Some(before) => human::duration(commit.steps[n].at.since(commit.steps[before].at).0),
        };
        html! {
            @for (n, step) in commit.steps.iter().enumerate() {
                @let y = top + ROW * (n as i32 + 1);
                text class="bold end" x=(MARGIN + 30) y=(y) { (n + 1) }
                text class="end" x="220" y=(y) { (took(n)) }
                text class="muted end" x="360" y=(y) {
                    @if n > 0 { "+" (human::duration(step.at.since(start).0)) }
                }
                text x="390" y=(y) {
                    @if n == 0 { "The client wants to commit" } @else { (step.what) }
                }
            }
        }
    }
}
