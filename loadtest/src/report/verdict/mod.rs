//! What follows from the cells, by arithmetic alone.
//!
//! Rounds of the same kind of cell (scenario, connections, shape) are compared by the ratios of
//! their rounds; the null test, the calibration and the slopes come from the same records. It
//! stands in `results.json` for those who read that, and is made again for every report.

mod null;
mod reach;
mod slope;

use serde::{Deserialize, Serialize};

pub(crate) use self::null::{NULL_BOUNDS, NullKind, NullTest, TWIN};
pub(crate) use self::reach::Reach;
pub(crate) use self::slope::Slope;

use super::json::{self, Measured, Record, Role};
use super::percentile::{P99, Times};
use super::rows::{Row, rows};
use crate::stats::{self, Ratio, Spread};

/// All of it. What could not be had for want of rounds or of cells is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    /// One backend under two names; null if the comparison has none.
    pub(crate) null_test: Option<NullTest>,
    /// What the generator can do against an answer that costs nothing.
    pub(crate) calibration: Vec<Ceiling>,
    /// Every backend beside the best of its kind of cell.
    pub(crate) comparisons: Vec<Comparison>,
    /// Memory of one more connection, where there are several numbers of them.
    pub(crate) slopes: Vec<Slope>,
    /// How far each backend came, and what stopped it.
    pub(crate) reach: Vec<Reach>,
}

/// A figure by which backends are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Figure {
    /// Less is better. The first figure.
    ServerCpuUsPerRequest,
    /// More is better; in a closed loop only, and not where the generator was the limit.
    RequestsPerSecond,
    /// Less is better: of service or response times, whichever the shape gives. Not where the
    /// generator was the limit either: there they are its own.
    P99Us,
    /// The same of those whom one who blocks may keep waiting, where a scenario has such.
    BystandersP99Us,
}

/// One backend's figure by that of the best of its kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Comparison {
    pub(crate) scenario: String,
    pub(crate) connections: usize,
    pub(crate) shape: String,
    pub(crate) figure: Figure,
    pub(crate) backend: String,
    /// The one with the best median.
    pub(crate) best: String,
    #[serde(flatten)]
    pub(crate) ratio: Ratio,
    /// Whether the interval holds 1.
    pub(crate) tie: bool,
}

/// The calibration of one number of connections in one shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ceiling {
    pub(crate) connections: usize,
    pub(crate) shape: String,
    pub(crate) requests_per_second: Spread,
    /// What the system calls alone cost the server.
    pub(crate) server_cpu_us_per_request: Option<Spread>,
    pub(crate) generator_utilisation: Spread,
    pub(crate) lateness_p99_us: Option<Spread>,
}

impl Verdict {
    /// What follows from these cells.
    pub(crate) fn of(records: &[Record]) -> Self {
        let rows = rows(records);
        Self {
            null_test: null::test(&rows),
            calibration: rows.iter().filter_map(ceiling).collect(),
            comparisons: rows.chunk_by(|a, b| a.kind() == b.kind()).flat_map(compare).collect(),
            slopes: slope::slopes(&rows),
            reach: reach::reach(&rows),
        }
    }

    /// What has to be known before any figure is read.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let failed = self.null_test.iter().filter(|test| test.passed == Some(false));
        failed.map(ToString::to_string).collect()
    }

    /// A line for each backend: how far it came, what stopped it, what one more connection takes.
    pub(crate) fn rungs(&self) -> Vec<String> {
        let line = |reach: &Reach| {
            let slope = self.slopes.iter().find(|slope| slope.backend == reach.backend);
            slope.map_or_else(|| reach.to_string(), |slope| format!("{reach}; {slope}"))
        };
        self.reach.iter().map(line).collect()
    }
}

impl Figure {
    pub(crate) const ALL: [Self; 4] =
        [Self::ServerCpuUsPerRequest, Self::RequestsPerSecond, Self::P99Us, Self::BystandersP99Us];

    /// Whether a generator at its limit is in it: what a request costs the server is not.
    pub(crate) fn is_of_both(self) -> bool {
        self != Self::ServerCpuUsPerRequest
    }

    /// The figure in each round, by the number of the round; none where it says nothing about the
    /// server.
    fn values(self, row: &Row<'_>) -> Vec<(usize, f64)> {
        if !self.is_ranked(row) {
            return Vec::new();
        }
        row.rounds().filter_map(|(round, measured)| Some((round, self.of(measured)?))).collect()
    }

