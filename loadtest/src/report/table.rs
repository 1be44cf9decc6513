//! The table of a comparison, for the terminal.

use std::fmt::Write;
use std::time::Duration;

use super::figures::{Entry, Table};
use super::grid::{Cell, Colours, Grid, Side, Tone};
use super::json::{Measured, Results, Role};
use super::numbers::{counted, thousands, time};
use super::percentile::{P50, P99, Percentile, Times};
use super::rows::{Bound, Row, failures, rows};
use super::standing::Standing;
use super::terminal::errors;
use super::verdict::Figure;
use crate::stats::Spread;

/// Fewer rounds than this are shown as ranges and not ranked.
pub(crate) const ENOUGH_ROUNDS: usize = 6;

/// What stands in the last column, and what a dash means.
pub(super) const LIMIT: &str = "limit is what was seen to hold a cell back, a dash if nothing was; \
     a dash elsewhere is a figure that the cell can't give";

const COLUMNS: [(&str, Side); 16] = [
    ("backend", Side::Left),
    ("CPU/request", Side::Right),
    ("", Side::Left),
    ("requests/s", Side::Right),
    ("", Side::Left),
    ("p50", Side::Right),
    ("p99", Side::Right),
    ("others' p50", Side::Right),
    ("others' p99", Side::Right),
    ("late p99", Side::Right),
    ("memory/conn", Side::Right),
    ("kernel's", Side::Right),
    ("threads", Side::Right),
    ("switches/req", Side::Right),
    ("errors", Side::Left),
    ("limit", Side::Left),
];

/// The table of `loadtest compare`, in colours if standard output is a terminal.
pub(crate) fn table(results: &Results) -> String {
    draw(results, Colours::of_stdout())
}

fn draw(results: &Results, colours: Colours) -> String {
    let is_ranked = rounds(results) >= ENOUGH_ROUNDS;
    let beside = if is_ranked { "by the best's" } else { "range" };
    let named = |(name, side): (&'static str, Side)| {
        if name.is_empty() { (beside, side) } else { (name, side) }
    };
    let mut grid = Grid::new(&COLUMNS.map(named));
    let rows = rows(&results.cells);
    for kind in rows.chunk_by(|a, b| a.kind() == b.kind()) {
        let Some((scenario, connections, shape)) = kind.first().map(Row::kind) else { continue };
        let connections = counted(connections, "connection");
        grid.heading(&format!("{scenario}, {connections}, {shape}"));
        for row in kind {
            grid.row(cells(row, results));
        }
    }
    let mut text = grid.draw(colours);
    for (place, failure) in failures(results) {
        // A String can always be written to.
        let _ = writeln!(text, "\n{place}: {failure}");
    }
    text + &caption(results)
}

