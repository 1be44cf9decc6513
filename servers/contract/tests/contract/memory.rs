//! Bodies far larger than what a server may keep of them.

use std::io::{ErrorKind, Write};
use std::thread;
use std::time::Duration;

use contract::{Backend, Client, Server, on_every_backend};

on_every_backend!(
    a_large_echo_keeps_memory_flat,
    a_slow_reader_slows_the_sender,
    a_pipeline_that_nobody_reads_is_read_no_further,
);

/// What a server's peak may rise by, in KiB, while megabytes pass through it.
const RISE: u64 = 16 * 1024;

const CHUNKS: usize = 1024;
const CHUNK: usize = 64 * 1024;

fn a_large_echo_keeps_memory_flat(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    client.get("/healthz").status(200);
    let before = server.status_kib("VmHWM");

    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut sender = client.stream().try_clone().unwrap();
    let sending = thread::spawn(move || {
        for number in 0..CHUNKS {
            let chunk = [format!("{CHUNK:x}\r\n").as_bytes(), &chunk(number), b"\r\n"].concat();
            sender.write_all(&chunk)?;
        }
        sender.write_all(b"0\r\n\r\n")
    });
    assert_eq!(client.head().status, 200);
    let mut pending = Vec::new();
    let mut whole = 0;
    while let Some(piece) = client.chunk() {
        pending.extend(piece);
        while pending.len() >= CHUNK {
            let rest = pending.split_off(CHUNK);
            assert!(pending == chunk(whole), "{backend}: chunk {whole} came back changed");
            (pending, whole) = (rest, whole + 1);
        }
    }
    assert_eq!((whole, pending.len()), (CHUNKS, 0), "{backend}: not all came back");
    sending.join().unwrap().unwrap();
    client.get("/healthz").status(200);

    let rise = server.status_kib("VmHWM") - before;
    assert!(rise < RISE, "{backend}: 64 MiB of echo took {rise} KiB of memory");
}

fn a_slow_reader_slows_the_sender(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    client.get("/healthz").status(200);
    let before = server.status_kib("VmHWM");

    let length: usize = 1 << 30;
    client.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"));
    let sent = send_until_it_stands_still(&client, &vec![b'x'; CHUNK]);
    let rise = server.status_kib("VmHWM") - before;
    assert!(rise < RISE, "{backend}: a client that does not read cost {rise} KiB of memory");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.content(sent.min(1 << 20)), vec![b'x'; sent.min(1 << 20)]);
}

fn a_pipeline_that_nobody_reads_is_read_no_further(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    client.get("/healthz").status(200);
    let before = server.status_kib("VmHWM");
    let request = "GET /bytes/10000 HTTP/1.1\r\nHost: a\r\n\r\n";
    send_until_it_stands_still(&client, request.repeat(1000).as_bytes());
    let rise = server.status_kib("VmHWM") - before;
    assert!(rise < RISE, "{backend}: a pipeline cost {rise} KiB of memory");
    for _ in 0..1000 {
        client.answer().status(200).field("content-length", "10000");
    }
}

/// Sends without reading: the sockets' buffers fill, and then, if the server holds no more than it
/// should, nothing goes any further. Returns how much went.
fn send_until_it_stands_still(client: &Client, piece: &[u8]) -> usize {
    let mut sender = client.stream();
    let patience = sender.write_timeout().unwrap();
    sender.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut sent = 0;
    let stopped = loop {
        match sender.write(piece) {
            Ok(written) => sent += written,
            Err(error) => break error,
        }
        if sent >= 256 << 20 {
            client.fail("took 256 MiB from a client that reads nothing");
        }
    };
    assert_eq!(stopped.kind(), ErrorKind::WouldBlock, "{}: {stopped}", client.backend());
    sender.set_write_timeout(patience).unwrap();
    sent
}

/// The `number`th chunk: each differs from its neighbours.
fn chunk(number: usize) -> Vec<u8> {
    (0..=250).cycle().skip(number % 251).take(CHUNK).collect()
}
