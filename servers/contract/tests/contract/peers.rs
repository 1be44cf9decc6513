//! Gateways that nobody here has written, in front of each backend.

use std::thread;

use contract::{Answer, Backend, Client, Peer, Server, on_every_backend};

on_every_backend!(
    nginx_gets_what_it_asks_for,
    nginx_reuses_its_connections,
    haproxy_gets_what_it_asks_for,
    haproxy_reuses_its_connections,
);

/// Clients at once, and how often each asks.
const CLIENTS: usize = 8;
const TIMES: usize = 25;

fn nginx_gets_what_it_asks_for(backend: Backend) {
    let server = Server::start(backend, &[]);
    let Some(nginx) = nginx(&server) else { return };
    changes_nothing(&server, || nginx.connect(backend));
}

fn nginx_reuses_its_connections(backend: Backend) {
    let server = Server::start(backend, &[]);
    let Some(nginx) = nginx(&server) else { return };
    many_ask(&server, || nginx.connect(backend));
}

fn haproxy_gets_what_it_asks_for(backend: Backend) {
    let server = Server::start(backend, &[]);
    let Some(haproxy) = Peer::haproxy(server.address()) else { return };
    changes_nothing(&server, || haproxy.connect(backend));
}

fn haproxy_reuses_its_connections(backend: Backend) {
    let server = Server::start(backend, &[]);
    let Some(haproxy) = Peer::haproxy(server.address()) else { return };
    many_ask(&server, || haproxy.connect(backend));
}

fn nginx(server: &Server) -> Option<Peer> {
    let upstream = format!("upstream five {{ server {}; keepalive 16; }}", server.address());
    let location = "location / {\nproxy_pass http://five;\nproxy_http_version 1.1;\n\
                    proxy_set_header Connection \"\";\nproxy_buffering off;\n\
                    proxy_request_buffering off;\nclient_max_body_size 0;\n}";
    Peer::nginx(&upstream, location)
}

/// Each of these must be answered through the gateway as it is without.
fn changes_nothing(server: &Server, gateway: impl Fn() -> Client) {
    let chunks = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                  5\r\nhello\r\n0\r\n\r\n";
    let large = "hello".repeat(200_000);
    let length = large.len();
    let requests = [
        "GET /bytes/1000000 HTTP/1.1\r\nHost: a\r\n\r\n",
        "HEAD /bytes/12345 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /status/204 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /status/304 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /stream/5?interval=1ms&size=100 HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: x/y\r\nContent-Length: 5\r\n\r\nhello",
        chunks,
        &format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{large}"),
        "PUT /delay/5ms HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
        "GET /bytes/5 HTTP/1.0\r\n\r\n",
    ];
    for request in requests {
        let expected = ask(&mut server.connect(), request);
        let actual = ask(&mut gateway(), request);
        let line = request.lines().next().unwrap_or_default();
        let what = || format!("{}: {line}", server.backend());
        assert_eq!(actual.head.status, expected.head.status, "{}", what());
        let is_report = request.starts_with("PUT");
        assert!(is_report || actual.body == expected.body, "{}: another body", what());
        let media_type = |answer: &Answer| answer.head.values("content-type").concat();
        assert_eq!(media_type(&actual), media_type(&expected), "{}", what());
    }
}

/// Many clients at once, over connections that the gateway keeps.
fn many_ask(server: &Server, gateway: impl Fn() -> Client + Sync) {
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let gateway = &gateway;
            scope.spawn(move || {
                let mut client = gateway();
                for time in 0..TIMES {
                    let body = format!("{number}, {time}");
                    let request = format!(
                        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    ask(&mut client, &request).status(200).body(&body);
                }
            });
        }
    });
    let metrics = server.connect().get("/metrics");
    let name = "http_server_connections_accepted_total";
    let accepted = contract::sample(metrics.text(), name, &[]);
    let requests = (CLIENTS * TIMES) as u64;
    assert!(
        accepted.is_some_and(|accepted| accepted < requests / 4),
        "{}: {accepted:?} connections for {requests} requests",
        server.backend()
    );
}

fn ask(client: &mut Client, request: &str) -> Answer {
    let method = request.split(' ').next().unwrap_or_default();
    client.send(request).answer_of(method)
}
