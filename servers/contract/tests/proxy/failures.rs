//! Upstreams that give no answer, or none that is HTTP: 502 or 504, and the client's connection
//! goes on.

use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use contract::{Backend, Origin, Server, skipped};

use crate::on_every_backend;

on_every_backend!(
    without_an_upstream_the_option_is_named,
    nothing_listens,
    what_is_no_answer_costs_its_connection,
    heads_without_end,
    heads_that_end_too_soon,
    an_upstream_that_says_nothing,
    an_upstream_that_stops_in_the_head,
    an_upstream_that_accepts_no_connection,
    failures_are_counted_by_reason,
);

const GET: &str = "GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n";

fn without_an_upstream_the_option_is_named(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    let answer = client.get("/proxy/a");
    let text = answer.status(502).text();
    assert!(text.contains("--upstream"), "{backend}: {text}");
    client.get("/healthz").status(200);
}

fn nothing_listens(backend: Backend) {
    let origin = Origin::closed(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.get("/proxy/a").status(502).stays_open();
    client.post("/proxy/a", "hello").status(502);
    client.get("/healthz").status(200);
    server.reaches("http_upstream_connections_open", 0);
}

/// Of each kind, one; what the standards say of answers is in the vectors of `tests/answers`.
const WRONG: &[&str] = &[
    "SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
];

/// 502 at once, though the upstream keeps its connection open.
fn what_is_no_answer_costs_its_connection(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    each(WRONG, |answer| {
        let mut client = server.connect();
        client.send(GET);
        let (mut upstream, _) = origin.accept_request();
        upstream.send(answer);
        client.answer().status(502).stays_open();
        client.get("/healthz").status(200);
        upstream.is_dropped();
    });
}

fn heads_without_end(backend: Backend) {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(1 << 20));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(100_000));
    for wrong in [long, many] {
        let origin = Origin::new(backend);
        let server = origin.server(&[]);
        let mut client = server.connect();
        client.send(GET);
        let (mut upstream, _) = origin.accept_request();
        // It need not be read to its end.
        let _ = upstream.try_send(&wrong);
        client.answer().status(502);
        upstream.is_dropped();
    }
}

/// What comes, and then the end of the connection.
const BEGINNINGS: &[&str] = &[
    "",
    "H",
    "HTTP/1.1 200 OK",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r",
];

fn heads_that_end_too_soon(backend: Backend) {
    each(BEGINNINGS, |begin| {
        for resets in [false, true] {
            let origin = Origin::new(backend);
            let server = origin.server(&[]);
            let mut client = server.connect();
            client.send(GET);
            let (mut upstream, _) = origin.accept_request();
            upstream.send(begin);
            if resets {
                upstream.reset();
            } else {
                drop(upstream);
            }
            client.answer().status(502).stays_open();
            client.get("/healthz").status(200);
        }
    });
}

fn an_upstream_that_says_nothing(backend: Backend) {
    is_too_slow(backend, "");
}

fn an_upstream_that_stops_in_the_head(backend: Backend) {
    is_too_slow(backend, "H");
    is_too_slow(backend, "HTTP/1.1 200 OK\r\nContent-Le");
}

fn is_too_slow(backend: Backend, begin: &str) {
    let origin = Origin::new(backend);
    let server = origin.server(&["--upstream-timeout", "300ms"]);
    let mut client = server.connect();
    client.send(GET);
    let (mut upstream, _) = origin.accept_request();
    upstream.send(begin);
    client.answer().status(504).stays_open();
    client.get("/healthz").status(200);
    upstream.is_dropped();
}

fn an_upstream_that_accepts_no_connection(backend: Backend) {
    let origin = Origin::closed(backend);
    origin.open(0);
    let program = origin.program().options(&["--upstream-connect-timeout", "300ms"]);
    let server = program.env("RUST_LOG", "debug").start();
    let briefly = Duration::from_millis(200);
    let fillers: Vec<_> = (0..64)
        .map_while(|_| TcpStream::connect_timeout(&origin.address(), briefly).ok())
        .collect();
    if fillers.len() == 64 {
        skipped("no backlog is ever full");
        return;
    }
    let mut client = server.connect();
    client.get("/proxy/a").status(504).stays_open();
    client.get("/healthz").status(200);
    // Whoever says so goes on to the upstream's next address.
    let line = server.logs("cannot connect upstream");
    assert!(line.contains("timed out"), "{backend}: {line}");
}

fn failures_are_counted_by_reason(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&["--upstream-timeout", "300ms"]);
    let mut client = server.connect();
    for (answer, status, reason) in
        [("x\r\n\r\n", 502, "invalid"), ("", 504, "too_slow"), ("close", 502, "closed")]
    {
        client.send(GET);
        let (mut upstream, _) = origin.accept_request();
        if answer == "close" {
            drop(upstream);
            client.answer().status(status);
        } else {
            upstream.send(answer);
            client.answer().status(status);
        }
        let metrics = server.connect_admin().get("/metrics");
        let labels = [("reason", reason)];
        let counted = contract::sample(metrics.text(), "http_upstream_failures_total", &labels);
        assert_eq!(counted, Some(1), "{backend}: {reason}");
    }
}

/// Tries each. Whichever fails says why, and the last line names them all.
fn each(cases: &[&str], test: impl Fn(&str)) {
    let fails = |case: &&&str| catch_unwind(AssertUnwindSafe(|| test(case))).is_err();
    let failed: Vec<_> = cases.iter().filter(fails).collect();
    assert!(failed.is_empty(), "not as they should be: {failed:#?}");
}
