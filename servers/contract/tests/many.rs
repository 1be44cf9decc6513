//! Clients by the thousand, slow ones and as many as there may be: the service stays available to
//! everybody else, in bounded memory, and nothing is left of them.

#![allow(missing_docs, reason = "a test's name is what it says")]

use std::fs;
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use contract::wire::{self, Framing};
use contract::{
    Attack, Backend, Client, PATIENCE, Program, Server, Slow, eventually, on_every_backend,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

on_every_backend!(a_thousand_slow_clients_keep_nobody_waiting);

/// So many clients.
const MANY: u32 = 1000;

/// Of slow readers, so many who ask for more than the kernel takes for them. For all it would take
/// gigabytes.
const BLOCKED: u32 = 100;

/// How long, in seconds: a head has ten in all.
const SECONDS: u32 = 8;

/// How many others must have been served meanwhile.
const OTHERS: usize = 10;

/// What a server's memory may rise by, in KiB: about a hundred for each.
const RISE: u64 = 100 * 1024;

const OPEN: &str = "http_server_connections_open";

/// One crowd at a time: it is as slow as it should be only where it gets the processor's time. Whoever
/// runs each test in a process of its own keeps them apart by other means (`.config/nextest.toml`).
fn alone() -> MutexGuard<'static, ()> {
    static CROWD: Mutex<()> = Mutex::new(());
    CROWD.lock().unwrap_or_else(PoisonError::into_inner)
}

fn a_thousand_slow_clients_keep_nobody_waiting(backend: Backend) {
    let _alone = alone();
    let readers = [(Slow::Readers(100_000), MANY - BLOCKED), (Slow::Readers(10_000_000), BLOCKED)];
    thread::scope(|scope| {
        scope.spawn(|| withstands(backend, &[(Slow::Heads, MANY)]));
        scope.spawn(|| withstands(backend, &[(Slow::Bodies, MANY)]));
        withstands(backend, &readers);
    });
}

fn withstands(backend: Backend, slow: &[(Slow, u32)]) {
    let server = Program::new(backend).with_admin().start();
    let room: u32 = server.start_value("max_connections").parse().expect("a number");
    assert!(room > MANY, "{backend}: {}", server.start_value("bounded_by"));
    server.connect().get("/healthz").status(200);
    let before = server.status_kib("VmHWM");
    let attacks = slow.iter().map(|(slow, many)| Attack::start(&server, *slow, *many, SECONDS));
    let Some(mut attacks) = attacks.collect::<Option<Vec<_>>>() else { return };
    eventually("all slow clients at once", || {
        (server.metric(OPEN) >= u64::from(MANY)).then_some(())
    });
    let mut others = 0;
    let mut all_run = || attacks.iter_mut().all(Attack::is_running);
    while all_run() {
        server.connect().get("/healthz").status(200);
        // An answer that had to wait for the end of it does not count.
        others += usize::from(all_run());
        thread::sleep(Duration::from_millis(100));
    }
    assert!(others >= OTHERS, "{backend}, {slow:?}: {others} others were served");
    attacks.into_iter().for_each(Attack::ends);
    server.reaches(OPEN, 0);
    let rise = server.status_kib("VmHWM") - before;
    assert!(rise < RISE, "{backend}, {slow:?}: it took {rise} KiB of memory");
    server.connect().get("/healthz").status(200);
}

/// The classic pool, to be had with `--workers 64`: whoever comes behind slow clients waits for a
/// worker, until a time-out frees one.
#[test]
fn a_small_pool_of_threads_is_the_exception() {
    let options = ["--workers", "64", "--header-timeout", "2s", "--max-connections", "200"];
    let server = Program::new(Backend::Threads).options(&options).with_admin().start();
    let mut slow: Vec<_> = (0..64).map(|_| stalled(&server)).collect();
    server.reaches(OPEN, 64);
    let mut waiting = server.connect();
    waiting.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    server.reaches(OPEN, 65);
    // Who asks elsewhere does not wait.
    server.connect_admin().get("/healthz").status(200);
    // A worker stays with whom it has answered until that one closes.
    slow[0].last_answer().status(408);
    assert!(!waiting.has_news(), "no worker was free");
    drop(slow);
    waiting.answer().status(200);
    server.reaches(OPEN, 1);
}

