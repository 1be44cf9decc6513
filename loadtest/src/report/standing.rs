//! Where a row stands among its kind by one figure, in the words of every report.

use super::numbers::thousands;
use super::rows::{Bound, Row};
use super::verdict::{Figure, Verdict};
use crate::stats::Ratio;

/// Beside the best of its kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Standing {
    /// No other has a better median.
    Best,
    /// The rounds do not tell it from the best.
    Tie(Ratio),
    /// So many times the best's.
    Apart(Ratio),
    /// The generator was the limit, so that throughput and times say nothing about the server.
    ClientBound(Bound),
    /// It held fewer connections than it was asked to: another load than the others had.
    Lacking { held: usize, asked: usize },
    /// Too few rounds, or nobody to compare it with.
    Unranked,
}

impl Standing {
    /// By what follows from the cells.
    pub(super) fn of(verdict: &Verdict, row: &Row<'_>, figure: Figure) -> Self {
        if let Some(held) = row.lacking() {
            return Self::Lacking { held, asked: row.connections };
        }
        if let Some(bound) = row.bound().filter(|_| figure.is_of_both()) {
            return Self::ClientBound(bound);
        }
        let kind = verdict.comparisons.iter().filter(|comparison| {
            comparison.figure == figure
                && row.kind() == (&comparison.scenario, comparison.connections, &comparison.shape)
        });
        for comparison in kind {
            if comparison.backend == row.backend {
                let ratio = comparison.ratio;
                return if comparison.tie { Self::Tie(ratio) } else { Self::Apart(ratio) };
            }
            if comparison.best == row.backend {
                return Self::Best;
            }
        }
        Self::Unranked
    }

    /// In a table.
    pub(super) fn in_words(self) -> String {
        match self {
            Self::Best => "best".to_owned(),
            Self::Tie(ratio) => format!("tie {}", times(&ratio)),
            Self::Apart(ratio) => times(&ratio),
            Self::ClientBound(bound) => bound.to_string(),
            Self::Lacking { held, asked } => lacking(held, asked),
            Self::Unranked => String::new(),
        }
    }
}

/// How many of its connections a row held.
pub(super) fn lacking(held: usize, asked: usize) -> String {
    format!("held {} of {}", thousands(held as f64), thousands(asked as f64))
}

/// A ratio with its interval. One that does not hold 1 never looks as if it did.
pub(super) fn times(ratio: &Ratio) -> String {
    let end = |value: f64| {
        let text = format!("{value:.2}");
        if text == "1.00" && !ratio.is_tie() { format!("{value:.4}") } else { text }
    };
    format!("×{:.2} ({}–{})", ratio.median, end(ratio.low), end(ratio.high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::example;
    use crate::report::rows::rows;
    use crate::stats::Percentiles;

    #[test]
    fn an_interval_beside_one_does_not_look_as_if_it_held_it() {
        let ratio = |low| Ratio { rounds: 6, median: 1.02, low, high: 1.04 };
        assert_eq!(times(&ratio(1.0024)), "×1.02 (1.0024–1.04)");
        assert_eq!(times(&ratio(1.0)), "×1.02 (1.00–1.04)");
    }

    #[test]
    fn ties_are_said_as_ties_and_what_is_client_bound_is_not_ranked_by_throughput() {
        let mut results = example(6, &[("threads", 12.0), ("mio", 6.0), ("may", 6.0)]);
        for record in results.cells.iter_mut().filter(|record| record.backend == "mio") {
            let measured = record.measured.as_mut().expect("measured");
            (measured.client_bound, measured.generator_utilisation) = (true, 0.95);
        }
        let verdict = Verdict::of(&results.cells);
        let rows = rows(&results.cells);
        let words = |figure| -> Vec<String> {
            rows.iter().map(|row| Standing::of(&verdict, row, figure).in_words()).collect()
        };
        assert_eq!(
            words(Figure::ServerCpuUsPerRequest),
            ["×2.00 (2.00–2.00)", "best", "tie ×1.00 (1.00–1.00)"]
        );
        assert_eq!(
            words(Figure::RequestsPerSecond),
            ["best", "client-bound", "tie ×1.00 (1.00–1.00)"]
        );
        assert_eq!(words(Figure::P99Us), ["", "client-bound", ""], "nothing was timed");
    }

    #[test]
    fn why_a_row_is_not_ranked_is_said_in_words_of_its_own() {
        let mut results = example(6, &[("threads", 12.0), ("mio", 6.0), ("may", 6.0)]);
        for record in &mut results.cells {
            let measured = record.measured.as_mut().expect("measured");
            measured.service_time_us = Some(Percentiles { p99: 300.0, ..Percentiles::default() });
            match record.backend.as_str() {
                "threads" => measured.connected = 60,
                "mio" => (measured.client_bound, measured.generator_utilisation) = (true, 0.95),
                // The generator had time, and was late in spite of it.
                _ => (measured.client_bound, measured.generator_utilisation) = (true, 0.4),
            }
        }
        let verdict = Verdict::of(&results.cells);
        let rows = rows(&results.cells);
        let words = |figure| -> Vec<String> {
            rows.iter().map(|row| Standing::of(&verdict, row, figure).in_words()).collect()
        };
        let figures = [Figure::RequestsPerSecond, Figure::P99Us].map(words);
        assert_eq!(figures[0], ["held 60 of 64", "client-bound", "late"]);
        assert_eq!(figures[1], figures[0]);
        assert_eq!(words(Figure::ServerCpuUsPerRequest)[0], "held 60 of 64");
    }
}
