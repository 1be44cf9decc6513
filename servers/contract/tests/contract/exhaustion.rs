//! What there is runs out: descriptors, threads, memory maps, places in a mailbox or a queue. Whoever
//! can't be served waits or is told so, nothing spins, and all is well again afterwards.

use std::collections::BTreeMap;
use std::fs;

use contract::{Backend, Client, Program, Server, eventually, on_every_backend, sample, skipped};
use rustix::process::geteuid;

on_every_backend!(
    two_hundred_descriptors_serve_five_hundred_clients,
    two_hundred_descriptors_forward_for_five_hundred_clients,
    without_threads_the_open_are_served_and_the_others_are_told,
    the_limit_on_threads_bounds_who_needs_them,
    too_few_threads_to_start_are_said_in_one_line,
    a_connection_takes_no_more_than_the_limits_reckon,
    whoever_waits_for_a_busy_worker_is_served,
);

const ASK: &str = "GET /bytes/5 HTTP/1.1\r\nHost: a\r\n\r\n";
const OPEN: &str = "http_server_connections_open";

fn two_hundred_descriptors_serve_five_hundred_clients(backend: Backend) {
    let server = Program::new(backend).open_files(200).with_admin().start();
    let room: usize = server.start_value("max_connections").parse().unwrap();
    let (mut held, refused) = besiege(&server, ASK);
    assert_eq!((held.len(), refused), (room, 500 - room), "{backend}");
    server.is_calm();
    for client in &mut held {
        client.get("/healthz").status(200);
    }
    drop(held);
    is_well(&server);
}

fn two_hundred_descriptors_forward_for_five_hundred_clients(backend: Backend) {
    let upstream = Server::start(Backend::Mio, &[]);
    let url = format!("http://{}", upstream.address());
    let options = ["--upstream", &url, "--upstream-wait", "60s"];
    let server = Program::new(backend).options(&options).open_files(200).with_admin().start();
    let room: usize = server.start_value("max_connections").parse().unwrap();
    let ask = "GET /proxy/delay/20ms HTTP/1.1\r\nHost: a\r\n\r\n";
    let (mut held, refused) = besiege(&server, ask);
    assert_eq!((held.len(), refused), (room, 500 - room), "{backend}");
    server.is_calm();
    for client in &mut held {
        client.send(ask).relayed().status(200);
    }
    drop(held);
    is_well(&server);
}

fn without_threads_the_open_are_served_and_the_others_are_told(backend: Backend) {
    let Some(server) = confined(Program::new(backend), 200) else { return };
    let mut steady: Vec<_> = (0..10).map(|_| server.connect()).collect();
    for client in &mut steady {
        client.get("/healthz").status(200);
    }
    server.allow_threads(1);
    let mut others: Vec<_> = (0..5).map(|_| server.connect()).collect();
    for client in &mut others {
        client.send(ASK);
        if backend == Backend::Threads {
            let answer = client.last_answer();
            let wait = answer.status(503).value("retry-after");
            assert!(wait.parse::<u32>().is_ok(), "{backend}: Retry-After: {wait}");
        } else {
            client.answer().status(200).stays_open();
        }
    }
    let refused = server.connect_admin().get("/metrics");
    let labels = [("reason", "no_thread")];
    let refused = sample(refused.text(), "http_server_connections_refused_total", &labels);
    assert_eq!(refused, Some(if backend == Backend::Threads { 5 } else { 0 }), "{backend}");
    server.is_calm();
    for client in &mut steady {
        client.get("/healthz").status(200);
    }
    server.allow_threads(200);
    drop((steady, others));
    is_well(&server);
}

fn the_limit_on_threads_bounds_who_needs_them(backend: Backend) {
    let Some(server) = confined(Program::new(backend), 100) else { return };
    let room: usize = server.start_value("max_connections").parse().unwrap();
    let bounded = server.start_value("bounded_by").contains("RLIMIT_NPROC");
    assert_eq!((bounded, room < 100), (backend == Backend::Threads, bounded), "{backend}: {room}");
    let (held, refused) = besiege(&server, ASK);
    assert_eq!((held.len(), refused), (room.min(500), 500 - room.min(500)), "{backend}");
    server.is_calm();
    drop(held);
    is_well(&server);
}

