//! `Expect: 100-continue`: an invitation to send the body, and no false one.

use contract::{Backend, Server, on_every_backend};

on_every_backend!(
    a_body_that_is_wanted_is_invited,
    a_body_that_is_not_wanted_is_not_invited,
    a_body_too_large_is_not_invited,
    a_body_that_comes_uninvited_is_read,
    no_body_needs_no_invitation,
    http_1_0_is_never_invited,
    an_invited_chunked_body_is_read,
);

fn a_body_that_is_wanted_is_invited(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for target in ["/echo", "/anything", "/delay/1ms"] {
        for expectation in ["100-continue", "100-Continue"] {
            client.send(expecting("POST", target, "1.1", expectation)).interim(100);
            client.send("hello").answer().status(200).stays_open();
        }
    }
}

fn a_body_that_is_not_wanted_is_not_invited(backend: Backend) {
    let server = Server::start(backend, &[]);
    let cases = [
        ("POST", "/nowhere", 404),
        ("POST", "/status/403", 403),
        ("POST", "/bytes/5", 405),
        ("GET", "/bytes/5", 200),
        ("POST", "/delay/61s", 400),
    ];
    for (method, target, status) in cases {
        let mut client = server.connect();
        client.send(expecting(method, target, "1.1", "100-continue"));
        // Whether the body will come is not known now, so the connection can't be used again.
        client.last_answer().status(status);
    }
}

fn a_body_too_large_is_not_invited(backend: Backend) {
    let server = Server::start(backend, &["--max-body-bytes", "4"]);
    for target in ["/echo", "/anything"] {
        let mut client = server.connect();
        client.send(expecting("POST", target, "1.1", "100-continue"));
        client.last_answer().status(413);
    }
}

fn a_body_that_comes_uninvited_is_read(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    client.send([&expecting("POST", "/echo", "1.1", "100-continue"), "hello"].concat());
    let mut head = client.head();
    if head.status == 100 {
        head = client.head();
    }
    assert_eq!((head.status, client.content(5)), (200, b"hello".to_vec()));
    client.get("/healthz").status(200);
}

fn no_body_needs_no_invitation(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for framing in ["", "Content-Length: 0\r\n"] {
        let head = "POST /anything HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n";
        client.send(format!("{head}{framing}\r\n")).answer().status(200);
    }
}

fn http_1_0_is_never_invited(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    client.send(expecting("POST", "/echo", "1.0", "100-continue"));
    client.send("hello").answer().status(200).body("hello");
}

fn an_invited_chunked_body_is_read(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    client.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    client.interim(100).send("5\r\nhello\r\n0\r\n\r\n");
    client.answer().status(200).chunked().body("hello");
}

/// The head of a request with five bytes of body to come.
fn expecting(method: &str, target: &str, version: &str, expectation: &str) -> String {
    format!(
        "{method} {target} HTTP/{version}\r\nHost: a\r\nExpect: {expectation}\r\nContent-Length: 5\r\n\r\n"
    )
}
