//! Clients that stop, each where another time-out is to end the wait.

use std::io::{ErrorKind, Read};
use std::thread;
use std::time::{Duration, Instant};

use contract::{
    Backend, Client, PATIENCE, Program, Server, eventually, exceptions, on_every_backend,
};
use rustix::process::Signal;

on_every_backend!(
    each_wait_has_its_own_time_out,
    no_answer_waits_for_a_reader_for_ever,
    who_sends_and_does_not_read_is_given_up,
    a_reader_that_is_slow_is_waited_for,
    empty_lines_keep_no_connection,
    what_can_be_no_request_is_not_waited_for,
    what_came_in_time_is_not_too_late,
);

const OPEN: &str = "http_server_connections_open";

/// More than any kernel holds for a client that does not read.
const MUCH: u64 = 1 << 30;

/// They begin at once, and end in the order of their time-outs.
fn each_wait_has_its_own_time_out(backend: Backend) {
    let options = ["--idle-timeout", "1s", "--write-timeout", "2500ms", "--header-timeout", "5s"];
    let server = Program::new(backend).options(&options).with_admin().start();
    let mut reads_nothing = server.connect();
    reads_nothing.send(format!("GET /bytes/{MUCH} HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(reads_nothing.head().status, 200);
    let mut silent = server.connect();
    let mut stops = server.connect();
    stops.send("GET /bytes/5 HTTP/1.1\r\n");
    let mut answered = server.connect();
    answered.send("GET /bytes/5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    answered.last_answer().status(200);
    silent.closes();
    // The others are there when the silent one is gone.
    server.reaches(OPEN, 3);
    server.reaches(OPEN, 2);
    assert!(!stops.has_news(), "{backend}: who did not read was given up after the last");
    stops.last_answer().status(408);
    // Nobody waits for a client to close that has its last answer.
    drop(stops);
    server.reaches(OPEN, 0);
}

/// The beginning of a hello of TLS, without the end of a line.
fn what_can_be_no_request_is_not_waited_for(backend: Backend) {
    let server = Program::new(backend).start();
    let mut client = server.connect();
    client.send(b"\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03");
    // Of one that was waited for it would be 408.
    client.refusal().status(400);
}

fn no_answer_waits_for_a_reader_for_ever(backend: Backend) {
    let server = Program::new(backend).options(&["--write-timeout", "500ms"]).with_admin().start();
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    let all = [
        get(&format!("/bytes/{MUCH}")),
        get("/stream/1000000?interval=0s&size=65536"),
        get("/bytes/1000000").repeat(200),
        format!("GET /bytes/{MUCH} HTTP/1.0\r\n\r\n"),
    ];
    let _clients = all.map(|asked| {
        let mut client = server.connect();
        client.send(asked);
        client
    });
    // This one would not read either.
    let mut echoed = server.connect();
    echoed.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {MUCH}\r\n\r\n"));
    let piece = vec![b'x'; 1 << 16];
    let given_up = loop {
        if let Err(error) = echoed.try_send(&piece) {
            break error.kind();
        }
    };
    assert!(
        matches!(given_up, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        "{backend}: {given_up}"
    );
    server.reaches(OPEN, 0);
    server.connect().get("/healthz").status(200);
}

/// What a client says while it reads nothing is no progress of its answer.
fn who_sends_and_does_not_read_is_given_up(backend: Backend) {
    let server = Program::new(backend).options(&["--write-timeout", "500ms"]).with_admin().start();
    let mut client = server.connect();
    client.send(format!("GET /bytes/{MUCH} HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(client.head().status, 200);
    // For far longer than that; a byte is always taken, if the connection is there.
    let sends = thread::spawn(move || {
        let end = Instant::now() + PATIENCE * 2;
        while Instant::now() < end && client.try_send("x").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    server.reaches(OPEN, 0);
    sends.join().unwrap();
}

fn a_reader_that_is_slow_is_waited_for(backend: Backend) {
    let server = Server::start(backend, &["--write-timeout", "1s"]);
    let mut client = server.connect();
    let (piece, pieces) = (1 << 20, 24);
    client.send(format!("GET /bytes/{} HTTP/1.1\r\nHost: a\r\n\r\n", piece * (pieces + 40)));
    assert_eq!(client.head().status, 200);
    // More than the time-out in all, each piece well within it.
    for _ in 0..pieces {
        thread::sleep(Duration::from_millis(100));
        assert_eq!(client.content(piece).len(), piece);
    }
    assert_eq!(client.content(piece * 40).len(), piece * 40);
    client.get("/healthz").status(200);
}

fn empty_lines_keep_no_connection(backend: Backend) {
    let server = Server::start(backend, &["--header-timeout", "500ms"]);
    let mut client = server.connect();
    while !client.has_news() && client.try_send("\r\n").is_ok() {
        thread::sleep(Duration::from_millis(20));
    }
    if exceptions::EMPTY_LINES.excuses(backend) {
        // What it ignores is no beginning of a head.
        client.closes();
    } else {
        client.last_answer().status(400);
    }
}

/// However late the server is itself: it may have been stopped when the time was over.
fn what_came_in_time_is_not_too_late(backend: Backend) {
    let timeouts = ["--idle-timeout", "--header-timeout", "--body-timeout", "--write-timeout"];
    let options: Vec<_> = timeouts.iter().flat_map(|name| [*name, "1s"]).collect();
    let halves = [
        ("", "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("GET /healthz HTTP/1.1\r\nHo", "st: a\r\n\r\n"),
        ("POST /anything HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe", "llo"),
    ];
    eventually("clients who are in time", || {
        let server = Server::start(backend, &options);
        let begin = Instant::now();
        let mut reader = server.connect();
        reader.send("GET /bytes/100000000 HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(reader.head().status, 200);
        let mut clients = halves.map(|(first, _)| {
            let mut client = server.connect();
            client.send(first);
            client
        });
        // By now the server has seen them all, and waits.
        server.connect().get("/healthz").status(200);
        server.stop();
        for (client, (_, second)) in clients.iter_mut().zip(halves) {
            client.send(second);
        }
        let taken = take_all(&mut reader);
        let in_time = begin.elapsed() < Duration::from_millis(800);
        thread::sleep(Duration::from_millis(1200));
        server.signal(Signal::CONT);
        in_time.then(|| {
            for client in &mut clients {
                client.answer().status(200);
            }
            assert_eq!(reader.content(100_000_000 - taken).len(), 100_000_000 - taken);
        })
    });
}

/// Reads what has been sent, until nothing has come for a while. How much that was.
fn take_all(client: &mut Client) -> usize {
    client.stream().set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let (mut piece, mut taken) = (vec![0; 1 << 20], 0);
    while let Ok(count) = client.read(&mut piece) {
        taken += count;
    }
    client.stream().set_read_timeout(Some(PATIENCE)).unwrap();
    taken
}
