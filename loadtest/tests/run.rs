//! `loadtest run` against servers whose behaviour is known.

mod common;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use common::{Reaction, double, double_of, keys, loadtest, stderr};
use serde_json::{Value, json};

/// Runs a short test with two connections, and what else is asked; the exit and the figures.
fn run(address: SocketAddr, more: &[&str]) -> (Output, Value) {
    let folder = tempfile::tempdir().expect("a folder");
    let figures = folder.path().join("run.json");
    let output = run_into(&figures, address, more);
    let text = fs::read(figures).unwrap_or_else(|_| panic!("no figures: {}", stderr(&output)));
    (output, serde_json::from_slice(&text).expect("JSON"))
}

/// The same, with the figures in this file.
fn run_into(figures: &Path, address: SocketAddr, more: &[&str]) -> Output {
    let body = tempfile::NamedTempFile::new().expect("a file");
    fs::write(&body, "hello").expect("a body");
    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let (url, figures, body) = (format!("http://{address}/echo"), path(figures), path(body.path()));
    let mut arguments = vec!["run", &url, "--json", &figures, "--body", &body, "--echo"];
    let usual = [["--duration", "1s"], ["--warm-up", "50ms"], ["--connections", "2"]];
    arguments.extend(usual.iter().filter(|[option, _]| !more.contains(option)).flatten());
    arguments.extend(more);
    loadtest(&arguments)
}

/// The errors of a run against a server that reacts in this way to some requests, and rightly to
/// all others. Number 0 is the probe's, 1 and 2 are the first of the ramp.
fn errors(wrong: std::ops::Range<u64>, reaction: fn() -> Reaction, more: &[&str]) -> Value {
    let address =
        double(move |number| if wrong.contains(&number) { reaction() } else { Reaction::Echo });
    let more = [&["--duration", "3s"], more].concat();
    let (output, figures) = run(address, &more);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(figures["requests"].as_u64() > Some(0), "it goes on after errors: {figures}");
    figures["errors"].clone()
}

