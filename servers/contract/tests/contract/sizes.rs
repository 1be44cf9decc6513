//! How much a request may be, to the byte, and what has no end.

use std::io::Write;
use std::thread;
use std::time::Instant;

use contract::{Backend, PATIENCE, Server, exceptions, on_every_backend};

on_every_backend!(
    a_target_of_8000_bytes_is_accepted,
    the_bound_on_heads_is_exact,
    the_bound_on_request_lines_is_exact,
    a_head_without_end_is_refused,
    a_request_line_without_end_is_refused,
    a_chunk_size_without_end_is_refused,
    a_chunk_extension_without_end_is_refused,
    trailers_without_end_are_refused,
    a_million_tiny_chunks_are_read,
    a_hundred_thousand_tiny_chunks_are_echoed,
    the_largest_body_is_read,
    content_that_is_not_sent_takes_no_time,
    a_target_that_nothing_can_hold_is_refused_as_too_long,
);

/// What the bound is unless it is given.
const HEAD: usize = 16 * 1024;

const CHUNKED: &str = "POST /anything HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// RFC 9112, section 3, asks for that much at least.
fn a_target_of_8000_bytes_is_accepted(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for length in [8000, 8192] {
        let path = format!("/anything/{}", "p".repeat(length - "/anything/".len()));
        assert_eq!(client.get(&path).status(200).json()["path"], path);
        let query = "q".repeat(length - "/anything?".len());
        client.get(&format!("/anything?{query}")).status(200).stays_open();
    }
}

fn the_bound_on_heads_is_exact(backend: Backend) {
    for bound in [1024, HEAD] {
        let server = Server::start(backend, &["--max-head-bytes", &bound.to_string()]);
        server.connect().send(head_of(bound)).answer().status(200).stays_open();
        let mut client = server.connect();
        client.send(head_of(bound + 1));
        client.refusal().status(431);
    }
    Server::start(backend, &[]).connect().send(head_of(HEAD)).answer().status(200);
}

/// A line that fits, with its end, is not what is wrong.
fn the_bound_on_request_lines_is_exact(backend: Backend) {
    let server = Server::start(backend, &["--max-head-bytes", "1024"]);
    let line = |length: usize| {
        format!("GET /{} HTTP/1.1\r\n", "p".repeat(length - "GET / HTTP/1.1\r\n".len()))
    };
    let too_long = if exceptions::LONG_REQUEST_LINE.excuses(backend) { 431 } else { 414 };
    for (length, status) in [(1024, 431), (1025, too_long)] {
        let mut client = server.connect();
        client.send(line(length) + "Host: a\r\n\r\n");
        client.refusal().status(status);
    }
}

fn a_head_without_end_is_refused(backend: Backend) {
    let server = Server::start(backend, &[]);
    let begin = "GET /echo HTTP/1.1\r\nHost: a\r\n";
    for (begin, rest) in [(begin, "X: y\r\n"), (begin, "x"), ("GET /echo HTTP/1.1\r\nX: ", "y")] {
        assert_eq!(pour(&server, begin, rest), 431, "{backend}: {begin:?}, and {rest:?} for ever");
    }
}

fn a_request_line_without_end_is_refused(backend: Backend) {
    let server = Server::start(backend, &[]);
    let too_long = if exceptions::LONG_REQUEST_LINE.excuses(backend) { 431 } else { 414 };
    for begin in ["G", "GET /", "GET /?"] {
        assert_eq!(
            pour(&server, begin, "x"),
            too_long,
            "{backend}: {begin:?}, and then x for ever"
        );
    }
}

fn a_chunk_size_without_end_is_refused(backend: Backend) {
    let server = Server::start(backend, &[]);
    assert_eq!(pour(&server, CHUNKED, "1"), 400, "{backend}");
}

