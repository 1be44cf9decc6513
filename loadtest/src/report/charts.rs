//! The report's charts, as SVG that stands in the page.
//!
//! A backend has one colour everywhere, the class `b0`, `b1`, … that the page's style sheet
//! gives it. No chart needs its colours to be read: every bar and every line bears its name.
//! Letters are large, because a chart is read from the back row too.

use std::fmt::Write;

use crate::stats::Spread;

/// Bars stand side by side on the page and lines have its whole width, so that both are given
/// the size at which their letters come out alike.
const BARS_WIDTH: f64 = 640.0;
const LINES_WIDTH: f64 = 1200.0;
const BAR_STEP: f64 = 46.0;
const BAR_HEIGHT: f64 = 30.0;
/// Where bars begin, right of the names, and where the longest ends, left of its figure.
const BAR_LEFT: f64 = 176.0;
const BAR_RIGHT: f64 = 470.0;
const LINES_HEIGHT: f64 = 520.0;
/// The plot inside the line chart: left, right, top, bottom.
const PLOT: (f64, f64, f64, f64) = (120.0, 960.0, 24.0, 450.0);
const LABEL_STEP: f64 = 30.0;

/// A bar: a backend's name, its place among the colours, its figure.
#[derive(Debug)]
pub(super) struct Bar<'r> {
    pub(super) name: &'r str,
    pub(super) place: usize,
    pub(super) spread: Spread,
}

/// A line: a backend's name, its place among the colours, its points.
#[derive(Debug)]
pub(super) struct Line<'r> {
    pub(super) name: &'r str,
    pub(super) place: usize,
    pub(super) points: Vec<Point>,
}

/// A point of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    /// Whether the server could have done more than this.
    pub(super) is_bound: bool,
}

/// Horizontal bars on one scale from zero, each with the range of its rounds.
pub(super) fn bars(label: &str, unit: &str, bars: &[Bar<'_>]) -> String {
    let most = bars.iter().map(|bar| bar.spread.greatest).fold(0.0, f64::max);
    let x = |value: f64| BAR_LEFT + (BAR_RIGHT - BAR_LEFT) * (value / most).clamp(0.0, 1.0);
    let height = BAR_STEP * bars.len() as f64 + 8.0;
    let mut svg = open(label, BARS_WIDTH, height);
    for (index, Bar { name, place, spread }) in bars.iter().enumerate() {
        let top = 8.0 + BAR_STEP * index as f64;
        let (middle, text) = (top + BAR_HEIGHT / 2.0, top + BAR_HEIGHT / 2.0 + 8.0);
        let (end, least, greatest) = (x(spread.median), x(spread.least), x(spread.greatest));
        let _ = write!(
            svg,
            "<text x='{:.0}' y='{text:.0}' text-anchor='end'>{}</text>\
             <rect class='b{place}' x='{BAR_LEFT:.0}' y='{top:.0}' width='{:.1}' \
             height='{BAR_HEIGHT:.0}' rx='3'/>",
            BAR_LEFT - 14.0,
            escape(name),
            (end - BAR_LEFT).max(1.0),
        );
        if greatest > least {
            let _ = write!(svg, "<path class='range' d='M{least:.1} {middle:.1}H{greatest:.1}'/>");
        }
        let _ = write!(
            svg,
            "<text x='{:.0}' y='{text:.0}' class='value'>{} {}</text>",
            greatest.max(end) + 12.0,
            short(spread.median),
            escape(unit),
        );
    }
    svg + "</svg>"
}

/// Lines over a logarithmic axis of connections; hollow points mark what is client-bound.
pub(super) fn lines(label: &str, lines: &[Line<'_>]) -> String {
    let points = || lines.iter().flat_map(|line| &line.points);
    let most = nice_ceiling(points().map(|point| point.y).fold(0.0, f64::max));
    let first = points().map(|point| point.x).fold(f64::INFINITY, f64::min);
    let last = points().map(|point| point.x).fold(1.0, f64::max);
    let (left, right, top, bottom) = PLOT;
    // A comparison at one number of connections has its points in the middle.
    let across = |x: f64| if last > first { (x / first).ln() / (last / first).ln() } else { 0.5 };
    let at = |point: &Point| {
        let x = left + (right - left) * across(point.x);
        (x, bottom - (bottom - top) * point.y / most)
    };
    let mut svg = open(label, LINES_WIDTH, LINES_HEIGHT);
    axes(&mut svg, most, points(), at);
    for line in lines {
        let path: Vec<String> = line
            .points
            .iter()
            .map(|point| format!("{:.1} {:.1}", at(point).0, at(point).1))
            .collect();
        let place = line.place;
        let _ = write!(svg, "<path class='line s{place}' d='M{}'/>", path.join("L"));
        for point in &line.points {
            let (x, y) = at(point);
            let fill = if point.is_bound { "hollow" } else { "solid" };
            let _ = write!(
                svg,
                "<circle class='{fill} s{place} b{place}' cx='{x:.1}' cy='{y:.1}' r='7'/>"
            );
        }
    }
    for (line, y) in spread_labels(lines, |point| at(point).1) {
        let name = escape(line.name);
        let _ = write!(
            svg,
            "<rect class='b{}' x='{:.0}' y='{:.1}' width='14' height='14' rx='3'/>\
             <text x='{:.0}' y='{:.1}'>{name}</text>",
            line.place,
            right + 18.0,
            y - 7.0,
            right + 40.0,
            y + 8.0
        );
    }
    svg + "</svg>"
}

fn axes<'p>(
    svg: &mut String,
    most: f64,
    points: impl Iterator<Item = &'p Point>,
    at: impl Fn(&Point) -> (f64, f64),
) {
    let (left, right, top, bottom) = PLOT;
    for quarter in 0..=4 {
        let value = most * f64::from(quarter) / 4.0;
        let y = bottom - (bottom - top) * f64::from(quarter) / 4.0;
        let _ = write!(
            svg,
            "<path class='grid' d='M{left:.0} {y:.1}H{right:.0}'/>\
             <text x='{:.0}' y='{:.1}' text-anchor='end' class='axis'>{}</text>",
            left - 12.0,
            y + 7.0,
            short(value)
        );
    }
    let mut ticks: Vec<Point> = points.copied().collect();
    ticks.sort_by(|a, b| a.x.total_cmp(&b.x));
    ticks.dedup_by(|a, b| a.x.total_cmp(&b.x).is_eq());
    for tick in ticks {
        let _ = write!(
            svg,
            "<text x='{:.1}' y='{:.0}' text-anchor='middle' class='axis'>{}</text>",
            at(&tick).0,
            bottom + 30.0,
            thousands(tick.x)
        );
    }
    let _ = write!(
        svg,
        "<text x='{:.0}' y='{:.0}' text-anchor='middle' class='axis'>connections</text>",
        f64::midpoint(left, right),
        bottom + 60.0
    );
}

/// Where each line's name goes: at the line's end, moved down where names would overlap.
fn spread_labels<'l, 'r>(
    lines: &'l [Line<'r>],
    y: impl Fn(&Point) -> f64,
) -> Vec<(&'l Line<'r>, f64)> {
    let mut labels: Vec<_> =
        lines.iter().filter_map(|line| Some((line, y(line.points.last()?)))).collect();
    labels.sort_by(|a, b| a.1.total_cmp(&b.1));
    let count = labels.len() as f64;
    // The lowest place from which the names that follow still fit above the axis.
    let (_, _, top, bottom) = PLOT;
    let mut next = top;
    for (index, (_, y)) in labels.iter_mut().enumerate() {
        let lowest = bottom - LABEL_STEP * (count - 1.0 - index as f64);
        *y = y.min(lowest).max(next);
        next = *y + LABEL_STEP;
    }
    labels
}

