//! Lines over an axis, each with its name at its end.

use std::fmt::Write;

use super::axis::Axis;
use super::{LETTERS, escape, labels, open, shortened, width, write_text};
use crate::report::looks::Look;

/// How far apart the names of lines are.
const LABEL_STEP: f64 = 31.0;
/// From the plot to the names, and what stands before each.
const HAIR: f64 = 34.0;
const AFTER_SAMPLE: f64 = 10.0;
/// From the left side to the plot, but for the widest of the ticks there.
const BEFORE_PLOT: f64 = 24.0;
/// What is free between two ticks at least.
const TICK_GAP: f64 = 9.0;

/// A chart of lines.
#[derive(Debug)]
pub(in crate::report) struct Plot<'p> {
    pub(in crate::report) title: &'p str,
    pub(in crate::report) width: Width,
    pub(in crate::report) x: Axis,
    pub(in crate::report) y: Axis,
    pub(in crate::report) lines: Vec<Line>,
    /// What nothing can pass, if that is known: its points, and what it is called.
    pub(in crate::report) ceiling: Option<(Vec<(f64, f64)>, String)>,
}

/// Whether a chart takes the whole width of the page or half of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Width {
    Whole,
    Half,
}

/// A line: its name, what stands behind that, what it looks like, its points from left to right.
#[derive(Debug)]
pub(in crate::report) struct Line {
    pub(in crate::report) name: String,
    pub(in crate::report) value: String,
    pub(in crate::report) look: Look,
    pub(in crate::report) points: Vec<Point>,
}

/// A point of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::report) struct Point {
    pub(in crate::report) x: f64,
    pub(in crate::report) y: f64,
    /// The least and the greatest of what it is the median of.
    pub(in crate::report) range: (f64, f64),
    /// Whether it bears the mark of its line.
    pub(in crate::report) has_mark: bool,
    /// Whether the mark is hollow.
    pub(in crate::report) is_hollow: bool,
}

/// The sides of the plot in a chart.
#[derive(Clone, Copy)]
struct Frame {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// How long the sample of a line before its name is.
    sample: f64,
}

impl Width {
    /// The whole chart's width, where the plot ends, and how long the samples are.
    fn parts(self) -> (f64, f64, f64) {
        match self {
            Self::Whole => (1200.0, 800.0, 48.0),
            Self::Half => (680.0, 426.0, 24.0),
        }
    }
}

impl Point {
    /// With a mark, full, and nothing around it.
    pub(in crate::report) fn at(x: f64, y: f64) -> Self {
        Self { x, y, range: (y, y), has_mark: true, is_hollow: false }
    }
}

