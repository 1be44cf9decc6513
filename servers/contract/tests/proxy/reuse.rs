//! Upstream connections that are kept: when they are used again, and when they are not.

use contract::origin::{SIGNATURE, one_worker};
use contract::{Backend, Client, Origin, Upstream};
use rustix::process::Signal;

use crate::on_every_backend;

on_every_backend!(
    a_connection_is_used_again,
    clients_share_connections,
    the_newest_is_used_first,
    not_after_close_was_said,
    not_after_close_beside_obs_text,
    not_after_1_0,
    not_after_content_until_the_close,
    not_after_bytes_that_nobody_asked_for,
    not_after_a_close_that_is_pending,
    not_by_one_who_waits_after_a_close_that_is_pending,
    an_idle_connection_is_dropped_in_time,
    an_idle_connection_is_dropped_when_the_upstream_will,
    what_the_upstream_says_does_not_prolong_it,
);

const GET: &str = "GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n";

/// Neither safe nor idempotent, so that nothing is tried twice.
const POST: &str = "POST /proxy/a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";

/// Long enough that no idle connection ends by itself.
const KEEP: [&str; 2] = ["--upstream-idle-timeout", "10m"];

fn a_connection_is_used_again(backend: Backend) {
    let (origin, server) = one_worker(backend, &KEEP);
    let mut client = server.connect();
    client.send(GET);
    let (mut upstream, _) = origin.accept_request();
    upstream.ok("one");
    client.relayed().body("one");
    for (asked, body) in [(GET, "two"), (POST, "three"), (GET, "")] {
        client.send(asked);
        upstream.request();
        upstream.ok(body);
        client.relayed().status(200).body(body);
    }
    origin.nobody_calls();
    assert_eq!(server.metric("http_upstream_connects_total"), 1, "{backend}");
    assert_eq!(server.metric("http_upstream_reuses_total"), 3, "{backend}");
}

fn clients_share_connections(backend: Backend) {
    let (origin, server) = one_worker(backend, &KEEP);
    let mut upstream = used(&origin, &mut server.connect());
    for _ in 0..3 {
        server.reaches("http_upstream_connections_idle", 1);
        let mut client = server.connect();
        client.send(GET);
        upstream.request();
        upstream.ok("hi");
        client.relayed().body("hi");
    }
    origin.nobody_calls();
}

fn the_newest_is_used_first(backend: Backend) {
    let (origin, server) = one_worker(backend, &KEEP);
    let mut clients = [server.connect(), server.connect(), server.connect()];
    let mut upstreams = clients.each_mut().map(|client| {
        client.send(GET);
        origin.accept_request().0
    });
    for (place, idle) in [(1, 1), (2, 2), (0, 3)] {
        upstreams[place].ok("hi");
        clients[place].relayed().status(200);
        server.reaches("http_upstream_connections_idle", idle);
    }
    // Taken together, they come back in the reverse order.
    for (client, place) in clients.iter_mut().zip([0, 2, 1]) {
        client.send(GET);
        upstreams[place].request();
    }
    for (client, place) in clients.iter_mut().zip([0, 2, 1]) {
        upstreams[place].ok("hi");
        client.relayed().status(200);
    }
    origin.nobody_calls();
}

fn not_after_close_was_said(backend: Backend) {
    for connection in ["close", "x, Close", "keep-alive, close"] {
        is_not_used_after(backend, |upstream| {
            upstream.answer(&format!("Connection: {connection}\r\nContent-Length: 2\r\n\r\nhi"));
        });
    }
}

fn not_after_close_beside_obs_text(backend: Backend) {
    is_not_used_after(backend, |upstream| {
        upstream.send(b"HTTP/1.1 200 OK\r\nConnection: close, \xe9\r\n");
        upstream.send(format!("{SIGNATURE}Content-Length: 2\r\n\r\nhi"));
    });
}

fn not_after_1_0(backend: Backend) {
    is_not_used_after(backend, |upstream| {
        upstream.send(format!("HTTP/1.0 200 OK\r\n{SIGNATURE}Content-Length: 2\r\n\r\nhi"));
    });
}

