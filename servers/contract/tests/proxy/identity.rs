//! What the proxy says of itself and of its client, and what it leaves as it was said upstream.

use contract::origin::SIGNATURE;
use contract::{Answer, Backend, Origin, Request, Server};

use crate::on_every_backend;

on_every_backend!(
    via_is_added_to_requests,
    via_is_added_to_answers,
    the_client_is_named,
    a_client_may_not_speak_of_others,
    a_trusted_client_may_speak_of_others,
    the_upstreams_date_and_server_are_kept,
    a_date_is_added_where_there_is_none,
);

fn via_is_added_to_requests(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let cases = [
        ("1.1", "", "1.1 five-ways"),
        ("1.0", "", "1.0 five-ways"),
        ("1.1", "Via: 1.0 fred, 1.1 p.example\r\n", "1.0 fred, 1.1 p.example, 1.1 five-ways"),
        ("1.1", "Via: 1.0 fred\r\nVia: 1.1 (x) p\r\n", "1.0 fred, 1.1 (x) p, 1.1 five-ways"),
    ];
    for (version, fields, due) in cases {
        let asked = format!("GET /proxy/a HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
        let (request, _) = exchange(&origin, &server, &asked, "Content-Length: 0\r\n\r\n");
        assert_eq!(request.values("via").join(", "), due, "{backend}: {request:?}");
    }
}

fn via_is_added_to_answers(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let cases = [
        ("1.1", "", "1.1 five-ways"),
        ("1.0", "", "1.0 five-ways"),
        ("1.1", "Via: 1.0 fred\r\nVia: 1.1 p\r\n", "1.0 fred, 1.1 p, 1.1 five-ways"),
    ];
    for (version, fields, due) in cases {
        let mut client = server.connect();
        client.send("GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n");
        let (mut upstream, _) = origin.accept_request();
        upstream.send(format!(
            "HTTP/{version} 200 OK\r\nConnection: close\r\n{SIGNATURE}{fields}Content-Length: 0\r\n\r\n"
        ));
        let answer = client.relayed();
        assert_eq!(answer.head.values("via").join(", "), due, "{backend}: {answer:?}");
    }
}

fn the_client_is_named(backend: Backend) {
    for options in [&[][..], &["--trust-forwarded"]] {
        let origin = Origin::new(backend);
        let server = origin.server(options);
        let hosts = [
            ("example.org", "for=127.0.0.1;host=example.org;proto=http"),
            ("example.org:81", "for=127.0.0.1;host=\"example.org:81\";proto=http"),
            ("[::1]:81", "for=127.0.0.1;host=\"[::1]:81\";proto=http"),
        ];
        for (host, forwarded) in hosts {
            let asked = format!("GET /proxy/a HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let (request, _) = exchange(&origin, &server, &asked, "Content-Length: 0\r\n\r\n");
            request.field("forwarded", forwarded).field("x-forwarded-for", "127.0.0.1");
            request.field("x-forwarded-host", host).field("x-forwarded-proto", "http");
        }
    }
}

/// What a client says of where it has its request from.
const CLAIMS: &str = "GET /proxy/a HTTP/1.1\r\nHost: a\r\n\
    Forwarded: for=198.51.100.7;proto=https\r\nForwarded: for=_hidden\r\n\
    X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-For: 203.0.113.9\r\n\
    X-Forwarded-Host: shop\r\nX-Forwarded-Proto: https\r\n\r\n";

fn a_client_may_not_speak_of_others(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let (request, _) = exchange(&origin, &server, CLAIMS, "Content-Length: 0\r\n\r\n");
    request.field("forwarded", "for=127.0.0.1;host=a;proto=http");
    request.field("x-forwarded-for", "127.0.0.1");
    request.field("x-forwarded-host", "a").field("x-forwarded-proto", "http");
}

fn a_trusted_client_may_speak_of_others(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&["--trust-forwarded"]);
    let (request, _) = exchange(&origin, &server, CLAIMS, "Content-Length: 0\r\n\r\n");
    let list = |name| request.values(name).join(", ");
    let own = "for=127.0.0.1;host=a;proto=http";
    let whole = format!("for=198.51.100.7;proto=https, for=_hidden, {own}");
    assert_eq!(list("forwarded"), whole, "{backend}");
    assert_eq!(list("x-forwarded-for"), "198.51.100.7, 203.0.113.9, 127.0.0.1", "{backend}");
    request.field("x-forwarded-host", "shop").field("x-forwarded-proto", "https");
}

fn the_upstreams_date_and_server_are_kept(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let asked = "GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n";
    let (_, answer) = exchange(&origin, &server, asked, "Content-Length: 0\r\n\r\n");
    answer.field("date", "Sun, 06 Nov 1994 08:49:37 GMT").field("server", "origin");
}

fn a_date_is_added_where_there_is_none(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send("GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n");
    let (mut upstream, _) = origin.accept_request();
    upstream.send("HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Length: 0\r\n\r\n");
    client.relayed().status(200).dated_now().field("server", "origin");
}

/// One request on a connection of its own, and the answer to it.
fn exchange(origin: &Origin, server: &Server, asked: &str, answer: &str) -> (Request, Answer) {
    let mut client = server.connect();
    client.send(asked);
    let (mut upstream, request) = origin.accept_request();
    upstream.answer(&format!("Connection: close\r\n{answer}"));
    let answer = client.relayed();
    answer.status(200);
    (request, answer)
}
