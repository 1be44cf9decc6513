//! Durations of single requests, and the percentiles of a window.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

/// The longest duration that is told from a longer one.
const LONGEST: Duration = Duration::from_mins(2);

/// A histogram of durations, to three significant digits. As data it is its text, see
/// [`encode`](Self::encode).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
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

/// A text that is no histogram, or of times that are not told apart here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a histogram of durations in nanoseconds")]
pub(crate) struct Undecodable;

impl Latency {
    /// A histogram with nothing in it.
    pub(crate) fn new() -> Self {
        Self::to_digits(3)
    }

    /// The same to two digits, which takes an eighth of the room: for what there are many of.
    pub(crate) fn coarse() -> Self {
        Self::to_digits(2)
    }

    fn to_digits(digits: u8) -> Self {
        let longest = u64::try_from(LONGEST.as_nanos()).unwrap_or(u64::MAX);
        let nanoseconds = Histogram::new_with_max(longest, digits);
        Self { nanoseconds: nanoseconds.expect("few digits up to two minutes are in range") }
    }

    /// How many are in it.
    pub(crate) fn len(&self) -> u64 {
        self.nanoseconds.len()
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.nanoseconds.is_empty()
    }

    /// Adds all that another one has, which is as if all had been recorded here: a histogram knows
    /// no order.
    pub(crate) fn add(&mut self, other: &Self) {
        self.nanoseconds.add(&other.nanoseconds).expect("all reach up to two minutes");
    }

    /// Adds one duration; one past the longest counts as the longest.
    pub(crate) fn record(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.saturating_record(nanoseconds);
    }

    /// All of them as text: nanoseconds in an `HdrHistogram`, V2 and DEFLATE, in base64, which is
    /// how histogram logs have it.
    pub(crate) fn encode(&self) -> String {
        let mut bytes = Vec::new();
        match V2DeflateSerializer::new().serialize(&self.nanoseconds, &mut bytes) {
            Ok(_) => BASE64.encode(bytes),
            // Nothing but writing to memory can fail, and that doesn't.
            Err(_) => String::new(),
        }
    }

    /// What [`encode`](Self::encode) has made.
    pub(crate) fn decode(text: &str) -> Result<Self, Undecodable> {
        let bytes = BASE64.decode(text).map_err(|_| Undecodable)?;
        let read: Histogram<u64> =
            Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|_| Undecodable)?;
        let mut latency = Self::to_digits(read.sigfig());
        latency.nanoseconds.add(&read).map_err(|_| Undecodable)?;
        Ok(latency)
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

impl From<Latency> for String {
    fn from(latency: Latency) -> Self {
        latency.encode()
    }
}

impl TryFrom<String> for Latency {
    type Error = Undecodable;

    fn try_from(text: String) -> Result<Self, Undecodable> {
        Self::decode(&text)
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
    fn parts_added_are_exactly_the_whole() {
        let mut random = fastrand::Rng::with_seed(7);
        let (mut whole, mut parts) = (Latency::new(), [const { None }; 3]);
        for part in &mut parts {
            let part = part.insert(Latency::new());
            for _ in 0..10_000 {
                // From nanoseconds to past the longest.
                let duration =
                    Duration::from_nanos(2_u64.pow(random.u32(0..40)) + random.u64(..99));
                whole.record(duration);
                part.record(duration);
            }
        }
        let mut sum = Latency::new();
        for part in parts.iter().flatten() {
            sum.add(&Latency::decode(&part.encode()).expect("a histogram"));
        }
        assert_eq!(sum, whole);
        assert_eq!(sum.encode(), whole.encode());
        assert_eq!(sum.percentiles(), whole.percentiles());
        assert_eq!(sum.nanoseconds.len(), 30_000);
    }

    #[test]
    fn what_is_no_histogram_is_refused() {
        for text in ["", "?", "aGVsbG8="] {
            assert_eq!(Latency::decode(text), Err(Undecodable), "{text:?}");
        }
    }

    #[test]
    fn nothing_recorded_is_zero_and_too_long_is_the_longest() {
        let mut latency = Latency::new();
        assert_eq!(latency.percentiles(), Percentiles::default());
        latency.record(Duration::from_hours(1));
        assert!(latency.percentiles().max >= 120e6);
    }
}
