//! Options of goose's own, as `--goose` passes them on.

mod common;

use std::fs;
use std::net::TcpListener;

use common::{Reaction, double, figures, loadtest, stderr};
use serde_json::Value;

const EMPTY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[test]
fn its_reports_have_the_requests_in_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (json, html) = (path("a report.json"), path("report.html"));
    let goose = format!("--no-print-metrics --report-file '{json}' --report-file {html}");
    let address = double(|_| Reaction::Send(EMPTY));
    let options = ["--connections", "3", "--duration", "1s", "--goose", &goose];
    let (output, figures) = figures(address, &options);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(figures["requests"].as_u64() > Some(0), "{figures}");
    assert_eq!(figures["connected"], 3);

    let report: Value = serde_json::from_slice(&fs::read(json).expect("a report")).expect("JSON");
    let asked = report["raw_metrics"]["requests"].as_object().or(report["requests"].as_object());
    let text = report.to_string();
    assert!(asked.is_some() || text.contains("/echo"), "{text:.2000}");
    assert!(fs::read_to_string(html).expect("a report").contains("/echo"));
}

#[test]
fn its_test_plan_says_how_many_users_come_and_when_they_leave() {
    let address = double(|_| Reaction::Send(EMPTY));
    let options = ["--goose", "--test-plan '3,1s;3,1s;0,1s'"];
    let (output, figures) = figures(address, &options);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!((&figures["connected"], &figures["connections"]), (&3.into(), &3.into()));
    assert!(figures["requests"].as_u64() > Some(0), "{figures}");
    assert!(figures["window_seconds"].as_f64() >= Some(2.0), "{figures}");
}

#[test]
fn its_run_time_and_its_pace_of_starting_users_take_the_place_of_ours() {
    let address = double(|_| Reaction::Send(EMPTY));
    let goose = "--increase-time 1s --run-time 1s";
    let (output, figures) = figures(address, &["--connections", "4", "--goose", goose]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(figures["connected"], 4);
    assert!(figures["requests"].as_u64() > Some(0), "{figures}");
    let window = figures["window_seconds"].as_f64().expect("a window");
    assert!(window >= 1.0, "{figures}");
}

#[test]
fn a_run_ends_in_time_however_slowly_goose_starts_users() {
    let address = double(|_| Reaction::Send(EMPTY));
    let goose = ["--duration", "1s", "--connections", "1000", "--goose", "--increase-rate 2"];
    let (output, figures) = figures(address, &goose);
    assert!(output.status.success(), "{}", stderr(&output));
    let connected = figures["connected"].as_u64().expect("a number");
    assert!((1..1000).contains(&connected), "{figures}");
    assert_eq!(figures["interrupted"], false);
}

#[test]
fn its_thresholds_fail_a_run() {
    let address = double(|_| Reaction::Send(EMPTY));
    let of = |threshold: &str| {
        let goose = format!("--no-print-metrics --threshold {threshold}");
        let options = ["--connections", "2", "--duration", "1s", "--goose", &goose];
        figures(address, &options).0
    };
    let kept = of("p50<60s");
    assert!(kept.status.success(), "{}", stderr(&kept));
    let broken = of("'rps>100000000'");
    assert_eq!(broken.status.code(), Some(1), "{}", stderr(&broken));
    let said = stderr(&broken);
    assert!(said.contains("a threshold was not kept: rps>100000000"), "{said}");
}

#[test]
fn what_it_refuses_it_refuses_in_one_line() {
    let address = double(|_| Reaction::Send(EMPTY));
    let url = format!("http://{address}/");
    for goose in ["--threshold p50<1h", "--run-time soon"] {
        let output = loadtest(&["run", &url, "--goose", goose]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        let name = goose.split([' ', '-']).find(|word| !word.is_empty()).expect("a name");
        assert!(said.lines().count() == 1 && said.contains(name), "{said}");
    }
}

#[test]
fn its_dashboard_is_served_while_the_load_runs() {
    use std::io::{Read, Write};
    // A port that was free a moment ago; goose says in its log which it took for 0, and nowhere else.
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|of| of.local_addr()).expect("a port").port();
    let (seen, page) = std::sync::mpsc::channel();
    let address = double(move |number| {
        if number == 200 {
            let mut text = String::new();
            let read = std::net::TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
                stream.write_all(b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
                stream.read_to_string(&mut text)
            });
            // A test that has failed does not listen.
            let _ = seen.send(read.map(|_| text));
        }
        Reaction::Send(EMPTY)
    });
    let goose = format!("--no-print-metrics --dashboard --dashboard-port {port}");
    let options = ["--connections", "2", "--duration", "2s", "--goose", &goose];
    let (output, _) = figures(address, &options);
    assert!(output.status.success(), "{}", stderr(&output));
    let page = page.recv().expect("it was asked for").expect("it was served");
    assert!(page.starts_with("HTTP/1.0 200") || page.starts_with("HTTP/1.1 200"), "{page:.300}");
}

#[test]
fn what_contradicts_our_options_is_refused_by_name() {
    let url = "http://127.0.0.1:9/echo";
    for (arguments, named) in [
        (&["--goose", "--users 5"][..], "--users is not for here: --connections says"),
        (&["--goose", "--co-mitigation average"], "--co-mitigation is not for here"),
        (&["--goose", "--fast"], "--fast"),
        (&["--goose", "--run-time 1s", "--duration", "1s"], "and --duration: goose says"),
        (&["--goose", "--test-plan 1,1s", "--connections", "5"], "and --connections: the test"),
        (&["--goose", "-r 5", "--rate", "5"], "and open 5/s: where goose"),
        (&["--goose", "-q", "--generators", "2"], "and 2 generators: what goose"),
        (&["--rate", "5", "--active", "5"], "--active"),
        (&["--active", "9", "-c", "8"], "--active and 8 connections: no more can be active"),
        (&["--scenario", "echo"], "--scenario and /echo: a scenario has paths of its own"),
        (&["--shape", "wide"], "there is no shape"),
        (&["--scenario", "echo", "--echo"], "--echo"),
        (&["--rate", "0"], "--rate"),
    ] {
        let output = loadtest(&[&["run", url], arguments].concat());
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
        assert!(said.contains(named), "{arguments:?}: {said}");
    }
}
