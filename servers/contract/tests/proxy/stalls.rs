//! Either side stops, or has no end.

use std::io::{ErrorKind, Write};
use std::thread;

use contract::wire::{Fault, Framing};
use contract::{Backend, Origin, PATIENCE};

use crate::on_every_backend;

on_every_backend!(
    a_client_that_takes_no_answer_is_given_up,
    an_upstream_that_takes_no_request_is_given_up,
    each_side_has_its_own_time_out,
    tiny_chunks_pass_both_ways,
    a_target_of_8000_bytes_passes,
    trailers_without_end_are_no_end,
    an_extension_without_end_is_no_end,
);

const GET: &str = "GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n";
const OPEN: &str = "http_server_connections_open";

/// More than all buffers of the kernel's hold on two connections.
const MUCH: u64 = 1 << 30;

const TINY_CHUNKS: usize = 100_000;

fn a_client_that_takes_no_answer_is_given_up(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&["--write-timeout", "500ms", "--upstream-timeout", "60s"]);
    let mut client = server.connect();
    client.send(GET);
    let (mut upstream, _) = origin.accept_request();
    upstream.answer(&format!("Content-Length: {MUCH}\r\n\r\n"));
    assert_eq!(client.head().status, 200, "{backend}");
    let piece = vec![b'x'; 1 << 16];
    while upstream.try_send(&piece).is_ok() {}
    server.reaches(OPEN, 0);
    server.reaches("http_upstream_connections_open", 0);
    server.reaches("http_upstream_clients_gone_total", 1);
}

fn an_upstream_that_takes_no_request_is_given_up(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&["--upstream-timeout", "500ms"]);
    let mut client = server.connect();
    client.send(format!("POST /proxy/a HTTP/1.1\r\nHost: a\r\nContent-Length: {MUCH}\r\n\r\n"));
    let mut upstream = origin.accept();
    upstream.head();
    let piece = vec![b'x'; 1 << 16];
    while !client.has_news() && client.try_send(&piece).is_ok() {}
    client.last_answer().status(504);
    upstream.breaks_off(Framing::Length(MUCH));
    server.reaches("http_upstream_connections_open", 0);
}

/// They begin at once, and end in the order of their time-outs.
fn each_side_has_its_own_time_out(backend: Backend) {
    let origin = Origin::new(backend);
    let (content, answer) = (["--body-timeout", "1s"], ["--upstream-timeout", "5s"]);
    let server = origin.server(&[&content[..], &["--write-timeout", "2500ms"], &answer].concat());
    let mut waits = server.connect();
    waits.send(GET);
    let (_answers_nothing, _) = origin.accept_request();
    let mut reads_nothing = server.connect();
    reads_nothing.send(GET);
    let (mut pours, _) = origin.accept_request();
    pours.answer(&format!("Content-Length: {MUCH}\r\n\r\n"));
    let mut sender = pours.stream().try_clone().unwrap();
    let piece = vec![b'x'; 1 << 16];
    let pouring = thread::spawn(move || while sender.write_all(&piece).is_ok() {});
    assert_eq!(reads_nothing.head().status, 200, "{backend}");
    let mut sends_nothing = server.connect();
    sends_nothing.send("POST /proxy/a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
    sends_nothing.last_answer().status(408);
    drop(sends_nothing);
    assert!(!pouring.is_finished(), "{backend}: who does not read was given up before the first");
    pouring.join().unwrap();
    assert!(!waits.has_news(), "{backend}: who does not read was given up after the last");
    waits.answer().status(504);
}

fn tiny_chunks_pass_both_ways(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.stream().set_read_timeout(Some(PATIENCE * 6)).unwrap();
    let body: Vec<u8> = (b'a'..=b'z').cycle().take(TINY_CHUNKS).collect();
    let chunks: Vec<u8> =
        body.iter().flat_map(|byte| [b'1', b'\r', b'\n', *byte, b'\r', b'\n']).collect();
    let mut sender = client.stream().try_clone().unwrap();
    let back = thread::scope(|scope| {
        scope.spawn(|| {
            let head = "POST /proxy/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
            sender.write_all(&[head.as_bytes(), &chunks, b"0\r\n\r\n"].concat()).unwrap();
        });
        scope.spawn(|| {
            let mut upstream = origin.accept();
            upstream.stream().set_read_timeout(Some(PATIENCE * 6)).unwrap();
            upstream.request().body(&body);
            upstream.answer("Transfer-Encoding: chunked\r\n\r\n");
            upstream.send(&chunks).send("0\r\n\r\n");
        });
        client.relayed().status(200).chunked().body.len()
    });
    assert_eq!(back, TINY_CHUNKS, "{backend}");
    client.get("/healthz").status(200);
}

fn a_target_of_8000_bytes_passes(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    let target = format!("/{}", "p".repeat(7999));
    client.send(format!("GET /proxy{target} HTTP/1.1\r\nHost: a\r\n\r\n"));
    let (mut upstream, request) = origin.accept_request();
    request.asks(&format!("GET {target}"));
    upstream.ok("hi");
    client.relayed().status(200).body("hi");
}

fn trailers_without_end_are_no_end(backend: Backend) {
    has_no_end(backend, "5\r\nhello\r\n0\r\n", "T: u\r\n");
}

fn an_extension_without_end_is_no_end(backend: Backend) {
    has_no_end(backend, "5\r\nhello\r\n5;a=", "b");
}

/// What the upstream sends goes on like that until it is given up; the client must not take what it
/// has for the whole.
fn has_no_end(backend: Backend, begin: &str, rest: &str) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send(GET);
    let (mut upstream, _) = origin.accept_request();
    upstream.answer(&format!("Transfer-Encoding: chunked\r\n\r\n{begin}"));
    assert_eq!(client.head().status, 200, "{backend}");
    assert_eq!(client.chunk().as_deref(), Some(&b"hello"[..]), "{backend}");
    let piece = rest.repeat((16 << 10) / rest.len());
    let refused = loop {
        if let Err(error) = upstream.try_send(&piece) {
            break error.kind();
        }
    };
    assert_ne!(refused, ErrorKind::WouldBlock, "{backend}: it is not read, and not given up");
    match client.try_chunk() {
        Err(Fault::Ended(_) | Fault::Failed(..)) => {}
        other => panic!("{backend}: the body was to break off: {other:?}"),
    }
}
