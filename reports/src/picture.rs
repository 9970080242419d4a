//! A drawing as a list of shapes, painted by plotters as SVG and as PNG.
//!
//! Plots place their shapes themselves, in half pixels and with integers: what plotters' own
//! charts would compute with the platform's logarithms never reaches a coordinate, and an SVG and
//! a PNG show exactly the same.

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
    /// A filled surface.
    Surface {
        /// Its corners, around it.
        corners: Vec<Place>,
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
    /// What marks a point of a series; every series colour has a form of its own.
    Marker {
        /// Its centre.
        at: Place,
        /// The series.
        series: usize,
        /// Its colour.
        ink: Ink,
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

/// What a stretch of a drawing belongs to. In a file that makes no difference; the page shows or
/// hides each as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The drawing.
    Whole,
    /// One run, in axes that several share.
    OfRun(usize),
    /// One run's own axes.
    Panel {
        /// How many panels stand above it.
        place: usize,
        /// The run.
        run: usize,
    },
    /// What stands below all panels.
    Foot,
    /// One run's entry in the legend.
    Entry(usize),
    /// One run, and what there is to say where the pointer is on it.
    Said(usize, String),
}

impl Part {
    /// The group's start in SVG; `None`: it is no group.
    fn group(&self) -> Option<String> {
        match self {
            Part::Whole => None,
            Part::OfRun(run) => Some(format!("<g data-run=\"{run}\">")),
            Part::Panel { place, run } => {
                Some(format!("<g data-run=\"{run}\" data-panel=\"{place}\">"))
            }
            Part::Foot => Some("<g data-foot=\"\">".to_owned()),
            Part::Entry(run) => Some(format!("<g data-entry=\"{run}\">")),
            Part::Said(run, text) => {
                Some(format!("<g data-run=\"{run}\" data-say=\"{}\">", escape(text)))
            }
        }
    }
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
    /// From which shape on they belong to what; before the first to the whole.
    parts: Vec<(usize, Part)>,
}

impl Picture {
    /// An empty picture as wide as all are.
    pub fn new(height: i32) -> Picture {
        Picture { width: theme::WIDTH, height, shapes: Vec::new(), parts: Vec::new() }
    }

    /// What is added from now on belongs to this part.
    pub fn begin(&mut self, part: Part) {
        if self.parts.last().is_none_or(|(_, last)| *last != part) {
            self.parts.push((self.shapes.len(), part));
        }
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

    /// Marks a point of a series.
    pub fn mark(&mut self, at: Place, series: usize) {
        self.marker(at, series, Ink::Series(series));
    }

    /// The marker of a series in a colour of its own.
    pub fn marker(&mut self, at: Place, series: usize, ink: Ink) {
        self.shapes.push(Shape::Marker { at, series, ink });
    }

    /// Adds a thin line.
    pub fn rule(&mut self, from: Place, to: Place, ink: Ink) {
        self.shapes.push(Shape::Line { points: vec![from, to], ink, width: 2, dashes: &[] });
    }

    /// Adds a filled rectangle.
    pub fn area(&mut self, from: Place, to: Place, ink: Ink, opacity: u8) {
        self.shapes.push(Shape::Area { from, to, ink, opacity });
    }

    /// The SVG as a file of its own, with a white background and `title` for who does not see it.
    pub fn svg(&self, title: &str) -> Result<String, ReportError> {
        let svg = self.drawn(&self.shapes, true)?;
        // Sharp bends would reach far out of the line.
        let (width, height) = (self.width / 2, self.height / 2);
        let wanted = format!("width=\"{width}\" height=\"{height}\" stroke-linejoin=\"round\"");
        let drawn = format!("width=\"{}\" height=\"{}\"", self.width, self.height);
        let svg = svg.replacen(&drawn, &wanted, 1);
        Ok(svg.replacen('>', &format!("><title>{}</title>", escape(title)), 1))
    }

    /// The SVG to stand inside a page: its colours are CSS variables, `label` says what it is and
    /// `description` how to read it, for who does not see it.
    pub fn inline_svg(&self, label: &str, description: &str) -> Result<String, ReportError> {
        let mut svg = String::new();
        for (i, (part, shapes)) in self.stretches().into_iter().enumerate() {
            let drawn = self.drawn(shapes, i == 0)?;
            let start = drawn.find('>').map_or(0, |end| end + 1);
            let end = drawn.rfind("</svg>").unwrap_or(drawn.len());
            let group = part.group();
            svg.push_str(group.as_deref().unwrap_or_default());
            svg.push_str(drawn[start..end].trim());
            svg.push_str(if group.is_some() { "</g>" } else { "" });
        }
        // Between quotes only: in a text, quotes are escaped.
        for (name, light, _) in theme::COLOURS {
            svg = svg.replace(&format!("\"{}\"", theme::hex(light)), &format!("\"var(--{name})\""));
        }
        let (label, description) = (escape(label), escape(description));
        Ok(format!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{label}\" \
             stroke-linejoin=\"round\">\
             <title>{label}</title><desc>{description}</desc>{svg}</svg>",
            self.width, self.height
        ))
    }

    /// The parts with their shapes, in order.
    fn stretches(&self) -> Vec<(&Part, &[Shape])> {
        let begins = self.parts.iter().map(|(begin, part)| (*begin, part));
        let begins: Vec<_> = std::iter::once((0, &Part::Whole)).chain(begins).collect();
        let ends = begins.iter().skip(1).map(|(begin, _)| *begin).chain([self.shapes.len()]);
        let stretches = begins.iter().zip(ends);
        let all = stretches.map(|(&(begin, part), end)| (part, &self.shapes[begin..end]));
        all.filter(|(_, shapes)| !shapes.is_empty()).collect()
    }

    fn drawn(&self, shapes: &[Shape], on_paper: bool) -> Result<String, ReportError> {
        let mut svg = String::new();
        let backend = SVGBackend::with_string(&mut svg, self.size(1));
        paint(backend.into_drawing_area(), shapes, Target::Vector, on_paper)?;
        Ok(svg)
    }

    /// The PNG as a file of its own, with a white background, two pixels for each of the SVG.
    ///
    /// It is drawn at several times its size and averaged down, which smooths the edges that the
    /// bitmap backend leaves ragged.
    pub fn png(&self) -> Result<Vec<u8>, ReportError> {
        let failed = |e: png::EncodingError| ReportError::Drawing(e.to_string());
        let (width, height) = self.size(OVERSAMPLED);
        let mut large = vec![0; width as usize * height as usize * 3];
        let backend = BitMapBackend::with_buffer(&mut large, (width, height));
        paint(backend.into_drawing_area(), &self.shapes, Target::Bitmap, true)?;
        let small = averaged_down(&large, width as usize);
        let mut file = Vec::new();
        let (width, height) = self.size(1);
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        encoder.set_filter(png::FilterType::Sub);
        encoder.set_adaptive_filter(png::AdaptiveFilterType::Adaptive);
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&small).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(file)
    }

    fn size(&self, scale: i32) -> (u32, u32) {
        let scaled = |length: i32| u32::try_from(length * scale).unwrap_or(0);
        (scaled(self.width), scaled(self.height))
    }
}

