//! Bodies far larger than what a server may keep of them.

use std::io::Write;
use std::thread;

use contract::{Backend, Server, on_every_backend};

on_every_backend!(
    a_large_echo_keeps_memory_flat,
    a_slow_reader_slows_the_sender,
    a_pipeline_that_nobody_reads_is_read_no_further,
);

/// What a server's peak may rise by, in KiB, while megabytes pass through it.
const RISE: u64 = 16 * 1024;

/// More than all buffers of the kernel's hold, what nobody reads must have stopped by.
const BOUND: usize = 256 << 20;

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
    let sent = client.send_until_it_stands_still(&vec![b'x'; CHUNK], BOUND);
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
    client.send_until_it_stands_still(request.repeat(1000).as_bytes(), BOUND);
    let rise = server.status_kib("VmHWM") - before;
    assert!(rise < RISE, "{backend}: a pipeline cost {rise} KiB of memory");
    for _ in 0..1000 {
        client.answer().status(200).field("content-length", "10000");
    }
}

/// The `number`th chunk: each differs from its neighbours.
fn chunk(number: usize) -> Vec<u8> {
    (0..=250).cycle().skip(number % 251).take(CHUNK).collect()
}