fn a_chunk_extension_without_end_is_refused(backend: Backend) {
    let server = Server::start(backend, &[]);
    for (begin, rest) in [("5;", "a=b;"), ("5;a", "a"), ("5;a=", "b"), ("5;a=\"", "b")] {
        let begin = format!("{CHUNKED}{begin}");
        assert_eq!(pour(&server, &begin, rest), 400, "{backend}: {begin:?}, and {rest:?} for ever");
    }
}

fn trailers_without_end_are_refused(backend: Backend) {
    let server = Server::start(backend, &[]);
    for rest in ["T: u\r\n", "t"] {
        let status = pour(&server, &format!("{CHUNKED}1\r\nx\r\n0\r\n"), rest);
        let due = if exceptions::TOO_MANY_TRAILERS.excuses(backend) { 400 } else { 431 };
        assert_eq!(status, due, "{backend}: {rest:?} for ever");
    }
}

fn a_million_tiny_chunks_are_read(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    // All of it may be in the kernel before any is read, and a debug build takes microseconds for each.
    client.stream().set_read_timeout(Some(PATIENCE * 6)).unwrap();
    client.send(CHUNKED);
    let piece = "1\r\nx\r\n".repeat(10_000);
    for _ in 0..100 {
        client.send(&piece);
    }
    let answer = client.send("0\r\n\r\n").answer();
    assert_eq!(answer.status(200).json()["body_length"], 1_000_000, "{backend}");
    client.get("/healthz").status(200);
}

fn a_hundred_thousand_tiny_chunks_are_echoed(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    let body: Vec<u8> = (b'a'..=b'z').cycle().take(100_000).collect();
    let mut sender = client.stream().try_clone().unwrap();
    let chunks: Vec<u8> =
        body.iter().flat_map(|byte| [b'1', b'\r', b'\n', *byte, b'\r', b'\n']).collect();
    let sending = thread::spawn(move || {
        sender.write_all(CHUNKED.replace("/anything", "/echo").as_bytes())?;
        sender.write_all(&chunks)?;
        sender.write_all(b"0\r\n\r\n")
    });
    client.answer().status(200).chunked().body(body);
    sending.join().unwrap().unwrap();
    client.get("/healthz").status(200);
}

fn the_largest_body_is_read(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    let length: usize = 64 << 20;
    client.send(format!("POST /anything HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"));
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..length / piece.len() {
        client.send(&piece);
    }
    assert_eq!(client.answer().status(200).json()["body_length"], length, "{backend}");
}

/// A request whose head has that many bytes, up to and with the empty line.
fn head_of(length: usize) -> String {
    let frame = "GET /echo HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
    format!("GET /echo HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(length - frame))
}

/// Sends `begin`, and `rest` again and again until the server says something. What that is.
fn pour(server: &Server, begin: &str, rest: &str) -> u16 {
    let mut client = server.connect();
    client.send(begin);
    let piece = rest.repeat((16 << 10) / rest.len());
    let until = Instant::now() + PATIENCE;
    while !client.has_news() && client.try_send(&piece).is_ok() {
        assert!(Instant::now() < until, "{begin:?}, and {rest:?} for {PATIENCE:?}: no answer");
    }
    client.refusal().head.status
}

/// However long the answer to a GET would be.
fn content_that_is_not_sent_takes_no_time(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for target in [
        "/bytes/9223372036854775807",
        "/stream/18446744073709551615?interval=0s",
        "/stream/1000000?interval=60s",
    ] {
        client.send(format!("HEAD {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        client.answer_to("HEAD").status(200).stays_open();
    }
    client.get("/healthz").status(200);
}

fn a_target_that_nothing_can_hold_is_refused_as_too_long(backend: Backend) {
    let server = Server::start(backend, &["--max-head-bytes", "1MiB"]);
    let longest = u16::MAX as usize - 1;
    let target = |length: usize| format!("/anything?{}", "q".repeat(length - "/anything?".len()));
    server.connect().get(&target(longest)).status(200);
    let request = format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", target(longest + 1));
    server.connect().send(request).refusal().status(414);
}
