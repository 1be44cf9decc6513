//! One backend under two names: what differs between the two is noise.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use super::Figure;
use crate::report::json::Role;
use crate::report::rows::Row;
use crate::report::table::ENOUGH_ROUNDS;
use crate::stats::Ratio;

/// What stands behind the name of a backend when it is measured once more for the null test.
pub(crate) const TWIN: &str = " (twin)";

/// Between these the whole interval of a null test must lie.
pub(crate) const NULL_BOUNDS: (f64, f64) = (0.95, 1.05);

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

/// The null test, if there is a twin.
pub(super) fn test(rows: &[Row<'_>]) -> Option<NullTest> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::{Results, example};
    use crate::report::verdict::Verdict;

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
