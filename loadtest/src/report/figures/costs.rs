//! What is drawn over connections: CPU a request, requests a second, memory.

use super::{Entry, Figure, Section, Show, Table, described};
use crate::report::findings::ENOUGH_CONNECTIONS;
use crate::report::json::Measured;
use crate::report::numbers::{round, short, thousands};
use crate::report::rows::Row;
use crate::report::svg::{Axis, Bar, Line, Plot, Point, Width, bars};
use crate::report::verdict::Figure as Ranked;
use crate::stats::Spread;

/// A ceiling further above the lines than this is told and not drawn.
const WORTH_DRAWING: f64 = 2.0;

/// What is drawn over connections: its name, its unit, what it is of a cell, how it is written.
struct Drawn<'d> {
    heading: &'d str,
    meaning: String,
    unit: &'d str,
    value: fn(&Measured) -> Option<f64>,
    show: Show,
    ranked: Option<Ranked>,
    hollow: bool,
}

impl Section<'_, '_> {
    /// CPU a request over connections.
    pub(in crate::report) fn cpu(&self) -> Option<Figure> {
        let drawn = Drawn {
            heading: "CPU a request",
            meaning: "User and system time of the server for one request, in µs. Less is better."
                .to_owned(),
            unit: "µs",
            value: |measured| measured.server_cpu_us_per_request,
            show: short,
            ranked: Some(Ranked::ServerCpuUsPerRequest),
            hollow: false,
        };
        let axis = |most| Axis::from_zero("µs of CPU a request", most, round);
        self.over_connections(&drawn, axis, None)
    }

    /// Requests a second over connections, below what the generator can do.
    pub(in crate::report) fn throughput(&self) -> Option<Figure> {
        if self.rows.iter().any(|row| row.is_open()) {
            // As many as were due: that says nothing about the server.
            return None;
        }
        let ceiling = self.ceiling();
        let most = self.most(|measured| Some(measured.requests_per_second));
        let highest = ceiling.iter().map(|(_, y)| *y).fold(0.0, f64::max);
        let is_near = highest <= WORTH_DRAWING * most;
        let is_drawn = highest > 0.0 && is_near && self.counts().len() > 1;
        let mut meaning =
            "Right answers in each second of the window. More is better. What is hollow \
                           is client-bound: the generator's core was busy over 90%, and \
                           the server could do more."
                .to_owned();
        if is_drawn {
            meaning.push_str(
                " The ceiling is what the generator makes of an answer that costs nothing.",
            );
        } else if highest > 0.0 {
            let told = format!(
                " The generator makes up to {} a second of an answer that costs nothing.",
                thousands(highest)
            );
            meaning.push_str(&told);
        }
        let drawn = Drawn {
            heading: "Requests a second",
            meaning,
            unit: "",
            value: |measured| Some(measured.requests_per_second),
            show: thousands,
            ranked: Some(Ranked::RequestsPerSecond),
            hollow: true,
        };
        let above = if is_drawn { highest } else { 0.0 };
        let axis = |most: f64| Axis::from_zero("requests a second", most.max(above), thousands);
        let ceiling = is_drawn.then(|| (ceiling, "ceiling".to_owned()));
        self.over_connections(&drawn, axis, ceiling)
    }

    /// The server's memory over connections held.
    pub(in crate::report) fn memory(&self) -> Option<Figure> {
        if !self.rows.iter().all(|row| row.holds_connections()) {
            return None;
        }
        let held: fn(&Measured) -> Option<f64> =
            |measured| Some(measured.held_memory_kib? as f64 / 1024.0);
        let least = self.rows.iter().filter_map(|row| Some(row.spread(held)?.least));
        let least = least.fold(f64::INFINITY, f64::min);
        let drawn = Drawn {
            heading: "Memory",
            meaning: format!(
                "User memory of the server in MiB, with all connections answered once and held; \
                 both axes by factors. The table has KiB for each connection, less what the fresh \
                 server took; with fewer than {ENOUGH_CONNECTIONS} connections that says nothing."
            ),
            unit: "MiB",
            value: held,
            show: short,
            ranked: None,
            hollow: false,
        };
        let axis = |most| Axis::by_factors("MiB of user memory", (least, most), round);
        let mut figure = self.over_connections(&drawn, axis, None)?;
        figure.table = self.table_of_memory();
        Some(figure)
    }

    /// What the generator made of the canned answer under this shape.
    fn ceiling(&self) -> Vec<(f64, f64)> {
        let shape = self.rows.first().map_or("", |row| row.shape);
        let counts = self.counts();
        let known = self.results.verdict.calibration.iter().filter(|of| of.shape == shape);
        let points = known.map(|of| (of.connections as f64, of.requests_per_second.median));
        let within = |x: f64| counts.iter().any(|count| (count - x).abs() < 0.5);
        points.filter(|(x, _)| within(*x)).collect()
    }

