//! How a request's content goes upstream: framed as it came, as it comes.

use contract::exceptions::SHORT_CONTENT;
use contract::wire::Framing;
use contract::{Backend, Origin};

use crate::on_every_backend;

on_every_backend!(
    a_body_keeps_its_framing,
    http_1_0_goes_upstream_as_1_1,
    chunk_extensions_and_trailers_are_dropped,
    a_head_goes_upstream_before_its_body_is_whole,
    a_body_too_large_is_refused,
    a_body_that_grows_too_large_is_cut,
    a_malformed_body_does_not_look_whole_upstream,
    a_body_that_breaks_off_does_not_look_whole_upstream,
    a_body_that_does_not_come_is_timed_out,
);

fn a_body_keeps_its_framing(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    let mut open = Vec::new();
    let cases = [
        ("GET", "", Framing::Bodiless, ""),
        ("POST", "", Framing::Bodiless, ""),
        ("POST", "Content-Length: 0\r\n\r\n", Framing::Length(0), ""),
        ("GET", "Content-Length: 5\r\n\r\nhello", Framing::Length(5), "hello"),
        ("POST", "Content-Length: 5\r\n\r\nhello", Framing::Length(5), "hello"),
        (
            "POST",
            "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n003\r\nllo\r\n0\r\n\r\n",
            Framing::Chunked,
            "hello",
        ),
        ("PUT", "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", Framing::Chunked, ""),
        ("DELETE", "", Framing::Bodiless, ""),
    ];
    for (method, rest, framing, body) in cases {
        let rest = if rest.is_empty() { "\r\n" } else { rest };
        client.send(format!("{method} /proxy/a HTTP/1.1\r\nHost: a\r\n{rest}"));
        let at = origin.next_of(&mut open);
        open[at].request().asks(&format!("{method} /a")).framed(framing).body(body);
        open[at].ok(body);
        client.relayed().status(200).body(body);
    }
}

fn http_1_0_goes_upstream_as_1_1(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    for (connection, stays) in [("", false), ("Connection: keep-alive\r\n", true)] {
        let mut client = server.connect();
        let head = "POST /proxy/a HTTP/1.0\r\nHost: a\r\nContent-Length: 5";
        client.send(format!("{head}\r\n{connection}\r\nhello"));
        let (mut upstream, request) = origin.accept_request();
        request.framed(Framing::Length(5)).body("hello").no_field("connection");
        upstream.answer("Connection: close\r\nContent-Length: 2\r\n\r\nhi");
        client.relayed().status(200).by_length().body("hi");
        if stays {
            client.get("/healthz").status(200);
        } else {
            client.closes();
        }
    }
}

fn chunk_extensions_and_trailers_are_dropped(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    let body = "5;a=b;c=\"d\"\r\nhello\r\n0;e\r\nX-Checksum: 1\r\nContent-Length: 7\r\n\r\n";
    client.send(format!(
        "POST /proxy/a HTTP/1.1\r\nHost: a\r\nTrailer: X-Checksum\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
    ));
    // The harness takes neither extension nor trailer.
    let (mut upstream, request) = origin.accept_request();
    request.framed(Framing::Chunked).body("hello").no_field("x-checksum").no_field("trailer");
    upstream.ok("hi");
    client.relayed().status(200).body("hi");
}

fn a_head_goes_upstream_before_its_body_is_whole(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let cases = [
        ("Content-Length: 10\r\n\r\nhello", "world"),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "5\r\nworld\r\n0\r\n\r\n"),
    ];
    for (begin, rest) in cases {
        let mut client = server.connect();
        client.send(format!("POST /proxy/a HTTP/1.1\r\nHost: a\r\n{begin}"));
        let mut upstream = origin.accept();
        let framing = upstream.head().framing;
        if framing == Framing::Chunked {
            assert_eq!(upstream.chunk().as_deref(), Some(&b"hello"[..]), "{backend}");
            client.send(rest);
            assert_eq!(upstream.chunk().as_deref(), Some(&b"world"[..]), "{backend}");
            assert_eq!(upstream.chunk(), None, "{backend}");
        } else {
            assert_eq!(upstream.content(5), b"hello", "{backend}");
            client.send(rest);
            assert_eq!(upstream.content(5), b"world", "{backend}");
        }
        upstream.answer("Connection: close\r\nContent-Length: 0\r\n\r\n");
        client.relayed().status(200);
    }
}

fn a_body_too_large_is_refused(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&["--max-body-bytes", "4"]);
    let mut client = server.connect();
    client.send("POST /proxy/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    client.answer().status(413).says_close();
    origin.nobody_calls();
}

fn a_body_that_grows_too_large_is_cut(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&["--max-body-bytes", "4"]);
    let mut client = server.connect();
    client.send("POST /proxy/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("2\r\nhe\r\n");
    let mut upstream = origin.accept();
    upstream.head().framed(Framing::Chunked);
    assert_eq!(upstream.chunk().as_deref(), Some(&b"he"[..]), "{backend}");
    client.send("3\r\nllo\r\n0\r\n\r\n");
    client.answer().status(413).says_close();
    upstream.breaks_off(Framing::Chunked);
}

fn a_malformed_body_does_not_look_whole_upstream(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send("POST /proxy/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("5\r\nhello\r\n");
    let mut upstream = origin.accept();
    upstream.head().framed(Framing::Chunked);
    assert_eq!(upstream.chunk().as_deref(), Some(&b"hello"[..]), "{backend}");
    client.send("x\r\n");
    client.answer().status(400).says_close();
    upstream.breaks_off(Framing::Chunked);
}

fn a_body_that_breaks_off_does_not_look_whole_upstream(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    for resets in [false, true] {
        for head in
            ["Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"]
        {
            let mut client = server.connect();
            client.send(format!("POST /proxy/a HTTP/1.1\r\nHost: a\r\n{head}"));
            let mut upstream = origin.accept();
            let framing = upstream.head().framing;
            if resets {
                client.reset();
            } else {
                client.half_close();
                if SHORT_CONTENT.excuses(backend) {
                    client.answer().status(400).says_close();
                }
                client.closes();
            }
            let came = upstream.breaks_off(framing);
            assert!(b"hello".starts_with(&came), "{backend}: {came:?}");
        }
    }
}

fn a_body_that_does_not_come_is_timed_out(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&["--body-timeout", "300ms"]);
    let mut client = server.connect();
    client.send("POST /proxy/a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
    let mut upstream = origin.accept();
    let framing = upstream.head().framing;
    client.answer().status(408).says_close();
    assert_eq!(upstream.breaks_off(framing), b"hello", "{backend}");
}
