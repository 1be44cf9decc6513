//! The harness behind a server, tried by hand: an origin must take right requests, refuse wrong
//! ones, and end connections as it is told.

#![allow(missing_docs, reason = "a test's name is what it says")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};

use contract::wire::Framing;
use contract::{Backend, Client, Origin, Request, Upstream};

#[test]
fn right_requests_are_taken_one_after_the_other() {
    let (_stream, mut upstream) = asked(
        "GET /a?b HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n\
         POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\
         PUT * HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: a\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    let request = upstream.request();
    request.asks("GET /a?b").field("x", "y").no_field("y").framed(Framing::Bodiless);
    request.only_fields(&[("x", "y"), ("host", "a")]);
    upstream.request().asks("POST /c").framed(Framing::Length(5)).body("hello");
    upstream.request().asks("PUT *").framed(Framing::Chunked).body("abc");
}

#[test]
fn wrong_requests_are_refused() {
    let cases = [
        ("", "closed where a request was due"),
        ("GET /", "the connection ended inside the request line"),
        ("GET / HTTP/1.1\r\n", "the connection ended inside the head"),
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", "malformed line end"),
        ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", "malformed request line"),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request line"),
        ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request line"),
        ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request line"),
        ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request line"),
        ("GET / HTTP/1.1\r\n\r\n", "there is not one Host"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "there is not one Host"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", "malformed field"),
        (&post("Content-Length: +1\r\n\r\na"), "malformed Content-Length"),
        (&post("Content-Length: 1\r\nContent-Length: 1\r\n\r\na"), "more than one"),
        (&post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), "both"),
        (&post("Transfer-Encoding: gzip, chunked\r\n\r\n"), "other than one `chunked`"),
        (&post("Transfer-Encoding: chunked\r\n\r\nx\r\n"), "malformed chunk size"),
        (&post("Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n"), "malformed trailers"),
        (&post("Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"), "ended inside a chunked body"),
        (&post("Content-Length: 2\r\n\r\na"), "the connection ended inside the body"),
    ];
    for (bytes, complaint) in cases {
        let failure = failure_of(bytes, |upstream| drop(upstream.request()));
        assert!(failure.contains(complaint), "no {complaint:?} for {bytes:?}:\n{failure}");
    }
}

#[test]
fn checks_of_a_request_can_fail() {
    let cases: [(Check, &str); 6] = [
        (|request| request.asks("GET /b"), "asked \"POST /a\" where \"GET /b\""),
        (|request| request.field("x", "z"), "`x` is [\"y\"] where \"z\""),
        (|request| request.no_field("x"), "`x` is [\"y\"] where none"),
        (|request| request.only_fields(&[("x", "y")]), "the fields are"),
        (|request| request.framed(Framing::Chunked), "Length(1) where Chunked"),
        (|request| request.body("b"), "1 bytes of body where \"b\""),
    ];
    for (check, complaint) in cases {
        let failure = failure_of(&post("X: y\r\nContent-Length: 1\r\n\r\na"), |upstream| {
            check(&upstream.request());
        });
        assert!(failure.contains(complaint), "no {complaint:?}:\n{failure}");
    }
}

