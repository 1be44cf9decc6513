//! Service and response times by percentile.

use super::{Entry, Figure, Section, Table, described};
use crate::report::findings::are_response_times;
use crate::report::histogram::quantiles;
use crate::report::numbers::{counted, round_time, time};
use crate::report::percentile::{P50, P90, P99, P999, Times};
use crate::report::rows::Row;
use crate::report::svg::{Axis, Line, Plot, Point, Width};
use crate::report::verdict::Figure as Ranked;

/// The quantiles that are drawn; those with a mark are in the table too.
const QUANTILES: [(f64, Option<&str>); 10] = [
    (0.25, None),
    (0.5, Some("p50")),
    (0.75, None),
    (0.9, Some("p90")),
    (0.97, None),
    (0.99, Some("p99")),
    (0.997, None),
    (0.999, Some("p99.9")),
    (0.9997, None),
    (0.9999, Some("p99.99")),
];
impl Section<'_, '_> {
    /// Service or response times by percentile, a figure for each number of connections.
    pub(in crate::report) fn latencies(&self) -> Vec<Figure> {
        let what = if are_response_times(self.rows) { "Response time" } else { "Service time" };
        let ranked = Ranked::P99Us;
        self.kinds().filter_map(|kind| self.latency(kind, (what, ranked), curve)).collect()
    }

    /// The times of bystanders, where there are some.
    pub(in crate::report) fn bystanders(&self) -> Vec<Figure> {
        let times = |row: &Row<'_>| few_quantiles(row, Times::Bystanders);
        let what = ("Bystanders", Ranked::BystandersP99Us);
        self.kinds().filter_map(|kind| self.latency(kind, what, times)).collect()
    }

    fn latency(
        &self,
        kind: &[&Row<'_>],
        (what, ranked): (&str, Ranked),
        curve: impl Fn(&Row<'_>) -> Vec<(f64, f64)>,
    ) -> Option<Figure> {
        let curves: Vec<(&Row<'_>, Vec<(f64, f64)>)> =
            kind.iter().map(|row| (*row, curve(row))).filter(|(_, of)| !of.is_empty()).collect();
        let points = || curves.iter().flat_map(|(_, points)| points);
        let nines = |quantile: f64| -(1.0 - quantile).log10();
        let end = points().map(|(quantile, _)| nines(*quantile)).fold(0.0, f64::max);
        let least = points().map(|(_, us)| *us).fold(f64::INFINITY, f64::min).max(0.001);
        let most = points().map(|(_, us)| *us).fold(0.0, f64::max);
        if most <= 0.0 {
            return None;
        }
        let says = |us: f64| time(us).trim_end().to_owned();
        let marked = |quantile: f64| {
            let same = |(of, _): &&(f64, Option<&str>)| (of - quantile).abs() < 1e-9;
            QUANTILES.iter().find(same).and_then(|(_, name)| *name)
        };
        let lines = curves.iter().map(|(row, points)| Line {
            name: row.backend.to_owned(),
            value: String::new(),
            look: self.looks.look(row.backend),
            points: points
                .iter()
                .map(|(quantile, us)| Point {
                    has_mark: marked(*quantile).is_some(),
                    is_hollow: row.client_bound(),
                    ..Point::at(nines(*quantile), *us)
                })
                .collect(),
        });
        let lines: Vec<Line> = lines.collect();
        let named = QUANTILES.iter().filter_map(|(quantile, name)| Some((*quantile, (*name)?)));
        let columns: Vec<(f64, &str)> =
            named.filter(|(quantile, _)| nines(*quantile) <= end + 1e-6).collect();
        let entries = |row: &Row<'_>, points: &[(f64, f64)]| {
            let entry = |(quantile, name): &(f64, &str)| {
                let found = points.iter().find(|(of, _)| (of - quantile).abs() < 1e-9);
                let note = self.note(row, Some(ranked).filter(|_| *name == "p99"));
                let at_most = if row.client_bound() { "≤ " } else { "" };
                found.map_or_else(Entry::default, |(_, us)| Entry {
                    text: format!("{at_most}{}", says(*us)),
                    // An interval stays in one piece where a narrow column breaks its line.
                    note: note.unwrap_or_default().replace('–', "\u{2060}–\u{2060}"),
                })
            };
            columns.iter().map(entry).collect()
        };
        let at = counted(kind.first()?.connections, "connection");
        let table = Table {
            caption: format!("{what} by percentile, {at}"),
            columns: columns.iter().map(|(_, name)| (*name).to_owned()).collect(),
            lines: curves
                .iter()
                .map(|(row, points)| (row.backend.to_owned(), entries(row, points)))
                .collect(),
        };
        let plot = Plot {
            title: &table.caption,
            width: Width::Half,
            x: Axis::of_nines("percentile", end),
            y: Axis::by_factors("", (least, most), round_time),
            lines,
            ceiling: None,
        };
        let chart = plot.draw(&described(&table));
        Some(Figure { heading: at, meaning: String::new(), chart, table })
    }
}

/// The quantiles of a row's histograms, or the few that are known without them.
fn curve(row: &Row<'_>) -> Vec<(f64, f64)> {
    let found = quantiles(row, &QUANTILES.map(|(quantile, _)| quantile));
    if found.is_empty() { few_quantiles(row, Times::Requests) } else { found }
}

fn few_quantiles(row: &Row<'_>, times: Times) -> Vec<(f64, f64)> {
    let known = [P50, P90, P99, P999].into_iter();
    let told = known.filter_map(|it| Some((it.quantile, it.of(row, times)?.median)));
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::{Results, example};
    use crate::report::looks::Looks;
    use crate::report::rows::rows;
    use crate::stats::Percentiles;

    fn drawn(results: &Results) -> Vec<Figure> {
        let rows = rows(&results.cells);
        let rows: Vec<&Row<'_>> = rows.iter().collect();
        Section { rows: &rows, looks: &Looks::of(results), results }.latencies()
    }

    /// One round with so many requests, and no histogram.
    fn timed(requests: u64) -> Results {
        let mut results = example(1, &[("mio", 6.0)]);
        let measured = results.cells[0].measured.as_mut().expect("measured");
        measured.requests = requests;
        measured.service_time_us =
            Some(Percentiles { p50: 111.0, p90: 222.0, p99: 333.0, p999: 444.0, max: 555.0 });
        results
    }

    #[test]
    fn times_that_are_the_generators_own_are_hollow() {
        let mut results = timed(10_000);
        assert!(!drawn(&results)[0].chart.contains("class='hollow"));
        results.cells[0].measured.as_mut().expect("measured").client_bound = true;
        let figure = &drawn(&results)[0];
        assert!(figure.chart.contains("class='hollow"), "{}", figure.chart);
        assert_eq!(figure.table.lines[0].1[2].text, "≤ 333 µs");
    }

    #[test]
    fn few_requests_have_few_percentiles() {
        let columns = |requests| drawn(&timed(requests)).first().map(|it| it.table.columns.clone());
        assert_eq!(columns(10_000).expect("a chart"), ["p50", "p90", "p99", "p99.9"]);
        assert_eq!(columns(100).expect("a chart"), ["p50", "p90"]);
        assert_eq!(columns(13), None);
    }
}
