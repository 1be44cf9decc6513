//! What `loadtest run` prints: the summary of one test.

use std::fmt::Write;

use crate::load::{Summary, TimeKind};
use crate::report::terminal::{errors, microseconds};
use crate::stats::Percentiles;

/// The summary in lines of a name and a value.
pub(super) fn summary(asked: &str, connections: usize, summary: &Summary) -> String {
    let (window, shape) = (summary.window_seconds, summary.shape);
    let mut text = format!("{window:.1}s @ {asked}, {shape}\n");
    if summary.interrupted {
        text.push_str("  interrupted: this is what was measured until then\n");
    }
    for (name, value) in lines(connections, summary) {
        // A String can always be written to.
        let _ = writeln!(text, "  {name:<13} {value}");
    }
    text
}

fn lines(connections: usize, summary: &Summary) -> Vec<(&'static str, String)> {
    let (connected, ramp) = (summary.connected, summary.ramp_seconds);
    let mut lines = vec![("connections", format!("{connected} of {connections} in {ramp:.2} s"))];
    if summary.established != connected && summary.shape.holds_connections() {
        lines.push(("established", format!("{} by the kernel's count", summary.established)));
    }
    let rate = summary.requests_per_second();
    let whose = if summary.bystanders_us.is_some() { ", bystanders' and all" } else { "" };
    lines.push(("requests", format!("{} ({rate:.0}/s{whose})", summary.requests)));
    let mut times = |name, times: Option<Percentiles>, note| {
        lines.extend(times.map(|times| (name, format!("{}{note}", percentiles(times)))));
    };
    times("service time", summary.service_time_us, "");
    times("response time", summary.response_time_us, "");
    let due = summary.bystanders_are == Some(TimeKind::Response);
    times("bystanders", summary.bystanders_us, if due { "  from when due" } else { "" });
    times("sent late by", summary.lateness_us, "");
    if summary.queued > 0 {
        let queued = format!("{} were due while every connection was busy", summary.queued);
        lines.push(("queued", queued));
    }
    let read = summary.bytes_read as f64;
    let transfer = format!("{} ({}/s)", bytes(read), bytes(summary.a_second(read)));
    lines.push(("transfer", transfer));
    lines.push(("errors", errors(&summary.errors)));
    if summary.reconnects > 0 {
        let closed = "idle connections that the server closed were replaced";
        lines.push(("reconnects", format!("{} {closed}", summary.reconnects)));
    }
    let busy = 100.0 * summary.generator_utilisation;
    lines.push(("generator", format!("{busy:.0}% of a core{}", bound(summary))));
    lines
}

/// What the generator's part in the figures is, if it is more than it should be.
fn bound(summary: &Summary) -> &'static str {
    if summary.is_late() {
        ", client-bound: requests were sent so late that the times are the generator's own"
    } else if summary.client_bound() {
        ", client-bound: the server could do more"
    } else {
        ""
    }
}

fn percentiles(times: Percentiles) -> String {
    let Percentiles { p50, p90, p99, p999, max } = times;
    let [p50, p90, p99, p999, max] = [p50, p90, p99, p999, max].map(microseconds);
    format!("p50 {p50}  p90 {p90}  p99 {p99}  p99.9 {p999}  max {max}")
}

fn bytes(value: f64) -> String {
    match value {
        value if value < 1024.0 => format!("{value:.0} B"),
        value if value < 1024.0 * 1024.0 => format!("{:.1} KiB", value / 1024.0),
        value => format!("{:.1} MiB", value / (1024.0 * 1024.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Shape;

    fn at(p50: f64) -> Percentiles {
        Percentiles { p50, p99: p50 * 2.0, ..Percentiles::default() }
    }

    fn text(of: &Summary) -> String {
        summary("http://h/echo", 64, of)
    }

    #[test]
    fn a_closed_loop_has_service_times_and_an_open_one_response_times() {
        let closed = Summary {
            connected: 64,
            established: 64,
            window_seconds: 2.0,
            requests: 10,
            service_time_us: Some(at(50.0)),
            ..Summary::default()
        };
        let said = text(&closed);
        assert!(said.starts_with("2.0s @ http://h/echo, closed\n"), "{said}");
        assert!(said.contains("service time  p50 50µs") && said.contains("10 (5/s)"), "{said}");
        for word in [
            "response",
            "late",
            "bystanders",
            "queued",
            "client-bound",
            "established",
            "reconnects",
        ] {
            assert!(!said.contains(word), "{said}");
        }
        let beside = Summary { bystanders_us: Some(at(9.0)), ..closed.clone() };
        assert!(text(&beside).contains("10 (5/s, bystanders' and all)"), "{}", text(&beside));
        let open = Summary {
            shape: "open 5/s".parse::<Shape>().expect("a shape"),
            service_time_us: None,
            response_time_us: Some(at(50.0)),
            lateness_us: Some(at(40.0)),
            queued: 3,
            reconnects: 5,
            established: 63,
            ..closed
        };
        let said = text(&open);
        for line in [
            "response time p50 50µs",
            "sent late by  p50 40µs",
            "3 were due",
            "63 by the",
            "reconnects    5 idle",
        ] {
            assert!(said.contains(line), "{said}");
        }
        assert!(said.contains("client-bound: requests were sent so late"), "{said}");
        assert!(!said.contains("service"), "{said}");
    }
}
