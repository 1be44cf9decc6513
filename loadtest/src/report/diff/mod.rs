//! `loadtest diff`: two runs beside one another.
//!
//! What differs around the two comes first, because it may be the reason for all that follows.
//! Then every cell that both have (the same backend, scenario, connections and shape), figure by
//! figure, with what the later run's is by the earlier's. The rounds of two runs are no pairs, so
//! that is not the ratio of a comparison's rounds: see [`change`].

mod around;

use std::fmt::Write;

use super::grid::{Cell, Colours, Grid, Side, Tone};
use super::json::{Measured, Results, Role};
use super::numbers::{counted, short, thousands, time};
use super::percentile::{P99, Times};
use super::rows::{Row, rows};
use super::standing::lacking;
use crate::stats::{Change, Spread, change};

const COLUMNS: [(&str, Side); 6] = [
    ("backend", Side::Left),
    ("figure", Side::Left),
    ("A", Side::Right),
    ("B", Side::Right),
    ("B/A", Side::Left),
    ("", Side::Left),
];

/// A figure by which two runs are compared.
struct Figure {
    name: &'static str,
    /// In each round.
    values: fn(&Row<'_>) -> Vec<f64>,
    show: fn(f64) -> String,
    more_is_better: bool,
    /// Whether a generator at its limit is in it.
    is_of_both: bool,
}

const FIGURES: [Figure; 4] = [
    Figure {
        name: "CPU/request",
        values: |row| each(row, |measured| measured.server_cpu_us_per_request),
        show: |value| format!("{value:.2} µs"),
        more_is_better: false,
        is_of_both: false,
    },
    Figure {
        name: "requests/s",
        // An open loop makes as many as are due.
        values: |row| {
            let is_open = row.is_open();
            each(row, |measured| Some(measured.requests_per_second).filter(|_| !is_open))
        },
        show: |value| format!("{} /s", thousands(value)),
        more_is_better: true,
        is_of_both: true,
    },
    Figure {
        name: "p99",
        values: |row| {
            let is_told = P99.is_told(row, Times::Requests);
            each(row, |measured| P99.in_round(Times::Requests, measured).filter(|_| is_told))
        },
        show: time,
        more_is_better: false,
        is_of_both: true,
    },
    Figure {
        name: "memory/conn",
        values: |row| {
            let is_enough = row.tells_memory();
            each(row, |measured| measured.memory_kib_per_connection.filter(|_| is_enough))
        },
        show: |value| format!("{} KiB", short(value)),
        more_is_better: false,
        is_of_both: false,
    },
];

/// How often the runs differ.
#[derive(Default)]
struct Tally {
    compared: usize,
    ties: usize,
    unranked: usize,
}

/// All that is to be said of two runs, of which each has a name.
pub(super) fn text(
    (before, after): (&Results, &Results),
    names: (&str, &str),
    colours: Colours,
) -> String {
    let mut text = String::new();
    for (letter, name, results) in [("A", names.0, before), ("B", names.1, after)] {
        // A String can always be written to.
        let _ = writeln!(
            text,
            "{letter}  {}",
            Cell::new(&around::run(name, results), Tone::Plain).text()
        );
    }
    text.push('\n');
    text.push_str(&around::differences(before, after, colours));

    let (before_rows, after_rows) = (rows(&before.cells), rows(&after.cells));
    text.push_str(&of_the_floor(&before_rows, &after_rows));
    let same =
        |a: &Row<'_>, b: &Row<'_>| (a.backend, a.role, a.kind()) == (b.backend, b.role, b.kind());
    let mut grid = Grid::new(&COLUMNS);
    let mut tally = Tally::default();
    for kind in before_rows.chunk_by(|a, b| a.kind() == b.kind()) {
        let pairs = kind
            .iter()
            .filter_map(|row| Some((row, after_rows.iter().find(|other| same(row, other))?)));
        let pairs: Vec<_> = pairs.collect();
        let Some((first, _)) = pairs.first() else { continue };
        let connections = counted(first.connections, "connection");
        grid.heading(&format!("{}, {connections}, {}", first.scenario, first.shape));
        for pair in pairs {
            lines(&mut grid, pair, &mut tally);
        }
    }
    text.push_str(&grid.draw(colours));
    for (letter, of, others) in [("A", &before_rows, &after_rows), ("B", &after_rows, &before_rows)]
    {
        let alone: Vec<&Row<'_>> =
            of.iter().filter(|row| !others.iter().any(|other| same(row, other))).collect();
        text.push_str(&only_in(letter, &alone));
    }
    text + &caption(&tally)
}

/// Whether two rows are the same cell.
fn same(a: &Row<'_>, b: &Row<'_>) -> bool {
    (a.backend, a.role, a.kind()) == (b.backend, b.role, b.kind())
}

/// What the floor says of the machine: it is next to nothing but system calls, so if those became
/// dearer, all else did.
fn of_the_floor(before: &[Row<'_>], after: &[Row<'_>]) -> String {
    let cpu = |row: &Row<'_>| each(row, |measured| measured.server_cpu_us_per_request);
    let floors = before.iter().filter(|row| row.role == Role::Calibration);
    let changes = floors
        .filter_map(|row| change(cpu(row), cpu(after.iter().find(|other| same(row, other))?)));
    let changes: Vec<Change> = changes.collect();
    let apart = changes.iter().filter(|change| !change.is_tie()).map(|change| change.ratio);
    let apart: Vec<f64> = apart.collect();
    let all = counted(changes.len(), "kind") + " of cell";
    match Spread::of(apart.clone()) {
        None if changes.is_empty() => String::new(),
        None => format!("\nThe floor costs the same in both, in {all}: so do system calls.\n"),
        Some(Spread { least, greatest, .. }) => format!(
            "\nThe floor, which is next to nothing but system calls, costs ×{least:.2} to \
             ×{greatest:.2} in {} of {all}: so much of what follows is the machine's.\n",
            apart.len()
        ),
    }
}

/// One row of both runs: a line for each figure that both have.
fn lines(grid: &mut Grid, (before, after): (&Row<'_>, &Row<'_>), tally: &mut Tally) {
    let mut name = match before.role {
        Role::Compared | Role::Twin => before.backend.to_owned(),
        Role::Calibration => format!("{} (ceiling)", before.backend),
    };
    for Figure { name: figure, values, show, more_is_better, is_of_both } in &FIGURES {
        let (a, b) = (values(before), values(after));
        let Some((first, second)) = Spread::of(a.clone()).zip(Spread::of(b.clone())) else {
            continue;
        };
        let unlike = unlike(before, after, *is_of_both);
        let change = change(a, b).filter(|_| unlike.is_none());
        tally.count(change.as_ref(), unlike.is_some());
        let limit = if *more_is_better { "≥" } else { "≤" };
        let shown = |row: &Row<'_>, spread: Spread| match change {
            Some(_) => show(spread.median),
            None if *is_of_both && row.client_bound() => format!("{limit} {}", show(spread.median)),
            None => with_range(spread, *show),
        };
        let (ratio, verdict) = in_words(change.as_ref(), unlike, *more_is_better);
        grid.row(vec![
            Cell::new(&std::mem::take(&mut name), Tone::Heading),
            Cell::new(figure, Tone::Plain),
            Cell::new(&shown(before, first), Tone::Plain),
            Cell::new(&shown(after, second), Tone::Plain),
            Cell::new(&ratio, Tone::Plain),
            verdict,
        ]);
    }
}

