//! What one more connection takes of memory.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use crate::report::findings::ENOUGH_CONNECTIONS;
use crate::report::json::{Measured, Role};
use crate::report::rows::Row;
use crate::stats;

/// Memory for each connection more: least squares over all cells of one scenario in which
/// connections are held.
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

impl Display for Slope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "each takes {:.1} KiB", self.user_kib_per_connection)?;
        match self.kernel_kib_per_connection {
            None => Ok(()),
            Some(kernel) => write!(formatter, " and {kernel:.1} KiB of the kernel's"),
        }
    }
}

/// One for each backend and scenario, where there are several numbers of connections.
pub(super) fn slopes(rows: &[Row<'_>]) -> Vec<Slope> {
    let mut slopes: Vec<Slope> = Vec::new();
    let held = || rows.iter().filter(|row| row.holds_connections());
    for row in held().filter(|row| row.role == Role::Compared) {
        let of_one = |other: &&Row<'_>| {
            (other.backend, other.scenario, other.role) == (row.backend, row.scenario, row.role)
        };
        let has_one =
            |slope: &Slope| slope.backend == row.backend && slope.scenario == row.scenario;
        if !slopes.iter().any(has_one) {
            let rows: Vec<&Row<'_>> = held().filter(of_one).collect();
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

#[cfg(test)]
mod tests {
    use crate::report::json::example;
    use crate::report::verdict::Verdict;

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
    fn connections_that_nobody_holds_are_in_no_slope() {
        let mut results = example(4, &[("mio", 6.0)]);
        let cells = [(64, "closed"), (1_064, "closed"), (64, "churn"), (1_064, "churn")];
        for (record, (connections, shape)) in results.cells.iter_mut().zip(cells) {
            (record.connections, record.shape) = (connections, shape.to_owned());
            let measured = record.measured.as_mut().expect("measured");
            measured.connected = connections;
            measured.fresh_memory_kib = Some(1_000);
            let each = if shape == "churn" { 0 } else { 2 };
            measured.held_memory_kib = Some(1_100 + each * connections as u64);
        }
        let verdict = Verdict::of(&results.cells);
        let [slope] = &verdict.slopes[..] else { panic!("{:?}", verdict.slopes) };
        assert!((slope.user_kib_per_connection - 2.0).abs() < 1e-9, "{slope:?}");
    }
}
