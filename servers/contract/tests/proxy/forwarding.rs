//! What of a request reaches the origin: method, target, `Host` and fields.

use contract::wire::Framing;
use contract::{Backend, Client, Origin};

use crate::on_every_backend;

on_every_backend!(
    the_rest_of_the_path_is_asked_for,
    in_proxy_mode_all_targets_are_kept,
    what_only_begins_like_the_route_is_not_forwarded,
    every_method_is_forwarded,
    the_clients_host_is_kept,
    the_host_of_an_absolute_target_wins,
    without_a_host_the_upstreams_is_named,
    a_request_reaches_the_origin_whole,
    repeated_fields_keep_their_order,
    options_is_forwarded_so_many_times,
);

fn the_rest_of_the_path_is_asked_for(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let targets = [
        ("/proxy/a?b", "/a?b"),
        ("/proxy", "/"),
        ("/proxy/", "/"),
        ("/proxy?a=b", "/?a=b"),
        ("/proxy/?a=b", "/?a=b"),
        ("/proxy/a?", "/a?"),
        ("/proxy//", "//"),
        ("/proxy//a//b/", "//a//b/"),
        ("/proxy/a/../b/./c", "/a/../b/./c"),
        ("/proxy/proxy/a", "/proxy/a"),
        ("/proxy/a%2Fb%20c%2f?d=%26&e=+", "/a%2Fb%20c%2f?d=%26&e=+"),
        ("/proxy/a;b=c,d:@!$&'()*~-._", "/a;b=c,d:@!$&'()*~-._"),
        ("/proxy/a?/?x=/proxy/b", "/a?/?x=/proxy/b"),
        ("http://other:81/proxy/a?b", "/a?b"),
    ];
    are_asked_for(&origin, &mut server.connect(), &targets);
}

fn in_proxy_mode_all_targets_are_kept(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&["--mode", "proxy"]);
    let kept = ["/", "/healthz", "/metrics", "/proxy/a", "/delay/60s?a", "//", "/a%2f?b", "/?"];
    let kept = kept.map(|target| (target, target));
    let absolute = [("http://other/a?b", "/a?b"), ("http://other", "/"), ("http://other?b", "/?b")];
    are_asked_for(&origin, &mut server.connect(), &[&kept[..], &absolute].concat());

    let mut client = server.connect();
    client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    let (mut upstream, request) = origin.accept_request();
    request.asks("OPTIONS *");
    upstream.ok("");
    client.relayed().status(200);
}

fn what_only_begins_like_the_route_is_not_forwarded(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    for target in ["/proxyx", "/proxy.", "/Proxy/a", "//proxy/a", "/a/proxy/b", "/%70roxy/a"] {
        server.connect().get(target).status(404);
    }
    origin.nobody_calls();
}

fn every_method_is_forwarded(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let methods = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "get", "X-1"];
    for method in methods {
        let mut client = server.connect();
        client.send(format!("{method} /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n"));
        answered(&origin, "hi").asks(&format!("{method} /a"));
        client.relayed().status(200).body("hi");
    }
}

fn the_clients_host_is_kept(backend: Backend) {
    for mode in ["service", "proxy"] {
        let origin = Origin::new(backend);
        let server = origin.server(&["--mode", mode]);
        for host in ["example.org", "example.org:8080", "[::1]:80", "127.0.0.1"] {
            let mut client = server.connect();
            client.send(format!("GET /proxy/a HTTP/1.1\r\nHost: {host}\r\n\r\n"));
            answered(&origin, "").field("host", host);
            client.relayed().status(200);
        }
    }
}

fn the_host_of_an_absolute_target_wins(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send("GET http://example.org:81/proxy/a HTTP/1.1\r\nHost: other\r\n\r\n");
    let request = answered(&origin, "");
    request.asks("GET /a").field("host", "example.org:81");
    request.field("x-forwarded-host", "example.org:81");
    client.relayed().status(200);
}

fn without_a_host_the_upstreams_is_named(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send("GET /proxy/a HTTP/1.0\r\n\r\n");
    let request = answered(&origin, "hi");
    request.field("host", &origin.address().to_string()).no_field("x-forwarded-host");
    client.relayed().status(200).body("hi").says_close();
    client.closes();
}

fn a_request_reaches_the_origin_whole(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let own = "Host: example.org\r\nAccept: */*\r\nX-Empty:\r\nCookie: a=b; c=d\r\n\
               Authorization: Basic x\r\nCONTENT-TYPE: text/x-odd; a=\"b\"";
    let passed_on = [
        ("host", "example.org"),
        ("accept", "*/*"),
        ("x-empty", ""),
        ("cookie", "a=b; c=d"),
        ("authorization", "Basic x"),
        ("content-type", "text/x-odd; a=\"b\""),
        ("via", "1.1 five-ways"),
        ("forwarded", "for=127.0.0.1;host=example.org;proto=http"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "example.org"),
        ("x-forwarded-proto", "http"),
    ];
    let bodies = [
        ("", None, Framing::Bodiless, ""),
        ("Content-Length: 5\r\n", Some(("content-length", "5")), Framing::Length(5), "hello"),
        (
            "Transfer-Encoding: chunked\r\n",
            Some(("transfer-encoding", "chunked")),
            Framing::Chunked,
            "5\r\nhello\r\n0\r\n\r\n",
        ),
    ];
    for (field, due, framing, body) in bodies {
        let mut client = server.connect();
        client.send(format!("POST /proxy/a?b HTTP/1.1\r\n{own}\r\n{field}\r\n{body}"));
        let request = answered(&origin, "");
        request.asks("POST /a?b").framed(framing);
        request.only_fields(&[&passed_on[..], due.as_slice()].concat());
        request.body(if body.is_empty() { "" } else { "hello" });
        client.relayed().status(200);
    }
}

fn repeated_fields_keep_their_order(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send("GET /proxy/a HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\nX: 3, 4\r\nX: 5\r\n\r\n");
    let (mut upstream, request) = origin.accept_request();
    assert_eq!(request.values("x"), ["1", "3, 4", "5"], "{backend}: {request:?}");
    upstream.answer("Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 0\r\n\r\n");
    let answer = client.relayed();
    assert_eq!(answer.head.values("set-cookie"), ["a=b", "c=d"], "{backend}: {answer:?}");
}

fn options_is_forwarded_so_many_times(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&["--mode", "proxy"]);
    for (method, due) in [("OPTIONS", "2"), ("GET", "3")] {
        let mut client = server.connect();
        client.send(format!("{method} /a HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\n\r\n"));
        answered(&origin, "").field("max-forwards", due);
        client.relayed().status(200);
    }
}

/// Each target in turn, on one connection, must be asked for upstream as its neighbour says.
fn are_asked_for(origin: &Origin, client: &mut Client, targets: &[(&str, &str)]) {
    let mut open = Vec::new();
    for (given, due) in targets {
        client.send(format!("GET {given} HTTP/1.1\r\nHost: contract\r\n\r\n"));
        let at = origin.next_of(&mut open);
        open[at].request().asks(&format!("GET {due}"));
        open[at].ok(due);
        client.relayed().status(200).body(due);
    }
}

/// Takes a request, answers it by this body, and closes.
fn answered(origin: &Origin, body: &str) -> contract::Request {
    let (mut upstream, request) = origin.accept_request();
    upstream.answer(&format!("Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    request
}