/// Why two rows can't be compared, if they can't: one of them held fewer connections than it was
/// asked to, or the generator was the limit, which matters to some figures.
fn unlike(before: &Row<'_>, after: &Row<'_>, is_of_both: bool) -> Option<String> {
    let held = |row: &Row<'_>| Some(lacking(row.lacking()?, row.connections));
    let bound = || before.bound().or(after.bound()).filter(|_| is_of_both);
    held(before).or_else(|| held(after)).or_else(|| Some(bound()?.to_string()))
}

/// What a figure is in each round that has it.
fn each(row: &Row<'_>, of: impl Fn(&Measured) -> Option<f64>) -> Vec<f64> {
    row.measured().filter_map(of).collect()
}

fn in_words(
    change: Option<&Change>,
    unlike: Option<String>,
    more_is_better: bool,
) -> (String, Cell) {
    let Some(change) = change else {
        let too_few = || Cell::new("too few rounds", Tone::Aside);
        let why = unlike.map_or_else(too_few, |why| Cell::new(&why, Tone::Mark));
        return (String::new(), why);
    };
    let Change { ratio, low, high } = change;
    let digits = |value: &f64| {
        let text = format!("{value:.2}");
        if text == "1.00" && !change.is_tie() { format!("{value:.4}") } else { text }
    };
    let ratio_text = format!("×{ratio:.2} ({}–{})", digits(low), digits(high));
    let verdict = match (change.is_tie(), (*ratio > 1.0) == more_is_better) {
        (true, _) => Cell::new("tie", Tone::Tie),
        (false, true) => Cell::new("better", Tone::Best),
        (false, false) => Cell::new("worse", Tone::Trouble),
    };
    (ratio_text, verdict)
}

