//! How an answer's content comes back: as it comes, framed as the client understands.

use contract::exceptions::{ANSWER_BEFORE_REQUEST, EMPTY_MEMBER};
use contract::origin::SIGNATURE;
use contract::wire::Framing;
use contract::{Backend, Origin};

use crate::on_every_backend;

on_every_backend!(
    a_length_stays_a_length,
    chunks_stay_chunks,
    an_empty_member_after_chunked_is_overlooked,
    content_until_the_close_comes_in_chunks,
    an_upstream_of_1_0_is_understood,
    a_client_of_1_0_gets_what_it_understands,
    an_answer_to_head_has_no_content,
    a_status_without_content_has_none,
    chunk_extensions_and_trailers_are_dropped,
    an_answer_comes_as_it_is_made,
    any_status_is_passed_on,
    a_reason_need_not_be_there,
    an_upstream_that_is_full_says_so_before_it_is_asked,
);

const GET: &str = "GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n";
const CHUNKS: &str = "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n003\r\nllo\r\n0\r\n\r\n";

fn a_length_stays_a_length(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    let mut open = Vec::new();
    for body in ["hello", "", "a longer one"] {
        client.send(GET);
        let at = origin.next_of(&mut open);
        open[at].request();
        open[at].ok(body);
        client.relayed().status(200).by_length().body(body).stays_open();
    }
}

