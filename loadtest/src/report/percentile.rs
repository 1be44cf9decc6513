//! Percentiles of a row, where enough requests lie beyond them to say something.

use super::histogram;
use super::json::Measured;
use super::rows::Row;
use crate::stats::{Percentiles, Spread};

/// So many requests must lie beyond a quantile for it to say something.
const BEYOND: f64 = 10.0;

/// A percentile that every cell has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Percentile {
    pub(crate) quantile: f64,
    of: fn(&Percentiles) -> f64,
}

pub(crate) const P50: Percentile = Percentile { quantile: 0.5, of: |times| times.p50 };
pub(crate) const P90: Percentile = Percentile { quantile: 0.9, of: |times| times.p90 };
pub(crate) const P99: Percentile = Percentile { quantile: 0.99, of: |times| times.p99 };
pub(crate) const P999: Percentile = Percentile { quantile: 0.999, of: |times| times.p999 };

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    /// Service or response times, whichever the shape gives; of a scenario with bystanders the
    /// blocker's.
    Requests,
    /// Those of the bystanders.
    Bystanders,
    /// How late requests were sent.
    Lateness,
}

/// Whether so many requests are enough for a quantile.
pub(crate) fn is_told(quantile: f64, requests: u64) -> bool {
    // A hair's breadth, for a hundredth is not quite one less than 0.99.
    requests as f64 * (1.0 - quantile) >= BEYOND - 1e-6
}

impl Percentile {
    /// Over the rounds of a row, if all of them have enough requests for it.
    pub(crate) fn of(&self, row: &Row<'_>, times: Times) -> Option<Spread> {
        let spread = row.spread(|measured| self.in_round(times, measured))?;
        self.is_told(row, times).then_some(spread)
    }

    /// In one round, however many requests that has.
    pub(crate) fn in_round(&self, times: Times, measured: &Measured) -> Option<f64> {
        times.of(measured).as_ref().map(self.of)
    }

    /// Whether all rounds of a row have enough requests for it.
    pub(crate) fn is_told(&self, row: &Row<'_>, times: Times) -> bool {
        row.measured().all(|measured| is_told(self.quantile, times.requests(measured)))
    }
}

impl Times {
    fn of(self, measured: &Measured) -> Option<Percentiles> {
        match self {
            Self::Requests => measured.times_us(),
            Self::Bystanders => measured.bystanders_us,
            Self::Lateness => measured.lateness_us,
        }
    }

    /// How many requests of a round they are of.
    fn requests(self, measured: &Measured) -> u64 {
        if measured.bystanders_us.is_none() {
            return measured.requests;
        }
        // The histogram has the blocker's times alone, and all others are bystanders'. A record
        // without one knows nothing of the blocker, who rests after each of its few requests: to
        // count those among the bystanders' adds next to nothing.
        let blocker = histogram::requests(measured);
        match self {
            Self::Requests => blocker,
            Self::Bystanders | Self::Lateness => measured.requests.saturating_sub(blocker),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::json::example;
    use crate::report::rows::rows;
    use crate::stats::Latency;

    #[test]
    fn the_requests_of_the_one_who_blocks_are_not_the_bystanders() {
        let mut results = example(1, &[("mio", 6.0)]);
        let mut blocker = Latency::new();
        (0..30).for_each(|_| blocker.record(Duration::from_millis(20)));
        let times = Some(Percentiles { p50: 111.0, p99: 333.0, ..Percentiles::default() });
        let mut told = |requests| {
            let measured = results.cells[0].measured.as_mut().expect("measured");
            measured.histogram = Some(blocker.encode());
            (measured.service_time_us, measured.bystanders_us) = (times, times);
            measured.requests = requests;
            let row = &rows(&results.cells)[0];
            [(P50, Times::Requests), (P99, Times::Requests), (P99, Times::Bystanders)]
                .map(|(percentile, times)| percentile.of(row, times).is_some())
        };
        assert_eq!(told(1_030), [true, false, true]);
        assert_eq!(told(1_029), [true, false, false]);
    }
}
