//! What follows from the cells, by arithmetic alone.
//!
//! Rounds of the same kind of cell (scenario, connections, shape) are compared by the ratios of
//! their rounds; the null test, the calibration and the slopes come from the same records. It
//! stands in `results.json` for those who read that, and is made again for every report.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use super::findings::ENOUGH_CONNECTIONS;
use super::json::{Measured, Record, Role};
use super::numbers::thousands;
use super::rows::{Row, rows};
use super::table::ENOUGH_ROUNDS;
use crate::stats::{self, Ratio, Spread};

/// Between these the whole interval of a null test must lie.
pub(crate) const NULL_BOUNDS: (f64, f64) = (0.95, 1.05);

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
    /// Less is better: of service or response times, whichever the shape gives.
    P99Us,
    /// Less is better: of those whom one who blocks may keep waiting, where a scenario has such.
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

/// The null test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NullTest {
    pub(crate) backend: String,
    pub(crate) twin: String,
    /// Whether all kinds of cells passed; null with too few rounds to tell.
    pub(crate) passed: Option<bool>,
    /// CPU a request of the twin by that of the backend, for each kind of cell.
    pub(crate) kinds: Vec<NullKind>,
}

/// The null test in one kind of cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NullKind {
    pub(crate) scenario: String,
    pub(crate) connections: usize,
    pub(crate) shape: String,
    #[serde(flatten)]
    pub(crate) ratio: Ratio,
    /// Whether the whole interval lies within 0.95 and 1.05.
    pub(crate) passed: bool,
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

/// Memory for each connection more: least squares over all cells of one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Slope {
    pub(crate) backend: String,
    pub(crate) scenario: String,
    /// The least and the greatest number of connections that it rests on.
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) user_kib_per_connection: f64,
    /// With the generator's ends in it, which are the same for all.
    pub(crate) kernel_kib_per_connection: Option<f64>,
}

/// How far a backend came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reach {
    pub(crate) backend: String,
    /// The most connections that were answered and held.
    pub(crate) connections: usize,
    /// How many were asked of it when it was stopped; if it was not, at most.
    pub(crate) asked: usize,
    /// The limit's name, or what went wrong; null if nothing stopped it.
    pub(crate) stopped_by: Option<String>,
}

impl Verdict {
    /// What follows from these cells.
    pub(crate) fn of(records: &[Record]) -> Self {
        let rows = rows(records);
        Self {
            null_test: null_test(&rows),
            calibration: rows.iter().filter_map(ceiling).collect(),
            comparisons: rows.chunk_by(|a, b| a.kind() == b.kind()).flat_map(compare).collect(),
            slopes: slopes(&rows),
            reach: reach(&rows),
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

/// What came of it, in a sentence or two.
impl Display for NullTest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backend, passed, kinds, .. } = self;
        let (low, high) = NULL_BOUNDS;
        let failed: Vec<String> =
            kinds.iter().filter(|kind| !kind.passed).map(ToString::to_string).collect();
        let of = kinds.len();
        match passed {
            None => write!(
                formatter,
                "The null test of {backend} has too few rounds: an interval needs {ENOUGH_ROUNDS}."
            ),
            Some(true) => write!(
                formatter,
                "The null test passed: {backend} beside itself lies within {low} and {high} in {}.",
                if of == 1 {
                    "the one kind of cell".to_owned()
                } else {
                    format!("all {of} kinds of cell")
                }
            ),
            Some(false) => write!(
                formatter,
                "The null test failed: {backend} beside itself is not within {low} and {high} in {} of \
                 {of} kinds of cell: {}. Differences of that size say nothing there.",
                failed.len(),
                failed.join("; "),
            ),
        }
    }
}

impl Display for NullKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, connections, shape, ratio, .. } = self;
        let (low, high) = (ratio.low, ratio.high);
        write!(formatter, "{scenario}, {connections}, {shape} ({low:.2}–{high:.2})")
    }
}

