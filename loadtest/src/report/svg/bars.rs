//! Horizontal bars on one scale from zero.

use std::fmt::Write;

use super::{LETTERS, open, shortened, write_text};
use crate::report::looks::Look;
use crate::stats::Spread;

const WIDTH: f64 = 1200.0;
const STEP: f64 = 50.0;
const HEIGHT: f64 = 34.0;
/// Where bars begin, right of the names, and where the longest ends, left of what it says.
const LEFT: f64 = 220.0;
const RIGHT: f64 = 700.0;

/// A bar: whose it is, what it says, how long it is.
#[derive(Debug)]
pub(in crate::report) struct Bar {
    pub(in crate::report) name: String,
    pub(in crate::report) value: String,
    pub(in crate::report) look: Look,
    pub(in crate::report) spread: Spread,
    pub(in crate::report) is_hollow: bool,
}

/// The bars under one another, each with the range of its rounds.
pub(in crate::report) fn bars(title: &str, description: &str, bars: &[Bar]) -> String {
    let most = bars.iter().map(|bar| bar.spread.greatest).fold(f64::MIN_POSITIVE, f64::max);
    let x = |value: f64| LEFT + (RIGHT - LEFT) * (value / most).clamp(0.0, 1.0);
    let mut svg = open(title, description, WIDTH, STEP * bars.len() as f64 + 8.0);
    for (index, Bar { name, value, look, spread, is_hollow }) in bars.iter().enumerate() {
        let top = 8.0 + STEP * index as f64;
        let (middle, text) = (top + HEIGHT / 2.0, top + HEIGHT / 2.0 + LETTERS / 3.0);
        let (end, least, greatest) = (x(spread.median), x(spread.least), x(spread.greatest));
        let name = shortened(name, LEFT - 20.0);
        write_text(&mut svg, (LEFT - 14.0, text), "end", &name);
        let (colour, length) = (look.colour(), (end - LEFT).max(1.0));
        let class = if *is_hollow { format!("hollow s{colour}") } else { format!("f{colour}") };
        // A String can always be written to.
        let _ = write!(
            svg,
            "<rect class='{class}' x='{LEFT:.0}' y='{top:.0}' width='{length:.1}' \
             height='{HEIGHT:.0}' rx='3'/>",
        );
        if greatest - least > 1.0 {
            let _ = write!(
                svg,
                "<path class='spread' d='M{least:.1} {middle:.1}H{greatest:.1}\
                 M{least:.1} {:.1}v14M{greatest:.1} {:.1}v14'/>",
                middle - 7.0,
                middle - 7.0
            );
        }
        let left = greatest.max(end) + 14.0;
        let value = shortened(value, WIDTH - left);
        write_text(&mut svg, (left, text), "value", &value);
    }
    svg + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::example;
    use crate::report::looks::Looks;

    #[test]
    fn a_bar_bears_its_name_its_figure_and_its_range() {
        let results = example(1, &[("mio", 6.0)]);
        let look = Looks::of(&results).look("mio");
        let spread = Spread { median: 6.0, least: 5.0, greatest: 7.0 };
        let bar = Bar {
            name: "mio".to_owned(),
            value: "6.00 µs".to_owned(),
            look,
            spread,
            is_hollow: false,
        };
        let svg = bars("CPU", "one bar", &[bar]);
        assert!(svg.contains(">mio</text>") && svg.contains(">6.00 µs</text>"), "{svg}");
        assert_eq!(svg.matches("class='spread'").count(), 1, "{svg}");
    }
}
