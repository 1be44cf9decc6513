//! The window, second by second.

use super::{Entry, Figure, Section, Show, Table, described};
use crate::report::json::{Measured, Second};
use crate::report::numbers::{counted, round_time, thousands, time};
use crate::report::percentile::{P99, is_told};
use crate::report::rows::Row;
use crate::report::svg::{Axis, Line, Plot, Point, Width};
use crate::stats::Spread;

/// A longer window than this many seconds is seen in steps of whole seconds, no more of them than
/// this, as the generator's recorder has it. A record does not say how long its steps are.
const STEPS: f64 = 300.0;

/// What is drawn of a second of this length.
type Value<'v> = &'v dyn Fn(&Measured, &Second, f64) -> Option<f64>;

impl Section<'_, '_> {
    /// The seconds of the windows at the most connections.
    pub(in crate::report) fn timelines(&self) -> Vec<Figure> {
        let Some(kind) = self.kinds().last() else { return Vec::new() };
        let window = self.results.experiment.window_seconds;
        let rate: Value<'_> = &|_, second, length| Some(second.answers as f64 / length);
        let p99: Value<'_> =
            &|measured, second, _| is_timed(measured, second).then_some(second.p99_us);
        let figures = [
            ("Requests a second", rate, thousands as Show, thousands as Show),
            ("p99", p99, |value| time(value).trim_end().to_owned(), round_time),
        ];
        let figures = figures.into_iter().filter_map(|(heading, value, show, tick)| {
            self.timeline(kind, (heading, window), value, (show, tick))
        });
        figures.collect()
    }

    fn timeline(
        &self,
        kind: &[&Row<'_>],
        (heading, window): (&str, f64),
        value: Value<'_>,
        (show, tick): (Show, Show),
    ) -> Option<Figure> {
        let lines: Vec<Line> = kind
            .iter()
            .map(|row| Line {
                name: row.backend.to_owned(),
                value: String::new(),
                look: self.looks.look(row.backend),
                points: seconds(row, window, value),
            })
            .filter(|line| !line.points.is_empty())
            .collect();
        let points = || lines.iter().flat_map(|line| &line.points);
        let most = points().map(|point| point.range.1).fold(0.0, f64::max);
        let end = points().map(|point| point.x).fold(0.0, f64::max);
        if most <= 0.0 {
            return None;
        }
        let at = counted(kind.first()?.connections, "connection");
        let spread =
            |pick: fn(&Point) -> f64, line: &Line| Spread::of(line.points.iter().map(pick));
        let table = Table {
            caption: format!("{heading}, {at}"),
            columns: ["median", "least", "greatest"].map(str::to_owned).to_vec(),
            lines: lines
                .iter()
                .filter_map(|line| {
                    let median = spread(|point| point.y, line)?.median;
                    let least = spread(|point| point.range.0, line)?.least;
                    let greatest = spread(|point| point.range.1, line)?.greatest;
                    let entry = |value| Entry { text: show(value), note: String::new() };
                    Some((line.name.clone(), [median, least, greatest].map(entry).to_vec()))
                })
                .collect(),
        };
        let plot = Plot {
            title: &table.caption,
            width: Width::Half,
            x: Axis::of_seconds("seconds", end.max(1.0)),
            y: Axis::from_zero("", most, tick),
            lines,
            ceiling: None,
        };
        let chart = plot.draw(&described(&table));
        Some(Figure { heading: heading.to_owned(), meaning: String::new(), chart, table })
    }
}

/// Each second of a row's windows, or each longer step: the median over the rounds, and the range.
/// What is left of the window after its last whole one is passed over.
fn seconds(row: &Row<'_>, window: f64, value: Value<'_>) -> Vec<Point> {
    let (mut points, step) = (Vec::new(), step_seconds(window));
    let longest = row.measured().map(|measured| measured.timeline.len()).max().unwrap_or(0);
    for second in 0..longest {
        let began = second as f64 * step;
        let length = (window - began).min(step);
        if length < 0.999 * step && second > 0 {
            break;
        }
        let seconds = row.measured().filter_map(|of| Some((of, of.timeline.get(second)?)));
        // Without one of its rounds a second would look as if nothing had happened in that.
        let values: Option<Vec<f64>> =
            seconds.map(|(of, second)| value(of, second, length)).collect();
        if let Some(Spread { median, least, greatest }) = values.and_then(Spread::of) {
            let point = Point::at(began + length / 2.0, median);
            points.push(Point { range: (least, greatest), is_hollow: row.client_bound(), ..point });
        }
    }
    points
}

/// How long each step of a window is that is so long.
pub(in crate::report) fn step_seconds(window: f64) -> f64 {
    (window.floor() / STEPS).ceil().max(1.0)
}

/// Whether the p99 of a second says something. Where there are bystanders it is of the blocker's
/// few requests alone.
fn is_timed(measured: &Measured, second: &Second) -> bool {
    measured.bystanders_us.is_none() && is_told(P99.quantile, second.answers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::{Results, example};
    use crate::report::looks::Looks;
    use crate::report::rows::rows;

    /// The timelines of one row, whose window was as long and had these many answers in each step.
    fn drawn(window: f64, answers: &[u64]) -> Vec<Figure> {
        let mut results: Results = example(1, &[("mio", 6.0)]);
        results.experiment.window_seconds = window;
        let second = |&answers| Second { answers, errors: 0, p99_us: 300.0 };
        let measured = results.cells[0].measured.as_mut().expect("measured");
        measured.timeline = answers.iter().map(second).collect();
        let rows = rows(&results.cells);
        let rows: Vec<&Row<'_>> = rows.iter().collect();
        let looks = Looks::of(&results);
        Section { rows: &rows, looks: &looks, results: &results }.timelines()
    }

    #[test]
    fn a_step_with_fewer_than_ten_requests_beyond_its_p99_has_none() {
        assert_eq!(drawn(3.0, &[1_000; 3]).len(), 2);
        assert_eq!(drawn(3.0, &[999; 3]).len(), 1, "the rate is still told");
    }

    #[test]
    fn a_rate_is_by_the_length_of_the_steps() {
        let median = |figures: &[Figure]| figures[0].table.lines[0].1[0].text.clone();
        assert_eq!(median(&drawn(3.0, &[5_000; 3])), "5,000");
        assert_eq!(median(&drawn(600.0, &[10_000; 300])), "5,000", "each of two seconds");
        let reaches_400 = |figures: &[Figure]| figures[0].chart.contains(">400</text>");
        assert!(reaches_400(&drawn(600.0, &[10_000; 300])), "and so is the axis");
    }
}
