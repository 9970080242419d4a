//! A drawing as a list of shapes, painted by plotters as SVG and as PNG.
//!
//! Plots place their shapes themselves, in half pixels and with integers: what plotters' own
//! charts would compute with the platform's logarithms never reaches a coordinate, and an SVG and
//! a PNG show exactly the same.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::ReportError;
use crate::theme::{self, Ink};

/// A place in half pixels, from the upper left.
pub type Place = (i32, i32);

/// Which end of a text is at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The text begins there.
    Start,
    /// The text is centred there.
    Middle,
    /// The text ends there.
    End,
}

/// Something drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A filled rectangle.
    Area {
        /// Upper left corner.
        from: Place,
        /// Lower right corner.
        to: Place,
        /// Colour.
        ink: Ink,
        /// Opacity in percent.
        opacity: u8,
    },
    /// A line through points.
    Line {
        /// The points.
        points: Vec<Place>,
        /// Colour.
        ink: Ink,
        /// Width.
        width: u32,
        /// Lengths of line and gap in turn; empty: solid.
        dashes: &'static [u32],
    },
    /// A filled dot.
    Dot {
        /// Its centre.
        at: Place,
        /// Its colour.
        ink: Ink,
        /// Its radius.
        radius: u32,
    },
    /// One line of text, vertically centred at its place.
    Text {
        /// Where.
        at: Place,
        /// The text.
        text: String,
        /// Colour.
        ink: Ink,
        /// Size.
        size: i32,
        /// Which end is at the place.
        anchor: Anchor,
        /// Semi-bold.
        bold: bool,
    },
}

/// A drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Width in half pixels.
    pub width: i32,
    /// Height in half pixels.
    pub height: i32,
    /// What is drawn, in order.
    pub shapes: Vec<Shape>,
}

impl Picture {
    /// An empty picture as wide as all are.
    pub fn new(height: i32) -> Picture {
        Picture { width: theme::WIDTH, height, shapes: Vec::new() }
    }

    /// Adds a text of the usual size.
    pub fn text(&mut self, at: Place, anchor: Anchor, ink: Ink, text: impl Into<String>) {
        let (size, bold) = (theme::TEXT_SIZE, false);
        self.shapes.push(Shape::Text { at, text: text.into(), ink, size, anchor, bold });
    }

    /// Adds a title.
    pub fn title(&mut self, at: Place, text: impl Into<String>) {
        let (text, ink, anchor) = (text.into(), Ink::Text, Anchor::Start);
        self.shapes.push(Shape::Text {
            at,
            text,
            ink,
            size: theme::TITLE_SIZE,
            anchor,
            bold: true,
        });
    }

    /// Adds a thin line.
    pub fn rule(&mut self, from: Place, to: Place, ink: Ink) {
        self.shapes.push(Shape::Line { points: vec![from, to], ink, width: 2, dashes: &[] });
    }

    /// Adds a filled rectangle.
    pub fn area(&mut self, from: Place, to: Place, ink: Ink, opacity: u8) {
        self.shapes.push(Shape::Area { from, to, ink, opacity });
    }

    /// The SVG as a file of its own, with a white background.
    pub fn svg(&self) -> Result<String, ReportError> {
        let svg = self.drawn()?;
        let wanted = format!("width=\"{}\" height=\"{}\"", self.width / 2, self.height / 2);
        let drawn = format!("width=\"{}\" height=\"{}\"", self.width, self.height);
        Ok(svg.replacen(&drawn, &wanted, 1))
    }

    /// The SVG to stand inside a page: its colours are CSS variables, `label` says what it shows.
    pub fn inline_svg(&self, label: &str) -> Result<String, ReportError> {
        let mut svg = self.drawn()?;
        // Between quotes only: in a text, quotes are escaped.
        for (name, light, _) in theme::COLOURS {
            svg = svg.replace(&format!("\"{}\"", theme::hex(light)), &format!("\"var(--{name})\""));
        }
        let body = svg.find('>').map_or("", |end| &svg[end + 1..]);
        let label = escape(label);
        Ok(format!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{label}\">{body}",
            self.width, self.height
        ))
    }

    fn drawn(&self) -> Result<String, ReportError> {
        let mut svg = String::new();
        let backend = SVGBackend::with_string(&mut svg, (self.width as u32, self.height as u32));
        self.paint(backend.into_drawing_area(), true)?;
        Ok(svg)
    }

    /// Writes a PNG with a white background, two pixels for each of the SVG.
    pub fn write_png(&self, path: &Path) -> Result<(), ReportError> {
        let backend = BitMapBackend::new(path, (self.width as u32, self.height as u32));
        self.paint(backend.into_drawing_area(), false)
    }

    /// `vector`: the backend joins lines and centres text itself.
    fn paint<B: DrawingBackend>(
        &self,
        root: DrawingArea<B, Shift>,
        vector: bool,
    ) -> Result<(), ReportError> {
        if !theme::register_fonts() {
            return Err(ReportError::Drawing("the embedded font cannot be read".to_owned()));
        }
        let failed = |e: DrawingAreaErrorKind<B::ErrorType>| ReportError::Drawing(e.to_string());
        root.fill(&colour(Ink::Paper)).map_err(failed)?;
        for shape in &self.shapes {
            paint_shape(&root, shape, vector).map_err(failed)?;
        }
        root.present().map_err(failed)
    }
}

