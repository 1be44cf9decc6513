//! What was found, in plain words.
//!
//! With six rounds or more backends are ranked, by the ratios of their rounds; with fewer only
//! the range of what was seen is told, in no order.

use std::fmt::Write;

use super::charts::{short, thousands};
use super::json::{Measured, Results};
use super::rows::{Row, failures, rows};
use super::terminal::{ENOUGH_ROUNDS, errors};
use crate::stats::ratio;

/// PSS moves by some hundred KiB whatever a server does, so fewer connections than this say
/// nothing about the memory of one.
pub(crate) const ENOUGH_CONNECTIONS: usize = 64;

/// One sentence or two for each kind of cell, then what went wrong.
pub(super) fn findings(results: &Results) -> Vec<String> {
    let rows = rows(results);
    let mut findings = Vec::new();
    for kind in rows.chunk_by(|a, b| (a.scenario, a.connections) == (b.scenario, b.connections)) {
        let [first, ..] = kind else { continue };
        let place = format!("{}, {}", first.scenario, connections(first.connections));
        let cpu = if results.rounds < ENOUGH_ROUNDS { cpu_range(kind) } else { cpu_ranked(kind) };
        findings.extend(cpu.map(|text| format!("{place}: {text}.")));
    }
    findings.extend(memory(&rows));
    let failures = failures(results).into_iter();
    findings.extend(failures.map(|(place, why)| format!("{place}: could not be measured: {why}.")));
    findings.extend(rows.iter().filter_map(trouble));
    findings
}

fn cpu(measured: &Measured) -> Option<f64> {
    measured.server_cpu_us_per_request
}

/// The least and the greatest median; who has them is for more rounds to say.
fn cpu_range(kind: &[Row<'_>]) -> Option<String> {
    let medians = kind.iter().filter_map(|row| Some(row.spread(cpu)?.median));
    let (least, greatest) = range(medians)?;
    let throughput = kind
        .iter()
        .filter_map(|row| Some(row.spread(|measured| Some(measured.requests_per_second))?.median));
    let (slowest, fastest) = range(throughput)?;
    Some(format!(
        "a request cost the server {} µs of CPU, and {} requests were answered a second",
        between(&short(least), &short(greatest)),
        between(&thousands(slowest), &thousands(fastest)),
    ))
}

/// The backend with the least CPU a request, those tied with it, and by how much others differ.
fn cpu_ranked(kind: &[Row<'_>]) -> Option<String> {
    let median = |row: &Row<'_>| row.spread(cpu).map(|spread| spread.median);
    let mut ranked: Vec<(&Row<'_>, f64)> =
        kind.iter().filter_map(|row| Some((row, median(row)?))).collect();
    ranked.sort_by(|a, b| a.1.total_cmp(&b.1));
    let ((best, least), others) = ranked.split_first()?;
    let (mut tied, mut dearer) = (Vec::new(), Vec::new());
    for (row, _) in others {
        let Some(ratio) = ratio(pairs(row, best)) else { continue };
        let times = format!("{:.2} ({:.2}–{:.2})", ratio.median, ratio.low, ratio.high);
        let list = if ratio.is_tie() { &mut tied } else { &mut dearer };
        list.push(format!("{} {times}", row.backend));
    }
    let mut text = format!("{} needed the least CPU a request, {} µs", best.backend, short(*least));
    for (list, verdict) in [(tied, "tied with it"), (dearer, "times as much")] {
        if !list.is_empty() {
            // A String can always be written to.
            let _ = write!(text, "; {verdict}: {}", list.join(", "));
        }
    }
    Some(text)
}

/// The CPU a request of both in each round that has both.
fn pairs(row: &Row<'_>, other: &Row<'_>) -> Vec<(f64, f64)> {
    row.rounds()
        .filter_map(|(round, measured)| {
            let (_, same) = other.rounds().find(|(other, _)| *other == round)?;
            Some((cpu(measured)?, cpu(same)?))
        })
        .collect()
}

/// Memory at the most connections that were held.
fn memory(rows: &[Row<'_>]) -> Option<String> {
    let enough = rows.iter().filter(|row| row.connections >= ENOUGH_CONNECTIONS);
    let most = enough.map(|row| row.connections).max()?;
    let (least, greatest) =
        range(rows.iter().filter(|row| row.connections == most).filter_map(|row| {
            Some(row.spread(|measured| measured.pss_kib_per_connection)?.median)
        }))?;
    let held = connections(most);
    Some(format!("With {held} held, each took {} KiB.", between(&short(least), &short(greatest))))
}

fn trouble(row: &Row<'_>) -> Option<String> {
    let place = format!("{}, {}, {}", row.backend, row.scenario, connections(row.connections));
    let found = row.errors();
    if !found.is_empty() {
        return Some(format!("{place}: errors: {}.", errors(&found)));
    }
    row.client_bound().then(|| format!("{place}: client-bound, the server could do more."))
}

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let spread = crate::stats::Spread::of(values)?;
    Some((spread.least, spread.greatest))
}

fn between(least: &str, greatest: &str) -> String {
    if least == greatest { least.to_owned() } else { format!("{least} to {greatest}") }
}

fn connections(count: usize) -> String {
    let count = thousands(count as f64);
    if count == "1" { "1 connection".to_owned() } else { format!("{count} connections") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::example;

    #[test]
    fn under_six_rounds_nothing_is_ranked() {
        let results = example(5, &[("threads", 12.0), ("mio", 6.0)]);
        assert_eq!(
            findings(&results),
            [
                "echo, 64 connections: a request cost the server 6.00 to 12.0 µs of CPU, \
                 and 100,000 requests were answered a second.",
                "With 64 connections held, each took 2.00 KiB.",
            ]
        );
    }

    #[test]
    fn six_rounds_are_ranked_by_the_ratios_of_their_rounds() {
        let results = example(6, &[("threads", 12.0), ("mio", 6.0), ("may", 6.0)]);
        assert_eq!(
            findings(&results)[0],
            "echo, 64 connections: mio needed the least CPU a request, 6.00 µs; \
             tied with it: may 1.00 (1.00–1.00); times as much: threads 2.00 (2.00–2.00)."
        );
    }

    #[test]
    fn what_went_wrong_is_told() {
        let mut results = example(1, &[("mio", 6.0), ("may", 6.0), ("actix", 6.0)]);
        let [mio, may, actix] = &mut results.cells[..] else { panic!("three cells") };
        (mio.measured, mio.failure) = (None, Some("no luck".to_owned()));
        let may = may.measured.as_mut().expect("measured");
        may.errors.insert("reset".to_owned(), 3);
        actix.measured.as_mut().expect("measured").client_bound = true;
        assert_eq!(
            findings(&results)[2..],
            [
                "mio, echo, 64 connections: could not be measured: no luck.",
                "may, echo, 64 connections: errors: reset 3.",
                "actix, echo, 64 connections: client-bound, the server could do more.",
            ]
        );
    }
}
