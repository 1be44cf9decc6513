//! Fields that speak of one connection only are removed, both ways.

use contract::wire::Framing;
use contract::{Backend, Origin};

use crate::on_every_backend;

on_every_backend!(
    hop_by_hop_fields_do_not_go_upstream,
    hop_by_hop_fields_do_not_come_back,
    what_connection_names_does_not_go_upstream,
    what_connection_names_does_not_come_back,
    what_a_request_lives_by_cannot_be_named_away,
    what_an_answer_lives_by_cannot_be_named_away,
    the_clients_close_is_its_own,
    the_upstreams_close_is_its_own,
);

/// With a value that may stand in a message, none of which may be passed on.
const HOP_BY_HOP: [(&str, &str); 9] = [
    ("keep-alive", "timeout=5, max=100"),
    ("proxy-connection", "keep-alive"),
    ("proxy-authenticate", "Basic realm=\"x\""),
    ("proxy-authentication-info", "x=y"),
    ("proxy-authorization", "Basic eDp5"),
    ("te", "trailers"),
    ("trailer", "X-Checksum"),
    ("upgrade", "websocket"),
    ("connection", "keep-alive"),
];

fn hop_by_hop_fields_do_not_go_upstream(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send(format!("GET /proxy/a HTTP/1.1\r\nHost: a\r\n{}X: y\r\n\r\n", fields()));
    let (mut upstream, request) = origin.accept_request();
    for (name, _) in HOP_BY_HOP {
        request.no_field(name);
    }
    request.field("x", "y");
    upstream.ok("");
    client.relayed().status(200);
}

fn hop_by_hop_fields_do_not_come_back(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send("GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n");
    let (mut upstream, _) = origin.accept_request();
    upstream.answer(&format!("{}X: y\r\nContent-Length: 2\r\n\r\nhi", fields()));
    let answer = client.relayed();
    for (name, _) in HOP_BY_HOP {
        answer.no_field(name);
    }
    answer.status(200).field("x", "y").by_length().body("hi");
}

fn what_connection_names_does_not_go_upstream(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    for connection in [
        "Connection: x-a, X-B",
        "Connection: X-A\r\nConnection: x-b",
        "Connection: keep-alive,, ,x-b ,\tx-a",
        "Connection: close, x-a, x-b",
    ] {
        let mut client = server.connect();
        client.send(format!(
            "GET /proxy/a HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n{connection}\r\nX-b: 2\r\nX-C: 3\r\n\r\n"
        ));
        let (mut upstream, request) = origin.accept_request();
        request.no_field("x-a").no_field("x-b").no_field("connection").field("x-c", "3");
        upstream.answer("Connection: close\r\nContent-Length: 0\r\n\r\n");
        client.relayed().status(200);
    }
}

fn what_connection_names_does_not_come_back(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send("GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n");
    let (mut upstream, _) = origin.accept_request();
    upstream
        .answer("X-A: 1\r\nConnection: x-a, X-B\r\nX-b: 2\r\nX-C: 3\r\nContent-Length: 0\r\n\r\n");
    let answer = client.relayed();
    answer.status(200).no_field("x-a").no_field("x-b").no_field("connection").field("x-c", "3");
}

fn what_a_request_lives_by_cannot_be_named_away(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let connection = "Connection: host, content-length, transfer-encoding, via, x-forwarded-for, \
                      x-forwarded-host, x-forwarded-proto, forwarded, cache-control, max-forwards";
    let bodies = [
        ("Content-Length: 5", Framing::Length(5), "hello"),
        ("Transfer-Encoding: chunked", Framing::Chunked, "5\r\nhello\r\n0\r\n\r\n"),
    ];
    for (field, framing, body) in bodies {
        let mut client = server.connect();
        client.send(format!("POST /proxy/a HTTP/1.1\r\nHost: example.org\r\n{connection}\r\n"));
        client.send(format!("Cache-Control: no-store\r\nMax-Forwards: 9\r\n{field}\r\n\r\n{body}"));
        let (mut upstream, request) = origin.accept_request();
        request.field("host", "example.org").framed(framing).body("hello");
        request.field("via", "1.1 five-ways").field("x-forwarded-for", "127.0.0.1");
        request.field("x-forwarded-host", "example.org").field("x-forwarded-proto", "http");
        request.field("forwarded", "for=127.0.0.1;host=example.org;proto=http");
        request.field("cache-control", "no-store").field("max-forwards", "9");
        upstream.answer("Connection: close\r\nContent-Length: 0\r\n\r\n");
        client.relayed().status(200);
    }
}

fn what_an_answer_lives_by_cannot_be_named_away(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    for framing in [
        "Content-Length: 5\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ] {
        client.send("GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n");
        let (mut upstream, _) = origin.accept_request();
        upstream
            .answer(&format!("Connection: close, content-length, transfer-encoding\r\n{framing}"));
        client.relayed().status(200).body("hello").stays_open();
    }
}

fn the_clients_close_is_its_own(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send("GET /proxy/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let (mut upstream, request) = origin.accept_request();
    request.no_field("connection");
    upstream.ok("hi");
    client.relayed().status(200).body("hi").says_close();
    client.closes();
    // What is between server and upstream goes on.
    server.reaches("http_upstream_connections_idle", 1);
}

fn the_upstreams_close_is_its_own(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send("GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n");
    let (mut upstream, _) = origin.accept_request();
    upstream.answer("Connection: close\r\nContent-Length: 2\r\n\r\nhi");
    client.relayed().status(200).body("hi").stays_open().no_field("connection");
    client.get("/healthz").status(200);
}

fn fields() -> String {
    HOP_BY_HOP.map(|(name, value)| format!("{name}: {value}\r\n")).concat()
}
