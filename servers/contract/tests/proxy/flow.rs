//! Much content: both ways at once, past readers that are slow, in flat memory.

use std::io::{Read, Write};
use std::thread;

use contract::wire::Framing;
use contract::{Backend, Client, Connection, Origin, Server, Upstream};

use crate::on_every_backend;

on_every_backend!(
    bodies_flow_both_ways_at_once,
    a_slow_client_slows_the_upstream,
    a_slow_upstream_slows_the_client,
    a_large_download_keeps_memory_flat,
    a_large_upload_keeps_memory_flat,
    chunks_of_every_size_pass,
);

/// What passes in the large transfers: in debug builds, it is the checks that take long.
const LARGE: usize = if cfg!(debug_assertions) { 64 << 20 } else { 256 << 20 };

/// What a server's peak may rise by meanwhile, in KiB.
const RISE: u64 = 8 * 1024;

/// More than all buffers of the kernel's hold on two connections, what nobody reads must have
/// stopped by.
const BOUND: usize = 64 << 20;

const PIECE: usize = 64 * 1024;

fn bodies_flow_both_ways_at_once(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send("POST /proxy/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut upstream = origin.accept();
    upstream.head().framed(Framing::Chunked);
    upstream.answer("Transfer-Encoding: chunked\r\n\r\n");
    let body: Vec<u8> = (0..=250).cycle().take(4 << 20).collect();
    let mut sender = client.stream().try_clone().unwrap();
    let back = thread::scope(|scope| {
        scope.spawn(|| {
            for piece in body.chunks(PIECE - 1) {
                sender.write_all(&chunk(piece)).unwrap();
            }
            sender.write_all(b"0\r\n\r\n").unwrap();
        });
        scope.spawn(move || {
            while let Some(piece) = upstream.chunk() {
                upstream.send(chunk(&piece));
            }
            upstream.send("0\r\n\r\n");
        });
        assert_eq!(client.head().status, 200, "{backend}");
        let mut back = Vec::new();
        while let Some(piece) = client.chunk() {
            back.extend(piece);
        }
        back
    });
    assert!(back == body, "{backend}: {} bytes of {} came back", back.len(), body.len());
    client.get("/healthz").status(200);
}

fn a_slow_client_slows_the_upstream(backend: Backend) {
    let (server, mut client, mut upstream) = download(backend, 1 << 30);
    let before = server.status_kib("VmHWM");
    let sent = upstream.send_until_it_stands_still(&[b'x'; PIECE / 8], BOUND);
    is_flat(&server, before, "a client that does not read");
    is_received(&mut client, sent);
}

fn a_slow_upstream_slows_the_client(backend: Backend) {
    let (server, mut client, mut upstream) = upload(backend, 1 << 30);
    let before = server.status_kib("VmHWM");
    let sent = client.send_until_it_stands_still(&[b'x'; PIECE / 8], BOUND);
    is_flat(&server, before, "an upstream that does not read");
    is_received(&mut upstream, sent);
}

fn a_large_download_keeps_memory_flat(backend: Backend) {
    let (server, mut client, upstream) = download(backend, LARGE);
    let sender = upstream.stream().try_clone().unwrap();
    let before = server.status_kib("VmHWM");
    thread::scope(|scope| {
        scope.spawn(|| pour(&sender));
        is_received(&mut client, LARGE);
    });
    is_flat(&server, before, "a large download");
    client.get("/healthz").status(200);
}

fn a_large_upload_keeps_memory_flat(backend: Backend) {
    let (server, mut client, mut upstream) = upload(backend, LARGE);
    let sender = client.stream().try_clone().unwrap();
    let before = server.status_kib("VmHWM");
    thread::scope(|scope| {
        scope.spawn(|| pour(&sender));
        is_received(&mut upstream, LARGE);
    });
    is_flat(&server, before, "a large upload");
    upstream.ok("hi");
    client.relayed().status(200).body("hi");
}

fn chunks_of_every_size_pass(backend: Backend) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send("GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n");
    let (mut upstream, _) = origin.accept_request();
    let sizes = [1, 2, 15, 16, 17, 255, 256, 4095, 4096, 4097, 8191, 16384, 65535, 65536, 70000];
    let body: Vec<Vec<u8>> = sizes.map(|size| (b'a'..=b'z').cycle().take(size).collect()).to_vec();
    thread::scope(|scope| {
        scope.spawn(|| {
            upstream.answer("Transfer-Encoding: chunked\r\n\r\n");
            for piece in &body {
                upstream.send(chunk(piece));
            }
            // The last chunk, byte by byte.
            for byte in b"0\r\n\r\n" {
                upstream.send([*byte]);
            }
        });
        client.relayed().status(200).chunked().body(body.concat());
    });
    client.get("/healthz").status(200);
}

/// A client that has the head of an answer of `length` bytes, none of which is sent yet. The server
/// has forwarded before, so that what it needs anyway is there.
fn download(backend: Backend, length: usize) -> (Server, Client, Upstream) {
    let (server, mut client, mut upstream) = warm(backend);
    client.send("GET /proxy/a HTTP/1.1\r\nHost: a\r\n\r\n");
    upstream.request();
    upstream.answer(&format!("Content-Length: {length}\r\n\r\n"));
    assert_eq!(client.head().status, 200, "{backend}");
    (server, client, upstream)
}

/// An upstream that has the head of a request of `length` bytes, none of which is sent yet.
fn upload(backend: Backend, length: usize) -> (Server, Client, Upstream) {
    let (server, mut client, mut upstream) = warm(backend);
    client.send(format!("POST /proxy/a HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"));
    upstream.head().framed(Framing::Length(length as u64));
    (server, client, upstream)
}

fn warm(backend: Backend) -> (Server, Client, Upstream) {
    let origin = Origin::new(backend);
    let server = origin.server(&[]);
    let mut client = server.connect();
    client.send("POST /proxy/a HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n");
    client.send(vec![b'x'; 65536]);
    let (mut upstream, _) = origin.accept_request();
    upstream.ok(&"x".repeat(65536));
    client.relayed().status(200);
    (server, client, upstream)
}

/// Sends all that was announced.
fn pour(mut sender: &std::net::TcpStream) {
    let piece = vec![b'x'; PIECE];
    for _ in 0..LARGE / PIECE {
        sender.write_all(&piece).unwrap();
    }
}

/// That many bytes must come, as they were sent.
fn is_received(connection: &mut Connection, length: usize) {
    let expected = vec![b'x'; PIECE];
    let mut piece = vec![0; PIECE];
    let mut received = 0;
    while received < length {
        let due = PIECE.min(length - received);
        match connection.read(&mut piece[..due]) {
            Ok(0) => connection.fail(&format!("it ended after {received} bytes of {length}")),
            Ok(read) if piece[..read] == expected[..read] => received += read,
            Ok(_) => connection.fail(&format!("changed within 64 KiB behind byte {received}")),
            Err(error) => connection.fail(&format!("after {received} bytes: {error}")),
        }
    }
}

fn is_flat(server: &Server, before: u64, what: &str) {
    let rise = server.status_kib("VmHWM").saturating_sub(before);
    assert!(rise <= RISE, "{}: {what} cost {rise} KiB of memory", server.backend());
}

fn chunk(piece: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()
}