/// The same of one kind of cell, for the page: columns in which nothing stands are left out.
pub(super) fn of_kind(caption: String, kind: &[&Row<'_>], results: &Results) -> Table {
    let rows: Vec<Vec<Cell>> = kind.iter().map(|row| cells(row, results)).collect();
    let is_used =
        |column: &usize| rows.iter().any(|cells| !matches!(cells[*column].text(), "" | "-"));
    // A column without a name is what there is to say about the one before.
    let named = |column: &usize| !COLUMNS[*column].0.is_empty();
    let columns: Vec<usize> = (1..COLUMNS.len()).filter(named).filter(is_used).collect();
    let entry = |cells: &Vec<Cell>, column: usize| {
        let note = COLUMNS.get(column + 1).filter(|(name, _)| name.is_empty());
        let note = note.map_or("", |_| cells[column + 1].text());
        Entry { text: cells[column].text().to_owned(), note: note.to_owned() }
    };
    let line = |cells: &Vec<Cell>| {
        let entries = columns.iter().map(|column| entry(cells, *column)).collect();
        (cells[0].text().to_owned(), entries)
    };
    Table {
        caption,
        columns: columns.iter().map(|column| COLUMNS[*column].0.to_owned()).collect(),
        lines: rows.iter().map(line).collect(),
    }
}

fn cells(row: &Row<'_>, results: &Results) -> Vec<Cell> {
    let dash = || "-".to_owned();
    let of = |value: fn(&Measured) -> Option<f64>, show: &dyn Fn(f64) -> String| {
        row.spread(value).map_or_else(dash, |spread| show(spread.median))
    };
    let time = |percentile: Percentile, times| {
        percentile.of(row, times).map_or_else(dash, |spread| time(spread.median))
    };
    let at_most = |text: String| {
        if row.client_bound() && text != "-" { format!("≤ {text}") } else { text }
    };
    let kib = |value| format!("{value:.1} KiB");
    let memory = |value| {
        if row.tells_memory() { of(value, &kib) } else { dash() }
    };
    let plain = |text: String| Cell::new(&text, Tone::Plain);
    let rate = of(|measured| Some(measured.requests_per_second), &thousands);
    let could_do_more = row.client_bound() && !row.is_open();
    let rate = if could_do_more { format!("≥ {rate}") } else { rate };
    let errors = row.errors();
    vec![
        name(row),
        plain(of(|measured| measured.server_cpu_us_per_request, &|value| format!("{value:.2} µs"))),
        beside(row, results, Figure::ServerCpuUsPerRequest),
        plain(rate),
        beside(row, results, Figure::RequestsPerSecond),
        plain(at_most(time(P50, Times::Requests))),
        plain(at_most(time(P99, Times::Requests))),
        plain(at_most(time(P50, Times::Bystanders))),
        plain(at_most(time(P99, Times::Bystanders))),
        plain(time(P99, Times::Lateness)),
        plain(memory(|measured| measured.memory_kib_per_connection)),
        plain(memory(|measured| measured.kernel_kib_per_connection)),
        plain(of(|measured| Some(measured.threads? as f64), &thousands)),
        plain(of(Measured::switches_per_request, &|value| format!("{value:.2}"))),
        if errors.is_empty() {
            Cell::new("none", Tone::Aside)
        } else {
            Cell::new(&self::errors(&errors), Tone::Trouble)
        },
        if row.has_failed() {
            Cell::new("failed", Tone::Trouble)
        } else {
            Cell::new(row.limit().unwrap_or("-"), Tone::Mark)
        },
    ]
}

fn name(row: &Row<'_>) -> Cell {
    match row.role {
        Role::Compared => Cell::new(row.backend, Tone::Heading),
        Role::Twin => Cell::new(row.backend, Tone::Aside),
        Role::Calibration => Cell::new(&format!("{} (ceiling)", row.backend), Tone::Aside),
    }
}

/// What stands behind a figure: where that stands among its kind, or, with too few rounds, the
/// range of what was seen.
fn beside(row: &Row<'_>, results: &Results, figure: Figure) -> Cell {
    let standing = Standing::of(&results.verdict, row, figure);
    let tone = match standing {
        Standing::Best => Tone::Best,
        Standing::Tie(_) => Tone::Tie,
        Standing::Apart(_) => Tone::Plain,
        Standing::ClientBound(_) | Standing::Lacking { .. } => Tone::Mark,
        Standing::Unranked => {
            return Cell::new(&range(row, figure).unwrap_or_default(), Tone::Aside);
        }
    };
    Cell::new(&standing.in_words(), tone)
}

fn range(row: &Row<'_>, figure: Figure) -> Option<String> {
    let (spread, show): (_, fn(f64) -> String) = match figure {
        Figure::ServerCpuUsPerRequest => {
            (row.spread(|measured| measured.server_cpu_us_per_request)?, |value| {
                format!("{value:.2}")
            })
        }
        _ => (row.spread(|measured| Some(measured.requests_per_second))?, thousands),
    };
    let Spread { least, greatest, .. } = spread;
    (least < greatest).then(|| format!("{}–{}", show(least), show(greatest)))
}

fn caption(results: &Results) -> String {
    let (rounds, seed) = (rounds(results), results.experiment.seed);
    let standings = if rounds < ENOUGH_ROUNDS {
        format!("{rounds} of {ENOUGH_ROUNDS} rounds that a ranking needs: ranges, not ranked")
    } else {
        format!(
            "medians of {}; × is the ratio to the best of its kind, round by round, \
             with an interval of at least 95%, each interval for itself; a tie is one that holds 1",
            rounds_in_words(results)
        )
    };
    let rows = rows(&results.cells);
    let meanings = [Bound::Busy, Bound::Late].into_iter();
    let meanings = meanings.filter(|bound| rows.iter().any(|row| row.bound() == Some(*bound)));
    let bound = meanings.map(|bound| format!("{bound}: {}; not ranked\n", meaning(bound)));
    let bound: Vec<String> = bound.collect();
    let bound = bound.concat();
    let lacking = if rows.iter().any(|row| row.lacking().is_some()) {
        "held n of m: with fewer connections it was asked for less; not ranked\n"
    } else {
        ""
    };
    format!("\n{}; {standings}; seed {seed}\n{bound}{lacking}{LIMIT}\n", times(results))
}

/// What it means that the generator was the limit in this way.
fn meaning(bound: Bound) -> &'static str {
    match bound {
        Bound::Busy => "the generator's core was busy over 90%, and the server could do more",
        Bound::Late => "requests left so late that the times are the generator's own",
    }
}

/// How many rounds were measured; of an interrupted comparison the last may not be whole.
pub(super) fn rounds(results: &Results) -> usize {
    let measured = results.cells.iter().filter(|record| record.measured.is_some());
    measured.map(|record| record.round).max().unwrap_or(0)
}

/// The same beside how many there were to be, if it was interrupted.
pub(super) fn rounds_in_words(results: &Results) -> String {
    let measured = rounds(results);
    if results.complete {
        counted(measured, "round")
    } else {
        format!("up to {measured} of {}", counted(results.experiment.rounds, "round"))
    }
}