/// Paints shapes, on the paper if that is not there yet.
fn paint<B: DrawingBackend>(
    root: DrawingArea<B, Shift>,
    shapes: &[Shape],
    target: Target,
    on_paper: bool,
) -> Result<(), ReportError> {
    if !theme::register_fonts() {
        return Err(ReportError::Drawing("the embedded font cannot be read".to_owned()));
    }
    let failed = |e: DrawingAreaErrorKind<B::ErrorType>| ReportError::Drawing(e.to_string());
    if on_paper {
        root.fill(&colour(Ink::Paper)).map_err(failed)?;
    }
    for shape in shapes {
        paint_shape(&root, shape, target).map_err(failed)?;
    }
    root.present().map_err(failed)
}

/// How many times as large as its file a bitmap is drawn, in each direction.
const OVERSAMPLED: i32 = 2;

/// What is painted on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    /// SVG, which joins lines and centres texts by itself.
    Vector,
    /// A bitmap [`OVERSAMPLED`] times as large as the picture.
    Bitmap,
}

/// A bitmap of RGB pixels made smaller by [`OVERSAMPLED`], each pixel the mean of a square.
fn averaged_down(large: &[u8], width: usize) -> Vec<u8> {
    const { assert!(OVERSAMPLED == 2) };
    let mut small = Vec::with_capacity(large.len() / 4);
    for rows in large.chunks_exact(width * 3 * 2) {
        let (upper, lower) = rows.split_at(width * 3);
        for (u, l) in upper.chunks_exact(6).zip(lower.chunks_exact(6)) {
            let mean = |channel: usize| {
                let sum = u16::from(u[channel]) + u16::from(u[channel + 3]);
                let sum = sum + u16::from(l[channel]) + u16::from(l[channel + 3]);
                (sum / 4) as u8
            };
            small.extend([mean(0), mean(1), mean(2)]);
        }
    }
    small
}