fn with_range(spread: Spread, show: fn(f64) -> String) -> String {
    let Spread { median, least, greatest } = spread;
    let [median, least, greatest] = [median, least, greatest].map(show);
    if least == greatest {
        median
    } else {
        format!("{} ({}–{})", median.trim_end(), least.trim_end(), greatest.trim_end())
    }
}

impl Tally {
    fn count(&mut self, change: Option<&Change>, is_unlike: bool) {
        match change {
            Some(change) => {
                self.compared += 1;
                self.ties += usize::from(change.is_tie());
            }
            None => self.unranked += usize::from(!is_unlike),
        }
    }
}

/// Cells that the other run does not have.
fn only_in(letter: &str, alone: &[&Row<'_>]) -> String {
    if alone.is_empty() {
        return String::new();
    }
    let mut kinds: Vec<String> = Vec::new();
    for row in alone {
        let (scenario, connections, shape) = row.kind();
        let cell =
            format!("{} ({scenario}, {}, {shape})", row.backend, thousands(connections as f64));
        kinds.push(Cell::new(&cell, Tone::Plain).text().to_owned());
    }
    let more = kinds.len().saturating_sub(SHOWN);
    kinds.truncate(SHOWN);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("\nonly in {letter}: {}{more}\n", kinds.join(", "))
}

/// Of cells that one run has alone, so many are named.
const SHOWN: usize = 4;

fn caption(tally: &Tally) -> String {
    let Tally { compared, ties, unranked } = tally;
    let mut text = String::from("\n");
    if *compared > 0 {
        let _ = writeln!(
            text,
            "{ties} of {} tied; of figures that did not change one in twenty would look as if it \
             had\nB/A is the median of the ratios of every round of B to every round of A, with an \
             interval of at least 95%\n(Hodges and Lehmann, Moses); a tie is one that holds 1. It \
             knows how rounds scatter within a run, not how a\nmachine differs from one day to the \
             next: two runs of one build show that",
            counted(*compared, "figure"),
        );
    }
    if *unranked > 0 {
        text.push_str("an interval needs four rounds of each, or five and three: without it, medians with ranges\n");
    }
    if *compared + *unranked == 0 {
        text.push_str("the two runs have no figure in common\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::example;
    use crate::stats::Percentiles;

    fn diff(before: &Results, after: &Results) -> String {
        text((before, after), ("a.json", "b.json"), Colours::Off)
    }

    fn line<'t>(text: &'t str, words: &str) -> &'t str {
        text.lines().find(|line| line.contains(words)).expect("a line")
    }

    /// Six rounds that scatter by a few percent.
    fn scattered(cpu: f64) -> Results {
        let mut results = example(6, &[("mio", cpu), ("may", 9.0)]);
        for record in &mut results.cells {
            let part = 1.0 + 0.01 * record.round as f64;
            let measured = record.measured.as_mut().expect("measured");
            measured.server_cpu_us_per_request =
                measured.server_cpu_us_per_request.map(|cpu| cpu * part);
            measured.requests_per_second /= part;
        }
        results
    }

    #[test]
    fn a_change_is_told_with_its_interval_and_none_as_a_tie() {
        let text = diff(&scattered(6.0), &scattered(7.2));
        assert!(text.contains("\necho, 64 connections, closed\n"), "{text}");
        let mio = line(&text, "  mio");
        assert!(
            mio.contains("6.21 µs    7.45 µs  ×1.20 (1.17–1.23)") && mio.ends_with("worse"),
            "{mio}"
        );
        let may = line(&text, "  may");
        assert!(
            may.contains("9.31 µs    9.31 µs  ×1.00 (0.97–1.03)") && may.ends_with("tie"),
            "{may}"
        );
        assert!(text.contains("\n5 of 6 figures tied; "), "{text}");
        let back = diff(&scattered(7.2), &scattered(6.0));
        assert!(line(&back, "  mio").ends_with("better"), "{back}");
    }

    #[test]
    fn the_client_bound_is_not_compared_by_throughput() {
        let mut after = scattered(6.0);
        let measured = after.cells[0].measured.as_mut().expect("measured");
        (measured.client_bound, measured.generator_utilisation) = (true, 0.95);
        let text = diff(&scattered(6.0), &after);
        assert_eq!(text.matches("client-bound").count(), 1, "{text}");
    }

    #[test]
    fn with_few_rounds_there_are_ranges_and_no_verdict() {
        let text = diff(&example(3, &[("mio", 6.0)]), &example(3, &[("mio", 3.0)]));
        assert!(line(&text, "CPU/request").ends_with("too few rounds"), "{text}");
        assert!(text.contains("an interval needs four rounds of each"), "{text}");
        assert!(!text.contains("better") && !text.contains("worse"), "{text}");
    }

    #[test]
    fn cells_that_one_run_has_alone_are_named() {
        let (before, after) = (example(6, &[("mio", 6.0)]), example(6, &[("may", 6.0)]));
        let text = diff(&before, &after);
        assert!(text.contains("only in A: mio (echo, 64, closed)\n"), "{text}");
        assert!(text.contains("only in B: may (echo, 64, closed)\n"), "{text}");
        assert!(text.contains("no figure in common"), "{text}");
    }

    #[test]
    fn the_floor_tells_whether_the_machine_changed() {
        let floor = |cpu| {
            let mut results = example(6, &[("floor", cpu)]);
            results.cells.iter_mut().for_each(|record| record.role = Role::Calibration);
            results
        };
        let same = diff(&floor(2.0), &floor(2.0));
        assert!(same.contains("costs the same in both, in 1 kind of cell"), "{same}");
        let dearer = diff(&floor(2.0), &floor(2.2));
        assert!(dearer.contains("costs ×1.10 to ×1.10 in 1 of 1 kind of cell"), "{dearer}");
    }

    #[test]
    fn what_differs_around_comes_first() {
        let (before, mut after) = (scattered(6.0), scattered(6.0));
        after.environment.kernel = "6.19".to_owned();
        let text = diff(&before, &after);
        let (kernel, table) = (text.find("kernel"), text.find("CPU/request"));
        assert!(kernel.is_some() && kernel < table, "{text}");
    }

    #[test]
    fn times_that_say_nothing_are_not_compared() {
        let timed = || {
            let mut results = scattered(6.0);
            for record in &mut results.cells {
                let times = Percentiles { p99: 300.0, ..Percentiles::default() };
                record.measured.as_mut().expect("measured").service_time_us = Some(times);
            }
            results
        };
        let mut after = timed();
        let of_mio = after.cells.iter_mut().find(|record| record.backend == "mio");
        let measured = of_mio.and_then(|record| record.measured.as_mut()).expect("measured");
        (measured.client_bound, measured.generator_utilisation) = (true, 0.4);
        for record in after.cells.iter_mut().filter(|record| record.backend == "may") {
            record.measured.as_mut().expect("measured").requests = 999;
        }
        let text = diff(&timed(), &after);
        let of_times: Vec<&str> = text.lines().filter(|line| line.contains(" p99 ")).collect();
        let [line] = of_times[..] else { panic!("nine of one lie beyond its p99: {text}") };
        assert!(line.contains("≤ 300 µs") && line.ends_with("late"), "{line}");
    }

    #[test]
    fn runs_that_did_not_hold_all_connections_are_not_compared() {
        let mut after = scattered(6.0);
        let of_mio = after.cells.iter_mut().find(|record| record.backend == "mio");
        of_mio.and_then(|record| record.measured.as_mut()).expect("measured").connected = 60;
        let text = diff(&scattered(6.0), &after);
        assert!(line(&text, "  mio").ends_with("held 60 of 64"), "{text}");
    }
}
