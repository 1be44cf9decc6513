//! What `/metrics` says of the upstream.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::metrics::register;

/// All that is counted of the upstream. Shared by all threads.
#[derive(Debug)]
pub struct Counters {
    open: IntGauge,
    idle: IntGauge,
    waiting: IntGauge,
    waits: IntCounter,
    connects: IntCounter,
    reuses: IntCounter,
    retries: IntCounter,
    failures: IntCounterVec,
    clients_gone: IntCounter,
}

impl Counters {
    /// With nothing counted yet. `failures` are the reasons that [`Counters::failed`] is told.
    pub(crate) fn new(registry: &Registry, failures: &[&'static str]) -> Self {
        let counter = |name, help| register(registry, IntCounter::new(name, help));
        let gauge = |name, help| register(registry, IntGauge::new(name, help));
        let failed = Opts::new("http_upstream_failures_total", "Requests given up on, by reason");
        let failed = register(registry, IntCounterVec::new(failed, &["reason"]));
        for reason in failures {
            let _ = failed.with_label_values(&[reason]);
        }
        Self {
            open: gauge(
                "http_upstream_connections_open",
                "Upstream connections, idle or in use, and those being made",
            ),
            idle: gauge("http_upstream_connections_idle", "Upstream connections kept for reuse"),
            waiting: gauge(
                "http_upstream_requests_waiting",
                "Requests that wait for an upstream connection",
            ),
            waits: counter(
                "http_upstream_waits_total",
                "Requests that had to wait for an upstream connection",
            ),
            connects: counter("http_upstream_connects_total", "Upstream connections made"),
            reuses: counter("http_upstream_reuses_total", "Upstream connections used again"),
            retries: counter("http_upstream_retries_total", "Requests sent upstream once more"),
            clients_gone: counter(
                "http_upstream_clients_gone_total",
                "Upstream requests dropped because their client was gone",
            ),
            failures: failed,
        }
    }

    /// A connection was made.
    pub fn connected(&self) {
        self.connects.inc();
    }

    /// An idle connection is used again.
    pub fn reused(&self) {
        self.reuses.inc();
    }

    /// A request is sent once more.
    pub fn retried(&self) {
        self.retries.inc();
    }

    /// A request was given up on, and its client told so.
    pub fn failed(&self, reason: &'static str) {
        self.failures.with_label_values(&[reason]).inc();
    }

    /// A request was dropped because its client was gone.
    pub fn client_gone(&self) {
        self.clients_gone.inc();
    }

    pub(super) fn opened(&self) {
        self.open.inc();
    }

    pub(super) fn closed(&self) {
        self.open.dec();
    }

    pub(super) fn idled(&self, change: i64) {
        self.idle.add(change);
    }

    pub(super) fn wait_began(&self) {
        self.waits.inc();
        self.waiting.inc();
    }

    pub(super) fn wait_ended(&self) {
        self.waiting.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::tests::{assert_line, metrics};

    #[test]
    fn everything_is_there_from_the_start_and_counts() {
        let metrics = metrics();
        let upstream = &metrics.upstream;
        let names = ["connects_total", "reuses_total", "retries_total", "clients_gone_total"];
        let gauges = ["connections_open", "connections_idle", "requests_waiting", "waits_total"];
        for name in names.into_iter().chain(gauges) {
            assert_line(&metrics.render(), &format!("http_upstream_{name} 0"));
        }
        assert_line(&metrics.render(), r#"http_upstream_failures_total{reason="closed"} 0"#);
        let counts =
            [Counters::connected, Counters::reused, Counters::retried, Counters::client_gone];
        for (name, count) in names.into_iter().zip(counts) {
            count(upstream);
            assert_line(&metrics.render(), &format!("http_upstream_{name} 1"));
        }
        upstream.failed("closed");
        assert_line(&metrics.render(), r#"http_upstream_failures_total{reason="closed"} 1"#);
    }
}