impl Display for Slope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "each takes {:.1} KiB", self.user_kib_per_connection)?;
        match self.kernel_kib_per_connection {
            None => Ok(()),
            Some(kernel) => write!(formatter, " and {kernel:.1} KiB of the kernel's"),
        }
    }
}

impl Display for Reach {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backend, connections, asked, stopped_by } = self;
        let (connections, asked) = (thousands(*connections as f64), thousands(*asked as f64));
        match stopped_by {
            None => {
                write!(formatter, "{backend}: {connections} connections, and nothing stopped it")
            }
            Some(limit) => write!(
                formatter,
                "{backend}: {connections} connections; of {asked} it was stopped by: {limit}"
            ),
        }
    }
}

impl Figure {
    pub(crate) const ALL: [Self; 4] =
        [Self::ServerCpuUsPerRequest, Self::RequestsPerSecond, Self::P99Us, Self::BystandersP99Us];

    fn of(self, row: &Row<'_>, measured: &Measured) -> Option<f64> {
        match self {
            Self::ServerCpuUsPerRequest => measured.server_cpu_us_per_request,
            Self::RequestsPerSecond => (row.shape == super::json::CLOSED && !row.client_bound())
                .then_some(measured.requests_per_second),
            Self::P99Us => Some(measured.times_us()?.p99),
            Self::BystandersP99Us => Some(measured.bystanders_us?.p99),
        }
    }

    /// The row with the best median.
    fn best<'a, 'r>(self, rows: &[&'a Row<'r>]) -> Option<&'a Row<'r>> {
        let median = |row: &Row<'_>| Some(row.spread(|m| self.of(row, m))?.median);
        let order = |a: f64, b: f64| match self {
            Self::RequestsPerSecond => b.total_cmp(&a),
            Self::ServerCpuUsPerRequest | Self::P99Us | Self::BystandersP99Us => a.total_cmp(&b),
        };
        let figures = rows.iter().filter_map(|row| Some((*row, median(row)?)));
        Some(figures.min_by(|a, b| order(a.1, b.1))?.0)
    }