fn not_after_content_until_the_close(backend: Backend) {
    is_not_used_after(backend, |upstream| {
        upstream.answer("\r\nhi").half_close();
    });
}

fn not_after_bytes_that_nobody_asked_for(backend: Backend) {
    for more in ["x", "\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"] {
        is_not_used_after(backend, |upstream| {
            upstream.ok(&format!("hi{more}")[..2]).send(more);
        });
        is_not_used_after(backend, |upstream| {
            // In one piece.
            upstream.answer(&format!("Content-Length: 2\r\n\r\nhi{more}"));
        });
    }
}

fn not_after_a_close_that_is_pending(backend: Backend) {
    is_not_used_after(backend, |upstream| {
        // On the loopback, the close has arrived before the client hears of the answer.
        upstream.ok("hi").half_close();
    });
}

fn not_by_one_who_waits_after_a_close_that_is_pending(backend: Backend) {
    let one = ["--upstream-connections", "1", "--upstream-wait", "10m"];
    let (origin, server) = one_worker(backend, &[&KEEP[..], &one].concat());
    let (mut first, mut second) = (server.connect(), server.connect());
    first.send(GET);
    let (mut upstream, _) = origin.accept_request();
    second.send(POST);
    server.reaches("http_upstream_requests_waiting", 1);
    // Answer and close are both there when the server looks again.
    server.stop();
    upstream.ok("hi").half_close();
    server.signal(Signal::CONT);
    first.relayed().status(200).body("hi");
    let (mut upstream, _) = origin.accept_request();
    upstream.ok("there");
    second.relayed().status(200).body("there");
}

fn an_idle_connection_is_dropped_in_time(backend: Backend) {
    let (origin, server) = one_worker(backend, &["--upstream-idle-timeout", "300ms"]);
    let mut client = server.connect();
    let mut upstream = used(&origin, &mut client);
    upstream.closes();
    server.reaches("http_upstream_connections_open", 0);
    server.reaches("http_upstream_connections_idle", 0);
    drop(used(&origin, &mut client));
}

fn an_idle_connection_is_dropped_when_the_upstream_will(backend: Backend) {
    let (origin, server) = one_worker(backend, &KEEP);
    let mut client = server.connect();
    for keep_alive in ["timeout=1", "timeout=2", "max=100, Timeout=2"] {
        client.send(GET);
        let (mut upstream, _) = origin.accept_request();
        upstream.answer(&format!("Keep-Alive: {keep_alive}\r\nContent-Length: 2\r\n\r\nhi"));
        client.relayed().status(200).no_field("keep-alive");
        upstream.closes();
    }
}

fn what_the_upstream_says_does_not_prolong_it(backend: Backend) {
    let (origin, server) = one_worker(backend, &["--upstream-idle-timeout", "300ms"]);
    let mut client = server.connect();
    client.send(GET);
    let (mut upstream, _) = origin.accept_request();
    upstream.answer("Keep-Alive: timeout=600\r\nContent-Length: 2\r\n\r\nhi");
    client.relayed().status(200);
    upstream.closes();
}

/// After an answer of "hi" as `answer` gives it, the server must close the connection that brought
/// it, and a request that can't be tried twice must be answered over another.
fn is_not_used_after(backend: Backend, answer: impl Fn(&mut Upstream)) {
    let (origin, server) = one_worker(backend, &KEEP);
    let mut client = server.connect();
    client.send(GET);
    let (mut first, _) = origin.accept_request();
    answer(&mut first);
    client.relayed().status(200).body("hi");
    client.send(POST);
    let (mut second, _) = origin.accept_request();
    second.ok("there");
    client.relayed().status(200).body("there");
    let more = first.is_dropped();
    assert!(more.is_empty(), "{backend}: used again for \"{}\"", more.escape_ascii());
}

/// A connection that is idle after its first use.
fn used(origin: &Origin, client: &mut Client) -> Upstream {
    client.send(GET);
    let (mut upstream, _) = origin.accept_request();
    upstream.ok("hi");
    client.relayed().status(200).body("hi");
    upstream
}
