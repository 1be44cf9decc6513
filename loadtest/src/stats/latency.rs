//! Durations of single requests, and the percentiles of a window.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest duration that is told from a longer one.
const LONGEST: Duration = Duration::from_mins(2);

/// A histogram of durations, to three significant digits.
#[derive(Debug)]
pub(crate) struct Latency {
    nanoseconds: Histogram<u64>,
}

/// The percentiles of a window, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the definition")]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

impl Latency {
    /// A histogram with nothing in it.
    pub(crate) fn new() -> Self {
        let longest = u64::try_from(LONGEST.as_nanos()).unwrap_or(u64::MAX);
        let nanoseconds = Histogram::new_with_max(longest, 3);
        Self { nanoseconds: nanoseconds.expect("three digits up to two minutes are in range") }
    }

    /// Adds one duration; one past the longest counts as the longest.
    pub(crate) fn record(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.saturating_record(nanoseconds);
    }

    /// The percentiles so far; all zero when nothing was recorded.
    pub(crate) fn percentiles(&self) -> Percentiles {
        let microseconds = |quantile| self.nanoseconds.value_at_quantile(quantile) as f64 / 1e3;
        Percentiles {
            p50: microseconds(0.5),
            p90: microseconds(0.9),
            p99: microseconds(0.99),
            p999: microseconds(0.999),
            max: self.nanoseconds.max() as f64 / 1e3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_recorded_durations() {
        let mut latency = Latency::new();
        for milliseconds in 1..=1000 {
            latency.record(Duration::from_millis(milliseconds));
        }
        let percentiles = latency.percentiles();
        let close = |is: f64, wanted: f64| (is / wanted - 1.0).abs() < 0.001;
        assert!(close(percentiles.p50, 500e3), "{percentiles:?}");
        assert!(close(percentiles.p90, 900e3), "{percentiles:?}");
        assert!(close(percentiles.p99, 990e3), "{percentiles:?}");
        assert!(close(percentiles.p999, 999e3), "{percentiles:?}");
        assert!(close(percentiles.max, 1000e3), "{percentiles:?}");
    }

    #[test]
    fn nothing_recorded_is_zero_and_too_long_is_the_longest() {
        let mut latency = Latency::new();
        assert_eq!(latency.percentiles(), Percentiles::default());
        latency.record(Duration::from_hours(1));
        assert!(latency.percentiles().max >= 120e6);
    }
}
