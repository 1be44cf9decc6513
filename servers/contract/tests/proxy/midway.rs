//! Upstreams that fail when the head is out: the client never takes what it has for the whole.

use contract::origin::SIGNATURE;
use contract::wire::Framing;
use contract::{Backend, Client, Origin, Upstream};

use crate::on_every_backend;

on_every_backend!(
    a_close_in_the_body_is_no_end,
    a_reset_in_the_body_is_no_end,
    a_bad_chunk_is_no_end,
    a_bad_chunk_takes_none_of_the_good_ones_along,
    a_stall_in_the_body_is_no_end,
    a_slow_body_is_no_stall,
    a_request_that_breaks_off_is_no_end,
    a_panic_in_the_body_is_no_end,
);

/// The request line's version, how the upstream begins, and how the client sees that.
const CASES: [(&str, &str, Framing); 5] = [
    ("1.1", "Content-Length: 10\r\n\r\nhello", Framing::Length(10)),
    ("1.0", "Content-Length: 10\r\n\r\nhello", Framing::Length(10)),
    ("1.1", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", Framing::Chunked),
    ("1.0", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", Framing::UntilClose),
    // Whole chunks, and yet not the last one.
    ("1.1", "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n", Framing::Chunked),
];

fn a_close_in_the_body_is_no_end(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    for (version, begin, framing) in CASES {
        let (mut client, upstream) = begun(&origin, server.connect(), version, begin);
        drop(upstream);
        assert!(b"hello".starts_with(&client.breaks_off(framing)), "{backend}");
    }
    server.connect().get("/healthz").status(200);
}

fn a_reset_in_the_body_is_no_end(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let until_close =
        [("1.1", "\r\nhello", Framing::Chunked), ("1.0", "\r\nhello", Framing::UntilClose)];
    for (version, begin, framing) in CASES.into_iter().chain(until_close) {
        let (mut client, upstream) = begun(&origin, server.connect(), version, begin);
        upstream.reset();
        assert!(b"hello".starts_with(&client.breaks_off(framing)), "{backend}");
    }
    server.connect().get("/healthz").status(200);
}

fn a_bad_chunk_is_no_end(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let chunked = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    for (version, framing) in [("1.1", Framing::Chunked), ("1.0", Framing::UntilClose)] {
        for bad in [
            "x\r\n",
            "\r\n",
            "+0\r\n\r\n",
            "0x0\r\n\r\n",
            "5\r\nhello!\r\n",
            "0\r\nno colon\r\n\r\n",
        ] {
            let (mut client, mut upstream) = begun(&origin, server.connect(), version, chunked);
            upstream.send(bad);
            client.breaks_off(framing);
            upstream.is_dropped();
        }
    }
}

fn a_bad_chunk_takes_none_of_the_good_ones_along(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    // What the client is to have comes in one piece with what it must not have.
    let begin = "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n";
    let (mut client, mut upstream) = begun(&origin, server.connect(), "1.1", begin);
    assert_eq!(client.breaks_off(Framing::Chunked), b"abc", "{backend}");
    upstream.is_dropped();
}

fn a_stall_in_the_body_is_no_end(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&["--upstream-timeout", "300ms"]);
    for (version, begin, framing) in CASES {
        let (mut client, mut upstream) = begun(&origin, server.connect(), version, begin);
        assert_eq!(client.breaks_off(framing), b"hello", "{backend}: what came was not passed on");
        upstream.is_dropped();
    }
}

fn a_slow_body_is_no_stall(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&["--upstream-timeout", "2s"]);
    let mut client = server.connect();
    client.send("GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n");
    let (mut upstream, _) = origin.accept_request();
    upstream.answer("Transfer-Encoding: chunked\r\n\r\n");
    assert_eq!(client.head().status, 200, "{backend}");
    // More than the time-out in all, each piece well within it.
    for _ in 0..8 {
        std::thread::sleep(std::time::Duration::from_millis(300));
        upstream.send("5\r\nhello\r\n");
        assert_eq!(client.chunk().as_deref(), Some(&b"hello"[..]), "{backend}");
    }
    upstream.send("0\r\n\r\n");
    assert_eq!(client.chunk(), None, "{backend}");
}

/// The upstream answers before it has the whole request, which the client then cuts short.
fn a_request_that_breaks_off_is_no_end(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    for (version, begin, framing) in CASES {
        let mut client = server.connect();
        client.send(format!(
            "POST /proxy/a HTTP/{version}\r\nHost: a\r\nContent-Length: 9\r\n\r\nhello"
        ));
        let mut upstream = origin.accept();
        upstream.head();
        assert_eq!(upstream.content(5), b"hello", "{backend}");
        upstream.answer(begin);
        assert_eq!(client.head().status, 200, "{backend}");
        client.half_close();
        assert!(b"hello".starts_with(&client.breaks_off(framing)), "{backend}");
    }
}

fn a_panic_in_the_body_is_no_end(backend: Backend) {
    let origin = Origin::new(backend);
    let Some(server) = origin.program().start_fragile() else { return };
    let mut client = server.connect();
    client.send("GET /proxy/a HTTP/1.0\r\n\r\n");
    let (mut upstream, _) = origin.accept_request();
    let head = "Transfer-Encoding: chunked\r\n\r\n";
    upstream.send(format!("HTTP/1.1 418 x\r\n{SIGNATURE}{head}5\r\nhello\r\n"));
    assert_eq!(client.head().status, 418, "{backend}");
    assert_eq!(client.content(5), b"hello", "{backend}");
    upstream.send("0\r\n\r\n");
    client.breaks_off(Framing::UntilClose);
}

/// A client that has the head of an answer, whose content has begun.
fn begun(origin: &Origin, mut client: Client, version: &str, begin: &str) -> (Client, Upstream) {
    client.send(format!("GET /proxy/a HTTP/{version}\r\nHost: a\r\n\r\n"));
    let (mut upstream, _) = origin.accept_request();
    upstream.send(format!("HTTP/1.1 200 OK\r\n{SIGNATURE}{begin}"));
    assert_eq!(client.head().status, 200, "{}", client.backend());
    (client, upstream)
}