fn open(label: &str, width: f64, height: f64) -> String {
    format!("<svg viewBox='0 0 {width:.0} {height:.0}' role='img' aria-label='{}'>", escape(label))
}

/// Three significant digits, with separated thousands.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => thousands(value),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.2}"),
    }
}

/// A whole number with its thousands apart.
pub(super) fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("-{text}") } else { text }
}

/// The least of 1, 2, 4, 6, 8 times a power of ten that is no less.
fn nice_ceiling(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|top| *top >= value).unwrap_or(value)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(short(0.0), "0");
        assert_eq!(short(6.234), "6.23");
        assert_eq!(short(123.4), "123");
        assert_eq!(short(157_284.4), "157,284");
        assert_eq!(thousands(1_000_000.0), "1,000,000");
        assert_eq!(thousands(-1_234.0), "-1,234");
    }

    #[test]
    fn an_axis_ends_at_a_round_number() {
        assert_eq!(
            [0.0, 0.7, 1.0, 130.0, 9_500.0].map(nice_ceiling).map(short),
            ["1.00", "0.80", "1.00", "200", "10,000"]
        );
    }

    #[test]
    fn names_of_lines_never_overlap() {
        let line = |place| Line {
            name: "x",
            place,
            points: vec![Point { x: 1.0, y: 440.0, is_bound: false }],
        };
        let lines: Vec<Line<'_>> = (0..7).map(line).collect();
        let labels = spread_labels(&lines, |point| point.y);
        for pair in labels.windows(2) {
            assert!(pair[1].1 - pair[0].1 >= LABEL_STEP, "{labels:?}");
        }
        assert!(labels.iter().all(|(_, y)| *y <= PLOT.3), "{labels:?}");
    }

    #[test]
    fn what_is_written_into_a_chart_stays_text() {
        let spread = Spread { median: 1.0, least: 1.0, greatest: 1.0 };
        let svg = bars("'<a>", "µs", &[Bar { name: "<b>&", place: 0, spread }]);
        assert!(svg.contains("&lt;b&gt;&amp;") && svg.contains("&#39;&lt;a&gt;"), "{svg}");
        assert!(!svg.contains("<a>") && !svg.contains("<b>"), "{svg}");
    }
}
