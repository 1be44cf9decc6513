//! What was found, in plain words.
//!
//! First what bears on everything else: whether the null test passed, and whether the comparison
//! came to its end. Then a sentence or two for each backend, how far they came, and what went
//! wrong. With six rounds or more backends are ranked, by the ratios of their rounds; with fewer
//! only the range of what was seen is told, in no order.

use super::json::{Results, Role};
use super::numbers::{counted, short, thousands, time};
use super::percentile::{P99, Times};
use super::places::{Place, between, by_connections, names};
use super::rows::{Bound, Row, failures, rows};
use super::standing::Standing;
use super::table::{ENOUGH_ROUNDS, rounds};
use super::terminal;
use super::verdict::{Figure, NULL_BOUNDS, NullKind, NullTest, Reach, Verdict};
use crate::stats::Spread;

/// PSS moves by some hundred KiB whatever a server does, so fewer connections than this say
/// nothing about the memory of one.
pub(crate) const ENOUGH_CONNECTIONS: usize = 64;
/// More troubles than this are counted, not told.
const TROUBLES: usize = 12;

/// A finding: what it is about, and what was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) about: String,
    pub(super) text: String,
    /// Whether it casts doubt on others.
    pub(super) is_warning: bool,
}

impl Finding {
    fn new(about: impl Into<String>, text: impl Into<String>) -> Self {
        Self { about: about.into(), text: text.into(), is_warning: false }
    }

    fn warning(about: impl Into<String>, text: impl Into<String>) -> Self {
        Self { is_warning: true, ..Self::new(about, text) }
    }
}

/// All of them, what matters most first.
pub(super) fn findings(results: &Results) -> Vec<Finding> {
    let rows = rows(&results.cells);
    let mut findings = Vec::new();
    findings.extend(results.verdict.null_test.as_ref().map(null_test));
    if !results.complete {
        let text = "not all cells were measured; what follows is of those that were.";
        findings.push(Finding::warning("The comparison was interrupted", text));
    }
    let compared = compared(&rows);
    let rounds = rounds(results);
    if rounds < ENOUGH_ROUNDS {
        let text = format!(
            "a ranking needs {ENOUGH_ROUNDS} rounds, and there {}; what follows are ranges.",
            if rounds == 1 { "was one".to_owned() } else { format!("were {rounds}") }
        );
        findings.push(Finding::new("Nothing is ranked", text));
        findings.extend(memory(results, &compared));
    } else {
        findings.extend(names(&compared).into_iter().map(|name| backend(results, &compared, name)));
    }
    findings.extend(reach(&results.verdict));
    findings.extend(client_bound(&compared));
    findings.extend(troubles(results, &rows));
    findings
}

/// The rows that are compared; without any, such as they are.
pub(super) fn compared<'a, 'r>(rows: &'a [Row<'r>]) -> Vec<&'a Row<'r>> {
    let compared: Vec<&Row<'_>> = rows.iter().filter(|row| row.role == Role::Compared).collect();
    if compared.is_empty() { rows.iter().collect() } else { compared }
}

fn null_test(test: &NullTest) -> Finding {
    let name = &test.backend;
    match test.passed {
        None => Finding::warning(
            "No null test",
            format!("{name} ran under two names, but in too few rounds to compare them."),
        ),
        Some(true) => Finding::new(
            "The null test passed",
            format!(
                "{name} ran under two names, and every interval of its ratio to itself lies \
                 within {} and {}.",
                NULL_BOUNDS.0, NULL_BOUNDS.1
            ),
        ),
        Some(false) => {
            let failed: Vec<&NullKind> = test.kinds.iter().filter(|kind| !kind.passed).collect();
            let width = |kind: &&&NullKind| kind.ratio.high.max(1.0 / kind.ratio.low);
            let widest = failed.iter().max_by(|a, b| width(a).total_cmp(&width(b)));
            let widest = widest.map_or_else(String::new, |kind| {
                let (place, ratio) = (place(&kind.scenario, kind.connections), kind.ratio);
                format!(
                    ", at worst {:.2} to {:.2} ({place}, {})",
                    ratio.low, ratio.high, kind.shape
                )
            });
            let said = format!(
                "{name} ran under two names, and its ratio to itself left {} to {} in {} of {}\
                 {widest}. Differences of that size between two backends mean nothing here.",
                NULL_BOUNDS.0,
                NULL_BOUNDS.1,
                failed.len(),
                kinds(test.kinds.len()),
            );
            Finding::warning("The null test failed", said)
        }
    }
}

