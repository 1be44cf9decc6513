//! Upstreams that give no answer, or none that is HTTP: 502 or 504, and the client's connection
//! goes on.

use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use contract::exceptions::{BARE_LF, EMPTY_LINES_BEFORE_ANSWER, Exception};
use contract::{Backend, Origin, Server, skipped};

use crate::on_every_backend;

on_every_backend!(
    without_an_upstream_the_option_is_named,
    nothing_listens,
    bytes_that_are_no_http,
    heads_that_are_wrong,
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

/// What comes in place of an answer.
const GARBAGE: &[&str] = &[
    "hello\r\n\r\n",
    "SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "\x15\x03\x01\0\x02\x02P\r\n\r\n",
    "HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/0.9 200 OK\r\n\r\n",
    "http/1.1 200 OK\r\n\r\n",
    "HTTP/1.1  200 OK\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/1.1 2x0 OK\r\n\r\n",
    "HTTP/1.1 099 OK\r\n\r\n",
    "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 O\0K\r\n\r\n",
    " HTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
];

/// What is forgiven before a request, and not before an answer.
const AFTER_EMPTY_LINES: &[&str] = &[
    "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
];

fn bytes_that_are_no_http(backend: Backend) {
    are_refused(backend, GARBAGE);
    are_refused_unless(&EMPTY_LINES_BEFORE_ANSWER, backend, AFTER_EMPTY_LINES);
}

/// What is wrong in a head that begins well.
const WRONG: &[&str] = &[
    "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\n X: y\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\n: y\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
];

const WRONG_LINE_ENDS: &[&str] = &[
    "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 0\nX: y\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n",
];

fn heads_that_are_wrong(backend: Backend) {
    are_refused(backend, WRONG);
    are_refused_unless(&BARE_LF, backend, WRONG_LINE_ENDS);
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

/// Each of these answers is no answer: 502 at once, though the upstream keeps its connection open.
fn are_refused(backend: Backend, answers: &[&str]) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    each(answers, |answer| {
        let mut client = server.connect();
        client.send(GET);
        let (mut upstream, _) = origin.accept_request();
        upstream.send(answer);
        client.answer().status(502).stays_open();
        client.get("/healthz").status(200);
        upstream.is_dropped();
    });
}

/// The same, unless `hyper` takes them for answers: then they are passed on.
fn are_refused_unless(exception: &Exception, backend: Backend, answers: &[&str]) {
    if !exception.excuses(backend) {
        return are_refused(backend, answers);
    }
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    each(answers, |answer| {
        let mut client = server.connect();
        client.send(GET);
        let (mut upstream, _) = origin.accept_request();
        upstream.send(answer);
        client.relayed().status(200).body("");
    });
}

/// Tries each. Whichever fails says why, and the last line names them all.
fn each(cases: &[&str], test: impl Fn(&str)) {
    let fails = |case: &&&str| catch_unwind(AssertUnwindSafe(|| test(case))).is_err();
    let failed: Vec<_> = cases.iter().filter(fails).collect();
    assert!(failed.is_empty(), "not as they should be: {failed:#?}");
}