#[test]
fn a_failure_shows_the_bytes_of_both_sides() {
    let origin = Origin::new(Backend::Mio);
    let mut client = Client::connect_in(origin.case(), origin.address());
    // There is no server in between, so the client's own connection is the first to arrive.
    let _own = origin.accept();
    client.send("GET /proxy/a HTTP/1.1\r\n");
    let mut stream = TcpStream::connect(origin.address()).unwrap();
    stream.write_all(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let (mut upstream, request) = origin.accept_request();
    upstream.ok("hello");
    for failure in [
        failure(|| {
            request.asks("GET /b");
        }),
        failure(|| client.fail("the client's")),
        failure(|| upstream.fail("the upstream's")),
    ] {
        for part in ["mio: ", "origin.rs", "GET /proxy/a", "GET /a HTTP", "Server: origin", "hello"]
        {
            assert!(failure.contains(part), "no {part:?} in:\n{failure}");
        }
    }
}

#[test]
fn a_connection_ends_as_it_is_told() {
    let mut byte = [0];
    let (mut stream, upstream) = asked("");
    drop(upstream);
    assert_eq!(stream.read(&mut byte).unwrap(), 0);
    let (mut stream, upstream) = asked("");
    upstream.reset();
    assert_eq!(stream.read(&mut byte).unwrap_err().kind(), ErrorKind::ConnectionReset);
    let (mut stream, mut upstream) = asked("");
    upstream.half_close();
    assert_eq!(stream.read(&mut byte).unwrap(), 0);
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    upstream.request();
}

#[test]
fn a_port_that_is_closed_can_be_opened() {
    let origin = Origin::closed(Backend::Mio);
    let refused = TcpStream::connect(origin.address()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    origin.open(1);
    origin.nobody_calls();
    let mut stream = TcpStream::connect(origin.address()).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let failure = failure(|| origin.nobody_calls());
    assert!(failure.contains("one more upstream connection"), "{failure}");
}

#[test]
fn a_body_that_breaks_off_is_told_from_one_that_ends() {
    let (length, chunked, close) = (Framing::Length(5), Framing::Chunked, Framing::UntilClose);
    for (bytes, framing, resets) in [
        ("hell", length, false),
        ("hell", length, true),
        ("4\r\nhell\r\n", chunked, false),
        ("4\r\nhell\r\n", chunked, true),
        ("hell", close, true),
    ] {
        let (mut client, upstream) = answered(bytes, resets);
        assert_eq!(client.breaks_off(framing), b"hell", "{framing:?}");
        drop(upstream);
    }
    for (bytes, framing) in [("hello", length), ("4\r\nhell\r\n0\r\n\r\n", chunked), ("a", close)] {
        let (mut client, _upstream) = answered(bytes, false);
        failure(|| drop(client.breaks_off(framing)));
    }
}

#[test]
fn what_does_not_stand_still_is_told() {
    let (mut stream, mut upstream) = asked("");
    let piece = vec![b'x'; 65536];
    let sent = upstream.send_until_it_stands_still(&piece, 256 << 20);
    std::thread::spawn(move || std::io::copy(&mut stream, &mut std::io::sink()));
    let failure = failure(|| {
        upstream.send_until_it_stands_still(&piece, sent + (1 << 20));
    });
    assert!(failure.contains("that nobody reads"), "{failure}");
}

#[test]
fn any_of_several_connections_may_bring_the_next_request() {
    let origin = Origin::new(Backend::Mio);
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut open = Vec::new();
    let mut streams = Vec::new();
    for place in 0..2 {
        streams.push(TcpStream::connect(origin.address()).unwrap());
        streams[place].write_all(request).unwrap();
        assert_eq!(origin.next_of(&mut open), place);
        open[place].request();
    }
    streams[1].write_all(request).unwrap();
    assert_eq!(origin.next_of(&mut open), 1);
    open[1].request();
    streams.remove(0);
    streams[0].write_all(request).unwrap();
    assert_eq!(origin.next_of(&mut open), 0);
    assert_eq!(open.len(), 1);
}

type Check = fn(&Request) -> &Request;

fn post(rest: &str) -> String {
    format!("POST /a HTTP/1.1\r\nHost: a\r\n{rest}")
}

/// A connection on which `bytes` were sent, and the origin's end of it.
fn asked(bytes: &str) -> (TcpStream, Upstream) {
    let origin = Origin::new(Backend::Mio);
    let mut stream = TcpStream::connect(origin.address()).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    let upstream = origin.accept();
    (stream, upstream)
}

/// A client that was sent `bytes`, and then the end.
fn answered(bytes: &str, resets: bool) -> (Client, Option<Upstream>) {
    let origin = Origin::new(Backend::Mio);
    let client = Client::connect_in(origin.case(), origin.address());
    let mut upstream = origin.accept();
    upstream.send(bytes);
    if resets {
        // The bytes go first: a reset overtakes those that are still on their way.
        while !client.has_news() {
            std::thread::yield_now();
        }
        upstream.reset();
        return (client, None);
    }
    upstream.half_close();
    (client, Some(upstream))
}

/// What the test says that fails when an origin is asked by `bytes` and nothing more.
fn failure_of(bytes: &str, test: impl FnOnce(&mut Upstream)) -> String {
    let (stream, mut upstream) = asked(bytes);
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    failure(|| test(&mut upstream))
}

fn failure(test: impl FnOnce()) -> String {
    let failure = catch_unwind(AssertUnwindSafe(test)).expect_err("the test must fail");
    *failure.downcast::<String>().expect("a message")
}
