//! SIGTERM and SIGINT: what began is finished, and then the server ends.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use contract::{Backend, Client, Program, Server, eventually, on_every_backend};
use rustix::process::Signal;

on_every_backend!(
    an_idle_server_ends_at_once,
    a_request_in_flight_is_finished,
    an_answer_under_way_is_finished,
    sigint_is_like_sigterm,
    idle_connections_close_and_do_not_count,
    an_idle_connection_may_still_ask,
    a_request_on_its_way_is_answered,
    the_backlog_is_served,
    nobody_new_is_let_in,
    draining_is_not_healthy,
    a_request_that_outlives_the_drain_is_cut_and_counted,
    a_second_signal_ends_it_at_once,
);

fn an_idle_server_ends_at_once(backend: Backend) {
    let mut server = Server::start(backend, &[]);
    server.connect().get("/healthz").status(200);
    server.signal(Signal::TERM);
    server.exits(0);
}

fn a_request_in_flight_is_finished(backend: Backend) {
    finishes_on(backend, Signal::TERM);
}

fn sigint_is_like_sigterm(backend: Backend) {
    finishes_on(backend, Signal::INT);
}

fn finishes_on(backend: Backend, signal: Signal) {
    let mut server = Program::new(backend).with_admin().start();
    let mut client = in_flight(&server);
    drain(&server, signal);
    client.send("hello");
    assert_eq!(client.last_answer().status(200).json()["body_length"], 5);
    server.exits(0);
}

fn an_answer_under_way_is_finished(backend: Backend) {
    let mut server = Server::start(backend, &[]);
    let mut client = server.connect();
    client.send("GET /stream/20?interval=50ms&size=5 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.head().status, 200);
    let mut chunks = vec![client.chunk()];
    server.signal(Signal::TERM);
    while let Some(chunk) = client.chunk() {
        chunks.push(Some(chunk));
    }
    assert_eq!(chunks.len(), 20);
    // Its head had left before anyone knew, so that it could not say `close`.
    client.closes();
    server.exits(0);
}

fn idle_connections_close_and_do_not_count(backend: Backend) {
    let mut server = Server::start(backend, &["--drain-timeout", "5s"]);
    let mut silent = server.connect();
    let mut idle = server.connect();
    idle.get("/healthz").status(200);
    server.signal(Signal::TERM);
    idle.closes();
    silent.closes();
    server.exits(0);
}

fn an_idle_connection_may_still_ask(backend: Backend) {
    eventually("a request within the second of grace", || {
        let mut server = Program::new(backend).with_admin().start();
        let (mut silent, mut idle) = (server.connect(), server.connect());
        idle.get("/healthz").status(200);
        let begin = Instant::now();
        drain(&server, Signal::TERM);
        silent.send("GET /bytes/3 HTTP/1.1\r\nHost: a\r\n\r\n");
        idle.send("GET /bytes/5 HTTP/1.1\r\nHost: a\r\n\r\n");
        // On a machine too busy to be in time, nothing can be said.
        (begin.elapsed() < Duration::from_millis(500)).then(|| {
            silent.last_answer().status(200).field("content-length", "3");
            idle.last_answer().status(200).field("content-length", "5");
            server.exits(0);
        })
    });
}

fn a_request_on_its_way_is_answered(backend: Backend) {
    let mut server = Server::start(backend, &[]);
    let mut client = server.connect();
    client.get("/healthz").status(200);
    // Stopped, the server learns of the request and of the signal at once, in whatever order: it
    // may answer before it knows that this answer is the last.
    server.stop();
    client.send("GET /bytes/5 HTTP/1.1\r\nHost: a\r\n\r\n");
    server.signal(Signal::TERM);
    server.signal(Signal::CONT);
    client.answer().status(200).field("content-length", "5");
    client.closes();
    server.exits(0);
}

fn the_backlog_is_served(backend: Backend) {
    let mut server = Server::start(backend, &[]);
    server.stop();
    let mut clients: Vec<_> = (0..10).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send("GET /bytes/5 HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    server.signal(Signal::TERM);
    server.signal(Signal::CONT);
    for client in &mut clients {
        client.answer().status(200).field("content-length", "5");
        client.closes();
    }
    server.exits(0);
}

fn nobody_new_is_let_in(backend: Backend) {
    let mut server = Server::start(backend, &[]);
    let mut client = in_flight(&server);
    server.signal(Signal::TERM);
    eventually("the end of listening", || TcpStream::connect(server.address()).err());
    client.send("hello").last_answer().status(200);
    server.exits(0);
}

fn draining_is_not_healthy(backend: Backend) {
    let mut server = Program::new(backend).with_admin().start();
    let mut client = in_flight(&server);
    server.connect_admin().get("/healthz").status(200);
    drain(&server, Signal::TERM);
    server.connect_admin().get("/metrics").status(200);
    client.send("hello").last_answer().status(200);
    server.exits(0);
}

fn a_request_that_outlives_the_drain_is_cut_and_counted(backend: Backend) {
    let mut server = Server::start(backend, &["--drain-timeout", "1500ms"]);
    let (_first, _second) = (in_flight(&server), in_flight(&server));
    let mut idle = server.connect();
    idle.get("/healthz").status(200);
    server.signal(Signal::TERM);
    server.exits(1);
    let line = server.logs(" cut");
    assert_eq!(contract::log::value(&line, "cut"), Some("2"), "{line}");
}

fn a_second_signal_ends_it_at_once(backend: Backend) {
    let mut server = Server::start(backend, &["--drain-timeout", "10m"]);
    let _client = in_flight(&server);
    server.signal(Signal::TERM);
    server.logs("shutting down");
    server.signal(Signal::TERM);
    assert_ne!(server.ends(), Some(0), "{backend}: it did not end in order");
}

/// Tells a server that has an admin port to end, and waits until it knows.
pub(crate) fn drain(server: &Server, signal: Signal) {
    server.signal(signal);
    eventually("503 from /healthz", || {
        (server.connect_admin().get("/healthz").head.status == 503).then_some(())
    });
}

/// A request that has begun, as its invitation to send five bytes proves.
pub(crate) fn in_flight(server: &Server) -> Client {
    let mut client = server.connect();
    let head = "POST /anything HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n";
    client.send(format!("{head}Content-Length: 5\r\n\r\n")).interim(100);
    client
}
