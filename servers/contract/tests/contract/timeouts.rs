//! What happens when nothing happens.

use std::io::Read;
use std::thread;
use std::time::Duration;

use contract::{Backend, Program, Server, eventually, on_every_backend, sample};

on_every_backend!(
    a_head_that_does_not_end_is_answered_by_408,
    a_head_that_trickles_is_answered_by_408,
    a_body_that_stops_is_answered_by_408,
    a_body_that_progresses_may_take_its_time,
    an_echo_that_stops_breaks_off,
    a_silent_connection_closes_without_a_word,
    an_idle_connection_closes_without_a_word,
    a_client_that_does_not_read_is_given_up,
);

fn a_head_that_does_not_end_is_answered_by_408(backend: Backend) {
    let server = Server::start(backend, &["--header-timeout", "300ms"]);
    for begin in ["G", "GET /bytes/5 HTTP/1.1\r\n", "GET /bytes/5 HTTP/1.1\r\nHost: a\r\n"] {
        let mut client = server.connect();
        client.send(begin);
        client.last_answer().status(408);
        // The same between requests.
        let mut client = server.connect();
        client.get("/healthz").status(200);
        client.send(begin);
        client.last_answer().status(408);
    }
}

fn a_head_that_trickles_is_answered_by_408(backend: Backend) {
    let server = Server::start(backend, &["--header-timeout", "300ms"]);
    let mut client = server.connect();
    client.send("GET /bytes/5 HTTP/1.1\r\nHost: a\r\nX: ");
    // A byte at a time is progress, but not an end.
    while !client.has_news() && client.try_send("x").is_ok() {
        thread::sleep(Duration::from_millis(20));
    }
    client.last_answer().status(408);
}

fn a_body_that_stops_is_answered_by_408(backend: Backend) {
    let server = Server::start(backend, &["--body-timeout", "300ms"]);
    let bodies = ["Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhel"];
    for body in bodies {
        let mut client = server.connect();
        client.send(format!("POST /anything HTTP/1.1\r\nHost: a\r\n{body}"));
        client.last_answer().status(408);
    }
}

fn a_body_that_progresses_may_take_its_time(backend: Backend) {
    let server = Server::start(backend, &["--body-timeout", "2s", "--header-timeout", "1s"]);
    let mut client = server.connect();
    client.send("POST /anything HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n");
    for _ in 0..50 {
        thread::sleep(Duration::from_millis(50));
        client.send("x");
    }
    assert_eq!(client.answer().status(200).json()["body_length"], 50);
}

fn an_echo_that_stops_breaks_off(backend: Backend) {
    let server = Server::start(backend, &["--body-timeout", "300ms"]);
    let mut client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.chunk().as_deref(), Some(&b"abc"[..]));
    if let Ok(chunk) = client.try_chunk() {
        client.fail(&format!("the connection was to break off, but there is {chunk:?}"));
    }
}

fn a_silent_connection_closes_without_a_word(backend: Backend) {
    let server = Server::start(backend, &["--idle-timeout", "300ms"]);
    server.connect().closes();
}

fn an_idle_connection_closes_without_a_word(backend: Backend) {
    let server = Server::start(backend, &["--idle-timeout", "300ms"]);
    let mut client = server.connect();
    client.get("/bytes/5").status(200).stays_open();
    client.closes();
}

fn a_client_that_does_not_read_is_given_up(backend: Backend) {
    let server = Program::new(backend).options(&["--write-timeout", "300ms"]).with_admin().start();
    let mut client = server.connect();
    let length: u64 = 1 << 30;
    client.send(format!("GET /bytes/{length} HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(client.head().status, 200);
    eventually("the end of a connection that takes nothing", || {
        let text = server.connect_admin().get("/metrics");
        (sample(text.text(), "http_server_connections_open", &[]) == Some(0)).then_some(())
    });
    let mut rest = Vec::new();
    // The end may be a reset: there is nothing left to lose.
    let _ = client.stream().take(length).read_to_end(&mut rest);
    assert!((rest.len() as u64) < length, "{backend}: all of it was sent");
}
