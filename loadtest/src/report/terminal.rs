//! What the terminal shows: the summary of a run, the table of a comparison.

use std::fmt::Write;
use std::time::Duration;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use url::Url;

use super::findings::ENOUGH_CONNECTIONS;
use super::json::{Measured, Results};
use super::rows::{Row, failures, rows};
use crate::load::{Errors, Summary};
use crate::stats::Spread;

/// Fewer rounds than this are shown as ranges and not ranked.
pub(crate) const ENOUGH_ROUNDS: usize = 6;

/// What stands in the last column, and what a dash means.
pub(super) const LIMIT: &str = "limit is what was seen to hold a cell back, a dash if nothing was; \
     a dash elsewhere is a figure that the cell can't give";

/// The summary of `loadtest run`.
pub(crate) fn summary(url: &Url, connections: usize, summary: &Summary) -> String {
    let times = &summary.service_time_us;
    let mut text = format!(
        "{:.1}s @ {url}, closed loop\n  connections   {} of {connections} in {:.2} s\n",
        summary.window_seconds, summary.connected, summary.ramp_seconds
    );
    let mut line = |name: &str, value: String| {
        // A String can always be written to.
        let _ = writeln!(text, "  {name:<13} {value}");
    };
    if summary.established != summary.connected {
        line("established", format!("{} by the kernel's count", summary.established));
    }
    line("requests", format!("{} ({:.0}/s)", summary.requests, summary.requests_per_second()));
    line(
        "service time",
        format!(
            "p50 {}  p90 {}  p99 {}  p99.9 {}  max {}",
            microseconds(times.p50),
            microseconds(times.p90),
            microseconds(times.p99),
            microseconds(times.p999),
            microseconds(times.max)
        ),
    );
    let rate = summary.bytes_read as f64 / summary.window_seconds;
    line("transfer", format!("{} ({}/s)", bytes(summary.bytes_read as f64), bytes(rate)));
    line("errors", errors(&summary.errors));
    let busy = 100.0 * summary.generator_utilisation;
    let bound =
        if summary.client_bound() { ", client-bound: the server could do more" } else { "" };
    line("generator", format!("{busy:.0}% of a core{bound}"));
    text
}

/// The table of `loadtest compare`, with all backends of a kind of cell under one another.
pub(crate) fn table(results: &Results) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header([
        "scenario",
        "conns",
        "backend",
        "CPU µs/req",
        "req/s",
        "p50",
        "p99",
        "KiB/conn",
        "threads",
        "switches/req",
        "errors",
        "limit",
    ]);
    let rows = rows(results);
    let mut kind = None;
    for row in &rows {
        if kind.is_some_and(|kind| kind != (row.scenario, row.connections)) {
            table.add_row([""]);
        }
        kind = Some((row.scenario, row.connections));
        table.add_row(cells(row));
    }
    for column in table.column_iter_mut().skip(3).take(7) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = format!("{}\n", table.trim_fmt());
    for (place, failure) in failures(results) {
        let _ = writeln!(text, "\n{place}: {failure}");
    }
    text.push_str(&caption(results));
    text
}

pub(super) fn cells(row: &Row<'_>) -> [String; 12] {
    let of = |value: fn(&Measured) -> Option<f64>, digits| figure(row.spread(value), digits);
    let time = |value: fn(&Measured) -> f64| {
        let median = row.spread(|measured| Some(value(measured)));
        median.map_or_else(|| "-".to_owned(), |spread| microseconds(spread.median))
    };
    let remark = if row.has_failed() { "failed" } else { row.limit().unwrap_or("-") };
    [
        row.scenario.to_owned(),
        row.connections.to_string(),
        row.backend.to_owned(),
        of(|measured| measured.server_cpu_us_per_request, 2),
        of(|measured| Some(measured.requests_per_second), 0),
        time(|measured| measured.service_time_us.p50),
        time(|measured| measured.service_time_us.p99),
        if row.connections < ENOUGH_CONNECTIONS {
            "-".to_owned()
        } else {
            of(|measured| measured.pss_kib_per_connection, 1)
        },
        of(|measured| Some(measured.threads as f64), 0),
        of(|measured| measured.context_switches_per_request, 2),
        errors(&row.errors()),
        remark.to_owned(),
    ]
}

fn caption(results: &Results) -> String {
    let (rounds, seed) = (results.rounds, results.seed);
    let rounds = if rounds < ENOUGH_ROUNDS {
        format!("{rounds} of {ENOUGH_ROUNDS} rounds that a ranking needs: not ranked")
    } else {
        format!("medians of {rounds} rounds")
    };
    let times = times(results);
    format!("\nclosed loop, {times}; {rounds}; seed {seed}\n{LIMIT}\n")
}

/// How long each cell was measured, as it was asked for.
pub(super) fn times(results: &Results) -> String {
    let time = |seconds| {
        humantime::format_duration(Duration::try_from_secs_f64(seconds).unwrap_or_default())
    };
    let (window, warm_up) = (time(results.window_seconds), time(results.warm_up_seconds));
    format!("{window} a cell after {warm_up} of warm-up")
}

/// A median, with its range if there is one to show.
fn figure(spread: Option<Spread>, digits: usize) -> String {
    let Some(Spread { median, least, greatest }) = spread else { return "-".to_owned() };
    let show = |value: f64| format!("{value:.digits$}");
    let (least, greatest) = (show(least), show(greatest));
    if least == greatest { least } else { format!("{} ({least}–{greatest})", show(median)) }
}

/// Errors by kind in words.
pub(crate) fn errors(errors: &Errors) -> String {
    if errors.is_empty() {
        return "none".to_owned();
    }
    errors.iter().map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", ")
}

/// A time in the unit that suits it.
pub(crate) fn microseconds(value: f64) -> String {
    match value {
        value if value < 1e3 => format!("{value:.0}µs"),
        value if value < 1e6 => format!("{:.2}ms", value / 1e3),
        value => format!("{:.2}s", value / 1e6),
    }
}

fn bytes(value: f64) -> String {
    match value {
        value if value < 1024.0 => format!("{value:.0} B"),
        value if value < 1024.0 * 1024.0 => format!("{:.1} KiB", value / 1024.0),
        value => format!("{:.1} MiB", value / (1024.0 * 1024.0)),
    }
}
