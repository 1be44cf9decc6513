//! Each backend in front of each other: whatever goes through two proxies comes back the same.

use std::panic::{AssertUnwindSafe, catch_unwind};

use contract::{Answer, Backend, Client, Program, Server};

use crate::on_every_backend;

on_every_backend!(two_proxies_change_nothing);

/// Requests as they go into the first proxy and the service itself alike.
const REQUESTS: &[&str] = &[
    "GET /bytes/100000 HTTP/1.1\r\nHost: a\r\n\r\n",
    "HEAD /bytes/12345 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /status/204 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /status/304 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /stream/5?interval=1ms&size=100 HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: x/y\r\nContent-Length: 5\r\n\r\nhello",
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
     2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Checksum: 1\r\n\r\n",
    "POST /bytes/5 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "GET /bytes/5 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
];

fn two_proxies_change_nothing(front: Backend) {
    let service = Server::start(Backend::Threads, &[]);
    let failed: Vec<_> = Backend::ALL
        .iter()
        .filter(|behind| {
            let pair = || goes_through(front, **behind, &service);
            catch_unwind(AssertUnwindSafe(pair)).is_err()
        })
        .map(ToString::to_string)
        .collect();
    assert!(failed.is_empty(), "{front} does not go with these behind it: {failed:?}");
}

fn goes_through(front: Backend, behind: Backend, service: &Server) {
    let second = proxy(behind, service);
    let first = proxy(front, &second);
    let (mut chain, mut direct) = (first.connect(), service.connect());
    for request in REQUESTS {
        let expected = ask(&mut direct, request);
        let actual = ask(&mut chain, request);
        let via = actual.head.values("via").join(", ");
        assert_eq!(via, "1.1 five-ways, 1.1 five-ways", "{front} → {behind}: {request:?}");
        assert_eq!(essence(&actual), essence(&expected), "{front} → {behind}: {request:?}");
    }
    // All of them over one connection at each place.
    for server in [&first, &second] {
        let connects = server.metric("http_upstream_connects_total");
        assert_eq!(connects, 1, "{front} → {behind}: {} connected anew", server.backend());
    }
}

fn proxy(backend: Backend, upstream: &Server) -> Server {
    let url = format!("http://{}", upstream.address());
    let options = ["--mode", "proxy", "--upstream", &url, "--upstream-idle-timeout", "10m"];
    Program::new(backend).options(&options).with_admin().start()
}

fn ask(client: &mut Client, request: &str) -> Answer {
    let method = request.split(' ').next().unwrap();
    client.send(request).answer_of(method)
}

/// Status, framing, fields and body, without what may differ.
fn essence(answer: &Answer) -> (u16, String, Vec<(String, String)>, String) {
    let mut fields = answer.head.fields.clone();
    fields.retain(|(name, _)| !["via", "date"].contains(&name.as_str()));
    fields.sort();
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    (answer.head.status, format!("{:?}", answer.framing), fields, body)
}
