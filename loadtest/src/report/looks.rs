//! What a backend looks like: the same colour, dash and mark in every chart.
//!
//! The colours began as Okabe's and Ito's, which the colour-blind tell apart, and were moved until
//! each stands out from the ground, light or dark, and from every other, to eyes of all kinds; the
//! tests below hold them to that. None is needed to read a chart: every backend has a dash and a
//! mark of its own as well, and its name beside its line.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::json::{Results, Role};

/// The rows that every report may have, in the order of the looks.
const KNOWN: [&str; 7] = ["threads", "mio", "may", "actix", "tokio", "tokio/http1", "floor"];

/// Colours on a light ground and on a dark one; the last two are for whoever else comes.
pub(super) const COLOURS: [(&str, &str); 9] = [
    ("#8f2f00", "#cc6a14"),
    ("#2f5fde", "#4a68ee"),
    ("#0f6058", "#35b987"),
    ("#a7399f", "#b486d6"),
    ("#3f95ea", "#86d2fa"),
    ("#bf864c", "#edc441"),
    ("#89889d", "#84747f"),
    ("#7d7000", "#ffff46"),
    ("#1a0f0a", "#b8fff4"),
];

/// The grounds.
pub(super) const GROUNDS: (&str, &str) = ("#ffffff", "#14171a");

/// What stands on them: text, what matters less, rules.
const INKS: [(&str, (&str, &str)); 3] = [
    ("ink", ("#16191d", "#eef1f4")),
    ("quiet", ("#4b5560", "#b3bcc5")),
    ("rule", ("#d5dae0", "#39414a")),
];

/// Lengths of dashes and gaps; the first line has none.
const DASHES: [&str; 9] =
    ["none", "14 6", "3 6", "14 5 3 5", "24 6", "8 5", "2 4", "20 5 3 5 3 5", "5 9"];

/// Marks around a point, each with a size that makes them look alike.
const MARKS: [&str; 9] = [
    "m-8-8h16v16h-16z",
    "m-9 0a9 9 0 0 0 18 0a9 9 0 0 0-18 0z",
    "m0-11l10 18h-20z",
    "m0-11l11 11l-11 11l-11-11z",
    "m0 11l10-18h-20z",
    "m-4-10h8v6h6v8h-6v6h-8v-6h-6v-8h6z",
    "m-10-4h20v8h-20z",
    "m-5-10h10l5 10l-5 10h-10l-5-10z",
    "m-10-10l10 5l10-5l-5 10l5 10l-10-5l-10 5l5-10z",
];

/// One of them: a place among the known, or after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Look(usize);

/// Who has which.
#[derive(Debug)]
pub(super) struct Looks<'r>(BTreeMap<&'r str, Look>);

impl Look {
    /// The class of its colour: `s0` for strokes, `f0` for fillings. Whoever is not known has one
    /// of those that are left.
    pub(super) fn colour(self) -> usize {
        let left = COLOURS.len() - KNOWN.len();
        if self.0 < KNOWN.len() { self.0 } else { KNOWN.len() + (self.0 - KNOWN.len()) % left }
    }

    /// The class of its dash: `d0`.
    pub(super) fn dash(self) -> usize {
        self.0 % DASHES.len()
    }

    /// Its mark, as what follows the moving of a path's pen to the point.
    pub(super) fn mark(self) -> &'static str {
        MARKS[self.0 % MARKS.len()]
    }
}

impl<'r> Looks<'r> {
    /// Those that everybody knows have theirs in every report; others in the order of the
    /// comparison.
    pub(super) fn of(results: &'r Results) -> Self {
        let mut looks = BTreeMap::new();
        let mut others = KNOWN.len()..;
        let asked = results.experiment.backends.iter().map(String::as_str);
        let measured = results.cells.iter().filter(|cell| cell.role != Role::Twin);
        for name in asked.chain(measured.map(|cell| cell.backend.as_str())) {
            let known = || KNOWN.iter().position(|known| *known == name);
            looks
                .entry(name)
                .or_insert_with(|| Look(known().or_else(|| others.next()).unwrap_or(0)));
        }
        Self(looks)
    }

    /// What this backend looks like.
    pub(super) fn look(&self, backend: &str) -> Look {
        self.0.get(backend).copied().unwrap_or(Look(KNOWN.len()))
    }
}

/// The part of the style sheet that gives the classes their looks.
pub(super) fn style_sheet() -> String {
    let mut style = String::new();
    // A String can always be written to.
    for place in 0..COLOURS.len() {
        let _ = writeln!(
            style,
            ".s{place} {{ stroke: var(--c{place}); }} .f{place} {{ fill: var(--c{place}); }}"
        );
    }
    for (place, dashes) in DASHES.iter().enumerate() {
        let _ = writeln!(style, ".d{place} {{ stroke-dasharray: {dashes}; }}");
    }
    style
}

