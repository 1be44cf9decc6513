//! What a test found.

use serde::{Deserialize, Serialize};

use super::{Errors, Shape};
use crate::stats::Percentiles;

/// The part of its core from which on the generator holds a test back.
pub(crate) const CLIENT_BOUND: f64 = 0.9;
/// The same for an open loop: how late requests were sent, at p99, by the p50 of their times.
const TOO_LATE: f64 = 0.1;

/// What a test found. Times are in microseconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// When the users asked, and how.
    #[serde(default)]
    pub(crate) shape: Shape,
    /// Users that had been answered rightly when all started.
    pub(crate) connected: usize,
    /// Their connections that were open then, by the kernel's own count.
    pub(crate) established: usize,
    /// How long the users took to connect, in seconds.
    pub(crate) ramp_seconds: f64,
    /// The length of the window, in seconds.
    pub(crate) window_seconds: f64,
    /// Right answers in the window, whoever asked.
    pub(crate) requests: u64,
    /// Right answers since the start, warm-up and drain included.
    pub(crate) requests_since_start: u64,
    /// Right answers after the window had closed, to what was under way or due then.
    #[serde(default)]
    pub(crate) requests_after_window: u64,
    /// Requests that were under way or due when the window had closed and got no answer for as long as
    /// one may take. They are among the errors.
    #[serde(default)]
    pub(crate) requests_in_vain: u64,
    /// Requests of the window that were answered rightly, in it or after it: the times are theirs.
    #[serde(default)]
    pub(crate) requests_timed: u64,
    /// Bytes of the answers in the window, heads and bodies.
    pub(crate) bytes_read: u64,
    /// From a request's first byte out to its answer's last byte in. None in an open loop, and
    /// without an answer.
    #[serde(default)]
    pub(crate) service_time_us: Option<Percentiles>,
    /// From the moment a request was due to its answer's last byte in. Only in an open loop.
    #[serde(default)]
    pub(crate) response_time_us: Option<Percentiles>,
    /// How much later than it could have been a request was sent. Only in an open loop.
    #[serde(default)]
    pub(crate) lateness_us: Option<Percentiles>,
    /// Requests of an open loop that were due while every connection was busy, and had to wait.
    #[serde(default)]
    pub(crate) queued: u64,
    /// All the times that `service_time_us` or `response_time_us` sums up, in nanoseconds: an
    /// `HdrHistogram`, V2 and DEFLATE, base64.
    #[serde(default)]
    pub(crate) histogram: String,
    /// What the next ones are.
    #[serde(default)]
    pub(crate) bystanders_are: Option<TimeKind>,
    /// The times of those who asked something else meanwhile, where a scenario has such. They are
    /// in no other time.
    #[serde(default)]
    pub(crate) bystanders_us: Option<Percentiles>,
    /// All of them, as in `histogram`.
    #[serde(default)]
    pub(crate) bystanders_histogram: Option<String>,
    /// The window, second by second.
    #[serde(default)]
    pub(crate) timeline: Vec<Second>,
    /// Errors by kind, over the whole test.
    pub(crate) errors: Errors,
    /// Connections that the server ended while nothing was asked on them, over the whole test. Each
    /// was replaced, and no request failed.
    #[serde(default)]
    pub(crate) reconnects: u64,
    /// Users who had lost the server when the window closed: their last two tries or more got no
    /// answer at all.
    pub(crate) lost: usize,
    /// The part of one core that the generator used in the window, 1 being all of it.
    pub(crate) generator_utilisation: f64,
    /// Whether an interrupt ended the test early.
    pub(crate) interrupted: bool,
    /// Those of goose's thresholds that were not kept, and what was seen.
    #[serde(default)]
    pub(crate) broken_thresholds: Vec<String>,
}

/// Which times some are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TimeKind {
    /// From when a request is written.
    Service,
    /// From when it was due.
    Response,
}

impl TimeKind {
    /// In one word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Response => "response",
        }
    }
}

/// About one second of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Second {
    /// When it began, in seconds since the window opened.
    pub(crate) at: f64,
    /// How long it was: the last one may be shorter.
    pub(crate) seconds: f64,
    /// Right answers, whoever asked.
    pub(crate) answers: u64,
    /// Errors of all kinds.
    pub(crate) errors: u64,
    /// Times, but for bystanders', to two digits: in an open loop of the requests that were due in
    /// this second, in any other of those that were answered in it, and after the last one.
    pub(crate) p99_us: f64,
}

impl Summary {
    /// Right answers a second.
    pub(crate) fn requests_per_second(&self) -> f64 {
        self.a_second(self.requests as f64)
    }

    /// So much of something in the window, a second.
    pub(crate) fn a_second(&self, count: f64) -> f64 {
        if self.window_seconds > 0.0 { count / self.window_seconds } else { 0.0 }
    }

    /// Whether the users hold fewer connections than they should. Those of a shape that connects
    /// anew for each request hold none.
    pub(crate) fn lacks_connections(&self, wanted: usize) -> bool {
        let held = self.established == self.connected || !self.shape.holds_connections();
        self.connected < wanted || !held
    }

    /// Whether the generator itself was what held the test back.
    pub(crate) fn client_bound(&self) -> bool {
        self.generator_utilisation > CLIENT_BOUND || self.is_late()
    }

    /// Whether requests were sent so late that their times are the generator's own.
    pub(crate) fn is_late(&self) -> bool {
        let times = self.response_time_us.or(self.bystanders_us).unwrap_or_default();
        self.lateness_us.is_some_and(|lateness| lateness.p99 > TOO_LATE * times.p50)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(p50: f64, p99: f64) -> Percentiles {
        Percentiles { p50, p99, ..Percentiles::default() }
    }

    #[test]
    fn a_busy_generator_binds_and_so_does_a_late_one() {
        let busy = |generator_utilisation| Summary { generator_utilisation, ..Summary::default() };
        assert!(busy(0.91).client_bound());
        assert!(!busy(0.89).client_bound());
        let late = |p99| Summary {
            response_time_us: Some(at(100.0, 300.0)),
            lateness_us: Some(at(1.0, p99)),
            ..Summary::default()
        };
        assert!(late(10.1).client_bound());
        assert!(!late(9.9).client_bound());
        let closed = Summary { service_time_us: Some(at(100.0, 300.0)), ..Summary::default() };
        assert!(!closed.client_bound());
    }

    #[test]
    fn connections_are_missing_where_they_should_be_held() {
        let summary =
            Summary { connected: 64, established: 60, shape: Shape::Closed, ..Summary::default() };
        assert!(summary.lacks_connections(64));
        assert!(!Summary { established: 64, ..summary.clone() }.lacks_connections(64));
        assert!(Summary { established: 64, ..summary.clone() }.lacks_connections(65));
        let churn = Summary { established: 0, shape: Shape::Churn, ..summary };
        assert!(!churn.lacks_connections(64));
        assert!(churn.lacks_connections(65));
    }
}