    fn is_ranked(self, row: &Row<'_>) -> bool {
        let is_asked_alike = row.lacking().is_none();
        is_asked_alike
            && match self {
                Self::ServerCpuUsPerRequest => true,
                Self::RequestsPerSecond => row.shape == json::CLOSED && !row.client_bound(),
                Self::P99Us => !row.client_bound() && P99.is_told(row, Times::Requests),
                Self::BystandersP99Us => !row.client_bound() && P99.is_told(row, Times::Bystanders),
            }
    }

    fn of(self, measured: &Measured) -> Option<f64> {
        match self {
            Self::ServerCpuUsPerRequest => measured.server_cpu_us_per_request,
            Self::RequestsPerSecond => Some(measured.requests_per_second),
            Self::P99Us => P99.in_round(Times::Requests, measured),
            Self::BystandersP99Us => P99.in_round(Times::Bystanders, measured),
        }
    }

    /// The row with the best median.
    fn best<'a, 'r>(self, rows: &[&'a Row<'r>]) -> Option<&'a Row<'r>> {
        let values = |row: &Row<'_>| self.values(row).into_iter().map(|(_, value)| value);
        let median = |row: &Row<'_>| Some(Spread::of(values(row))?.median);
        let order = |a: f64, b: f64| match self {
            Self::RequestsPerSecond => b.total_cmp(&a),
            Self::ServerCpuUsPerRequest | Self::P99Us | Self::BystandersP99Us => a.total_cmp(&b),
        };
        let figures = rows.iter().filter_map(|row| Some((*row, median(row)?)));
        Some(figures.min_by(|a, b| order(a.1, b.1))?.0)
    }

    /// The ratio of one row to another over the rounds that have both.
    fn ratio(self, row: &Row<'_>, other: &Row<'_>) -> Option<Ratio> {
        let others = self.values(other);
        let pairs = self.values(row).into_iter().filter_map(|(round, value)| {
            let (_, same) = others.iter().find(|(other, _)| *other == round)?;
            Some((value, *same))
        });
        stats::ratio(pairs)
    }
}

