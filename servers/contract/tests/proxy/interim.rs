//! `Expect: 100-continue`, informational answers, and answers that come before the body is sent.

use contract::origin::SIGNATURE;
use contract::wire::Framing;
use contract::{Backend, Origin, Server};

use crate::on_every_backend;

on_every_backend!(
    an_expectation_is_the_upstreams_to_meet,
    a_body_that_comes_uninvited_waits_for_the_100,
    an_expectation_may_be_answered_by_200,
    a_refusal_in_place_of_100_closes,
    an_expectation_of_1_0_is_not_passed_on,
    informational_answers_are_passed_on,
    informational_answers_are_not_for_1_0,
    a_100_that_nobody_asked_for_does_no_harm,
    too_many_informational_answers_are_no_answer,
    an_early_answer_comes_at_once,
    an_early_answer_costs_the_upstream_connection,
);

const EXPECTING: &str =
    "POST /proxy/a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

fn an_expectation_is_the_upstreams_to_meet(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    let mut open = Vec::new();
    for framing in [Framing::Length(5), Framing::Chunked, Framing::Length(5)] {
        let (field, body) = match framing {
            Framing::Chunked => ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
            _ => ("Content-Length: 5", "hello"),
        };
        let head = "POST /proxy/a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue";
        client.send(format!("{head}\r\n{field}\r\n\r\n"));
        let at = origin.next_of(&mut open);
        open[at].head().framed(framing).field("expect", "100-continue");
        assert!(!client.has_news(), "{backend}: invited before the upstream has");
        open[at].send(CONTINUE);
        client.interim(100).send(body);
        if framing == Framing::Chunked {
            assert_eq!(open[at].chunk().as_deref(), Some(&b"hello"[..]), "{backend}");
            assert_eq!(open[at].chunk(), None, "{backend}");
        } else {
            assert_eq!(open[at].content(5), b"hello", "{backend}");
        }
        open[at].ok("hi");
        client.relayed().status(200).body("hi").stays_open();
    }
    assert_eq!(open.len(), 1, "{backend}: an expectation cost the connection");
}

fn a_body_that_comes_uninvited_waits_for_the_100(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send([EXPECTING, "hello"].concat());
    let mut upstream = origin.accept();
    upstream.head().field("expect", "100-continue");
    has_turned(&server);
    assert!(!upstream.has_news(), "{backend}: the body went before the upstream asked for it");
    upstream.send(CONTINUE);
    assert_eq!(upstream.content(5), b"hello", "{backend}");
    upstream.ok("hi");
    // Since the body had come, the 100 is optional.
    let mut status = client.head().status;
    if status == 100 {
        status = client.head().status;
    }
    assert_eq!((status, client.content(2)), (200, b"hi".to_vec()), "{backend}");
}

fn an_expectation_may_be_answered_by_200(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send(EXPECTING);
    let mut upstream = origin.accept();
    upstream.head();
    upstream.ok("hi");
    client.relayed().status(200).body("hi").says_close();
    client.closes();
    upstream.is_dropped();
}

fn a_refusal_in_place_of_100_closes(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send(EXPECTING);
    let mut upstream = origin.accept();
    upstream.head();
    upstream.send(format!("HTTP/1.1 417 No\r\n{SIGNATURE}Content-Length: 2\r\n\r\nno"));
    client.relayed().status(417).body("no").says_close();
    client.closes();
    // What was announced never came, so that nothing else can be sent there.
    let more = upstream.is_dropped();
    assert!(more.is_empty(), "{backend}: \"{}\"", more.escape_ascii());
}

fn an_expectation_of_1_0_is_not_passed_on(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send([&EXPECTING.replace("HTTP/1.1", "HTTP/1.0"), "hello"].concat());
    let (mut upstream, request) = origin.accept_request();
    request.no_field("expect").body("hello");
    upstream.ok("hi");
    client.relayed().status(200).body("hi");
}

fn informational_answers_are_passed_on(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send("GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n");
    let (mut upstream, _) = origin.accept_request();
    upstream.send("HTTP/1.1 102 Processing\r\n\r\n");
    client.interim(102);
    for link in ["</a>", "</b>"] {
        upstream.send(format!(
            "HTTP/1.1 103 Early Hints\r\nConnection: x\r\nX: y\r\nLink: {link}\r\n\r\n"
        ));
        let hints = client.head();
        assert_eq!((hints.status, hints.values("link")), (103, vec![link]), "{backend}: {hints:?}");
        assert!(hints.values("x").is_empty(), "{backend}: {hints:?}");
    }
    upstream.ok("hi");
    client.relayed().status(200).body("hi").no_field("link").stays_open();
    client.send("GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n");
    upstream.request();
    upstream.ok("there");
    client.relayed().status(200).body("there");
}

fn informational_answers_are_not_for_1_0(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send("GET /proxy/a HTTP/1.0\r\n\r\n");
    let (mut upstream, _) = origin.accept_request();
    upstream.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    upstream.ok("hi");
    client.relayed().status(200).body("hi");
    client.closes();
}

fn a_100_that_nobody_asked_for_does_no_harm(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send("POST /proxy/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    let mut upstream = origin.accept();
    upstream.head();
    upstream.send(CONTINUE);
    client.send("hello");
    assert_eq!(upstream.content(5), b"hello", "{backend}");
    upstream.ok("hi");
    let mut head = client.head();
    if head.status == 100 {
        head = client.head();
    }
    assert_eq!((head.status, client.content(2)), (200, b"hi".to_vec()), "{backend}");
    client.get("/healthz").status(200);
}

fn too_many_informational_answers_are_no_answer(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    // A client of 1.0 sees none of them, so that it is the server's patience that ends.
    client.send("GET /proxy/a HTTP/1.0\r\n\r\n");
    let (mut upstream, _) = origin.accept_request();
    let _ = upstream.try_send("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100_000));
    client.answer().status(502);
    upstream.is_dropped();
}

fn an_early_answer_comes_at_once(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    for (head, first, rest) in [
        ("Content-Length: 10", "hello", "world"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n", "5\r\nworld\r\n0\r\n\r\n"),
    ] {
        let mut client = server.connect();
        client.send(format!("POST /proxy/a HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n{first}"));
        let mut upstream = origin.accept();
        upstream.head();
        upstream.send(format!(
            "HTTP/1.1 413 Too Much\r\n{SIGNATURE}Connection: close\r\nContent-Length: 2\r\n\r\nno"
        ));
        let answer = client.relayed();
        answer.status(413).body("no");
        // The connection goes on behind the whole request, or it was said that it does not.
        if answer.announces_close() {
            client.closes();
        } else {
            client.send(rest).get("/healthz").status(200);
        }
    }
}

fn an_early_answer_costs_the_upstream_connection(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&["--upstream-idle-timeout", "10m"]);
    let mut client = server.connect();
    client.send("POST /proxy/a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
    let mut upstream = origin.accept();
    upstream.head();
    assert_eq!(upstream.content(5), b"hello", "{backend}");
    upstream.ok("no");
    client.relayed().status(200).body("no");
    let rest = upstream.is_dropped();
    assert!(b"world".starts_with(&rest), "{backend}: \"{}\"", rest.escape_ascii());
}

/// Has the server do something else, by which time it has seen what came before.
fn has_turned(server: &Server) {
    for _ in 0..8 {
        server.connect().get("/healthz").status(200);
    }
}