impl Plot<'_> {
    /// The chart; what can be seen in it is told in words as well.
    pub(in crate::report) fn draw(&self, description: &str) -> String {
        let frame = self.frame();
        let mut svg = open(self.title, description, frame.width, frame.height);
        self.draw_axes(&mut svg, frame);
        if let Some((points, _)) = &self.ceiling {
            self.draw_ceiling(&mut svg, frame, points);
        }
        for line in &self.lines {
            self.draw_line(&mut svg, frame, line);
        }
        self.draw_names(&mut svg, frame);
        svg + "</svg>"
    }

    fn frame(&self) -> Frame {
        let (width, right, sample) = self.width.parts();
        let (top, bottom, height) = (54.0, 472.0, 560.0);
        let widest = self.y.ticks.iter().map(|(_, text)| super::width(text)).fold(0.0, f64::max);
        Frame { width, height, left: widest + BEFORE_PLOT, right, top, bottom, sample }
    }

    fn place(&self, frame: Frame, x: f64, y: f64) -> (f64, f64) {
        let across = frame.left + (frame.right - frame.left) * self.x.part(x);
        (across, frame.bottom - (frame.bottom - frame.top) * self.y.part(y))
    }

    fn draw_axes(&self, svg: &mut String, frame: Frame) {
        let Frame { left, right, top, bottom, .. } = frame;
        let mut grid = String::new();
        for (value, text) in &self.y.ticks {
            let (_, y) = self.place(frame, 0.0, *value);
            // A String can always be written to.
            let _ = write!(grid, "M{left:.0} {y:.0}H{right:.0}");
            write_text(svg, (left - 14.0, y + LETTERS / 3.0), "axis end", text);
        }
        let mut ticks: Vec<(f64, &str)> = self
            .x
            .ticks
            .iter()
            .map(|(value, text)| (self.place(frame, *value, 0.0).0, text.as_str()))
            .collect();
        ticks.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (x, text) in with_room(&ticks) {
            let _ = write!(grid, "M{x:.0} {bottom:.0}v9");
            write_text(svg, (x, bottom + LETTERS + 12.0), "axis middle", text);
        }
        let _ = write!(svg, "<path class='grid' d='{grid}'/>");
        write_text(svg, (8.0, top - LETTERS), "axis", &self.y.name);
        let middle = f64::midpoint(left, right);
        write_text(svg, (middle, bottom + 2.0 * LETTERS + 24.0), "axis middle", &self.x.name);
    }

    fn draw_ceiling(&self, svg: &mut String, frame: Frame, points: &[(f64, f64)]) {
        let path = path(points.iter().map(|(x, y)| self.place(frame, *x, *y)));
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
        let (from, to) = (self.place(frame, first.0, 0.0).0, self.place(frame, last.0, 0.0).0);
        let top = frame.top;
        let _ = write!(
            svg,
            "<path class='beyond' d='{path}L{to:.0} {top:.0}H{from:.0}z'/>\
             <path class='ceiling' d='{path}'/>"
        );
    }

    fn draw_line(&self, svg: &mut String, frame: Frame, line: &Line) {
        let (colour, dash) = (line.look.colour(), line.look.dash());
        let at = |point: &Point| self.place(frame, point.x, point.y);
        if line.points.len() > 1 {
            let path = path(line.points.iter().map(at));
            let _ = write!(svg, "<path class='line s{colour} d{dash}' d='{path}'/>");
        }
        let (mut full, mut hollow, mut ranges) = (String::new(), String::new(), String::new());
        for point in &line.points {
            let (x, y) = at(point);
            let (_, low) = self.place(frame, point.x, point.range.0);
            let (_, high) = self.place(frame, point.x, point.range.1);
            if low - high > 2.0 {
                let _ = write!(ranges, "M{x:.0} {low:.0}V{high:.0}");
            }
            if point.has_mark {
                let marks = if point.is_hollow { &mut hollow } else { &mut full };
                let _ = write!(marks, "M{x:.0} {y:.0}{}", line.look.mark());
            }
        }
        for (class, of, path) in
            [("range", 's', ranges), ("mark", 'f', full), ("hollow", 's', hollow)]
        {
            if !path.is_empty() {
                let _ = write!(svg, "<path class='{class} {of}{colour}' d='{path}'/>");
            }
        }
    }

    /// At the end of each line its name; where they would overlap, a hair leads to it.
    fn draw_names(&self, svg: &mut String, frame: Frame) {
        let ceiling = self.ceiling.as_ref().and_then(|(points, name)| {
            let &(x, y) = points.last()?;
            Some((None, name.as_str(), self.place(frame, x, y)))
        });
        let lines = self.lines.iter().filter_map(|line| {
            let last = line.points.last()?;
            Some((Some(line), line.name.as_str(), self.place(frame, last.x, last.y)))
        });
        let names: Vec<_> = lines.chain(ceiling).collect();
        let wanted: Vec<f64> = names.iter().map(|(_, _, (_, y))| *y).collect();
        let places = labels::apart(&wanted, LABEL_STEP, (frame.top, frame.bottom));
        let left = frame.right + HAIR;
        let room = frame.width - left - frame.sample - AFTER_SAMPLE;
        let mut hairs = String::new();
        for ((line, name, (x, y)), place) in names.into_iter().zip(places) {
            let (from, to) = (x + 13.0, left - 5.0);
            let _ = write!(hairs, "M{from:.0} {y:.0}L{to:.0} {place:.0}");
            let sample = format!("M{left:.0} {place:.0}h{:.0}", frame.sample);
            let value = if let Some(Line { look, value, .. }) = line {
                let (colour, dash) = (look.colour(), look.dash());
                let _ = write!(svg, "<path class='line s{colour} d{dash}' d='{sample}'/>");
                let _ = write!(
                    svg,
                    "<path class='mark f{colour}' d='M{:.0} {place:.0}{}'/>",
                    left + frame.sample / 2.0,
                    look.mark()
                );
                value.as_str()
            } else {
                let _ = write!(svg, "<path class='ceiling' d='{sample}'/>");
                ""
            };
            let (x, y) = (left + frame.sample + AFTER_SAMPLE, place + LETTERS / 3.0);
            let room = if value.is_empty() { room } else { room - width(value) - width(" ") };
            let name = escape(&shortened(name, room));
            let _ = write!(svg, "<text x='{x:.0}' y='{y:.0}'>{name}");
            if !value.is_empty() {
                let _ = write!(svg, " <tspan class='value'>{}</tspan>", escape(value));
            }
            svg.push_str("</text>");
        }
        let _ = write!(svg, "<path class='hair' d='{hairs}'/>");
    }
}

fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (x, y) in points {
        let step = if path.is_empty() { 'M' } else { 'L' };
        let _ = write!(path, "{step}{x:.0} {y:.0}");
    }
    path
}

/// The ticks that don't cover the one before; the last of all stays.
fn with_room<'t>(ticks: &[(f64, &'t str)]) -> Vec<(f64, &'t str)> {
    let needs = |a: &str, b: &str| f64::midpoint(width(a), width(b)) + TICK_GAP;
    let apart = |a: &(f64, &str), b: &(f64, &str)| b.0 - a.0 >= needs(a.1, b.1);
    let mut shown: Vec<(f64, &str)> = Vec::new();
    let Some((last, others)) = ticks.split_last() else { return shown };
    for tick in others {
        if shown.last().is_none_or(|before| apart(before, tick)) && apart(tick, last) {
            shown.push(*tick);
        }
    }
    shown.push(*last);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::example;
    use crate::report::looks::Looks;
    use crate::report::numbers::short;

    fn plot(ceiling: Option<f64>) -> String {
        let results = example(1, &[("threads", 12.0), ("mio", 6.0)]);
        let looks = Looks::of(&results);
        let line = |name: &str, y: f64| Line {
            name: name.to_owned(),
            value: String::new(),
            look: looks.look(name),
            points: vec![
                Point::at(1.0, y),
                Point { is_hollow: name == "mio", ..Point::at(64.0, y) },
            ],
        };
        let plot = Plot {
            title: "CPU",
            width: Width::Whole,
            x: Axis::of_counts("connections", &[1.0, 64.0]),
            y: Axis::from_zero("µs", 12.0, short),
            lines: vec![line("threads", 12.0), line("mio", 6.0)],
            ceiling: ceiling.map(|y| (vec![(1.0, y), (64.0, y)], "ceiling".to_owned())),
        };
        plot.draw("two lines")
    }

    #[test]
    fn a_line_bears_its_name_and_what_is_client_bound_is_hollow() {
        let svg = plot(None);
        assert!(svg.contains("<title>CPU</title><desc>two lines</desc>"), "{svg}");
        assert!(svg.contains(">threads</text>") && svg.contains(">mio</text>"), "{svg}");
        assert_eq!(svg.matches("class='hollow").count(), 1, "{svg}");
        assert!(!svg.contains("class='ceiling'"), "{svg}");
    }

    #[test]
    fn a_ceiling_is_drawn_and_named() {
        let svg = plot(Some(9.0));
        assert!(svg.contains("class='ceiling'") && svg.contains(">ceiling</text>"), "{svg}");
    }

    #[test]
    fn ticks_that_would_overlap_are_left_out_but_for_the_last() {
        let ticks = [(0.0, "1"), (400.0, "1,000"), (404.0, "1,024"), (700.0, "10,000")];
        let shown: Vec<&str> = with_room(&ticks).into_iter().map(|(_, text)| text).collect();
        assert_eq!(shown, ["1", "1,000", "10,000"]);
        assert_eq!(with_room(&[]), []);
    }
}
