//! SIGTERM under load: whoever asked in time has an answer.

use std::time::{Duration, Instant};

use contract::{Backend, Client, Load, Server, eventually, on_every_backend};
use rustix::process::Signal;

on_every_backend!(a_drain_under_load_loses_nothing, a_full_backlog_is_served);

/// Clients in each manner.
const EACH: usize = 8;

/// Connections that have sent nothing, or that nobody has accepted yet.
const MANY: usize = 300;

const ASK: &str = "GET /bytes/5 HTTP/1.1\r\nHost: a\r\n\r\n";

fn a_drain_under_load_loses_nothing(backend: Backend) {
    eventually("questions within the second of grace", || {
        let mut server = Server::start(backend, &[]);
        let load = Load::start(server.address(), EACH);
        load.answers(1000);
        let mut silent: Vec<_> = (0..20).map(|_| server.connect()).collect();
        load.answers(500);
        let signalled = Instant::now();
        server.signal(Signal::TERM);
        for client in &mut silent {
            // Whoever is too late may find that it is closed.
            let _ = client.try_send(ASK);
        }
        let in_time = signalled.elapsed() < Duration::from_millis(500);
        if in_time {
            silent.iter_mut().for_each(is_answered);
        }
        drop(silent);
        let lost = load.lost(signalled);
        assert!(lost.is_empty(), "{backend}: {} lost\n{}", lost.len(), lost.join("\n"));
        server.exits(0);
        in_time.then_some(())
    });
}

fn a_full_backlog_is_served(backend: Backend) {
    let mut server = Server::start(backend, &[]);
    server.connect().get("/healthz").status(200);
    server.stop();
    let mut clients: Vec<_> = (0..MANY).map(|_| server.connect()).collect();
    let (asking, silent) = clients.split_at_mut(MANY - 50);
    for client in asking.iter_mut() {
        client.send(ASK);
    }
    server.signal(Signal::TERM);
    server.signal(Signal::CONT);
    asking.iter_mut().for_each(is_answered);
    for client in silent {
        client.closes();
    }
    server.exits(0);
}

fn is_answered(client: &mut Client) {
    client.answer().status(200).field("content-length", "5");
}
