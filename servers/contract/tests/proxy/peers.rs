//! nginx behind each backend: an upstream that closes its connections when it likes.

use std::thread;
use std::time::Duration;

use contract::{Backend, Client, Peer, Program, Server};

use crate::on_every_backend;

on_every_backend!(
    nginx_may_close_idle_connections,
    nginx_may_close_at_its_limit,
    nginx_is_forwarded_to
);

/// Clients at once, and how often each asks.
const CLIENTS: usize = 8;
const TIMES: usize = 60;

fn nginx_may_close_idle_connections(backend: Backend) {
    // So short a time that many a request meets the close, and that nothing was said of it.
    let Some(nginx) = nginx("keepalive_timeout 20ms;") else { return };
    let server = in_front_of(&nginx, backend);
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.connect();
                for time in 0..TIMES {
                    // Around the time-out, a little more or less.
                    let pause = 15 + (number * 7 + time * 3) % 11;
                    thread::sleep(Duration::from_millis(pause as u64));
                    asks(&mut client);
                }
            });
        }
    });
}

fn nginx_may_close_at_its_limit(backend: Backend) {
    let Some(nginx) = nginx("keepalive_requests 3;") else { return };
    let server = in_front_of(&nginx, backend);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.connect();
                for _ in 0..TIMES {
                    asks(&mut client);
                }
            });
        }
    });
    let connects = server.metric("http_upstream_connects_total");
    let requests = (CLIENTS * TIMES) as u64;
    assert!(connects >= requests / 3, "{backend}: {connects} connections for {requests} requests");
    assert!(connects < requests, "{backend}: nothing was used again");
}

fn nginx_is_forwarded_to(backend: Backend) {
    let Some(nginx) = nginx("") else { return };
    let server = in_front_of(&nginx, backend);
    let mut client = server.connect();
    asks(&mut client);
    client.send("HEAD /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n");
    client.relayed_to("HEAD").status(200).field("content-length", "3");
    client.send("GET /proxy/gone HTTP/1.1\r\nHost: a\r\n\r\n");
    client.relayed().status(404);
    client.send("POST /proxy/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("5\r\nhello\r\n0\r\n\r\n").relayed().status(200).body("hi\n");
    client.send("GET /proxy/a HTTP/1.0\r\n\r\n").relayed().status(200).body("hi\n");
    client.closes();
}

fn nginx(http: &str) -> Option<Peer> {
    Peer::nginx(http, "location / { return 200 \"hi\\n\"; }\nlocation /gone { return 404; }")
}

fn in_front_of(nginx: &Peer, backend: Backend) -> Server {
    // Longer than nginx keeps them, so that it is nginx that closes.
    let options = ["--upstream", &nginx.url(), "--upstream-idle-timeout", "10m"];
    Program::new(backend).options(&options).with_admin().start()
}

fn asks(client: &mut Client) {
    client.send("GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n");
    client.relayed().status(200).body("hi\n");
}