fn colour(ink: Ink) -> RGBColor {
    let [r, g, b] = theme::COLOURS[ink.colour()].1;
    RGBColor(r, g, b)
}

fn paint_shape<B: DrawingBackend>(
    root: &DrawingArea<B, Shift>,
    shape: &Shape,
    target: Target,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    let scale = if target == Target::Bitmap { OVERSAMPLED } else { 1 };
    let place = |(x, y): Place| (x * scale, y * scale);
    match shape {
        &Shape::Area { from, to, ink, opacity } => {
            let style = colour(ink).mix(f64::from(opacity) / 100.0).filled();
            root.draw(&Rectangle::new([place(from), place(to)], style))
        }
        Shape::Surface { corners, ink, opacity } => {
            let style = colour(*ink).mix(f64::from(*opacity) / 100.0).filled();
            let corners: Vec<_> = corners.iter().map(|&corner| place(corner)).collect();
            root.draw(&Polygon::new(corners, style))
        }
        Shape::Line { points, ink, width, dashes } => {
            let width = *width * scale as u32;
            let style = colour(*ink).stroke_width(width);
            for stroke in strokes(points, dashes) {
                let stroke: Vec<_> = stroke.into_iter().map(place).collect();
                if target == Target::Vector {
                    root.draw(&PathElement::new(stroke, style))?;
                    continue;
                }
                // The bitmap backend's joints of thick lines can spill far out of the line, so
                // that every piece is a line of its own, with round joints.
                for pair in stroke.windows(2) {
                    root.draw(&PathElement::new(pair.to_vec(), style))?;
                }
                for &joint in stroke.iter().skip(1).take(stroke.len().saturating_sub(2)) {
                    root.draw(&Circle::new(joint, width / 2, style.filled()))?;
                }
            }
            Ok(())
        }
        &Shape::Marker { at, series, ink } => {
            let style = colour(ink).filled();
            let (x, y) = at;
            match theme::marker(series) {
                [] => root.draw(&Circle::new(place(at), 8 * scale as u32, style)),
                corners => {
                    let corners = corners.iter().map(|(dx, dy)| place((x + dx, y + dy)));
                    root.draw(&Polygon::new(corners.collect::<Vec<_>>(), style))
                }
            }
        }
        Shape::Text { at, text, ink, size, anchor, bold } => {
            let style = if *bold { FontStyle::Bold } else { FontStyle::Normal };
            let horizontal = match anchor {
                Anchor::Start => HPos::Left,
                Anchor::Middle => HPos::Center,
                Anchor::End => HPos::Right,
            };
            let size = *size * scale;
            let ink = colour(*ink);
            let style = TextStyle::from((theme::FONT, size, style).into_font())
                .color(&ink)
                .pos(Pos::new(horizontal, VPos::Center));
            let (x, y) = place(*at);
            // With ab_glyph a text's middle is an eighth of its size too high in a bitmap.
            let y = if target == Target::Bitmap { y + size / 8 } else { y };
            root.draw(&Text::new(text.as_str(), (x, y), style))
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