fn chunks_stay_chunks(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    let mut open = Vec::new();
    for (answer, body) in [(CHUNKS, "hello"), ("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "")] {
        client.send(GET);
        let at = origin.next_of(&mut open);
        open[at].request();
        open[at].answer(answer);
        client.relayed().status(200).chunked().body(body).stays_open();
    }
}

fn an_empty_member_after_chunked_is_overlooked(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send(GET);
    let (mut upstream, _) = origin.accept_request();
    upstream.answer(&CHUNKS.replace("chunked", "chunked,"));
    if EMPTY_MEMBER.excuses(backend) {
        // What must not be is content that still has its chunks around it.
        client.answer().status(502).stays_open();
    } else {
        client.relayed().status(200).chunked().body("hello").stays_open();
    }
}

fn content_until_the_close_comes_in_chunks(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    for connection in ["", "Connection: close\r\n"] {
        client.send(GET);
        let (mut upstream, _) = origin.accept_request();
        upstream.answer(&format!("{connection}\r\nhello"));
        drop(upstream);
        client.relayed().status(200).chunked().body("hello").stays_open();
    }
}

fn an_upstream_of_1_0_is_understood(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    for (rest, by_length) in [("\r\nhello", false), ("Content-Length: 5\r\n\r\nhello", true)] {
        client.send(GET);
        let (mut upstream, _) = origin.accept_request();
        upstream.send(format!("HTTP/1.0 200 OK\r\n{SIGNATURE}{rest}"));
        drop(upstream);
        let answer = client.relayed();
        answer.status(200).body("hello").stays_open();
        if by_length {
            answer.by_length()
        } else {
            answer.chunked()
        };
        assert_eq!(answer.head.version, "HTTP/1.1", "{backend}: {answer:?}");
    }
}

fn a_client_of_1_0_gets_what_it_understands(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    for (rest, framing) in [
        ("Content-Length: 5\r\n\r\nhello", Framing::Length(5)),
        (CHUNKS, Framing::UntilClose),
        ("Connection: close\r\n\r\nhello", Framing::UntilClose),
    ] {
        let mut client = server.connect();
        client.send("GET /proxy/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let (mut upstream, _) = origin.accept_request();
        upstream.answer(rest).half_close();
        let answer = client.relayed();
        answer.status(200).body("hello").no_field("transfer-encoding");
        assert_eq!(answer.framing, framing, "{backend}: {answer:?}");
        if framing != Framing::UntilClose {
            client.get("/healthz").status(200);
        }
    }
}

fn an_answer_to_head_has_no_content(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    let mut open = Vec::new();
    for rest in [
        "Content-Length: 12345\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n",
        "\r\n",
        "Content-Length: 0\r\n\r\n",
    ] {
        client.send("HEAD /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n");
        let at = origin.next_of(&mut open);
        open[at].request().asks("HEAD /a");
        open[at].answer(rest);
        let answer = client.relayed_to("HEAD");
        answer.status(200).stays_open();
        if rest.starts_with("Content-Length: 1") {
            answer.field("content-length", "12345");
        }
        // Nothing came behind it: what follows is read as what it is.
        client.get("/healthz").status(200);
    }
    assert_eq!(open.len(), 1, "{backend}: an answer to HEAD cost the connection");
}

fn a_status_without_content_has_none(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    let mut open = Vec::new();
    for answer in [
        "204 No Content\r\n",
        "304 Not Modified\r\n",
        "304 Not Modified\r\nContent-Length: 5\r\n",
        "304 Not Modified\r\nTransfer-Encoding: chunked\r\n",
    ] {
        client.send(GET);
        let at = origin.next_of(&mut open);
        open[at].request();
        open[at].send(format!("HTTP/1.1 {answer}ETag: \"x\"\r\n{SIGNATURE}\r\n"));
        client.relayed().status(answer[..3].parse().unwrap()).field("etag", "\"x\"").stays_open();
        client.get("/healthz").status(200);
    }
    assert_eq!(open.len(), 1, "{backend}: an answer without content cost the connection");
}

fn chunk_extensions_and_trailers_are_dropped(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    let mut open = Vec::new();
    let body = "5;a=b\r\nhello\r\n0\r\nX-Checksum: 1\r\nContent-Length: 3\r\n\r\n";
    for _ in 0..2 {
        client.send(GET);
        let at = origin.next_of(&mut open);
        open[at].request();
        open[at]
            .answer(&format!("Trailer: X-Checksum\r\nTransfer-Encoding: chunked\r\n\r\n{body}"));
        // The harness takes neither extension nor trailer.
        let answer = client.relayed();
        answer.status(200).chunked().body("hello").no_field("x-checksum").no_field("trailer");
    }
    assert_eq!(open.len(), 1, "{backend}: trailers cost the connection");
}

fn an_answer_comes_as_it_is_made(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send(GET);
    let (mut upstream, _) = origin.accept_request();
    upstream.answer("Transfer-Encoding: chunked\r\n\r\n");
    assert_eq!(client.head().status, 200, "{backend}: the head waits for the content");
    for piece in ["hello", "world"] {
        upstream.send(format!("5\r\n{piece}\r\n"));
        assert_eq!(client.chunk().as_deref(), Some(piece.as_bytes()), "{backend}");
    }
    upstream.send("0\r\n\r\n");
    assert_eq!(client.chunk(), None, "{backend}");

    client.send(GET);
    upstream.request();
    upstream.answer("Content-Length: 10\r\n\r\nhello");
    assert_eq!(client.head().framing("GET").unwrap(), Framing::Length(10), "{backend}");
    assert_eq!(client.content(5), b"hello", "{backend}");
    upstream.send("world");
    assert_eq!(client.content(5), b"world", "{backend}");
}

fn any_status_is_passed_on(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    let mut open = Vec::new();
    for status in [200, 201, 206, 299, 301, 400, 401, 404, 407, 418, 500, 502, 503, 504, 599] {
        client.send(GET);
        let at = origin.next_of(&mut open);
        open[at].request();
        open[at].send(format!("HTTP/1.1 {status} So\r\n{SIGNATURE}Content-Length: 2\r\n\r\nhi"));
        client.relayed().status(status).body("hi").stays_open();
    }
}

fn a_reason_need_not_be_there(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    for line in ["HTTP/1.1 200 ", "HTTP/1.1 200 a  b"] {
        let mut client = server.connect();
        client.send(GET);
        let (mut upstream, _) = origin.accept_request();
        upstream
            .send(format!("{line}\r\nConnection: close\r\n{SIGNATURE}Content-Length: 2\r\n\r\nhi"));
        client.relayed().status(200).body("hi");
    }
}

fn an_upstream_that_is_full_says_so_before_it_is_asked(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let may_differ = ANSWER_BEFORE_REQUEST.excuses(backend);
    for _ in 0..10 {
        let mut client = server.connect();
        client.send(GET);
        let mut upstream = origin.accept();
        let head = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n";
        upstream.send(format!("{head}{SIGNATURE}Content-Length: 0\r\n\r\n")).half_close();
        let status = client.answer_of("GET").head.status;
        assert!(status == 503 || may_differ && status == 502, "{backend}: {status}");
        client.get("/healthz").status(200);
    }
}
