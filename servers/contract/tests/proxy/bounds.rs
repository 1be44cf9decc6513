//! A bounded number of upstream connections, and a bounded wait for one.

use contract::origin::SIGNATURE;
use contract::{Backend, Client, Origin, Server, Upstream, eventually};

use crate::on_every_backend;

on_every_backend!(
    there_are_never_more_connections_than_may_be,
    who_waits_is_served_next,
    who_waits_too_long_is_told_so,
    one_too_many_to_wait_is_told_so,
    nobody_waits_where_nobody_may,
    a_client_that_leaves_the_queue_is_forgotten,
    a_panic_gives_its_place_back,
    idle_connections_of_other_workers_make_way,
    a_quarter_of_the_descriptors_is_the_most,
);

const GET: &str = "GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n";
const WAITING: &str = "http_upstream_requests_waiting";

fn there_are_never_more_connections_than_may_be(backend: Backend) {
    let origin = Origin::new(backend);
    let options = ["--upstream-connections", "3", "--upstream-wait", "60s"];
    let server = origin.server(&options);
    let mut clients: Vec<_> = (0..12).map(|_| asking(&server)).collect();
    let mut open: Vec<_> = (0..3).map(|_| origin.accept()).collect();
    server.reaches(WAITING, 9);
    assert_eq!(server.metric("http_upstream_connections_open"), 3, "{backend}");
    origin.nobody_calls();
    for _ in 0..12 {
        // One may make way for another, of another worker.
        let at = origin.next_of(&mut open);
        assert!(open.len() <= 3, "{backend}: {} upstream connections", open.len());
        open[at].request();
        open[at].ok("hi");
    }
    for client in &mut clients {
        client.relayed().status(200).body("hi");
    }
    server.reaches(WAITING, 0);
    assert_eq!(server.metric("http_upstream_waits_total"), 9, "{backend}");
}

fn who_waits_is_served_next(backend: Backend) {
    let origin = Origin::new(backend);
    let options = ["--upstream-connections", "1", "--upstream-wait", "60s"];
    let server = origin.server(&options);
    let (mut first, upstream) = held(&origin, &server);
    let mut second = asking(&server);
    server.reaches(WAITING, 1);
    let mut open = vec![upstream];
    open[0].ok("one");
    first.relayed().status(200).body("one");
    // Over the same connection, or over another in its place.
    let at = origin.next_of(&mut open);
    open[at].request();
    open[at].ok("two");
    second.relayed().status(200).body("two");
}

fn who_waits_too_long_is_told_so(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&["--upstream-connections", "1", "--upstream-wait", "300ms"]);
    let (mut first, mut upstream) = held(&origin, &server);
    let mut second = asking(&server);
    is_turned_away(&mut second);
    origin.nobody_calls();
    // Nobody else is the worse for it.
    upstream.ok("hi");
    first.relayed().status(200).body("hi");
    server.reaches(WAITING, 0);
    second.get("/healthz").status(200);
}

fn one_too_many_to_wait_is_told_so(backend: Backend) {
    let origin = Origin::new(backend);
    let bounds = ["--upstream-connections", "1", "--upstream-queue", "2", "--upstream-wait", "60s"];
    let server = origin.server(&bounds);
    let (first, upstream) = held(&origin, &server);
    let mut clients = vec![first, asking(&server), asking(&server)];
    server.reaches(WAITING, 2);
    is_turned_away(&mut asking(&server));
    let mut open = vec![upstream];
    open[0].ok("hi");
    for _ in 0..2 {
        let at = origin.next_of(&mut open);
        open[at].request();
        open[at].ok("hi");
    }
    for client in &mut clients {
        client.relayed().status(200).body("hi");
    }
}

fn nobody_waits_where_nobody_may(backend: Backend) {
    let origin = Origin::new(backend);
    let bounds = ["--upstream-connections", "1", "--upstream-queue", "0", "--upstream-wait", "60s"];
    let server = origin.server(&bounds);
    let (mut first, mut upstream) = held(&origin, &server);
    is_turned_away(&mut asking(&server));
    upstream.ok("hi");
    first.relayed().status(200).body("hi");
}

fn a_client_that_leaves_the_queue_is_forgotten(backend: Backend) {
    let origin = Origin::new(backend);
    let bounds = ["--upstream-connections", "1", "--upstream-queue", "1", "--upstream-wait", "60s"];
    let server = origin.server(&bounds);
    let (mut first, mut upstream) = held(&origin, &server);
    let second = asking(&server);
    server.reaches(WAITING, 1);
    second.reset();
    server.reaches(WAITING, 0);
    upstream.ok("hi");
    first.relayed().status(200).body("hi");
    assert!(!upstream.has_news(), "{backend}: somebody who left was served");
}

fn a_panic_gives_its_place_back(backend: Backend) {
    let origin = Origin::new(backend);
    let options = ["--upstream-connections", "1", "--upstream-wait", "60s"];
    let Some(server) = origin.program().options(&options).start_fragile() else { return };
    let mut open = Vec::new();
    for panics in 1..=3 {
        let mut first = asking(&server);
        let at = origin.next_of(&mut open);
        open[at].request();
        let mut second = asking(&server);
        server.reaches(WAITING, 1);
        open[at].send(format!("HTTP/1.1 418 x\r\n{SIGNATURE}Content-Length: 2\r\n\r\nhi"));
        first.is_dropped();
        let at = origin.next_of(&mut open);
        open[at].request();
        open[at].ok("hi");
        second.relayed().status(200).body("hi");
        server.reaches("http_server_connections_panicked_total", panics);
    }
    server.reaches(WAITING, 0);
}

fn idle_connections_of_other_workers_make_way(backend: Backend) {
    let origin = Origin::new(backend);
    let options = ["--upstream-connections", "1", "--upstream-idle-timeout", "10m"];
    let server = origin.server(&[&options[..], &["--upstream-wait", "60s"]].concat());
    let mut open = Vec::new();
    let mut clients = Vec::new();
    // Enough connections that some are on another worker than the one that was used last.
    for _ in 0..16 {
        clients.push(asking(&server));
        let at = origin.next_of(&mut open);
        assert_eq!(open.len(), 1, "{backend}: an idle connection is still there");
        open[at].request();
        open[at].ok("hi");
        clients.last_mut().unwrap().relayed().status(200).body("hi");
    }
}

fn a_quarter_of_the_descriptors_is_the_most(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.program().options(&["--upstream-wait", "60s"]).open_files(256).start();
    let _clients: Vec<_> = (0..70).map(|_| asking(&server)).collect();
    // They are connected by the kernel, whoever accepts them.
    let open = eventually("70 requests, under way or waiting", || {
        let open = server.metric("http_upstream_connections_open");
        (server.metric(WAITING) + open == 70).then_some(open)
    });
    assert!(open <= 64, "{backend}: {open} upstream connections of 256 descriptors");
}

/// A client that has asked.
fn asking(server: &Server) -> Client {
    let mut client = server.connect();
    client.send(GET);
    client
}

/// A client that has asked, and the connection on which its request waits for an answer.
fn held(origin: &Origin, server: &Server) -> (Client, Upstream) {
    let client = asking(server);
    let (upstream, _) = origin.accept_request();
    (client, upstream)
}

fn is_turned_away(client: &mut Client) {
    let answer = client.answer();
    let retry_after = answer.status(503).value("retry-after");
    assert!(retry_after.parse::<u64>().is_ok(), "Retry-After: {retry_after:?}");
}