#[test]
fn right_answers_are_counted_and_nothing_else() {
    let (output, figures) = run(double(|_| Reaction::Echo), &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(figures["errors"], json!({}));
    assert_eq!(figures["connected"], 2);
    assert_eq!(figures["established"], 2);
    assert!(figures["requests"].as_u64() > Some(0), "{figures}");
    assert!(figures["service_time_us"]["p50"].as_f64() > Some(0.0), "{figures}");
    assert_eq!(
        keys(&figures),
        [
            "broken_thresholds",
            "bystanders_are",
            "bystanders_histogram",
            "bystanders_us",
            "bytes_read",
            "client_bound",
            "connected",
            "connections",
            "errors",
            "established",
            "generator_utilisation",
            "histogram",
            "interrupted",
            "lateness_us",
            "lost",
            "queued",
            "ramp_seconds",
            "reconnects",
            "requests",
            "requests_after_window",
            "requests_in_vain",
            "requests_per_second",
            "requests_since_start",
            "requests_timed",
            "response_time_us",
            "scenario",
            "schema",
            "service_time_us",
            "shape",
            "timeline",
            "url",
            "window_seconds"
        ]
    );
    let summary = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(summary.contains("2 of 2") && summary.contains("p99.9"), "{summary}");
}

#[test]
fn a_wrong_body_is_counted() {
    let wrong = || Reaction::Send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhullo");
    assert_eq!(errors(10..17, wrong, &[]), json!({ "wrong_body": 7 }));
}

#[test]
fn a_body_that_ends_early_is_counted() {
    let short = || Reaction::SendAndClose("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
    assert_eq!(errors(10..15, short, &[]), json!({ "short_body": 5 }));
}

#[test]
fn a_503_is_counted_apart_from_other_statuses() {
    let busy = || {
        Reaction::SendAndClose(
            "HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        )
    };
    assert_eq!(errors(10..14, busy, &[]), json!({ "status_503": 4 }));
    let missing = || Reaction::Send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(errors(10..13, missing, &[]), json!({ "status_other": 3 }));
}

#[test]
fn a_reset_is_counted() {
    assert_eq!(errors(10..16, || Reaction::Reset, &[]), json!({ "reset": 6 }));
}

#[test]
fn errors_in_the_ramp_are_counted_and_tried_again() {
    assert_eq!(errors(1..4, || Reaction::Reset, &[]), json!({ "reset": 3 }));
}

#[test]
fn what_is_not_http_is_counted() {
    let other = || Reaction::SendAndClose("220 ready for mail\r\n");
    assert_eq!(errors(10..12, other, &[]), json!({ "malformed": 2 }));
}

#[test]
fn silence_is_counted_when_the_time_out_has_passed() {
    let errors = errors(10..11, || Reaction::Silence, &["--timeout", "2s"]);
    assert_eq!(errors, json!({ "timed_out": 1 }));
}

#[test]
fn a_wrong_first_answer_ends_the_run_in_one_line() {
    const MISSING: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";
    const WRONG: &str = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ngoodbye";
    const SHORT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel";
    type React = fn() -> Reaction;
    let cases: [(React, &str); 7] = [
        (|| Reaction::Send(MISSING), "got 404"),
        (|| Reaction::Send(BUSY), "got 503"),
        (|| Reaction::Send(WRONG), "expected 200 and the right 5 bytes, got 200 and 7 other bytes"),
        (|| Reaction::SendAndClose(SHORT), "got an answer that ends too early"),
        (|| Reaction::SendAndClose("220 ready for mail\r\n"), "not HTTP/1"),
        (|| Reaction::Reset, "closed before the first byte"),
        (|| Reaction::Silence, "no answer in time"),
    ];
    for (reaction, said) in cases {
        assert_one_line(double(move |_| reaction()), said);
    }
}

#[test]
fn a_scenario_that_needs_an_upstream_says_so() {
    let missing = || Reaction::Send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let address = double(move |_| missing());
    let output = loadtest(&["run", "--scenario", "proxy", &format!("http://{address}")]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("proxy of http://") && said.contains("--upstream"), "{said}");
}

#[test]
fn a_server_that_is_not_there_ends_the_run_in_one_line() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    assert_one_line(address, "got a refused connection");
}

/// A run against this server is over before the load begins, says this in one line that names the
/// URL, exits with 1, prints no table, and leaves older figures alone.
fn assert_one_line(address: SocketAddr, wanted: &str) {
    let figures = tempfile::NamedTempFile::new().expect("a file");
    fs::write(&figures, "older").expect("figures");
    let output = run_into(figures.path(), address, &["--timeout", "2s", "--duration", "1h"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(wanted) && said.contains(&address.to_string()), "{said}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert_eq!(fs::read_to_string(&figures).expect("figures"), "older");
}

#[test]
fn a_server_that_dies_in_the_middle_fails_the_run() {
    let address = double(|number| if number < 20 { Reaction::Echo } else { Reaction::Reset });
    let (output, figures) = run(address, &["--warm-up", "0s"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("gone at the end"), "{said}");
    assert!(figures["requests"].as_u64() > Some(0), "it was there at first: {figures}");
    assert_eq!(figures["lost"], 2);
    assert!(!output.stdout.is_empty(), "what was measured is shown all the same");
}

#[test]
fn who_has_not_connected_by_the_start_takes_no_part() {
    // All but the first to ask are told to go, until that one has asked so often that all have started.
    let busy = "HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let (first, turns) = (OnceLock::new(), AtomicU64::new(0));
    let late = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&late);
    let address = double_of(move |request| {
        let is_probe = request.number == 0;
        if is_probe || *first.get_or_init(|| request.connection) == request.connection {
            turns.fetch_add(1, Ordering::Relaxed);
            return Reaction::Echo;
        }
        if turns.load(Ordering::Relaxed) < 10 {
            return Reaction::SendAndClose(busy);
        }
        counter.fetch_add(1, Ordering::Relaxed);
        Reaction::Echo
    });
    let (output, figures) = run(address, &["--duration", "1s", "--connect-timeout", "3s"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(figures["connected"], 1, "{figures}");
    assert!(figures["requests"].as_u64() > Some(10), "{figures}");
    // One may have been under way.
    assert!(late.load(Ordering::Relaxed) <= 1, "{figures}");
}

#[test]
fn users_whose_requests_fail_back_off() {
    const WRONG: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhullo";
    let address = double(|number| if number < 20 { Reaction::Echo } else { Reaction::Send(WRONG) });
    let (_, figures) = run(address, &["--warm-up", "0s", "--duration", "300ms"]);
    // Waits of at least 0.5, 1, 2, 4, 8 … ms make ten failures in 300 ms; without, it is thousands.
    let wrong = figures["errors"]["wrong_body"].as_u64().expect("wrong bodies");
    assert!((2..=2 * 11).contains(&wrong), "{figures}");
}

#[test]
fn a_server_that_closes_after_every_answer_is_measured() {
    const CLOSING: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let address = double(|_| Reaction::SendAndClose(CLOSING));
    let (output, figures) = run(address, &[]);
    assert!(figures["connected"] == 2, "{} {figures}", stderr(&output));
    assert!(figures["requests"].as_u64() > Some(0), "{figures}");
}

#[test]
fn figures_that_cannot_be_written_are_found_out_before_the_load() {
    let address = double(|_| Reaction::Echo);
    let folder = tempfile::tempdir().expect("a folder");
    for place in [folder.path(), &folder.path().join("nowhere/run.json")] {
        let output = run_into(place, address, &["--duration", "1h"]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("--json") && said.contains(&place.display().to_string()), "{said}");
    }
}

#[test]
fn a_server_that_hangs_in_the_middle_fails_the_run() {
    // Probe, ramp and some more are answered; then nothing is, and no time-out comes in the window.
    let address = double(|number| if number < 20 { Reaction::Echo } else { Reaction::Silence });
    let (output, figures) = run(address, &["--timeout", "2s", "--warm-up", "0s"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("did not answer at the end"), "{said}");
    let errors = ["timed_out", "unanswered"].map(|kind| figures["errors"][kind].as_u64());
    assert_eq!(errors.iter().flatten().sum::<u64>(), 2, "each had asked: {figures}");
    assert!(figures["requests"].as_u64() > Some(0), "it was there at first: {figures}");
    assert_eq!(figures["requests_after_window"], 0, "{figures}");
}

#[test]
fn who_waits_for_the_whole_window_is_in_the_figures() {
    // One of the two has its answer when the window has closed.
    let address = double(|number| {
        if number == 3 {
            thread::sleep(Duration::from_secs(2));
        }
        Reaction::Echo
    });
    let (output, figures) = run(address, &["--duration", "1s", "--warm-up", "0s"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(figures["service_time_us"]["max"].as_f64() >= Some(1.99e6), "{figures}");
    let (requests, after) = (&figures["requests"], &figures["requests_after_window"]);
    assert!(after.as_u64() >= Some(1), "{figures}");
    let timed = requests.as_u64().zip(after.as_u64()).map(|(before, after)| before + after);
    assert_eq!(figures["requests_timed"].as_u64(), timed, "{figures}");
}

#[test]
fn a_server_that_was_gone_before_an_open_loop_could_tell_fails_the_run() {
    // Each of many connections asks once at most after that.
    let address = double(|number| if number < 20 { Reaction::Echo } else { Reaction::Reset });
    let slow = ["--rate", "10", "--duration", "1s", "--warm-up", "0s", "--connections", "16"];
    let (output, figures) = run(address, &slow);
    let said = stderr(&output);
    assert_ne!(figures["lost"], 16, "{figures}");
    assert!(figures["requests"].as_u64() > Some(0), "it was there at first: {figures}");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("gone at the end"), "{said}");
}

#[test]
fn more_connections_than_descriptors_are_refused_by_the_name_of_the_limit() {
    let output = loadtest(&["run", "--connections", "1000000000", "http://127.0.0.1:9/"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("RLIMIT_NOFILE"), "{said}");
}

#[test]
fn a_bad_option_is_one_line_and_exit_code_2() {
    for (arguments, named) in [
        (&["run", "--duration", "soon", "http://h/"][..], "--duration"),
        (&["run", "--connections", "0", "http://h/"], "--connections"),
        (&["run", "ftp://h/"], "http:"),
        (&["run", "--rate", "1000000000", "http://127.0.0.1:9/"], "--rate"),
        (&["run", "--scenario", "block", "--connections", "1", "http://h/"], "it takes two"),
        (&["run", "--sources", "192.0.2.1", "http://h/"], "192.0.2.1"),
        (&["run"], "<URL>"),
        (&["floor", "--listen", "here"], "--listen"),
        (&["compare", "--backends", "mio,nginx"], "\"nginx\""),
        (&["compare", "--scenarios", "ecco"], "\"ecco\""),
        (&["compare", "--fast"], "--fast"),
        (&["report", "/nowhere/results.json"], "/nowhere/results.json"),
    ] {
        let output = loadtest(arguments);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
        assert!(said.contains(named), "{arguments:?}: {said}");
    }
}
