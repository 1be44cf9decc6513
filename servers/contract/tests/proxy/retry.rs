//! A request is sent again once, where that can do no harm, and otherwise not.

use contract::origin::one_worker;
use contract::{Backend, Client, Origin, Server, Upstream};

use crate::on_every_backend;

on_every_backend!(
    a_stale_connection_is_replaced,
    a_stale_connection_that_resets_is_replaced,
    it_is_tried_again_only_once,
    what_is_not_idempotent_is_not_tried_again,
    content_that_is_gone_is_not_sent_again,
    chunks_without_content_are_sent_again_to_their_end,
    a_new_connection_that_closes_is_not_tried_again,
    nothing_is_tried_again_after_a_byte_of_the_answer,
    a_failed_connect_is_tried_again,
    an_upstream_that_comes_back_is_found,
);

const RETRIES: &str = "http_upstream_retries_total";

fn a_stale_connection_is_replaced(backend: Backend) {
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
        let (origin, server, mut client, mut stale) = kept(backend);
        client.send(format!("{method} /proxy/b HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"));
        stale.request().asks(&format!("{method} /b"));
        drop(stale);
        let (mut fresh, request) = origin.accept_request();
        request.asks(&format!("{method} /b")).field("x", "y").field("via", "1.1 five-ways");
        fresh.ok(if method == "HEAD" { "" } else { "hi" });
        client.relayed_to(method).status(200);
        assert_eq!(server.metric(RETRIES), 1, "{backend}");
    }
}

fn a_stale_connection_that_resets_is_replaced(backend: Backend) {
    let (origin, _server, mut client, mut stale) = kept(backend);
    client.send("GET /proxy/b HTTP/1.1\r\nHost: a\r\n\r\n");
    stale.request();
    stale.reset();
    let (mut fresh, request) = origin.accept_request();
    request.asks("GET /b");
    fresh.ok("hi");
    client.relayed().status(200).body("hi");
}

fn it_is_tried_again_only_once(backend: Backend) {
    let (origin, server, mut client, mut stale) = kept(backend);
    client.send("GET /proxy/b HTTP/1.1\r\nHost: a\r\n\r\n");
    stale.request();
    drop(stale);
    let (fresh, _) = origin.accept_request();
    drop(fresh);
    client.answer().status(502);
    origin.nobody_calls();
    assert_eq!(server.metric(RETRIES), 1, "{backend}");
}

fn what_is_not_idempotent_is_not_tried_again(backend: Backend) {
    for method in ["POST", "PATCH", "X-OWN"] {
        let (origin, server, mut client, mut stale) = kept(backend);
        client.send(format!("{method} /proxy/b HTTP/1.1\r\nHost: a\r\n\r\n"));
        stale.request();
        drop(stale);
        client.answer().status(502);
        origin.nobody_calls();
        assert_eq!(server.metric(RETRIES), 0, "{backend}");
    }
}

fn content_that_is_gone_is_not_sent_again(backend: Backend) {
    let (origin, _server, mut client, mut stale) = kept(backend);
    client.send("PUT /proxy/b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    stale.request().body("hello");
    drop(stale);
    client.answer().status(502);
    origin.nobody_calls();
}

fn chunks_without_content_are_sent_again_to_their_end(backend: Backend) {
    let (origin, server, mut client, mut stale) = kept(backend);
    client.send("PUT /proxy/b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    stale.request().asks("PUT /b").body("");
    drop(stale);
    let (mut fresh, request) = origin.accept_request();
    request.asks("PUT /b").body("");
    fresh.ok("hi");
    client.relayed().status(200).body("hi");
    assert_eq!(server.metric(RETRIES), 1, "{backend}");
    // And the new connection is as good as any.
    client.send("GET /proxy/c HTTP/1.1\r\nHost: a\r\n\r\n");
    fresh.request().asks("GET /c");
    fresh.ok("there");
    client.relayed().status(200).body("there");
}

fn a_new_connection_that_closes_is_not_tried_again(backend: Backend) {
    for resets in [false, true] {
        let (origin, server) = one_worker(backend, &[]);
        let mut client = server.connect();
        client.send("GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n");
        let (upstream, _) = origin.accept_request();
        if resets {
            upstream.reset();
        } else {
            drop(upstream);
        }
        client.answer().status(502);
        origin.nobody_calls();
        assert_eq!(server.metric(RETRIES), 0, "{backend}");
    }
}

fn nothing_is_tried_again_after_a_byte_of_the_answer(backend: Backend) {
    for begin in ["H", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n"] {
        let (origin, server, mut client, mut stale) = kept(backend);
        client.send("GET /proxy/b HTTP/1.1\r\nHost: a\r\n\r\n");
        stale.request();
        stale.send(begin);
        drop(stale);
        if begin.contains("103") {
            client.interim(103);
        }
        client.answer().status(502);
        origin.nobody_calls();
        assert_eq!(server.metric(RETRIES), 0, "{backend}, after {begin:?}");
    }
}

fn a_failed_connect_is_tried_again(backend: Backend) {
    let origin = Origin::closed(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    // Nothing went upstream, so that not even the method matters.
    for (method, tried) in [("GET", 1), ("POST", 2)] {
        client.send(format!("{method} /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n"));
        client.answer().status(502);
        assert_eq!(server.metric(RETRIES), tried, "{backend}");
    }
}

fn an_upstream_that_comes_back_is_found(backend: Backend) {
    let origin = Origin::closed(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.get("/proxy/a").status(502);
    origin.open(8);
    client.send("GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n");
    let (mut upstream, _) = origin.accept_request();
    upstream.ok("hi");
    client.relayed().status(200).body("hi");
}

/// A client whose next request goes over a connection that has carried one already.
fn kept(backend: Backend) -> (Origin, Server, Client, Upstream) {
    let (origin, server) = one_worker(backend, &["--upstream-idle-timeout", "10m"]);
    let mut client = server.connect();
    client.send("GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n");
    let (mut upstream, _) = origin.accept_request();
    upstream.ok("hi");
    client.relayed().status(200).body("hi");
    (origin, server, client, upstream)
}