/// How long each cell was measured, as it was asked for.
pub(super) fn times(results: &Results) -> String {
    let time = |seconds| {
        humantime::format_duration(Duration::try_from_secs_f64(seconds).unwrap_or_default())
    };
    let asked = &results.experiment;
    let (window, warm_up) = (time(asked.window_seconds), time(asked.warm_up_seconds));
    format!("{window} a cell after {warm_up} of warm-up")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::example;
    use crate::report::verdict::Verdict;
    use crate::stats::Percentiles;

    #[test]
    fn ties_are_said_and_the_client_bound_is_marked_and_not_ranked() {
        let mut results = example(6, &[("threads", 12.0), ("mio", 6.0), ("may", 6.0)]);
        for record in results.cells.iter_mut().filter(|record| record.backend == "may") {
            let measured = record.measured.as_mut().expect("measured");
            (measured.client_bound, measured.generator_utilisation) = (true, 0.95);
            measured.requests_per_second = 200_000.0;
        }
        results.verdict = Verdict::of(&results.cells);
        let text = draw(&results, Colours::Off);
        let line = |name: &str| {
            let mut lines = text.lines();
            lines.find(|line| line.starts_with(&format!("  {name} "))).expect("a line").to_owned()
        };
        let (threads, mio, may) = (line("threads"), line("mio"), line("may"));
        assert!(text.contains("\necho, 64 connections, closed\n"), "{text}");
        assert!(threads.contains("12.00 µs  ×2.00 (2.00–2.00)"), "{threads}");
        assert!(mio.contains("6.00 µs  best"), "{mio}");
        assert!(may.contains("6.00 µs  tie ×1.00 (1.00–1.00)"), "{may}");
        assert!(may.contains("≥ 200,000  client-bound"), "{may}");
        assert!(!threads.contains("0.50"), "the best is not one that the generator held back");
        assert!(text.contains("\nclient-bound: the generator's core was busy"), "{text}");
    }

    #[test]
    fn under_six_rounds_there_are_ranges_and_no_ranks() {
        let mut results = example(3, &[("threads", 12.0), ("mio", 6.0)]);
        let first = results.cells[0].measured.as_mut().expect("measured");
        first.server_cpu_us_per_request = Some(10.0);
        let text = draw(&results, Colours::Off);
        assert!(text.contains("12.00 µs  10.00–12.00"), "{text}");
        assert!(text.contains("3 of 6 rounds that a ranking needs: ranges, not ranked"), "{text}");
        assert!(!text.contains("best") && !text.contains('×'), "{text}");
    }

    #[test]
    fn what_failed_is_told_below() {
        let mut results = example(1, &[("mio", 6.0)]);
        results.cells[0].measured = None;
        results.cells[0].failure = Some("no luck today".to_owned());
        let text = draw(&results, Colours::Off);
        assert!(text.contains("failed") && text.contains("no luck today"), "{text}");
    }

    /// One backend whose times are known, in one round.
    fn timed() -> Results {
        let mut results = example(1, &[("mio", 6.0)]);
        let measured = results.cells[0].measured.as_mut().expect("measured");
        measured.service_time_us =
            Some(Percentiles { p50: 111.0, p99: 333.0, ..Percentiles::default() });
        results
    }

    #[test]
    fn times_that_are_the_generators_own_are_marked() {
        let mut results = timed();
        let text = draw(&results, Colours::Off);
        assert!(text.contains("  333 µs") && !text.contains("≤"), "{text}");
        results.cells[0].measured.as_mut().expect("measured").client_bound = true;
        let text = draw(&results, Colours::Off);
        assert!(text.contains("≤ 111 µs  ≤ 333 µs"), "{text}");
        assert!(text.contains("\nlate: requests left so late that the times"), "{text}");
        assert!(!text.contains("\nclient-bound: "), "{text}");
    }

    #[test]
    fn a_percentile_with_fewer_than_ten_requests_beyond_it_is_a_dash() {
        let mut results = timed();
        results.cells[0].measured.as_mut().expect("measured").requests = 999;
        let text = draw(&results, Colours::Off);
        assert!(text.contains("111 µs") && !text.contains("333 µs"), "{text}");
    }

    #[test]
    fn what_an_interval_does_not_cover_is_said() {
        let text = draw(&example(6, &[("mio", 6.0)]), Colours::Off);
        assert!(text.contains("each interval for itself"), "{text}");
    }

    #[test]
    fn where_nobody_holds_a_connection_none_takes_memory() {
        let mut results = example(1, &[("mio", 6.0)]);
        assert!(draw(&results, Colours::Off).contains("2.0 KiB"));
        results.cells[0].shape = "churn".to_owned();
        let text = draw(&results, Colours::Off);
        assert!(!text.contains("KiB"), "{text}");
    }

    #[test]
    fn the_rounds_are_those_that_were_measured() {
        let mut results = example(3, &[("threads", 12.0), ("mio", 6.0)]);
        (results.experiment.rounds, results.complete) = (9, false);
        let text = draw(&results, Colours::Off);
        assert!(text.contains("3 of 6 rounds that a ranking needs: ranges, not ranked"), "{text}");
        let mut results = example(7, &[("threads", 12.0), ("mio", 6.0)]);
        (results.experiment.rounds, results.complete) = (9, false);
        let text = draw(&results, Colours::Off);
        assert!(text.contains("medians of up to 7 of 9 rounds;"), "{text}");
    }
}
