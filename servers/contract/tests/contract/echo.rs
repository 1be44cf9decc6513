//! `/echo`: a body back as it arrives, framed as it came.

use contract::{Backend, Server, on_every_backend};

on_every_backend!(
    length_in_length_out,
    chunked_in_chunked_out,
    chunks_may_be_written_in_any_way_that_is_allowed,
    trailers_are_dropped,
    the_type_comes_back,
    any_method_is_echoed,
    a_length_comes_back_as_it_arrives,
    chunks_come_back_as_they_arrive,
    the_head_waits_for_the_first_content,
    a_failure_after_the_head_is_no_false_end,
    a_client_that_leaves_amid_a_body_ends_only_itself,
);

const CHUNKED: &str = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

fn length_in_length_out(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for length in [0, 1, 4096, 65_537, 1_000_000] {
        let body: Vec<u8> = (0..=250).cycle().take(length).collect();
        let answer = client.post("/echo", &body);
        answer.status(200).field("content-length", &length.to_string()).body(&body);
    }
    client.get("/echo").status(200).by_length().body("");
}

fn chunked_in_chunked_out(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    client.send(CHUNKED).send("5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n");
    client.answer().status(200).chunked().body("hello world");
    client.send(CHUNKED).send("0\r\n\r\n").answer().status(200).chunked().body("");
    let (size, large) = (0x2_0000, vec![b'x'; 0x2_0000]);
    client.send(CHUNKED).send(format!("{size:X}\r\n")).send(&large).send("\r\n0\r\n\r\n");
    client.answer().status(200).chunked().body(&large);
}

fn chunks_may_be_written_in_any_way_that_is_allowed(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    let bodies = [
        "a\r\n0123456789\r\n0\r\n\r\n",
        "A\r\n0123456789\r\n00\r\n\r\n",
        "0000000A\r\n0123456789\r\n0000\r\n\r\n",
        "a;name\r\n0123456789\r\n0;last=1\r\n\r\n",
        "a;name=value;other=\"quoted; \\\" text\"\r\n0123456789\r\n0\r\n\r\n",
    ];
    for body in bodies {
        client.send(CHUNKED).send(body).answer().status(200).body("0123456789");
    }
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ChunkeD\r\n\r\n");
    client.send("3\r\nabc\r\n0\r\n\r\n").answer().status(200).chunked().body("abc");
}

fn trailers_are_dropped(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    let body = "3\r\nabc\r\n0\r\nContent-Length: 5\r\nX-Checksum: 1\r\nConnection: close\r\n\r\n";
    client.send(CHUNKED).send(body).answer().status(200).chunked().body("abc").stays_open();
    client.get("/healthz").status(200);
}

fn the_type_comes_back(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for media_type in ["text/plain; charset=utf-8", "application/x-five"] {
        let request = format!(
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: {media_type}\r\nContent-Length: 2\r\n\r\nhi"
        );
        client.send(request).answer().status(200).field("content-type", media_type).body("hi");
    }
    client.post("/echo", "hi").no_field("content-type");
}

fn any_method_is_echoed(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
        let request = format!("{method} /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
        client.send(request).answer().status(200).body("abc");
    }
    client.send("HEAD /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    client.answer_to("HEAD").status(200).body("");
    client.get("/healthz").status(200);
}

fn a_length_comes_back_as_it_arrives(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfirst");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.content(5), b"first");
    client.send("other");
    assert_eq!(client.content(5), b"other");
    client.get("/healthz").status(200);
}

fn chunks_come_back_as_they_arrive(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    client.send(CHUNKED).send("5\r\nfirst\r\n");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.chunk().as_deref(), Some(&b"first"[..]));
    client.send("6\r\nsecond\r\n");
    assert_eq!(client.chunk().as_deref(), Some(&b"second"[..]));
    client.send("0\r\n\r\n");
    assert_eq!(client.chunk(), None);
    client.get("/healthz").status(200);
}

fn the_head_waits_for_the_first_content(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    // If the head had left already, the failure could no longer be told.
    client.send(CHUNKED).send("not a size\r\n");
    client.last_answer().status(400);
}

fn a_failure_after_the_head_is_no_false_end(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    client.send(CHUNKED).send("5\r\nfirst\r\n");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.chunk().as_deref(), Some(&b"first"[..]));
    client.send("not a size\r\n");
    if let Ok(chunk) = client.try_chunk() {
        client.fail(&format!("the connection was to break off, but there is {chunk:?}"));
    }
    let mut client = server.connect();
    client.send(CHUNKED).send("5\r\nfirst\r\n");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.chunk().as_deref(), Some(&b"first"[..]));
    client.half_close();
    if let Ok(chunk) = client.try_chunk() {
        client.fail(&format!("half a request was answered in full by {chunk:?}"));
    }
}

fn a_client_that_leaves_amid_a_body_ends_only_itself(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut steady = server.connect();
    steady.get("/healthz").status(200);
    for _ in 0..20 {
        let mut client = server.connect();
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome");
        assert_eq!(client.head().status, 200);
    }
    steady.get("/healthz").status(200);
    server.connect().get("/healthz").status(200);
}
