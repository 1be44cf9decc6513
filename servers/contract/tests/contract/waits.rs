//! `/delay`, `/block`, `/burn` and `/stream`: answers that take their time.

use std::time::{Duration, Instant};

use contract::{Backend, Server, on_every_backend};

on_every_backend!(
    waiting_ends_in_what_anything_says,
    waiting_takes_no_less_than_was_asked,
    a_duration_that_is_none_is_refused,
    more_than_a_minute_is_refused,
    a_delay_holds_up_nobody_else,
    burning_uses_cpu_time,
    a_stream_comes_in_its_chunks,
    a_stream_comes_as_it_is_made,
    a_stream_to_1_0_ends_with_the_connection,
    a_stream_that_makes_no_sense_is_refused,
);

const WAITS: [&str; 3] = ["delay", "block", "burn"];

fn waiting_ends_in_what_anything_says(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for route in WAITS {
        for duration in ["0s", "250us", "20ms", "0.01s", "1.5ms"] {
            let target = format!("/{route}/{duration}");
            let told = client.post(&target, "hello").status(200).json();
            assert_eq!(told["path"], target);
            assert_eq!(told["body_length"], 5);
        }
    }
}

fn waiting_takes_no_less_than_was_asked(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for route in WAITS {
        let begin = Instant::now();
        client.get(&format!("/{route}/120ms")).status(200);
        let elapsed = begin.elapsed();
        assert!(elapsed >= Duration::from_millis(120), "{backend}: /{route} took {elapsed:?}");
    }
}

fn a_duration_that_is_none_is_refused(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for route in WAITS {
        for duration in
            ["5", "ms", "abc", "-1s", "+1s", "1e1s", ".5s", "1.s", "5h", "1s2ms", "NaNs"]
        {
            client.get(&format!("/{route}/{duration}")).status(400);
        }
    }
}

fn more_than_a_minute_is_refused(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for route in WAITS {
        for duration in ["60001ms", "60.5s", "61s", "60000001us", "99999999999999999999s"] {
            client.get(&format!("/{route}/{duration}")).status(400);
        }
    }
}

fn a_delay_holds_up_nobody_else(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut waiting: Vec<_> = (0..32).map(|_| server.connect()).collect();
    for client in &mut waiting {
        client.send("GET /delay/30s HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    server.connect().get("/healthz").status(200);
    assert!(!waiting.iter().any(|client| client.has_news()), "a delay has ended already");
}

fn burning_uses_cpu_time(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    let before = server.cpu_ticks();
    client.get("/burn/300ms").status(200);
    let ticks = server.cpu_ticks() - before;
    // A tick is 10 ms; the one at either end may be counted elsewhere.
    assert!(ticks >= 28, "{backend}: /burn/300ms used {ticks} ticks");
}

fn a_stream_comes_in_its_chunks(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    let answer = client.get("/stream/4?interval=2ms&size=5");
    answer.status(200).chunked().stays_open();
    assert_eq!(answer.chunks, [5, 5, 5, 5]);
    assert_eq!(client.get("/stream/2?interval=0s").chunks, [64, 64]);
    assert_eq!(client.get("/stream/1").status(200).chunks, [64]);
    client.get("/stream/0").status(200).chunked().body("");
}

fn a_stream_comes_as_it_is_made(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    // The whole would take ten minutes.
    client.send("GET /stream/60000?interval=10ms&size=10 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.head().status, 200);
    for _ in 0..3 {
        assert_eq!(client.chunk().map(|chunk| chunk.len()), Some(10));
    }
    server.connect().get("/healthz").status(200);
}

fn a_stream_to_1_0_ends_with_the_connection(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    client.send("GET /stream/3?interval=1ms&size=7 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = client.last_answer();
    answer.status(200).no_field("transfer-encoding").no_field("content-length");
    assert_eq!(answer.body.len(), 21);
}

fn a_stream_that_makes_no_sense_is_refused(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    let targets = [
        "/stream/x",
        "/stream/-1",
        "/stream/1?interval=5",
        "/stream/1?interval=61s",
        "/stream/1?size=x",
    ];
    for target in targets {
        client.get(target).status(400);
    }
}
