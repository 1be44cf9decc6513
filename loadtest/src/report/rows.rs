//! The rounds of a cell brought together: a row of every table, a bar or a point of every chart.

use std::fmt::{self, Display};

use super::findings::ENOUGH_CONNECTIONS;
use super::json::{Measured, Record, Results, Role};
use crate::lab::Backend;
use crate::load::{CLIENT_BOUND, Errors, Shape};
use crate::stats::Spread;

/// All rounds of one cell.
#[derive(Debug)]
pub(crate) struct Row<'r> {
    pub(crate) backend: &'r str,
    pub(crate) scenario: &'r str,
    pub(crate) connections: usize,
    pub(crate) shape: &'r str,
    pub(crate) role: Role,
    records: Vec<&'r Record>,
}

/// How the generator was the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Its core was busy over 90%, so that the server could do more.
    Busy,
    /// It had time, and requests left late all the same: the times are its own.
    Late,
}

impl Display for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Busy => "client-bound",
            Self::Late => "late",
        })
    }
}

impl<'r> Row<'r> {
    fn of(record: &'r Record) -> Self {
        Self {
            backend: &record.backend,
            scenario: &record.scenario,
            connections: record.connections,
            shape: &record.shape,
            role: record.role,
            records: vec![record],
        }
    }

    fn holds(&self, record: &Record) -> bool {
        self.backend == record.backend
            && self.role == record.role
            && self.kind() == (&record.scenario, record.connections, &record.shape)
    }

    /// What two rows must have in common to be compared: scenario, connections, shape.
    pub(crate) fn kind(&self) -> (&'r str, usize, &'r str) {
        (self.scenario, self.connections, self.shape)
    }

    /// The spread over the rounds of whatever `value` takes from one.
    pub(crate) fn spread(&self, value: impl Fn(&Measured) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.measured().filter_map(value))
    }

    /// The rounds that were measured.
    pub(crate) fn measured(&self) -> impl Iterator<Item = &'r Measured> {
        self.records.iter().filter_map(|record| record.measured.as_ref())
    }

    /// The same with their numbers.
    pub(crate) fn rounds(&self) -> impl Iterator<Item = (usize, &'r Measured)> {
        self.records.iter().filter_map(|record| Some((record.round, record.measured.as_ref()?)))
    }

    /// All rounds, measured or not.
    pub(crate) fn records(&self) -> impl Iterator<Item = &'r Record> {
        self.records.iter().copied()
    }

    /// How many connections it held where that was not all: the least of its rounds.
    pub(crate) fn lacking(&self) -> Option<usize> {
        let held = self.measured().map(|measured| measured.connected).min()?;
        (held < self.connections).then_some(held)
    }

    /// Whether requests were due at a rate: what was offered says nothing about the server.
    pub(crate) fn is_open(&self) -> bool {
        self.shape.starts_with("open")
    }

    /// Whether its users keep their connections: no others take memory while it is looked at.
    pub(crate) fn holds_connections(&self) -> bool {
        self.shape.parse::<Shape>().map_or(true, Shape::holds_connections)
    }

    /// Whether the memory of one connection can be told from what a process takes anyway.
    pub(crate) fn tells_memory(&self) -> bool {
        self.connections >= ENOUGH_CONNECTIONS && self.holds_connections()
    }

    /// The errors of all rounds by kind.
    pub(crate) fn errors(&self) -> Errors {
        let mut errors = Errors::new();
        for (kind, count) in self.measured().flat_map(|measured| &measured.errors) {
            *errors.entry(kind.clone()).or_default() += count;
        }
        errors
    }

    /// The idle connections that the server closed in all rounds.
    pub(crate) fn reconnects(&self) -> u64 {
        self.measured().map(|measured| measured.reconnects).sum()
    }

    /// Whether the generator held back at least one round.
    pub(crate) fn client_bound(&self) -> bool {
        self.bound().is_some()
    }

    /// How it did so, if it did.
    pub(crate) fn bound(&self) -> Option<Bound> {
        let bound = || self.measured().filter(|measured| measured.client_bound);
        bound().next()?;
        Some(if bound().any(is_busy) { Bound::Busy } else { Bound::Late })
    }

    /// What held it back, in the first round in which something did.
    pub(crate) fn limit(&self) -> Option<&'r str> {
        self.records.iter().find_map(|record| record.limit.as_deref())
    }

    /// Whether a round could not be measured.
    pub(crate) fn has_failed(&self) -> bool {
        self.records.iter().any(|record| record.failure.is_some())
    }
}