    /// Lines over connections; bars where there is one number of them.
    fn over_connections(
        &self,
        drawn: &Drawn<'_>,
        axis: impl Fn(f64) -> Axis,
        ceiling: Option<(Vec<(f64, f64)>, String)>,
    ) -> Option<Figure> {
        let most = self.most(drawn.value);
        let counts = self.counts();
        if most <= 0.0 {
            return None;
        }
        let table = self.table_over_connections(drawn);
        let description = described(&table);
        let chart = if counts.len() < 2 {
            bars(drawn.heading, &description, &self.bars(drawn))
        } else {
            let plot = Plot {
                title: drawn.heading,
                width: Width::Whole,
                x: Axis::of_counts("connections", &counts),
                y: axis(most),
                lines: self.lines(drawn),
                ceiling,
            };
            plot.draw(&description)
        };
        let heading = drawn.heading.to_owned();
        Some(Figure { heading, meaning: drawn.meaning.clone(), chart, table })
    }

    fn lines(&self, drawn: &Drawn<'_>) -> Vec<Line> {
        let line = |name: &str| {
            let rows = self.rows.iter().filter(|row| row.backend == name);
            let points: Vec<Point> = rows
                .filter_map(|row| {
                    let Spread { median, least, greatest } = row.spread(drawn.value)?;
                    let is_hollow = drawn.hollow && row.client_bound();
                    let point = Point::at(row.connections as f64, median);
                    Some(Point { range: (least, greatest), is_hollow, ..point })
                })
                .collect();
            let last = points.last()?;
            let (value, look) = ((drawn.show)(last.y), self.looks.look(name));
            Some(Line { name: name.to_owned(), value, look, points })
        };
        self.names().into_iter().filter_map(line).collect()
    }

    fn bars(&self, drawn: &Drawn<'_>) -> Vec<Bar> {
        let bar = |row: &&Row<'_>| {
            let spread = row.spread(drawn.value)?;
            let note = self.note(row, drawn.ranked).unwrap_or_default();
            let is_hollow = drawn.hollow && row.client_bound();
            let least = if is_hollow { "≥ " } else { "" };
            let value = format!("{least}{} {}  {note}", (drawn.show)(spread.median), drawn.unit);
            let (name, look) = (row.backend.to_owned(), self.looks.look(row.backend));
            Some(Bar { name, value: value.trim_end().to_owned(), look, spread, is_hollow })
        };
        self.rows.iter().filter_map(bar).collect()
    }

    fn table_over_connections(&self, drawn: &Drawn<'_>) -> Table {
        let entry = |row: &Row<'_>| {
            let Some(spread) = row.spread(drawn.value) else { return Entry::default() };
            let shown = (drawn.show)(spread.median);
            let text =
                if drawn.hollow && row.client_bound() { format!("≥ {shown}") } else { shown };
            let range = || {
                let (least, greatest) = ((drawn.show)(spread.least), (drawn.show)(spread.greatest));
                if least == greatest { String::new() } else { format!("{least}–{greatest}") }
            };
            Entry { text, note: self.note(row, drawn.ranked).unwrap_or_else(range) }
        };
        let unit = if drawn.unit.is_empty() { String::new() } else { format!(", {}", drawn.unit) };
        self.table(&format!("{}{unit}, by connections", drawn.heading), entry)
    }

    fn table_of_memory(&self) -> Table {
        let entry = |row: &Row<'_>| {
            let each = row.spread(|measured| measured.memory_kib_per_connection);
            let kernel = row.spread(|measured| measured.kernel_kib_per_connection);
            match each {
                Some(each) if row.tells_memory() => Entry {
                    text: short(each.median),
                    note: kernel.map_or_else(String::new, |of| format!("+ {}", short(of.median))),
                },
                _ => Entry { text: "–".to_owned(), note: String::new() },
            }
        };
        self.table(
            "KiB of user memory for each connection, and the kernel's beside it, by connections",
            entry,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::{Results, example};
    use crate::report::looks::Looks;
    use crate::report::rows::rows;

    /// Whether throughput and memory are drawn.
    fn drawn(results: &Results) -> (bool, bool) {
        let rows = rows(&results.cells);
        let rows: Vec<&Row<'_>> = rows.iter().collect();
        let section = Section { rows: &rows, looks: &Looks::of(results), results };
        (section.throughput().is_some(), section.memory().is_some())
    }

    #[test]
    fn memory_of_connections_is_drawn_where_they_are_held() {
        let mut results = example(1, &[("mio", 6.0)]);
        results.cells[0].measured.as_mut().expect("measured").held_memory_kib = Some(4_096);
        assert!(drawn(&results).1);
        results.cells[0].shape = "churn".to_owned();
        assert!(!drawn(&results).1);
    }

    #[test]
    fn what_was_offered_is_not_drawn_as_if_more_were_better() {
        let mut results = example(1, &[("mio", 6.0)]);
        assert!(drawn(&results).0);
        // As in `block`, where those that are timed have no response times.
        results.cells[0].shape = "open 5000/s".to_owned();
        assert!(!drawn(&results).0);
    }
}
