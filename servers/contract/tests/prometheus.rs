//! `/metrics` as Prometheus's own programs find it.

#![allow(missing_docs, reason = "a test's name is what it says")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::process::{Command, Stdio};

use contract::{Backend, Client, Peer, Program, Server, eventually, on_every_backend, skipped};
use serde_json::Value;

on_every_backend!(promtool_has_nothing_to_say_of_the_metrics);

/// What runs it in containers, where the five have names.
const CONFIGURATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/prometheus.yml");

fn promtool_has_nothing_to_say_of_the_metrics(backend: Backend) {
    let upstream = Server::start(backend, &["--mode", "echo"]);
    let server = Server::start(backend, &["--upstream", &format!("http://{}", upstream.address())]);
    let mut client = server.connect();
    for target in ["/", "/echo", "/anything", "/bytes/9", "/delay/1ms", "/proxy/a", "/nowhere"] {
        client.get(target);
    }
    let metrics = client.get("/metrics").status(200).text().to_owned();
    let Some((fine, said)) = promtool(&["check", "metrics"], &metrics) else { return };
    assert!(fine && said.is_empty(), "{backend}: {said}\n{metrics}");
}

#[test]
fn promtool_has_something_to_say_where_there_is_something() {
    let metrics = "# TYPE requests counter\nrequests 1\n";
    let Some((fine, said)) = promtool(&["check", "metrics"], metrics) else { return };
    assert!(!fine && said.contains("requests"), "{said}");
}

#[test]
fn the_configuration_for_containers_is_sound() {
    let Some((fine, said)) = promtool(&["check", "config", CONFIGURATION], "") else { return };
    assert!(fine, "{said}");
}

#[test]
fn prometheus_scrapes_all_five() {
    let five = [Backend::Threads, Backend::Mio, Backend::May, Backend::Actix, Backend::Tokio];
    let servers = five.map(|backend| Program::new(backend).with_admin().start());
    let mut configuration = fs::read_to_string(CONFIGURATION).unwrap();
    for server in &servers {
        let (name, admin) = (format!("{}:9090", server.backend()), server.admin().to_string());
        assert!(configuration.contains(&name), "{name} is not asked");
        configuration = configuration.replace(&name, &admin);
    }
    let Some(prometheus) = Peer::prometheus(&configuration) else { return };
    for server in &servers {
        let backend = server.backend();
        let mut client = server.connect();
        for _ in 0..100 {
            client.get("/echo").status(200);
        }
        let instance = format!("instance=\"{}\"", server.admin().ip());
        let echoes = format!("{{{instance},route=\"/echo\"}}");
        let durations = "http_server_request_duration_seconds";
        let mut prometheus = prometheus.connect(backend);
        for query in [
            format!("up{{{instance}}} == 1"),
            format!("five_ways_build_info{{{instance},backend=\"{backend}\"}} == 1"),
            format!("http_server_requests_total{echoes} == 100"),
            format!("{durations}_count{echoes} == 100"),
            format!("histogram_quantile(0.5, {durations}_bucket{echoes}) > 0"),
            format!("process_cpu_seconds_total{{{instance}}} > 0"),
        ] {
            eventually(&query, || holds(&mut prometheus, &query).then_some(()));
        }
    }
}

/// Whether there is a series of which the query is true.
fn holds(prometheus: &mut Client, query: &str) -> bool {
    let mut target = "/api/v1/query?query=".to_owned();
    query.bytes().for_each(|byte| write!(target, "%{byte:02X}").expect("a String takes it"));
    let request = format!("GET {target} HTTP/1.1\r\nHost: prometheus\r\n\r\n");
    let answer = prometheus.send(request).answer_of("GET");
    if answer.head.status == 503 {
        // It listens before it is ready.
        return false;
    }
    let answer: Value = serde_json::from_str(answer.status(200).text()).unwrap();
    answer["data"]["result"].as_array().is_some_and(|series| !series.is_empty())
}

/// Whether it was content, and what it said. `None`, said aloud, where there is no promtool.
#[track_caller]
fn promtool(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let mut command = Command::new("promtool");
    let piped = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = match piped.stderr(Stdio::piped()).spawn() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            skipped("there is no promtool");
            return None;
        }
        child => child.expect("promtool runs"),
    };
    // One that reads nothing has ended by then, which is its right.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}
