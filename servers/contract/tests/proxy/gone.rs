//! Clients that leave, that ask no more, that ask ahead; and the drain.

use contract::wire::Framing;
use contract::{Backend, Origin, Server, eventually};
use rustix::process::Signal;

use crate::on_every_backend;

on_every_backend!(
    a_client_that_resets_ends_its_request,
    a_client_that_resets_ends_its_download,
    a_client_that_resets_ends_its_upload,
    a_half_close_is_no_farewell,
    a_half_close_in_an_answer_is_no_farewell,
    a_pipeline_is_answered_in_order,
    a_drain_finishes_what_is_under_way,
    a_drain_finishes_an_upload,
    a_drain_answers_what_was_asked_ahead,
    a_drain_waits_for_no_idle_connection,
    a_drain_that_is_too_long_cuts_what_is_forwarded,
);

const GET: &str = "GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n";
const GONE: &str = "http_upstream_clients_gone_total";

fn a_client_that_resets_ends_its_request(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    for (asked, counted) in
        [(GET, 1), ("POST /proxy/a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", 2)]
    {
        let mut client = server.connect();
        client.send(asked);
        let (mut upstream, _) = origin.accept_request();
        client.reset();
        upstream.is_dropped();
        server.reaches(GONE, counted);
    }
    server.reaches("http_upstream_connections_open", 0);
}

fn a_client_that_resets_ends_its_download(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send(GET);
    let (mut upstream, _) = origin.accept_request();
    upstream.answer("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    assert_eq!(client.head().status, 200, "{backend}");
    assert_eq!(client.chunk().as_deref(), Some(&b"hello"[..]), "{backend}");
    client.reset();
    upstream.is_dropped();
    server.reaches(GONE, 1);
}

fn a_client_that_resets_ends_its_upload(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send(
        "POST /proxy/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    );
    let mut upstream = origin.accept();
    upstream.head();
    assert_eq!(upstream.chunk().as_deref(), Some(&b"hello"[..]), "{backend}");
    client.reset();
    upstream.breaks_off(Framing::Chunked);
    server.reaches(GONE, 1);
}

fn a_half_close_is_no_farewell(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send(GET).half_close();
    let (mut upstream, _) = origin.accept_request();
    // By now the server has turned to others, and so seen the half-close.
    for _ in 0..8 {
        server.connect().get("/healthz").status(200);
    }
    assert!(!upstream.has_news(), "{backend}: the request was dropped");
    upstream.ok("hi");
    client.relayed().status(200).body("hi");
    client.closes();
    assert_eq!(server.metric(GONE), 0, "{backend}");
}

fn a_half_close_in_an_answer_is_no_farewell(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send(GET);
    let (mut upstream, _) = origin.accept_request();
    upstream.answer("Content-Length: 10\r\n\r\nhello");
    assert_eq!(client.head().status, 200, "{backend}");
    assert_eq!(client.content(5), b"hello", "{backend}");
    client.half_close();
    for _ in 0..8 {
        server.connect().get("/healthz").status(200);
    }
    upstream.send("world");
    assert_eq!(client.content(5), b"world", "{backend}");
    client.closes();
}

fn a_pipeline_is_answered_in_order(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    let post = "POST /proxy/2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    let all = [&get("/proxy/1"), post, &get("/bytes/3"), &get("/proxy/3"), &get("/nowhere")];
    client.send(all.concat());
    let mut open = Vec::new();
    for (asked, body) in [("GET /1", "one"), ("POST /2", "two")] {
        let at = origin.next_of(&mut open);
        open[at].request().asks(asked);
        open[at].ok(body);
        client.relayed().status(200).body(body);
    }
    client.answer().status(200).field("content-length", "3");
    let at = origin.next_of(&mut open);
    open[at].request().asks("GET /3");
    open[at].ok("three");
    client.relayed().status(200).body("three");
    client.answer().status(404);
}

fn a_drain_finishes_what_is_under_way(backend: Backend) {
    let origin = Origin::new(backend);
    let mut server = origin.server(&[]);
    let mut client = server.connect();
    client.send(GET);
    let (mut upstream, _) = origin.accept_request();
    drain(&server);
    upstream.ok("hi");
    client.relayed().status(200).body("hi").says_close();
    client.closes();
    server.exits(0);
}

fn a_drain_finishes_an_upload(backend: Backend) {
    let origin = Origin::new(backend);
    let mut server = origin.server(&[]);
    let mut client = server.connect();
    client.send("POST /proxy/a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
    let mut upstream = origin.accept();
    upstream.head();
    assert_eq!(upstream.content(5), b"hello", "{backend}");
    drain(&server);
    client.send("world");
    assert_eq!(upstream.content(5), b"world", "{backend}");
    upstream.answer("Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
    assert_eq!(client.head().values("connection"), ["close"], "{backend}");
    assert_eq!(client.chunk().as_deref(), Some(&b"hi"[..]), "{backend}");
    upstream.send("0\r\n\r\n");
    assert_eq!(client.chunk(), None, "{backend}");
    client.closes();
    server.exits(0);
}

fn a_drain_answers_what_was_asked_ahead(backend: Backend) {
    let ask = "GET /bytes/5 HTTP/1.1\r\nHost: a\r\n\r\n";
    for (at_once, later) in [(2, 0), (0, 2), (2, 2)] {
        let origin = Origin::new(backend);
        let mut server = origin.server(&[]);
        let mut client = server.connect();
        client.send(GET.to_owned() + &ask.repeat(at_once));
        let (mut upstream, _) = origin.accept_request();
        if later > 0 {
            // Too late to be read with the first.
            client.send(ask.repeat(later));
        }
        drain(&server);
        upstream.ok("hi");
        client.relayed().status(200).stays_open();
        for _ in 1..at_once + later {
            client.answer().status(200).by_length().stays_open();
        }
        client.last_answer().status(200).by_length();
        server.exits(0);
    }
}

fn a_drain_waits_for_no_idle_connection(backend: Backend) {
    let origin = Origin::new(backend);
    let options = ["--upstream-idle-timeout", "10m", "--drain-timeout", "10m"];
    let mut server = origin.server(&options);
    let mut client = server.connect();
    client.send(GET);
    let (mut upstream, _) = origin.accept_request();
    upstream.ok("hi");
    client.relayed().status(200);
    server.signal(Signal::TERM);
    upstream.is_dropped();
    server.exits(0);
}

fn a_drain_that_is_too_long_cuts_what_is_forwarded(backend: Backend) {
    let origin = Origin::new(backend);
    let mut server = origin.server(&["--drain-timeout", "1500ms"]);
    let mut client = server.connect();
    client.send(GET);
    let (mut upstream, _) = origin.accept_request();
    server.signal(Signal::TERM);
    server.exits(1);
    let line = server.logs(" cut");
    assert_eq!(contract::log::value(&line, "cut"), Some("1"), "{line}");
    upstream.is_dropped();
}

/// Tells a server to end, and waits until it knows.
fn drain(server: &Server) {
    server.signal(Signal::TERM);
    eventually("503 from /healthz", || {
        (server.connect_admin().get("/healthz").head.status == 503).then_some(())
    });
}