/// Whether the core that the generator shares with the upstream had no time left.
fn is_busy(measured: &Measured) -> bool {
    let upstream = measured.upstream_utilisation.unwrap_or(0.0);
    measured.generator_utilisation + upstream > CLIENT_BOUND
}

/// The rows by scenario, number of connections, shape and backend, each in the order of the reports.
pub(crate) fn rows(records: &[Record]) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for record in records {
        match rows.iter_mut().find(|row| row.holds(record)) {
            Some(row) => row.records.push(record),
            None => rows.push(Row::of(record)),
        }
    }
    rows.sort_by(|a, b| {
        let kind = |row: &Row<'_>| (scenario_place(row.scenario), row.connections);
        let within = |row: &Row<'_>| (row.role, place(row.backend));
        kind(a).cmp(&kind(b)).then(a.shape.cmp(b.shape)).then(within(a).cmp(&within(b)))
    });
    rows
}

/// Every failure once, however many cells and rounds it befell: who failed where, and why.
pub(crate) fn failures(results: &Results) -> Vec<(String, &str)> {
    let mut failures: Vec<(Vec<&Record>, &str)> = Vec::new();
    for record in &results.cells {
        let Some(failure) = record.failure.as_deref() else { continue };
        let same = |(records, other): &&mut (Vec<&Record>, &str)| {
            *other == failure && records.iter().all(|other| other.backend == record.backend)
        };
        match failures.iter_mut().find(same) {
            Some((records, _)) => records.push(record),
            None => failures.push((vec![record], failure)),
        }
    }
    let place = |records: Vec<&Record>| match records[..] {
        [Record { backend, scenario, connections, .. }] => {
            format!("{backend}, {scenario}, {connections} connections")
        }
        _ => format!("{} in {} cells", records[0].backend, records.len()),
    };
    failures.into_iter().map(|(records, failure)| (place(records), failure)).collect()
}

/// A backend's place in every report, which also gives it its colour.
pub(crate) fn place(backend: &str) -> usize {
    let all = Backend::ALL;
    all.iter().position(|known| known.name() == backend).unwrap_or(all.len())
}

fn scenario_place(scenario: &str) -> usize {
    let all = crate::load::Scenario::ALL;
    all.iter().position(|known| known.name() == scenario).unwrap_or(all.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::example;

    #[test]
    fn rounds_come_together_in_the_order_of_the_reports() {
        let results = example(3, &[("tokio", 8.0), ("threads", 12.0)]);
        let rows = rows(&results.cells);
        let names: Vec<&str> = rows.iter().map(|row| row.backend).collect();
        assert_eq!(names, ["threads", "tokio"]);
        assert!(rows.iter().all(|row| row.measured().count() == 3));
    }

    #[test]
    fn a_failure_is_told_once() {
        let mut results = example(3, &[("mio", 6.0), ("may", 6.0)]);
        for record in &mut results.cells {
            if record.backend == "mio" || record.round == 2 {
                record.failure = Some("no luck".to_owned());
            }
        }
        assert_eq!(
            failures(&results),
            [
                ("mio in 3 cells".to_owned(), "no luck"),
                ("may, echo, 64 connections".to_owned(), "no luck")
            ]
        );
    }
}