fn colour(ink: Ink) -> RGBColor {
    let [r, g, b] = theme::COLOURS[ink.colour()].1;
    RGBColor(r, g, b)
}

fn paint_shape<B: DrawingBackend>(
    root: &DrawingArea<B, Shift>,
    shape: &Shape,
    vector: bool,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    match shape {
        &Shape::Area { from, to, ink, opacity } => {
            let style = colour(ink).mix(f64::from(opacity) / 100.0).filled();
            root.draw(&Rectangle::new([from, to], style))
        }
        Shape::Line { points, ink, width, dashes } => {
            let style = colour(*ink).stroke_width(*width);
            for stroke in strokes(points, dashes) {
                if vector || *width <= 2 {
                    root.draw(&PathElement::new(stroke, style))?;
                } else {
                    // The bitmap backend's joints of thick lines can spill far out of the line.
                    for pair in stroke.windows(2) {
                        root.draw(&PathElement::new(pair.to_vec(), style))?;
                        root.draw(&Circle::new(pair[0], *width / 2 - 1, style.filled()))?;
                    }
                }
            }
            Ok(())
        }
        &Shape::Dot { at, ink, radius } => {
            root.draw(&Circle::new(at, radius, colour(ink).filled()))
        }
        Shape::Text { at, text, ink, size, anchor, bold } => {
            let style = if *bold { FontStyle::Bold } else { FontStyle::Normal };
            let horizontal = match anchor {
                Anchor::Start => HPos::Left,
                Anchor::Middle => HPos::Center,
                Anchor::End => HPos::Right,
            };
            let ink = colour(*ink);
            let style = TextStyle::from((theme::FONT, *size, style).into_font())
                .color(&ink)
                .pos(Pos::new(horizontal, VPos::Center));
            // With ab_glyph a text's middle is an eighth of its size too high in a bitmap.
            let at = if vector { *at } else { (at.0, at.1 + size / 8) };
            root.draw(&Text::new(text.as_str(), at, style))
        }
    }
}

/// The parts of a line that are drawn, walking along it with the dash pattern.
fn strokes(points: &[Place], dashes: &[u32]) -> Vec<Vec<Place>> {
    if dashes.is_empty() {
        return vec![points.to_vec()];
    }
    let Some(&first) = points.first() else { return Vec::new() };
    let mut strokes = vec![vec![first]];
    let (mut dash, mut left) = (0, f64::from(dashes[0]));
    for pair in points.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let (dx, dy) = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
        // A square root is exact to the last bit by IEEE 754, unlike `hypot`.
        let length = (dx * dx + dy * dy).sqrt();
        let mut along = 0.0;
        while length - along > left {
            along += left;
            let share = along / length;
            let here = (from.0 + (dx * share) as i32, from.1 + (dy * share) as i32);
            if dash % 2 == 0 {
                if let Some(stroke) = strokes.last_mut() {
                    stroke.push(here);
                }
            } else {
                strokes.push(vec![here]);
            }
            dash = (dash + 1) % dashes.len();
            left = f64::from(dashes[dash]);
        }
        left -= length - along;
        if let (0, Some(stroke)) = (dash % 2, strokes.last_mut()) {
            stroke.push(to);
        }
    }
    strokes.retain(|stroke| stroke.len() > 1);
    strokes
}

/// A text with what HTML and XML would read as markup written out.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// About how wide a text of the usual size is.
pub fn text_width(text: &str) -> i32 {
    i32::try_from(text.chars().count()).unwrap_or(i32::MAX / 64).saturating_mul(14)
}

/// At most `limit` characters of a text, the rest as an ellipsis. Control characters, which XML
/// does not allow, become spaces.
pub fn shortened(text: &str, limit: usize) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    if text.chars().count() <= limit {
        return clean.collect();
    }
    clean.take(limit.saturating_sub(1)).chain(['…']).collect()
}
