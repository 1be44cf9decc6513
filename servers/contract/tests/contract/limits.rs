//! Heads and bodies that are too much.

use contract::{Backend, Client, Server, exceptions, on_every_backend};

on_every_backend!(
    a_head_too_large_is_refused,
    a_request_line_too_long_is_refused,
    the_bound_on_heads_can_be_set,
    too_many_fields_are_refused,
    a_body_too_large_to_be_read_is_refused,
    the_bound_on_bodies_can_be_set,
    a_bound_that_is_given_holds_for_echo_too,
    trailers_are_bounded,
    chunk_extensions_are_bounded,
);

fn a_head_too_large_is_refused(backend: Backend) {
    let server = Server::start(backend, &[]);
    server.connect().send(head_with_field(15_000)).answer().status(200);
    let mut client = server.connect();
    client.send(head_with_field(17_000));
    client.refusal().status(431);
}

fn a_request_line_too_long_is_refused(backend: Backend) {
    let server = Server::start(backend, &[]);
    let line = |length| format!("GET /echo?{} HTTP/1.1\r\n", "q".repeat(length));
    server.connect().send(line(15_000)).send("Host: a\r\n\r\n").answer().status(200);
    let mut client = server.connect();
    client.send(line(17_000)).send("Host: a\r\n\r\n");
    let excused = exceptions::LONG_REQUEST_LINE.excuses(backend);
    client.refusal().status(if excused { 431 } else { 414 });
}

fn the_bound_on_heads_can_be_set(backend: Backend) {
    let server = Server::start(backend, &["--max-head-bytes", "8192"]);
    server.connect().send(head_with_field(8000)).answer().status(200);
    let mut client = server.connect();
    client.send(head_with_field(8400));
    client.refusal().status(431);
}

fn too_many_fields_are_refused(backend: Backend) {
    let server = Server::start(backend, &[]);
    server.connect().send(head_with_fields(100)).answer().status(200);
    let mut client = server.connect();
    client.send(head_with_fields(101));
    client.refusal().status(431);
    let server = Server::start(backend, &["--max-headers", "10"]);
    server.connect().send(head_with_fields(10)).answer().status(200);
    let mut client = server.connect();
    client.send(head_with_fields(11));
    client.refusal().status(431);
}

fn a_body_too_large_to_be_read_is_refused(backend: Backend) {
    let server = Server::start(backend, &[]);
    let too_large = 64 * 1024 * 1024 + 1;
    for target in ["/anything", "/delay/1ms"] {
        let mut client = server.connect();
        client.send(post(target, too_large));
        client.last_answer().status(413);
    }
}

fn the_bound_on_bodies_can_be_set(backend: Backend) {
    let server = Server::start(backend, &["--max-body-bytes", "1000"]);
    server.connect().post("/anything", [b'x'; 1000]).status(200);
    let mut client = server.connect();
    client.send(post("/anything", 1001)).send([b'x'; 1001]);
    client.last_answer().status(413);
    let mut client = server.connect();
    send_chunks(&mut client, "/anything", 1000);
    client.answer().status(200).stays_open();
    send_chunks(&mut client, "/anything", 1001);
    client.last_answer().status(413);
}

fn a_bound_that_is_given_holds_for_echo_too(backend: Backend) {
    let server = Server::start(backend, &["--max-body-bytes", "1000"]);
    server.connect().post("/echo", [b'x'; 1000]).status(200);
    let mut client = server.connect();
    client.send(post("/echo", 1001)).send([b'x'; 1001]);
    client.last_answer().status(413);

    // Here the head is out before the bound is passed, and the end must not look like one.
    let mut client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.chunk().as_deref(), Some(&b"abc"[..]));
    client.send(format!("400\r\n{}\r\n0\r\n\r\n", "x".repeat(1024)));
    loop {
        match client.try_chunk() {
            Ok(Some(_)) => {}
            Ok(None) => client.fail("a body over the bound ended as if it were whole"),
            Err(_) => break,
        }
    }
}

fn trailers_are_bounded(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    client.send("POST /anything HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    let trailer = format!("T: {}\r\n", "t".repeat(1000));
    for _ in 0..100 {
        // Whoever has seen enough may close at any time.
        if client.try_send(&trailer).is_err() {
            break;
        }
    }
    let status = client.refusal().head.status;
    assert!([400, 431].contains(&status), "{backend}: {status}");
}

fn chunk_extensions_are_bounded(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    client.send("POST /anything HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;");
    for _ in 0..100 {
        if client.try_send("x".repeat(1000)).is_err() {
            break;
        }
    }
    client.refusal().status(400);
}

/// A request with one field as long as that, and little else.
fn head_with_field(length: usize) -> String {
    format!("GET /echo HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(length))
}

/// A request with that many fields, `Host` among them.
fn head_with_fields(count: usize) -> String {
    let fields: Vec<_> = (1..count).map(|n| format!("X-{n}: y\r\n")).collect();
    format!("GET /echo HTTP/1.1\r\nHost: a\r\n{}\r\n", fields.concat())
}

fn post(target: &str, length: usize) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
}

/// Sends a body of that many bytes in chunks of at most 100.
fn send_chunks(client: &mut Client, target: &str, length: usize) {
    client.send(format!("POST {target} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
    let body = vec![b'x'; length];
    let mut bytes = Vec::new();
    for chunk in body.chunks(100) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).bytes().chain(chunk.iter().copied()));
        bytes.extend(b"\r\n");
    }
    client.send(bytes).send("0\r\n\r\n");
}