fn too_few_threads_to_start_are_said_in_one_line(backend: Backend) {
    if !geteuid().is_root() {
        return skipped("only root can run a server as somebody else");
    }
    for threads in 1..=3 {
        let options = ["--listen", "127.0.0.1:0", "--workers", "4"];
        let outcome = Program::new(backend).options(&options).threads(threads).run();
        // Where every connection takes a thread, it is known beforehand that there is none.
        let said = if backend == Backend::Threads { "RLIMIT_NPROC, 0 left" } else { "unavailable" };
        outcome.code(2).one_line(&[said]);
    }
}

/// The limits on connections are derived from that, near those of the system too.
fn a_connection_takes_no_more_than_the_limits_reckon(backend: Backend) {
    let (maps, threads) = match backend {
        Backend::Threads => (4, 1),
        Backend::May => (2, 0),
        _ => (0, 0),
    };
    let server = Program::new(backend).with_admin().start();
    let held = |count: usize| {
        let mut clients: Vec<_> = (0..count).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.get("/healthz").status(200);
        }
        clients
    };
    // What it takes only once is there then.
    let first = held(50);
    let before = usage(&server);
    let many = held(500);
    let after = usage(&server);
    for (what, each) in [("maps", maps), ("task", threads), ("fd", 1)] {
        // A heap may take a few more.
        let (rise, most) = (after[what] - before[what], 500 * each + 50);
        assert!(rise <= most, "{backend}: {rise} {what} for 500 connections");
    }
    drop((first, many));
    is_well(&server);
}

/// Its mailbox, or the pool's queue, is full meanwhile.
fn whoever_waits_for_a_busy_worker_is_served(backend: Backend) {
    let server = Program::new(backend).options(&["--workers", "1"]).with_admin().start();
    let mut blocks = server.connect();
    blocks.send("GET /block/2s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    server.reaches("http_server_active_requests", 1);
    let mut waiting: Vec<_> = (0..300).map(|_| server.connect()).collect();
    for client in &mut waiting {
        client.send("GET /bytes/5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    }
    server.is_calm();
    blocks.last_answer().status(200);
    drop(blocks);
    // Each gives up its place for the next.
    for mut client in waiting {
        client.last_answer().status(200).field("content-length", "5");
    }
    is_well(&server);
}

/// Has five hundred clients come at once and ask. Those that were served, and how many were told that
/// they are too many.
fn besiege(server: &Server, ask: &str) -> (Vec<Client>, usize) {
    let mut clients: Vec<_> = (0..500).map(|_| server.connect()).collect();
    for client in &mut clients {
        // Who is turned away may have been so already.
        let _ = client.try_send(ask);
    }
    let (mut held, mut refused) = (Vec::new(), 0);
    for mut client in clients {
        let answer = client.answer_of("GET");
        if answer.head.status == 200 {
            answer.stays_open();
            held.push(client);
        } else {
            answer.status(503).says_close().value("retry-after");
            client.closes();
            refused += 1;
        }
    }
    (held, refused)
}

/// A server of a user who may have so many threads. `None`, said aloud, where that can't be had.
fn confined(program: Program, threads: u32) -> Option<Server> {
    if !geteuid().is_root() {
        skipped("only root can run a server as somebody else");
        return None;
    }
    Some(program.threads(threads).with_admin().start())
}

/// All who came have left, and whoever comes is served.
fn is_well(server: &Server) {
    server.reaches(OPEN, 0);
    let mut client = eventually("an answer", || {
        let mut client = server.connect();
        let answer = client.get("/healthz");
        (answer.head.status == 200).then_some(client)
    });
    client.post("/echo", "hello").status(200).body("hello");
}

/// How many maps, threads and descriptors a server has.
fn usage(server: &Server) -> BTreeMap<&'static str, usize> {
    let folder = format!("/proc/{}", server.id().as_raw_nonzero());
    let entries = |name: &str| fs::read_dir(format!("{folder}/{name}")).unwrap().count();
    let maps = fs::read_to_string(format!("{folder}/maps")).unwrap().lines().count();
    BTreeMap::from([("maps", maps), ("task", entries("task")), ("fd", entries("fd"))])
}