    /// The ratio of one row to another over the rounds that have both.
    fn ratio(self, row: &Row<'_>, other: &Row<'_>) -> Option<Ratio> {
        let pairs = row.rounds().filter_map(|(round, measured)| {
            let (_, same) = other.rounds().find(|(other, _)| *other == round)?;
            Some((self.of(row, measured)?, self.of(other, same)?))
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

fn null_test(rows: &[Row<'_>]) -> Option<NullTest> {
    let twin = rows.iter().find(|row| row.role == Role::Twin)?.backend;
    let backend = twin.strip_suffix(TWIN)?;
    let of = |kind, role, name| {
        rows.iter().find(|row| row.kind() == kind && row.role == role && row.backend == name)
    };
    let kinds = rows.iter().filter(|row| row.role == Role::Twin).filter_map(|row| {
        let original = of(row.kind(), Role::Compared, backend)?;
        let ratio = Figure::ServerCpuUsPerRequest.ratio(row, original)?;
        Some(NullKind {
            scenario: row.scenario.to_owned(),
            connections: row.connections,
            shape: row.shape.to_owned(),
            passed: NULL_BOUNDS.0 <= ratio.low && ratio.high <= NULL_BOUNDS.1,
            ratio,
        })
    });
    let kinds: Vec<NullKind> = kinds.collect();
    let passed = (!kinds.is_empty()).then(|| kinds.iter().all(|kind| kind.passed));
    Some(NullTest { backend: backend.to_owned(), twin: twin.to_owned(), passed, kinds })
}

/// What stands behind the name of a backend when it is measured once more for the null test.
pub(crate) const TWIN: &str = " (twin)";

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

fn slopes(rows: &[Row<'_>]) -> Vec<Slope> {
    let mut slopes: Vec<Slope> = Vec::new();
    for row in rows.iter().filter(|row| row.role == Role::Compared) {
        let of_one = |other: &&Row<'_>| {
            (other.backend, other.scenario, other.role) == (row.backend, row.scenario, row.role)
        };
        let has_one =
            |slope: &Slope| slope.backend == row.backend && slope.scenario == row.scenario;
        if !slopes.iter().any(has_one) {
            let rows: Vec<&Row<'_>> = rows.iter().filter(of_one).collect();
            slopes.extend(slope(&rows));
        }
    }
    slopes
}

/// Over the cells with enough connections to tell theirs from what a process takes anyway.
fn slope(rows: &[&Row<'_>]) -> Option<Slope> {
    let first = rows.first()?;
    let enough = |measured: &&Measured| measured.connected >= ENOUGH_CONNECTIONS;
    let measured = || rows.iter().flat_map(|row| row.measured()).filter(enough);
    let grown = |from: u64, to: u64| to as f64 - from as f64;
    let user = measured().filter_map(|measured| {
        let grown = grown(measured.fresh_memory_kib?, measured.held_memory_kib?);
        Some((measured.connected as f64, grown))
    });
    let kernel = measured().filter_map(|measured| {
        let (fresh, held) = (measured.fresh_kernel_kib?, measured.held_kernel_kib?);
        Some((measured.connected as f64, grown(fresh.sum_kib(), held.sum_kib())))
    });
    Some(Slope {
        backend: first.backend.to_owned(),
        scenario: first.scenario.to_owned(),
        from: measured().map(|measured| measured.connected).min()?,
        to: measured().map(|measured| measured.connected).max()?,
        user_kib_per_connection: stats::slope(user)?,
        kernel_kib_per_connection: stats::slope(kernel),
    })
}

/// One for each backend, where there are several numbers of connections.
fn reach(rows: &[Row<'_>]) -> Vec<Reach> {
    let counts = || rows.iter().map(|row| row.connections);
    let mut all: Vec<Reach> = Vec::new();
    for row in rows.iter().filter(|row| row.role == Role::Compared) {
        let is_new = all.iter().all(|reach| reach.backend != row.backend);
        if is_new && counts().min() < counts().max() {
            let of_one = rows.iter().filter(|other| other.backend == row.backend);
            all.push(reach_of(row.backend, of_one.flat_map(Row::records).collect()));
        }
    }
    all
}

fn reach_of(backend: &str, mut records: Vec<&Record>) -> Reach {
    records.sort_by_key(|record| record.connections);
    let held = records.iter().filter_map(|record| Some(record.measured.as_ref()?.connected));
    let stopped = records.iter().find(|record| record.was_stopped());
    let last = stopped.or(records.last());
    Reach {
        backend: backend.to_owned(),
        connections: held.max().unwrap_or(0),
        asked: last.map_or(0, |record| record.connections),
        stopped_by: stopped.and_then(|it| it.limit.clone().or_else(|| it.failure.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::{Results, example};
    use crate::stats::Percentiles;

    /// A comparison in which the twin's rounds have these ratios to its original's.
    fn with_twin(ratios: &[f64]) -> Results {
        let mut results = example(ratios.len(), &[("mio", 6.0), ("mio (twin)", 6.0)]);
        for record in results.cells.iter_mut().filter(|record| record.backend.ends_with(TWIN)) {
            record.role = Role::Twin;
            let measured = record.measured.as_mut().expect("measured");
            measured.server_cpu_us_per_request = Some(6.0 * ratios[record.round - 1]);
        }
        results
    }

    fn passed(ratios: &[f64]) -> Option<bool> {
        Verdict::of(&with_twin(ratios).cells).null_test.expect("a null test").passed
    }

    #[test]
    fn the_null_test_ties_only_if_its_whole_interval_is_narrow() {
        assert_eq!(passed(&[0.97, 0.99, 1.0, 1.0, 1.02, 1.04]), Some(true));
        // Holds 1, and is still no proof of anything: noise that wide hides a tenth.
        assert_eq!(passed(&[0.90, 0.99, 1.0, 1.0, 1.02, 1.09]), Some(false));
        // Narrow, and beside 1, but within the bounds: a difference of 2% is what is allowed.
        assert_eq!(passed(&[1.01, 1.02, 1.02, 1.02, 1.02, 1.03]), Some(true));
        assert_eq!(passed(&[1.0; 5]), None, "five rounds have no interval");
    }

    #[test]
    fn a_twin_is_never_ranked() {
        let verdict = Verdict::of(&with_twin(&[0.5; 6]).cells);
        assert_eq!(verdict.comparisons, []);
        assert_eq!(Verdict::of(&example(6, &[("mio", 6.0)]).cells).null_test, None);
    }

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

    #[test]
    fn memory_is_a_slope_over_connections() {
        let mut results = example(3, &[("mio", 6.0)]);
        // 100 KiB that any load takes, and 2 KiB a connection; one connection tells nothing.
        for (record, connections) in results.cells.iter_mut().zip([1, 64, 1_064]) {
            let measured = record.measured.as_mut().expect("measured");
            record.connections = connections;
            measured.connected = connections;
            measured.fresh_memory_kib = Some(1_000);
            let taken = if connections == 1 { 5_000 } else { 100 + 2 * connections as u64 };
            measured.held_memory_kib = Some(1_000 + taken);
        }
        let verdict = Verdict::of(&results.cells);
        let [slope] = &verdict.slopes[..] else { panic!("{:?}", verdict.slopes) };
        assert_eq!((slope.from, slope.to), (64, 1_064));
        assert!((slope.user_kib_per_connection - 2.0).abs() < 1e-9, "{slope:?}");
        assert_eq!(slope.kernel_kib_per_connection, None);
        let lines = verdict.rungs();
        assert_eq!(lines, ["mio: 1,064 connections, and nothing stopped it; each takes 2.0 KiB"]);
    }

    #[test]
    fn how_far_a_backend_came_is_told_with_the_limit_that_stopped_it() {
        let mut results = example(3, &[("mio", 6.0), ("may", 6.0)]);
        for record in &mut results.cells {
            // The round stands for the rung.
            record.connections = 10_usize.pow(u32::try_from(record.round).expect("few"));
            let connected = if record.backend == "may" { record.connections } else { 60 };
            let measured = record.measured.as_mut().expect("measured");
            measured.connected = connected.min(record.connections);
            if measured.connected < record.connections {
                record.limit = Some("server: 60 connections by RLIMIT_NOFILE 64".to_owned());
            }
        }
        let lines: Vec<String> =
            Verdict::of(&results.cells).reach.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "mio: 60 connections; of 100 it was stopped by: server: 60 connections by \
                 RLIMIT_NOFILE 64",
                "may: 1,000 connections, and nothing stopped it",
            ]
        );
    }

    #[test]
    fn a_null_test_that_failed_is_said_first() {
        let wide = Verdict::of(&with_twin(&[0.90, 0.99, 1.0, 1.0, 1.02, 1.09]).cells);
        let [warning] = &wide.warnings()[..] else { panic!("{:?}", wide.warnings()) };
        assert!(
            warning.contains("mio beside itself") && warning.contains("(0.90–1.09)"),
            "{warning}"
        );
        let narrow = Verdict::of(&with_twin(&[1.0; 6]).cells);
        assert_eq!(narrow.warnings(), [""; 0]);
        let said = narrow.null_test.expect("a null test").to_string();
        assert!(said.contains("passed") && said.contains("the one kind of cell"), "{said}");
        let few = Verdict::of(&with_twin(&[1.0; 5]).cells).null_test.expect("a null test");
        assert!(few.to_string().contains("an interval needs 6"), "{few}");
    }
}
