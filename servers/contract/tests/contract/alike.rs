//! Whatever its model, a backend says the same as `threads`, but for `Server` and `Date`.

use contract::{Answer, Backend, Server, exceptions, on_every_backend};

on_every_backend!(answers_are_alike, refusals_are_alike);

fn answers_are_alike(backend: Backend) {
    let requests = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: x/y\r\nContent-Length: 2\r\n\r\nhi",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "GET /bytes/70000 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /bytes/x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /stream/3?interval=1ms HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /status/204 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /status/205 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /status/304 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /status/599 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /delay/61s HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /proxy/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /bytes/5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ];
    compare(backend, &requests);
}

fn refusals_are_alike(backend: Backend) {
    if exceptions::UNSIGNED_REFUSAL.excuses(backend) {
        return;
    }
    let requests = [
        "GET /echo HTTP/1.1\r\n\r\n",
        "GET /echo HTTP/2.0\r\nHost: a\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n",
        "POST /anything HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "POST /anything HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
    ];
    compare(backend, &requests);
}

fn compare(backend: Backend, requests: &[&str]) {
    let (model, server) = (Server::start(Backend::Threads, &[]), Server::start(backend, &[]));
    for request in requests {
        let expected = model.connect().send(request).answer();
        let actual = server.connect().send(request).answer();
        assert_eq!(essence(&actual), essence(&expected), "{backend}, asked {request:?}");
    }
}

/// Status, fields and body, without what may differ.
fn essence(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    let server = answer.value("server").trim_start_matches("five-ways/");
    let named = format!("'{server}'");
    let mut fields = answer.head.fields.clone();
    fields.retain(|(name, _)| !["server", "date"].contains(&name.as_str()));
    if body.contains(&named) {
        // Its length goes with the name.
        fields.retain(|(name, _)| name != "content-length");
    }
    fields.sort();
    (answer.head.status, fields, body.replace(&named, "'x'"))
}
