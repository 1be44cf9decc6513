//! What `/metrics` says, in Prometheus's text format.
//!
//! Every handle is looked up once, so that a request costs a few relaxed atomics: what is measured
//! must not be the measuring.

use std::{sync::OnceLock, time::Duration};

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder, core::Collector,
};

use crate::{
    backend::{Backend, VERSION},
    refusal::Refusal,
    upstream::Counters,
    usage,
};

/// Upper bounds in seconds: dense where an echo lives, coarse where a time-out does.
const BUCKETS: &[f64] = &[
    50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1.0,
    2.5, 5.0, 10.0,
];

/// Statuses run from 100 to 599; an upstream may invent others, which share one more slot.
const FIRST_STATUS: u16 = 100;
const STATUSES: usize = 500;

/// All that a server counts. Shared by all of its threads.
#[derive(Debug)]
pub struct Metrics {
    /// What is counted of the upstream.
    pub upstream: Counters,
    registry: Registry,
    routes: Vec<Route>,
    requests: IntCounterVec,
    active: IntGauge,
    open: IntGauge,
    /// Those that are open and have no request, counted when somebody asks.
    idle: IntGauge,
    accepted: IntCounter,
    panicked: IntCounter,
    refused: [IntCounter; Refusal::ALL.len()],
    received: IntCounter,
    sent: IntCounter,
}

#[derive(Debug)]
struct Route {
    name: &'static str,
    duration: Histogram,
    /// One slot per status, and the last for all others.
    by_status: Box<[OnceLock<IntCounter>]>,
}

impl Metrics {
    /// With nothing counted yet. `routes` are the names that [`Metrics::request`] has indices of,
    /// `failures` the reasons that [`Counters::failed`] is told.
    #[must_use]
    pub fn new(backend: &Backend, routes: &[&'static str], failures: &[&'static str]) -> Self {
        let registry = Registry::new();
        usage::register(&registry);
        let counter = |name, help| register(&registry, IntCounter::new(name, help));
        let gauge = |name, help| register(&registry, IntGauge::new(name, help));
        let build = Opts::new("five_ways_build_info", "What is running; always 1");
        let build = register(&registry, IntGaugeVec::new(build, &["backend", "version"]));
        build.with_label_values(&[backend.name, VERSION]).set(1);
        let requests = Opts::new("http_server_requests_total", "Requests answered");
        let refused = Opts::new("http_server_connections_refused_total", "Connections not served");
        let refused = register(&registry, IntCounterVec::new(refused, &["reason"]));
        Self {
            upstream: Counters::new(&registry, failures),
            routes: histograms(&registry, routes),
            requests: register(&registry, IntCounterVec::new(requests, &["route", "status"])),
            active: gauge("http_server_active_requests", "Requests that began and have not ended"),
            open: gauge("http_server_connections_open", "Connections that are open"),
            idle: gauge("http_server_connections_idle", "Open connections that have no request"),
            accepted: counter("http_server_connections_accepted_total", "Connections served"),
            panicked: counter("http_server_connections_panicked_total", "Ended by a panic"),
            refused: Refusal::ALL.map(|reason| refused.with_label_values(&[reason.as_str()])),
            received: counter("http_server_received_bytes_total", "Bytes read from clients"),
            sent: counter("http_server_sent_bytes_total", "Bytes written to clients"),
            registry,
        }
    }

    /// A request on `routes[route]` was answered with `status`, `elapsed` after it began.
    pub fn request(&self, route: usize, status: u16, elapsed: Duration) {
        let Some(route) = self.routes.get(route) else {
            debug_assert!(false, "route {route} has no name");
            return;
        };
        let slot = usize::from(status.wrapping_sub(FIRST_STATUS)).min(STATUSES);
        let counter = route.by_status[slot].get_or_init(|| {
            let status = if slot < STATUSES { &status.to_string() } else { "other" };
            self.requests.with_label_values(&[route.name, status])
        });
        counter.inc();
        route.duration.observe(elapsed.as_secs_f64());
    }

    /// A request's head is complete.
    pub fn request_began(&self) {
        self.active.inc();
    }

    /// A request that began has ended, answered or not.
    pub fn request_ended(&self) {
        self.active.dec();
    }

    /// How many requests have begun and not ended.
    #[must_use]
    pub fn requests_in_flight(&self) -> usize {
        usize::try_from(self.active.get()).unwrap_or(0)
    }

    /// So many bytes were read from a client.
    pub fn received(&self, bytes: u64) {
        self.received.inc_by(bytes);
    }

    /// So many bytes were written to a client.
    pub fn sent(&self, bytes: u64) {
        self.sent.inc_by(bytes);
    }

    /// A connection was not served.
    pub fn refused(&self, reason: Refusal) {
        self.refused[reason as usize].inc();
    }