/// The colours as variables, for one of the two grounds.
pub(super) fn variables(dark: bool) -> String {
    let one = |(light, of_dark): (&'static str, &'static str)| if dark { of_dark } else { light };
    let colours = COLOURS.into_iter().enumerate();
    let colours = colours.map(|(place, pair)| format!("--c{place}: {}", one(pair)));
    let ground = format!("--ground: {}", one(GROUNDS));
    let inks = INKS.into_iter().map(|(name, pair)| format!("--{name}: {}", one(pair)));
    [ground].into_iter().chain(inks).chain(colours).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::example;

    type Colour = [f64; 3];

    /// What eyes without one of the three kinds of cones see, and what all others do: matrices on
    /// linear RGB (Machado, Oliveira and Fernandes 2009, of severity 1).
    const EYES: [(&str, [Colour; 3]); 4] = [
        ("all cones", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
        (
            "protanopia",
            [
                [0.152_286, 1.052_583, -0.204_868],
                [0.114_503, 0.786_281, 0.099_216],
                [-0.003_882, -0.048_116, 1.051_998],
            ],
        ),
        (
            "deuteranopia",
            [
                [0.367_322, 0.860_646, -0.227_968],
                [0.280_085, 0.672_501, 0.047_413],
                [-0.011_820, 0.042_940, 0.968_881],
            ],
        ),
        (
            "tritanopia",
            [
                [1.255_528, -0.076_749, -0.178_779],
                [-0.078_411, 0.930_809, 0.147_602],
                [0.004_733, 0.691_367, 0.303_900],
            ],
        ),
    ];

    fn linear(hexadecimal: &str) -> Colour {
        [1, 3, 5].map(|from| {
            let byte = u8::from_str_radix(&hexadecimal[from..from + 2], 16).expect("two digits");
            let value = f64::from(byte) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        })
    }

    fn times(matrix: &[Colour; 3], colour: Colour) -> Colour {
        matrix.map(|row| row.iter().zip(colour).map(|(a, b)| a * b).sum())
    }

    /// WCAG 2.2's contrast ratio.
    fn contrast(a: &str, b: &str) -> f64 {
        let luminance = |colour: &str| {
            let [red, green, blue] = linear(colour);
            0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05
        };
        let (a, b) = (luminance(a), luminance(b));
        a.max(b) / a.min(b)
    }

    /// The distance of two colours in Oklab, in which equal distances look equal (Ottosson 2020).
    fn distance(a: Colour, b: Colour) -> f64 {
        let oklab = |colour: Colour| {
            let cones = [
                [0.412_221_470_8, 0.536_332_536_3, 0.051_445_992_9],
                [0.211_903_498_2, 0.680_699_545_1, 0.107_396_956_6],
                [0.088_302_461_9, 0.281_718_837_6, 0.629_978_700_5],
            ];
            let lab = [
                [0.210_454_255_3, 0.793_617_785_0, -0.004_072_046_8],
                [1.977_998_495_1, -2.428_592_205_0, 0.450_593_709_9],
                [0.025_904_037_1, 0.782_771_766_2, -0.808_675_766_0],
            ];
            times(&lab, times(&cones, colour.map(|value| value.clamp(0.0, 1.0))).map(f64::cbrt))
        };
        let (a, b) = (oklab(a), oklab(b));
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    }

    #[test]
    fn every_colour_stands_out_from_its_ground() {
        for (light, dark) in COLOURS {
            // WCAG 2.2, 1.4.11: what is needed to understand a graphic has 3 to 1.
            assert!(contrast(light, GROUNDS.0) >= 3.0, "{light}");
            assert!(contrast(dark, GROUNDS.1) >= 3.0, "{dark}");
        }
    }

    #[test]
    fn no_two_colours_look_alike_to_anybody() {
        for (eyes, matrix) in &EYES {
            for (a, one) in COLOURS.iter().enumerate() {
                for other in &COLOURS[..a] {
                    for (one, other) in [(one.0, other.0), (one.1, other.1)] {
                        let seen = |colour| times(matrix, linear(colour));
                        let apart = distance(seen(one), seen(other));
                        assert!(apart > 0.09, "{one} and {other} with {eyes}: {apart:.3}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_backend_looks_the_same_in_every_report() {
        let few = example(1, &[("tokio", 8.0)]);
        let more = example(1, &[("nginx", 5.0), ("threads", 9.0), ("caddy", 7.0), ("tokio", 8.0)]);
        let (few, more) = (Looks::of(&few), Looks::of(&more));
        assert_eq!(few.look("tokio"), more.look("tokio"));
        let all: Vec<Look> =
            ["threads", "tokio", "nginx", "caddy"].map(|name| more.look(name)).to_vec();
        let apart: std::collections::BTreeSet<&Look> = all.iter().collect();
        assert_eq!(apart.len(), 4, "{all:?}");
    }
}
