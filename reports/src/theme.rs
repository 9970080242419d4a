//! Colours, line styles, sizes and the font: once, for every plot and the page.
//!
//! Pictures are measured in half pixels, so that a PNG drawn unit by unit is sharp on a dense
//! screen. The series colours are those of Okabe and Ito (2008) without the two yellow ones, told
//! apart with any of the common colour blindnesses, a little darker on white and lighter on black.
//! Each has a marker of its own; together with four dash patterns they tell 24 lines apart. In the
//! page a colour is a CSS variable, so that one drawing serves light and dark.
//!
//! **Source.** The font is Inter, subset; `fonts/LICENSE.txt`.

use plotters::style::{FontStyle, register_font};

/// Name of the embedded font, with what a browser may take instead.
pub const FONT: &str = "Inter, sans-serif";
/// Size of a picture's title (in the unit of `size` attributes: 1.24 times the em).
pub const TITLE_SIZE: i32 = 36;
/// Size of all other text.
pub const TEXT_SIZE: i32 = 29;
/// Width of a picture.
pub const WIDTH: i32 = 1_840;
/// Width of a series' line.
pub const LINE_WIDTH: u32 = 4;

/// What something is drawn in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// The background.
    Paper,
    /// Titles and labels.
    Text,
    /// Axis titles and ticks.
    Muted,
    /// Grid lines.
    Grid,
    /// The shade of a fault's span.
    Fault,
    /// The name of a fault, and the line of one that has only a moment.
    FaultName,
    /// A series; any number, the colours repeat with another dash pattern.
    Series(usize),
}

/// Every colour: CSS variable, in light, in dark. Series colours are the last six.
pub const COLOURS: [(&str, [u8; 3], [u8; 3]); 12] = [
    ("paper", [0xFF, 0xFF, 0xFE], [0x16, 0x19, 0x1D]),
    ("text", [0x1C, 0x21, 0x28], [0xE6, 0xE8, 0xEB]),
    ("muted", [0x5A, 0x63, 0x70], [0xA3, 0xAC, 0xB8]),
    ("grid", [0xDF, 0xE3, 0xE8], [0x33, 0x39, 0x41]),
    ("fault", [0xB9, 0xA0, 0x86], [0x8A, 0x73, 0x5C]),
    ("fault-name", [0x7A, 0x50, 0x22], [0xDD, 0xB8, 0x8B]),
    ("series-0", [0x00, 0x6F, 0xB0], [0x58, 0xB4, 0xF2]),
    ("series-1", [0xC0, 0x4F, 0x00], [0xFF, 0x8E, 0x4D]),
    ("series-2", [0x00, 0x85, 0x60], [0x3A, 0xCF, 0xA2]),
    ("series-3", [0xA9, 0x4F, 0x84], [0xE8, 0x9F, 0xCA]),
    ("series-4", [0x3D, 0x44, 0x50], [0xD0, 0xD5, 0xDC]),
    ("series-5", [0x3B, 0x98, 0xD1], [0x9B, 0xD4, 0xF7]),
];
/// How many colours series have.
pub const SERIES: usize = 6;

impl Ink {
    /// Index into [`COLOURS`].
    pub fn colour(self) -> usize {
        match self {
            Ink::Paper => 0,
            Ink::Text => 1,
            Ink::Muted => 2,
            Ink::Grid => 3,
            Ink::Fault => 4,
            Ink::FaultName => 5,
            Ink::Series(n) => COLOURS.len() - SERIES + n % SERIES,
        }
    }
}

/// The number of the series that has the colour of `colour` and dash pattern `dashes`.
pub fn style(colour: usize, dashes: usize) -> usize {
    colour % SERIES + dashes * SERIES
}

/// The corners of the marker of series `n`, around its centre; none: a dot.
pub fn marker(n: usize) -> &'static [(i32, i32)] {
    match n % SERIES {
        0 => &[],
        1 => &[(-8, -8), (8, -8), (8, 8), (-8, 8)],
        2 => &[(0, -10), (10, 8), (-10, 8)],
        3 => &[(0, -11), (11, 0), (0, 11), (-11, 0)],
        4 => &[(0, 10), (10, -8), (-10, -8)],
        _ => &[
            (-4, -11),
            (4, -11),
            (4, -4),
            (11, -4),
            (11, 4),
            (4, 4),
            (4, 11),
            (-4, 11),
            (-4, 4),
            (-11, 4),
            (-11, -4),
            (-4, -4),
        ],
    }
}

/// The dash pattern of series `n`: lengths of line and gap in turn; empty for a solid line.
pub fn dashes(n: usize) -> &'static [u32] {
    match n / SERIES % 4 {
        0 => &[],
        1 => &[18, 10],
        2 => &[5, 8],
        _ => &[24, 8, 5, 8],
    }
}

/// A colour as plotters' SVG writes it.
pub fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02X}{g:02X}{b:02X}")
}

/// The CSS that declares every colour, light and dark.
pub fn css_variables() -> String {
    let declare = |name: &str, colour| format!("--{name}:{};", hex(colour));
    let light: String = COLOURS.iter().map(|c| declare(c.0, c.1)).collect();
    let dark: String = COLOURS.iter().map(|c| declare(c.0, c.2)).collect();
    format!(
        ":root{{color-scheme:light dark;{light}}}@media screen and (prefers-color-scheme:dark)\
         {{:root{{{dark}}}}}"
    )
}

/// Makes the embedded font known to plotters. Any number of times.
pub fn register_fonts() -> bool {
    let regular = include_bytes!("../fonts/Inter-Regular-subset.otf");
    let bold = include_bytes!("../fonts/Inter-SemiBold-subset.otf");
    register_font(FONT, FontStyle::Normal, regular).is_ok()
        && register_font(FONT, FontStyle::Bold, bold).is_ok()
}