    pub(crate) fn connection_opened(&self) {
        self.accepted.inc();
        self.open.inc();
    }

    pub(crate) fn connection_closed(&self) {
        self.open.dec();
    }

    pub(crate) fn connection_panicked(&self) {
        self.panicked.inc();
    }

    /// The registry, for what a server counts beside this.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// All of it, in Prometheus's text format (version 0.0.4).
    #[must_use]
    pub fn render(&self) -> String {
        // A connection has one request at a time. Two counters are never read at one moment.
        self.idle.set((self.open.get() - self.active.get()).max(0));
        let text = TextEncoder::new().encode_to_string(&self.registry.gather());
        text.unwrap_or_else(|error| {
            tracing::error!(%error, "metrics can't be rendered");
            String::new()
        })
    }
}

fn histograms(registry: &Registry, routes: &[&'static str]) -> Vec<Route> {
    let options = HistogramOpts::new(
        "http_server_request_duration_seconds",
        "From the end of a request's head to the end of its answer",
    )
    .buckets(BUCKETS.to_vec());
    let durations = register(registry, HistogramVec::new(options, &["route"]));
    let route = |&name: &&'static str| Route {
        name,
        duration: durations.with_label_values(&[name]),
        by_status: (0..=STATUSES).map(|_| OnceLock::new()).collect(),
    };
    routes.iter().map(route).collect()
}

/// Names are constants of this crate, and each is used once: neither step can fail.
pub(crate) fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: prometheus::Result<C>,
) -> C {
    let collector = collector.expect("a well-formed name");
    registry.register(Box::new(collector.clone())).expect("a name of its own");
    collector
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::backend::Footprint;

    pub(crate) fn metrics() -> Metrics {
        let backend = Backend {
            name: "test",
            about: "",
            per_connection: Footprint { descriptors: 1, maps: 0, threads: 0 },
        };
        Metrics::new(&backend, &["/", "/echo"], &["closed"])
    }

    pub(crate) fn assert_line(text: &str, line: &str) {
        assert!(text.lines().any(|candidate| candidate == line), "no {line} in\n{text}");
    }

    #[test]
    fn requests_are_told_apart_by_route_and_status() {
        let metrics = metrics();
        metrics.request(1, 200, Duration::from_micros(80));
        metrics.request(1, 200, Duration::from_secs(20));
        metrics.request(1, 599, Duration::ZERO);
        metrics.request(0, 100, Duration::ZERO);
        for odd in [0, 99, 600, u16::MAX] {
            metrics.request(0, odd, Duration::ZERO);
        }
        let text = metrics.render();
        for line in [
            r#"http_server_requests_total{route="/echo",status="200"} 2"#,
            r#"http_server_requests_total{route="/echo",status="599"} 1"#,
            r#"http_server_requests_total{route="/",status="100"} 1"#,
            r#"http_server_requests_total{route="/",status="other"} 4"#,
            r#"http_server_request_duration_seconds_bucket{route="/echo",le="0.00005"} 1"#,
            r#"http_server_request_duration_seconds_bucket{route="/echo",le="0.0001"} 2"#,
            r#"http_server_request_duration_seconds_bucket{route="/echo",le="10"} 2"#,
            r#"http_server_request_duration_seconds_bucket{route="/echo",le="+Inf"} 3"#,
        ] {
            assert_line(&text, line);
        }
    }

    #[test]
    fn a_connection_without_a_request_is_idle() {
        let metrics = metrics();
        (0..3).for_each(|_| metrics.connection_opened());
        metrics.request_began();
        assert_line(&metrics.render(), "http_server_connections_idle 2");
        metrics.request_ended();
        assert_line(&metrics.render(), "http_server_connections_idle 3");
    }

    #[test]
    fn everything_else_is_there_from_the_start() {
        let metrics = metrics();
        metrics.request_began();
        metrics.request_began();
        metrics.request_ended();
        metrics.received(7);
        metrics.sent(9);
        metrics.refused(Refusal::Thread);
        let text = metrics.render();
        for line in [
            &format!(r#"five_ways_build_info{{backend="test",version="{VERSION}"}} 1"#),
            "http_server_active_requests 1",
            "http_server_connections_open 0",
            "http_server_connections_idle 0",
            "http_server_connections_accepted_total 0",
            "http_server_connections_panicked_total 0",
            "http_server_received_bytes_total 7",
            "http_server_sent_bytes_total 9",
        ] {
            assert_line(&text, line);
        }
        for reason in Refusal::ALL {
            let count = u8::from(reason == Refusal::Thread);
            let reason = reason.as_str();
            let name = "http_server_connections_refused_total";
            assert_line(&text, &format!(r#"{name}{{reason="{reason}"}} {count}"#));
        }
    }
}
