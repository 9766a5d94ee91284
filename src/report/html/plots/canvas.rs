//! A drawing with one axis below it: values become pixels here, and nowhere else.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::element::Drawable;
use plotters::element::PointCollection;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::report::html::palette::{Colour, MUTED, RULE};

/// How wide every plot is drawn; the page scales it.
pub(super) const WIDTH: i32 = 480;
/// The size of letters.
const LETTERS: f64 = 13.0;
/// What plotters divides sizes by.
const EM: f64 = 1.24;

type Pixel = (i32, i32);

/// How much room is left around the values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Margins {
    pub(super) left: i32,
    pub(super) right: i32,
    pub(super) top: i32,
    pub(super) bottom: i32,
}

/// How dense a colour is laid on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    pub(super) colour: Colour,
    pub(super) alpha: f64,
}

impl From<Colour> for Paint {
    fn from(colour: Colour) -> Self {
        Self { colour, alpha: 1.0 }
    }
}

impl Colour {
    /// Thin, so that what lies below is seen.
    pub(super) fn at(self, alpha: f64) -> Paint {
        Paint {
            colour: self,
            alpha,
        }
    }
}

impl Paint {
    fn style(self, filled: bool, width: u32) -> ShapeStyle {
        let color = self.colour.drawn().mix(self.alpha);
        ShapeStyle {
            color,
            filled,
            stroke_width: width,
        }
    }
}

/// Draws; the same values are at the same place all the time.
pub(super) struct Canvas<'a> {
    whole: DrawingArea<SVGBackend<'a>, Shift>,
    values: DrawingArea<SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>,
    inside: (Range<i32>, Range<i32>),
}

/// A drawing of `height` with values in `across` from left to right and in `down` from top to
/// bottom.
pub(super) fn svg(
    height: i32,
    margins: Margins,
    across: Range<f64>,
    down: Range<f64>,
    draw: impl FnOnce(&Canvas<'_>),
) -> String {
    let mut text = String::new();
    let size = (WIDTH.unsigned_abs(), height.unsigned_abs());
    let whole = SVGBackend::with_string(&mut text, size).into_drawing_area();
    let inside = (
        margins.left..WIDTH - margins.right,
        margins.top..height - margins.bottom,
    );
    let system = Cartesian2d::new(across, down, inside.clone());
    let canvas = Canvas {
        values: whole.apply_coord_spec(system),
        whole,
        inside,
    };
    draw(&canvas);
    canvas
        .whole
        .present()
        .expect("a string takes all that is drawn");
    drop(canvas);
    text
}

impl<'a> Canvas<'a> {
    /// Where a value is.
    pub(super) fn at(&self, value: (f64, f64)) -> Pixel {
        self.values.map_coordinate(&value)
    }

    /// From where to where values are drawn, in pixels.
    pub(super) fn inside(&self) -> (Range<i32>, Range<i32>) {
        self.inside.clone()
    }

    /// A mark with its label for each of `ticks`, across the whole height.
    pub(super) fn axis(&self, ticks: impl Iterator<Item = (f64, String)>) {
        let bottom = self.inside.1.end;
        for (value, label) in ticks {
            let (x, _) = self.at((value, 0.0));
            self.line([(x, self.inside.1.start), (x, bottom)], 1, RULE);
            self.text((x, bottom + 14), HPos::Center, &label, MUTED);
        }
    }

    /// A label beside the values, for what is at `y`.
    pub(super) fn label(&self, y: i32, text: &str, colour: Colour) {
        self.text((self.inside.0.start - 10, y), HPos::Right, text, colour);
    }

    /// Text, as high as its middle is.
    pub(super) fn text(&self, at: Pixel, side: HPos, text: &str, colour: Colour) {
        let colour = colour.drawn();
        let style = TextStyle::from(("sans-serif", LETTERS * EM).into_font())
            .color(&colour)
            .pos(Pos::new(side, VPos::Center));
        self.draw(&Text::new(text, at, style));
    }

    /// Through all `points`.
    pub(super) fn line(
        &self,
        points: impl IntoIterator<Item = Pixel>,
        width: u32,
        paint: impl Into<Paint>,
    ) {
        let points: Vec<Pixel> = points.into_iter().collect();
        self.draw(&PathElement::new(points, paint.into().style(false, width)));
    }

    /// From one corner to the other.
    pub(super) fn block(&self, corners: [Pixel; 2], paint: impl Into<Paint>) {
        self.draw(&Rectangle::new(corners, paint.into().style(true, 0)));
    }

    /// A full disc.
    pub(super) fn dot(&self, at: Pixel, radius: i32, paint: impl Into<Paint>) {
        self.draw(&Circle::new(at, radius, paint.into().style(true, 0)));
    }

    /// An empty circle.
    pub(super) fn ring(&self, at: Pixel, radius: i32, paint: impl Into<Paint>) {
        self.draw(&Circle::new(at, radius, paint.into().style(false, 2)));
    }

    fn draw<'e, E>(&self, element: &'e E)
    where
        &'e E: PointCollection<'e, Pixel>,
        E: Drawable<SVGBackend<'a>>,
    {
        let drawn = self.whole.draw(element);
        drawn.expect("a string takes all that is drawn");
    }
}
