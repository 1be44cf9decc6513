//! `loadtest run` against servers whose behaviour is known.

mod common;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::Output;

use common::{Reaction, double, keys, loadtest, stderr};
use serde_json::{Value, json};

/// Runs a short test with two connections, and what else is asked; the exit and the figures.
fn run(address: SocketAddr, more: &[&str]) -> (Output, Value) {
    let folder = tempfile::tempdir().expect("a folder");
    let (figures, body) = (folder.path().join("run.json"), folder.path().join("body"));
    fs::write(&body, "hello").expect("a body");
    let (figures, body) = (figures.to_str().expect("UTF-8"), body.to_str().expect("UTF-8"));
    let url = format!("http://{address}/echo");
    let mut arguments = vec!["run", &url, "--json", figures, "--body", body, "--echo"];
    arguments.extend(["--duration", "300ms", "--warm-up", "50ms", "--connections", "2"]);
    arguments.extend(more);
    let output = loadtest(&arguments);
    let text = fs::read(figures).unwrap_or_else(|_| panic!("no figures: {}", stderr(&output)));
    (output, serde_json::from_slice(&text).expect("JSON"))
}

/// The errors of a run against a server that reacts in this way to some requests, numbered from
/// 0, and rightly to all others.
fn errors(wrong: std::ops::Range<u64>, reaction: fn() -> Reaction, more: &[&str]) -> Value {
    let address =
        double(move |number| if wrong.contains(&number) { reaction() } else { Reaction::Echo });
    let (output, figures) = run(address, more);
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
            "bytes_read",
            "client_bound",
            "connected",
            "connections",
            "errors",
            "established",
            "generator_utilisation",
            "interrupted",
            "mode",
            "ramp_seconds",
            "requests",
            "requests_per_second",
            "requests_since_start",
            "schema",
            "service_time_us",
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
    assert_eq!(errors(0..3, || Reaction::Reset, &[]), json!({ "reset": 3 }));
}

#[test]
fn what_is_not_http_is_counted() {
    let other = || Reaction::SendAndClose("220 ready for mail\r\n");
    assert_eq!(errors(10..12, other, &[]), json!({ "malformed": 2 }));
}

#[test]
fn silence_is_counted_when_the_time_out_has_passed() {
    let errors = errors(10..11, || Reaction::Silence, &["--timeout", "100ms"]);
    assert_eq!(errors, json!({ "timed_out": 1 }));
}

#[test]
fn a_server_that_is_not_there_fails_the_run() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let (output, figures) = run(address, &["--connect-timeout", "3s"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(figures["requests"], 0);
    assert_eq!(figures["connected"], 0);
    assert_eq!(keys(&figures["errors"]), ["refused"]);
}

#[test]
fn no_wait_outlives_the_test() {
    // The ramp is answered, so all start; then nothing is, and the time-out is far.
    let address = double(|number| if number < 2 { Reaction::Echo } else { Reaction::Silence });
    let began = std::time::Instant::now();
    let (output, figures) = run(address, &["--timeout", "10m"]);
    assert_eq!(output.status.code(), Some(1), "there was no answer in the window");
    assert_eq!(figures["connected"], 2);
    assert_eq!(figures["errors"], json!({}), "being cut short is no error");
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
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