/// Where one backend stands by the first figure, and what a connection takes of its memory.
fn backend(results: &Results, rows: &[&Row<'_>], name: &str) -> Finding {
    let place = Place::of(results, rows, name, Figure::ServerCpuUsPerRequest);
    let times = |(least, most)| between(&format!("{least:.2}"), &format!("{most:.2}"));
    let cpu = match place {
        Place { all: 0, .. } => None,
        Place { elsewhere: None, .. } => {
            Some("the least CPU a request, or tied with it, everywhere".to_owned())
        }
        Place { first: 0, elsewhere: Some(ratios), .. } => {
            Some(format!("{} times the least CPU a request", times(ratios)))
        }
        Place { first, all, elsewhere: Some(ratios) } => Some(format!(
            "the least CPU a request, or tied with it, in {first} of {}, {} times as much \
             elsewhere",
            kinds(all),
            times(ratios)
        )),
    };
    let slope = results.verdict.slopes.iter().find(|slope| slope.backend == name);
    let memory = slope.map(|slope| {
        let user = short(slope.user_kib_per_connection);
        format!("{user} KiB of user memory for each connection held")
    });
    let parts: Vec<String> = cpu.into_iter().chain(memory).collect();
    if parts.is_empty() {
        return Finding::new(name, "nothing to compare it by.");
    }
    Finding::new(name, format!("{}.", parts.join("; ")))
}

/// The least and the greatest p99 at the most connections, and that of bystanders.
pub(super) fn tail(verdict: &Verdict, rows: &[&Row<'_>]) -> Vec<String> {
    let Some(kind) = by_connections(rows).last() else { return Vec::new() };
    let at = kind.first().map_or(0, |row| row.connections);
    let told = |what: &str, times: Times| {
        let all_held = kind.iter().filter(|row| row.lacking().is_none());
        let known = all_held.filter(|row| P99.of(row, times).is_some());
        let (bound, own): (Vec<&Row<'_>>, Vec<&Row<'_>>) =
            known.copied().partition(|row| row.client_bound());
        let values = own.iter().filter_map(|row| Some((P99.of(row, times)?.median, row.backend)));
        let bound = (!bound.is_empty())
            .then(|| format!("that of {} is the generator's own", counted(bound.len(), "backend")));
        let parts: Vec<String> =
            shortest_and_longest(values.collect()).into_iter().chain(bound).collect();
        let at = counted(at, "connection");
        (!parts.is_empty()).then(|| format!("{what} at {at}: {}.", parts.join("; ")))
    };
    let kind_of_time =
        if are_response_times(kind) { "p99 of response times" } else { "p99 of service times" };
    let tied = kind.iter().all(|row| {
        matches!(Standing::of(verdict, row, Figure::P99Us), Standing::Best | Standing::Tie(_))
    });
    let times = told(kind_of_time, Times::Requests);
    let times = times.map(|text| if tied { format!("{text} All are tied.") } else { text });
    let others = told("p99 of the bystanders", Times::Bystanders);
    times.into_iter().chain(others).collect()
}

fn shortest_and_longest(mut values: Vec<(f64, &str)>) -> Option<String> {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ((shortest, whose), (longest, others)) = (*values.first()?, *values.last()?);
    let says = |value| time(value).trim_end().to_owned();
    Some(match values.len() {
        1 => says(shortest),
        _ => format!("{} ({whose}) to {} ({others})", says(shortest), says(longest)),
    })
}

/// Whether these are response times, from when a request was due. A blocker's never are: it asks in
/// a closed loop whatever the others do.
pub(super) fn are_response_times(rows: &[&Row<'_>]) -> bool {
    rows.iter().flat_map(|row| row.measured()).any(|measured| measured.response_time_us.is_some())
}

/// What each connection more takes of their memory, or what was seen at the most connections.
fn memory(results: &Results, rows: &[&Row<'_>]) -> Option<Finding> {
    let each = names(rows).into_iter().filter_map(|name| {
        let slope = results.verdict.slopes.iter().find(|slope| slope.backend == name)?;
        Some(format!("{name} {}", short(slope.user_kib_per_connection)))
    });
    let each: Vec<String> = each.collect();
    if !each.is_empty() {
        let text = format!("KiB of user memory for each connection held: {}.", each.join(", "));
        return Some(Finding::new("Memory", text));
    }
    let enough = || rows.iter().filter(|row| row.tells_memory());
    let most = enough().map(|row| row.connections).max()?;
    let held = enough()
        .filter(|row| row.connections == most)
        .filter_map(|row| Some(row.spread(|measured| measured.memory_kib_per_connection)?.median));
    let Spread { least, greatest, .. } = Spread::of(held)?;
    let (held, each) = (counted(most, "connection"), between(&short(least), &short(greatest)));
    Some(Finding::new("Memory", format!("with {held} held, each took {each} KiB.")))
}

fn reach(verdict: &Verdict) -> Option<Finding> {
    let (stopped, others): (Vec<&Reach>, Vec<&Reach>) =
        verdict.reach.iter().partition(|reach| reach.stopped_by.is_some());
    let stopped: Vec<String> = stopped.into_iter().map(ToString::to_string).collect();
    let most = others.iter().map(|reach| reach.connections).max();
    let most = thousands(most.unwrap_or(0) as f64);
    (!verdict.reach.is_empty()).then_some(())?;
    Some(if stopped.is_empty() {
        Finding::new("How far", format!("all held {most} connections, and nothing stopped them."))
    } else if !others.is_empty() {
        let text = format!("{}. Nothing stopped the others at {most}.", stopped.join(". "));
        Finding::new("How far", text)
    } else {
        Finding::new("How far", format!("{}.", stopped.join(". ")))
    })
}

/// Where the generator was the limit, and how.
fn client_bound(rows: &[&Row<'_>]) -> Vec<Finding> {
    let told = |about, bound, what: &str, so: &str| {
        let count = rows.iter().filter(|row| row.bound() == Some(bound)).count();
        let text = format!(
            "{what} in {count} of {}, which are marked: {so}.",
            counted(rows.len(), "cell")
        );
        (count > 0).then(|| Finding::new(about, text))
    };
    let busy = told(
        "Client-bound",
        Bound::Busy,
        "the generator's core was busy over 90%",
        "the server could do more, and neither its throughput nor its times are ranked",
    );
    let late = told(
        "Late",
        Bound::Late,
        "requests left late",
        "their times are the generator's own, and are not ranked",
    );
    busy.into_iter().chain(late).collect()
}

fn troubles(results: &Results, rows: &[Row<'_>]) -> Vec<Finding> {
    let failures = failures(results)
        .into_iter()
        .map(|(place, why)| Finding::warning(place, format!("could not be measured: {why}.")));
    let mut all: Vec<Finding> = failures.chain(rows.iter().filter_map(trouble)).collect();
    let more = all.len().saturating_sub(TROUBLES);
    if more > 0 {
        all.truncate(TROUBLES);
        let text = "in the tables, and in results.csv.";
        all.push(Finding::warning(format!("{} more with errors", counted(more, "cell")), text));
    }
    all
}

fn trouble(row: &Row<'_>) -> Option<Finding> {
    let found = terminal::trouble(&row.errors(), row.reconnects())?;
    let place = format!("{}, {}", row.backend, place(row.scenario, row.connections));
    Some(Finding::warning(place, format!("{found}.")))
}

fn place(scenario: &str, connections: usize) -> String {
    format!("{scenario}, {}", counted(connections, "connection"))
}

fn kinds(count: usize) -> String {
    format!("{} of cell", counted(count, "kind"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::example;
    use crate::stats::{Percentiles, Ratio};

    fn texts(results: &Results) -> Vec<String> {
        let findings = findings(results).into_iter();
        findings.map(|Finding { about, text, .. }| format!("{about}: {text}")).collect()
    }

    #[test]
    fn with_few_rounds_ranges_are_told_and_nobody_is_first() {
        let results = example(1, &[("threads", 12.0), ("mio", 6.0)]);
        assert_eq!(
            texts(&results),
            [
                "Nothing is ranked: a ranking needs 6 rounds, and there was one; what follows are \
                 ranges.",
                "Memory: with 64 connections held, each took 2.00 KiB.",
            ]
        );
    }

    #[test]
    fn with_six_rounds_backends_are_ranked_and_ties_are_said_to_be_ties() {
        let results = example(6, &[("threads", 12.0), ("mio", 6.0), ("may", 6.0)]);
        assert_eq!(
            texts(&results),
            [
                "threads: 2.00 times the least CPU a request.",
                "mio: the least CPU a request, or tied with it, everywhere.",
                "may: the least CPU a request, or tied with it, everywhere.",
            ]
        );
    }

    #[test]
    fn the_null_test_comes_first_and_a_failed_one_warns() {
        let mut results = example(6, &[("mio", 6.0)]);
        let ratio = Ratio { rounds: 6, median: 1.03, low: 0.99, high: 1.08 };
        let kind = |passed| NullKind {
            scenario: "echo".to_owned(),
            connections: 64,
            shape: "closed".to_owned(),
            ratio,
            passed,
        };
        let mut with = |passed: Option<bool>| {
            results.verdict.null_test = Some(NullTest {
                backend: "mio".to_owned(),
                twin: "mio (twin)".to_owned(),
                passed,
                kinds: vec![kind(passed == Some(true))],
            });
            findings(&results).swap_remove(0)
        };
        assert_eq!(with(Some(true)).about, "The null test passed");
        let failed = with(Some(false));
        assert!(failed.is_warning && failed.about == "The null test failed", "{failed:?}");
        assert!(
            failed.text.contains("in 1 of 1 kind of cell, at worst 0.99 to 1.08 (echo, 64 "),
            "{failed:?}"
        );
        assert!(with(None).is_warning);
    }

    #[test]
    fn the_tail_is_told_at_the_most_connections() {
        let mut results = example(1, &[("threads", 12.0), ("mio", 6.0)]);
        for (record, p99) in results.cells.iter_mut().zip([1_500.0, 300.0]) {
            let measured = record.measured.as_mut().expect("measured");
            measured.service_time_us = Some(Percentiles { p99, ..Percentiles::default() });
        }
        let rows = rows(&results.cells);
        assert_eq!(
            tail(&results.verdict, &rows.iter().collect::<Vec<_>>()),
            ["p99 of service times at 64 connections: 300 µs (mio) to 1.50 ms (threads)."]
        );
    }

    #[test]
    fn how_far_they_came_and_what_stopped_them_is_told() {
        let mut results = example(1, &[("threads", 12.0)]);
        results.verdict.reach = vec![Reach {
            backend: "threads".to_owned(),
            connections: 8_000,
            asked: 10_000,
            stopped_by: Some("vm.max_map_count".to_owned()),
        }];
        let wanted = "How far: threads: 8,000 connections; of 10,000 it was stopped by: \
                      vm.max_map_count.";
        assert!(texts(&results).contains(&wanted.to_owned()), "{:?}", texts(&results));
        let other = Reach {
            backend: "mio".to_owned(),
            connections: 10_000,
            asked: 10_000,
            stopped_by: None,
        };
        results.verdict.reach.push(other);
        let more = texts(&results);
        assert!(more.iter().any(|text| text.ends_with("Nothing stopped the others at 10,000.")));
        results.verdict.reach.remove(0);
        let wanted = "How far: all held 10,000 connections, and nothing stopped them.";
        assert!(texts(&results).contains(&wanted.to_owned()), "{:?}", texts(&results));
    }

    #[test]
    fn what_went_wrong_is_told() {
        let mut results = example(1, &[("mio", 6.0), ("may", 6.0), ("actix", 6.0)]);
        results.complete = false;
        let [mio, may, actix] = &mut results.cells[..] else { panic!("three cells") };
        (mio.measured, mio.failure) = (None, Some("no luck".to_owned()));
        let may = may.measured.as_mut().expect("measured");
        may.errors.insert("reset".to_owned(), 3);
        let actix = actix.measured.as_mut().expect("measured");
        (actix.client_bound, actix.generator_utilisation) = (true, 0.95);
        let texts = texts(&results);
        assert!(texts[0].starts_with("The comparison was interrupted: "), "{texts:?}");
        assert_eq!(
            texts[3..],
            [
                "Client-bound: the generator's core was busy over 90% in 1 of 3 cells, which are \
                 marked: the server could do more, and neither its throughput nor its times are \
                 ranked.",
                "mio, echo, 64 connections: could not be measured: no luck.",
                "may, echo, 64 connections: errors: reset 3.",
            ]
        );
    }

    #[test]
    fn the_tail_is_told_only_of_times_that_say_something() {
        let mut results = example(1, &[("threads", 12.0), ("mio", 6.0), ("may", 6.0)]);
        for (record, p99) in results.cells.iter_mut().zip([1_500.0, 300.0, 100.0]) {
            let measured = record.measured.as_mut().expect("measured");
            measured.service_time_us = Some(Percentiles { p99, ..Percentiles::default() });
            measured.client_bound = record.backend == "may";
        }
        let told = |results: &Results| {
            let rows = rows(&results.cells);
            tail(&results.verdict, &rows.iter().collect::<Vec<_>>())
        };
        assert_eq!(
            told(&results),
            ["p99 of service times at 64 connections: 300 µs (mio) to 1.50 ms (threads); that of \
              1 backend is the generator's own."]
        );
        results.cells[1].measured.as_mut().expect("measured").connected = 60;
        assert!(told(&results)[0].contains(": 1.50 ms; that of 1 "), "mio did not hold them all");
        for record in &mut results.cells {
            record.measured.as_mut().expect("measured").requests = 999;
        }
        assert_eq!(told(&results), [""; 0], "fewer than ten lie beyond it");
    }

    #[test]
    fn late_and_client_bound_cells_are_told_apart() {
        let mut results = example(1, &[("threads", 12.0), ("mio", 6.0), ("may", 6.0)]);
        for (record, busy) in results.cells.iter_mut().zip([0.95, 0.5, 0.5]) {
            let measured = record.measured.as_mut().expect("measured");
            measured.generator_utilisation = busy;
            measured.client_bound = record.backend != "may";
        }
        let texts = texts(&results);
        let of = |about| texts.iter().find(|text| text.starts_with(about)).expect("a finding");
        assert!(of("Client-bound: ").contains("in 1 of 3 cells"), "{texts:?}");
        assert!(of("Late: ").contains("in 1 of 3 cells"), "{texts:?}");
        assert!(of("Late: ").contains("the generator's own"), "{texts:?}");
    }

    #[test]
    fn one_that_was_stopped_in_another_shape_is_not_said_to_have_held_all() {
        let mut results = example(1, &[("threads", 12.0)]);
        let reach = Reach {
            backend: "threads".to_owned(),
            connections: 10_000,
            asked: 10_000,
            stopped_by: Some("vm.max_map_count".to_owned()),
        };
        results.verdict.reach = vec![reach];
        let wanted = "How far: threads: 10,000 connections in one shape; of 10,000 in another it \
                      was stopped by: vm.max_map_count.";
        assert!(texts(&results).contains(&wanted.to_owned()), "{:?}", texts(&results));
    }

    #[test]
    fn rounds_that_were_not_measured_are_not_counted() {
        let mut results = example(3, &[("mio", 6.0)]);
        (results.experiment.rounds, results.complete) = (9, false);
        let texts = texts(&results);
        assert!(texts[1].contains("there were 3; what follows are ranges"), "{texts:?}");
    }
}