/// The same with a thousand: as long as they are at it, nobody else is served.
#[test]
fn a_small_pool_of_threads_is_held_by_a_thousand() {
    let _alone = alone();
    let server = Program::new(Backend::Threads).options(&["--workers", "64"]).with_admin().start();
    // Less than a head may take.
    let Some(mut attack) = Attack::start(&server, Slow::Heads, MANY, 6) else { return };
    eventually("all slow clients at once", || {
        (server.metric(OPEN) >= u64::from(MANY)).then_some(())
    });
    let mut waiting = server.connect();
    waiting.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    while attack.is_running() && !waiting.has_news() {
        server.connect_admin().get("/healthz").status(200);
    }
    waiting.answer().status(200);
    assert!(server.metric(OPEN) < 64, "it was served before the others had left");
    attack.ends();
    drop(waiting);
    server.reaches(OPEN, 0);
}

/// A client in the middle of a head.
fn stalled(server: &Server) -> Client {
    let mut client = server.connect();
    client.send("GET /healthz HTTP/1.1\r\nHost");
    client
}

/// More threads than this are more ports than one address has for its clients.
const PORTS: usize = 20_000;

/// `threads` needs four memory maps for each connection, so that where descriptors are plenty, those
/// are what bounds it.
#[test]
fn as_many_threads_as_the_system_allows_are_served() {
    let _alone = alone();
    let mut server = Program::new(Backend::Threads).with_admin().start();
    let mut room: usize = server.start_value("max_connections").parse().expect("a number");
    // Both ends are here.
    let most = PORTS.min(raise_descriptors().saturating_sub(500));
    if room > most {
        room = most;
        let options = ["--max-connections", &room.to_string()];
        server = Program::new(Backend::Threads).options(&options).with_admin().start();
    }
    let bounded_by = server.start_line();
    // One descriptor each, and the next when the last was accepted: so the backlog never overflows.
    let connect = |_| {
        let client = TcpStream::connect(server.address()).expect("there is room");
        is_served(&client);
        client
    };
    let clients: Vec<_> = (0..room).map(connect).collect();
    for _ in 0..5 {
        let mut client = server.connect();
        client.last_answer().status(503).value("retry-after");
    }
    let folder = format!("/proc/{}", server.id().as_raw_nonzero());
    let maps =
        fs::read_to_string(folder + "/maps").expect("a running server has maps").lines().count();
    let limit = fs::read_to_string("/proc/sys/vm/max_map_count").expect("Linux has a limit");
    let limit: usize = limit.trim().parse().expect("a number");
    assert!(maps <= limit - limit / 10, "{maps} of {limit} maps for {room}: {bounded_by}");
    server.is_calm();
    clients.iter().for_each(is_served);
    drop(clients);
    server.reaches(OPEN, 0);
    server.connect().get("/healthz").status(200);
}

fn is_served(mut client: &TcpStream) {
    client.set_read_timeout(Some(PATIENCE)).expect("SO_RCVTIMEO");
    client.write_all(b"GET /bytes/2 HTTP/1.1\r\nHost: a\r\n\r\n").expect("it is connected");
    let mut reader = BufReader::new(client);
    let head = wire::read_head(&mut reader).expect("an answer").expect("an answer");
    assert_eq!(head.status, 200);
    wire::read_body(&mut reader, Framing::Length(2)).expect("its body");
}

/// Lets this process have as many descriptors as it may have; how many that is.
fn raise_descriptors() -> usize {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    raised.expect("up to the hard limit, anybody may");
    maximum.and_then(|maximum| maximum.try_into().ok()).unwrap_or(usize::MAX)
}
