//! The colours of a page, by light and by dark. Plots are drawn in those of the light one; a rule of
//! the style sheet for each turns them into whatever the reader's scheme wants.

use std::fmt::Write;

use plotters::style::RGBColor;

/// A colour with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colour {
    /// Its name in the style sheet.
    pub(super) name: &'static str,
    light: [u8; 3],
    dark: [u8; 3],
}

impl Colour {
    const fn new(name: &'static str, light: u32, dark: u32) -> Self {
        Self {
            name,
            light: bytes(light),
            dark: bytes(dark),
        }
    }

    /// What plots are drawn in.
    pub(super) fn drawn(self) -> RGBColor {
        let [red, green, blue] = self.light;
        RGBColor(red, green, blue)
    }
}

const fn bytes(rgb: u32) -> [u8; 3] {
    let [_, red, green, blue] = rgb.to_be_bytes();
    [red, green, blue]
}

/// The page itself.
const PAPER: Colour = Colour::new("paper", 0xFFFFFF, 0x0F141A);
/// What is set apart on it.
const RAISED: Colour = Colour::new("raised", 0xF5F7F9, 0x181F27);
/// Text.
pub(super) const INK: Colour = Colour::new("ink", 0x1B232C, 0xE8EDF2);
/// Text that steps back.
pub(super) const MUTED: Colour = Colour::new("muted", 0x5A6673, 0x9AA7B4);
/// Lines between things.
pub(super) const RULE: Colour = Colour::new("rule", 0xDCE1E6, 0x2C3641);
/// What has to be seen first.
const ALERT: Colour = Colour::new("alert", 0x9A4B00, 0xFFB35C);
/// A target over again.
const CONTROL: Colour = Colour::new("control", 0x77808A, 0x8E99A4);
/// The walls.
const WALLS: [(&str, Colour); 3] = [
    ("process", Colour::new("process", 0x0067B1, 0x5CB3F5)),
    ("container", Colour::new("container", 0xC2540A, 0xFF9A55)),
    ("vm", Colour::new("vm", 0x007F5F, 0x3CCFA0)),
];
/// Targets that have no colour of their own.
const OTHERS: [Colour; 4] = [
    Colour::new("other-a", 0xA33E7F, 0xEC8FC6),
    Colour::new("other-b", 0x7A6400, 0xE0C34A),
    Colour::new("other-c", 0x5E4DB8, 0xAEA3F7),
    Colour::new("other-d", 0x4E6A00, 0xA9CF4D),
];

/// The colour of the target at `place` of all, unlike that of every other where there are few.
pub(super) fn of_target(name: &str, place: usize, is_control: bool) -> Colour {
    match WALLS.iter().find(|(wall, _)| *wall == name) {
        _ if is_control => CONTROL,
        Some((_, colour)) => *colour,
        None => OTHERS[place % OTHERS.len()],
    }
}

fn all() -> impl Iterator<Item = Colour> {
    let page = [PAPER, RAISED, INK, MUTED, RULE, ALERT, CONTROL];
    let walls = WALLS.map(|(_, colour)| colour);
    page.into_iter().chain(walls).chain(OTHERS)
}

/// The style sheet's part about colours.
pub(super) fn style() -> String {
    let variables = |shade: fn(Colour) -> [u8; 3]| {
        let one = |colour: Colour| format!("--{}:{};", colour.name, hex(shade(colour)));
        all().map(one).collect::<String>()
    };
    let light = variables(|colour| colour.light);
    let dark = variables(|colour| colour.dark);
    let mut text = format!(
        ":root{{color-scheme:light dark;{light}}}\n\
         @media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
    );
    for colour in all() {
        let (drawn, name) = (hex(colour.light), colour.name);
        for property in ["fill", "stroke"] {
            let rule = format!(".plot [{property}=\"{drawn}\"]{{{property}:var(--{name})}}");
            let _ = writeln!(text, "{rule}");
        }
    }
    text
}

/// As plotters writes it.
fn hex([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2.2, relative luminance.
    fn luminance(colour: [u8; 3]) -> f64 {
        let linear = colour.map(|part| match f64::from(part) / 255.0 {
            part if part <= 0.04045 => part / 12.92,
            part => ((part + 0.055) / 1.055).powf(2.4),
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    /// WCAG 2.2, contrast ratio.
    fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// Of `colour` on all that it stands on, the least.
    fn least(colour: Colour) -> f64 {
        let on = |page: Colour| {
            let light = contrast(colour.light, page.light);
            light.min(contrast(colour.dark, page.dark))
        };
        on(PAPER).min(on(RAISED))
    }

    #[test]
    fn text_is_readable_in_light_and_in_dark() {
        for text in [INK, MUTED, ALERT] {
            assert!(least(text) >= 4.5, "{}: {}", text.name, least(text));
        }
    }

    #[test]
    fn marks_are_seen_in_light_and_in_dark() {
        let walls = WALLS.map(|(_, colour)| colour);
        for mark in walls.into_iter().chain(OTHERS).chain([CONTROL]) {
            assert!(least(mark) >= 3.0, "{}: {}", mark.name, least(mark));
        }
    }

    #[test]
    fn no_colour_is_drawn_for_another() {
        let mut drawn: Vec<_> = all().map(|colour| colour.light).collect();
        let count = drawn.len();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), count);
    }
}
