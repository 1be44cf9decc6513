//! Connections that stay, pipelines, and connections that don't stay.

use contract::{Backend, Server, exceptions, on_every_backend};

on_every_backend!(
    a_connection_serves_many_requests,
    fifty_pipelined_requests_are_answered_in_order,
    pipelined_bodies_are_told_apart,
    a_slow_answer_holds_its_place_in_a_pipeline,
    an_unread_body_does_not_become_the_next_request,
    close_is_honoured_however_it_is_written,
    nothing_is_answered_after_close,
    http_1_0_closes,
    http_1_0_may_keep_alive,
    http_1_2_is_read_as_1_1,
    an_empty_line_before_a_request_is_overlooked,
    a_half_closed_client_gets_its_answer,
    half_a_request_is_not_answered_in_full,
);

fn a_connection_serves_many_requests(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for n in 0..200 {
        client.post("/echo", n.to_string()).status(200).stays_open().body(n.to_string());
    }
}

fn fifty_pipelined_requests_are_answered_in_order(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    let requests: Vec<_> =
        (200..250).map(|n| format!("GET /anything/{n} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    client.send(requests.concat());
    for n in 200..250 {
        assert_eq!(client.answer().status(200).json()["path"], format!("/anything/{n}"));
    }
    client.get("/healthz").status(200);
}

fn pipelined_bodies_are_told_apart(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    let host = "HTTP/1.1\r\nHost: a\r\n";
    let requests: Vec<_> = (1..=50)
        .map(|n| match n % 3 {
            0 => format!("GET /bytes/{n} {host}\r\n"),
            1 => format!("POST /echo {host}Content-Length: {n}\r\n\r\n{}", "G".repeat(n)),
            _ => format!(
                "POST /echo {host}Transfer-Encoding: chunked\r\n\r\n{n:x}\r\n{}\r\n0\r\n\r\n",
                "H".repeat(n)
            ),
        })
        .collect();
    client.send(requests.concat());
    for n in 1..=50 {
        let answer = client.answer();
        match n % 3 {
            0 => answer.field("content-length", &n.to_string()),
            1 => answer.by_length().body("G".repeat(n)),
            _ => answer.chunked().body("H".repeat(n)),
        };
    }
}

fn a_slow_answer_holds_its_place_in_a_pipeline(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    let targets =
        ["/delay/100ms", "/bytes/1", "/stream/2?interval=20ms", "/block/20ms", "/status/404"];
    for target in targets {
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    assert_eq!(client.answer().json()["path"], "/delay/100ms");
    client.answer().field("content-length", "1");
    client.answer().chunked();
    assert_eq!(client.answer().json()["path"], "/block/20ms");
    client.answer().status(404);
}

fn an_unread_body_does_not_become_the_next_request(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    let smuggled = "GET /status/418 HTTP/1.1\r\nHost: a\r\n\r\n";
    client.post("/nowhere", smuggled).status(404);
    client.post("/status/404", smuggled).status(404);
    client.post("/bytes/1", smuggled).status(405);
    client.get("/healthz").status(200);
}

fn close_is_honoured_however_it_is_written(backend: Backend) {
    let server = Server::start(backend, &[]);
    for options in ["close", "Close", "foo, close", "keep-alive, close", "close\r\nConnection: foo"]
    {
        for target in ["/bytes/5", "/status/204", "/nowhere", "/echo", "/stream/2?interval=1ms"] {
            let mut client = server.connect();
            client
                .send(format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: {options}\r\n\r\n"));
            client.last_answer();
        }
    }
}

fn nothing_is_answered_after_close(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    let first = "GET /bytes/5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let second = "GET /status/418 HTTP/1.1\r\nHost: a\r\n\r\n";
    client.send([first, second].concat());
    client.last_answer().status(200);
}

fn http_1_0_closes(backend: Backend) {
    let server = Server::start(backend, &[]);
    for target in ["/bytes/5", "/anything", "/nowhere", "/status/204", "/delay/1ms"] {
        let mut client = server.connect();
        // No Host either: 1.0 does not ask for one.
        let answer = client.send(format!("GET {target} HTTP/1.0\r\n\r\n")).answer();
        answer.no_field("transfer-encoding");
        assert_version(backend, &answer);
        client.closes();
    }
    let mut client = server.connect();
    client.send("POST /echo HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello");
    client.answer().status(200).body("hello");
    client.closes();
}

fn http_1_0_may_keep_alive(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for _ in 0..3 {
        client.send("GET /bytes/5 HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
        let answer = client.answer();
        answer.status(200).by_length();
        let connection = answer.value("connection").to_ascii_lowercase();
        assert_eq!(connection, "keep-alive", "1.0 must be told that the connection stays");
        assert_version(backend, &answer);
    }
    client.send("GET /bytes/5 HTTP/1.0\r\n\r\n").answer().status(200);
    client.closes();
}

fn http_1_2_is_read_as_1_1(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    let request = "POST /echo HTTP/1.2\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    if exceptions::LATER_MINOR_VERSION.excuses(backend) {
        assert_eq!(client.send(request).head().status, 400);
        return;
    }
    client.send(request).answer().status(200).stays_open().body("hi");
    client.get("/healthz").status(200);
}

fn an_empty_line_before_a_request_is_overlooked(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for _ in 0..2 {
        client.send("\r\nGET /bytes/5 HTTP/1.1\r\nHost: a\r\n\r\n").answer().status(200);
    }
}

fn a_half_closed_client_gets_its_answer(backend: Backend) {
    let server = Server::start(backend, &[]);
    for target in
        ["/bytes/100000", "/anything", "/nowhere", "/delay/100ms", "/stream/3?interval=20ms"]
    {
        let mut client = server.connect();
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).half_close();
        client.answer();
        client.closes();
    }
    let mut client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    client.send("GET /delay/50ms HTTP/1.1\r\nHost: a\r\n\r\n");
    client.send("GET /bytes/7 HTTP/1.1\r\nHost: a\r\n\r\n").half_close();
    client.answer().body("hello");
    client.answer().status(200);
    client.answer().field("content-length", "7");
    client.closes();
}

fn half_a_request_is_not_answered_in_full(backend: Backend) {
    let server = Server::start(backend, &[]);
    let halves = [
        "GET /bytes/5 HTT",
        "GET /bytes/5 HTTP/1.1\r\nHost: a\r\n",
        "POST /anything HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello",
        "POST /anything HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ];
    for half in halves {
        let mut client = server.connect();
        client.send(half).half_close();
        // A 400 would be as good as silence.
        if client.says_more() {
            client.last_answer().status(400);
        }
    }
}

fn assert_version(backend: Backend, answer: &contract::Answer) {
    let excused = exceptions::ANSWERS_1_0_AS_1_0.excuses(backend);
    let version = answer.head.version.as_str();
    assert!(version == "HTTP/1.1" || excused && version == "HTTP/1.0", "{backend}: {version}");
}