/// All backends of one kind of cell beside the best of them, figure by figure.
fn compare(kind: &[Row<'_>]) -> Vec<Comparison> {
    let compared: Vec<&Row<'_>> = kind.iter().filter(|row| row.role == Role::Compared).collect();
    let mut comparisons = Vec::new();
    for figure in Figure::ALL {
        let Some(best) = figure.best(&compared) else { continue };
        let others = compared.iter().filter(|row| row.backend != best.backend);
        comparisons.extend(others.filter_map(|row| {
            let ratio = figure.ratio(row, best)?;
            Some(Comparison {
                scenario: row.scenario.to_owned(),
                connections: row.connections,
                shape: row.shape.to_owned(),
                figure,
                backend: row.backend.to_owned(),
                best: best.backend.to_owned(),
                ratio,
                tie: ratio.is_tie(),
            })
        }));
    }
    comparisons
}

fn ceiling(row: &Row<'_>) -> Option<Ceiling> {
    (row.role == Role::Calibration).then_some(())?;
    Some(Ceiling {
        connections: row.connections,
        shape: row.shape.to_owned(),
        requests_per_second: row.spread(|measured| Some(measured.requests_per_second))?,
        server_cpu_us_per_request: row.spread(|measured| measured.server_cpu_us_per_request),
        generator_utilisation: row.spread(|measured| Some(measured.generator_utilisation))?,
        lateness_p99_us: row.spread(|measured| Some(measured.lateness_us?.p99)),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::json::{Results, example};
    use crate::stats::{Latency, Percentiles};

    #[test]
    fn every_backend_stands_beside_the_best_of_its_kind() {
        let results = example(6, &[("threads", 12.0), ("mio", 6.0), ("may", 6.0)]);
        let of = |figure| {
            let comparisons = results.verdict.comparisons.iter();
            let of: Vec<_> = comparisons
                .filter(|comparison| comparison.figure == figure)
                .map(|it| (it.backend.as_str(), it.best.as_str(), it.ratio.median, it.tie))
                .collect();
            of
        };
        assert_eq!(
            of(Figure::ServerCpuUsPerRequest),
            [("threads", "mio", 2.0, false), ("may", "mio", 1.0, true)]
        );
        assert_eq!(of(Figure::P99Us), [], "nothing was timed");
    }

    #[test]
    fn bystanders_are_ranked_by_their_own_times() {
        let mut results = example(6, &[("mio", 6.0), ("threads", 12.0)]);
        for record in &mut results.cells {
            let p99 = if record.backend == "mio" { 20_000.0 } else { 1_000.0 };
            let measured = record.measured.as_mut().expect("measured");
            measured.bystanders_us = Some(Percentiles { p99, ..Percentiles::default() });
        }
        let verdict = Verdict::of(&results.cells);
        let of_bystanders = |it: &&Comparison| it.figure == Figure::BystandersP99Us;
        let [it] = verdict.comparisons.iter().filter(of_bystanders).collect::<Vec<_>>()[..] else {
            panic!("{:?}", verdict.comparisons)
        };
        assert_eq!((it.backend.as_str(), it.best.as_str()), ("mio", "threads"));
        assert!((it.ratio.median - 20.0).abs() < 1e-9, "{it:?}");
    }

    #[test]
    fn throughput_is_ranked_only_where_the_server_was_the_limit() {
        let mut results = example(6, &[("threads", 12.0), ("mio", 6.0)]);
        let ranked = |results: &Results| {
            let verdict = Verdict::of(&results.cells);
            verdict.comparisons.iter().any(|it| it.figure == Figure::RequestsPerSecond)
        };
        assert!(ranked(&results));
        let first = results.cells[0].measured.as_mut().expect("measured");
        first.client_bound = true;
        assert!(!ranked(&results), "a round that is left out is not a sample of those that are");
    }

    #[test]
    fn the_floor_is_the_ceiling_of_the_generator() {
        let mut results = example(3, &[("mio", 6.0), ("floor", 2.0)]);
        for record in results.cells.iter_mut().filter(|record| record.backend == "floor") {
            record.role = Role::Calibration;
        }
        let verdict = Verdict::of(&results.cells);
        let [ceiling] = &verdict.calibration[..] else { panic!("{:?}", verdict.calibration) };
        assert_eq!((ceiling.connections, ceiling.shape.as_str()), (64, "closed"));
        assert!((ceiling.requests_per_second.median - 100_000.0).abs() < f64::EPSILON);
    }

    /// Two backends of which everybody's times are known.
    fn timed() -> Results {
        let mut results = example(6, &[("threads", 12.0), ("mio", 6.0)]);
        let mut blocker = Latency::new();
        (0..1_000).for_each(|_| blocker.record(Duration::from_micros(100)));
        for record in &mut results.cells {
            let measured = record.measured.as_mut().expect("measured");
            measured.histogram = Some(blocker.encode());
            let times = Some(Percentiles { p50: 100.0, p99: 300.0, ..Percentiles::default() });
            (measured.service_time_us, measured.bystanders_us) = (times, times);
        }
        results
    }

    fn ranked(results: &Results) -> Vec<Figure> {
        Verdict::of(&results.cells).comparisons.iter().map(|it| it.figure).collect()
    }

    #[test]
    fn times_that_are_the_generators_own_are_not_ranked() {
        let mut results = timed();
        assert_eq!(ranked(&results), Figure::ALL);
        results.cells[0].measured.as_mut().expect("measured").client_bound = true;
        assert_eq!(ranked(&results), [Figure::ServerCpuUsPerRequest], "what it costs still is");
    }

    #[test]
    fn a_percentile_is_ranked_only_with_ten_requests_beyond_it_in_every_round() {
        let mut results = timed();
        results.cells[0].measured.as_mut().expect("measured").requests = 2_000;
        assert_eq!(ranked(&results), Figure::ALL, "a thousand of either");
        results.cells[0].measured.as_mut().expect("measured").requests = 1_999;
        assert_eq!(ranked(&results)[2..], [Figure::P99Us]);
        let first = results.cells[0].measured.as_mut().expect("measured");
        (first.requests, first.bystanders_us) = (999, None);
        assert_eq!(ranked(&results)[2..], []);
    }

    #[test]
    fn one_that_held_fewer_connections_is_not_ranked_beside_those_that_held_all() {
        let mut results = timed();
        results.cells[0].measured.as_mut().expect("measured").connected = 60;
        assert_eq!(ranked(&results), []);
    }
}
