//! A panic in one handler. Debug builds can be made to have one.

use std::time::Instant;

use contract::{Backend, Client, Program, on_every_backend};
use rustix::process::Signal;

on_every_backend!(a_panic_ends_one_connection, a_panic_is_logged_and_no_flood_of_them);

const PANICS: u64 = 20;

fn a_panic_ends_one_connection(backend: Backend) {
    // So few that each of them meets some.
    let program = Program::new(backend).options(&["--workers", "2"]).with_admin();
    let Some(mut server) = program.start_fragile() else { return };
    let mut steady = server.connect();
    steady.get("/healthz").status(200);
    for _ in 0..PANICS {
        panics(server.connect());
        steady.get("/healthz").status(200);
    }
    server.reaches("http_server_connections_open", 1);
    server.reaches("http_server_connections_panicked_total", PANICS);
    server.reaches("http_server_active_requests", 0);
    // Whoever has died there has been replaced, or has not died.
    let mut next = server.connect();
    next.post("/echo", "hello").status(200).body("hello");
    steady.get("/healthz").status(200);
    drop((next, steady));
    server.signal(Signal::TERM);
    server.exits(0);
}

fn a_panic_is_logged_and_no_flood_of_them(backend: Backend) {
    let begin = Instant::now();
    let Some(server) = Program::new(backend).start_fragile() else { return };
    for _ in 0..PANICS {
        panics(server.connect());
    }
    server.logs("panicked: an answer of 418");
    let (lines, seconds) = (server.log().count("panicked:") as u64, begin.elapsed().as_secs());
    assert!((1..=seconds + 1).contains(&lines), "{backend}: {lines} lines in {seconds} s");
}

fn panics(mut client: Client) {
    client.send("GET /status/418 HTTP/1.1\r\nHost: a\r\n\r\n");
    let said = client.is_dropped();
    assert!(said.is_empty(), "there was an answer: {}", said.escape_ascii());
}
