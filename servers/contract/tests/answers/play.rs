//! Both ends of the wire, for many vectors at once.

use std::collections::BTreeSet;
use std::time::Instant;

use contract::answers::{Answers, Relayed};
use contract::delivery::{Delivery, Way};
use contract::ledger::Ledger;
use contract::observation::{Observation, probe};
use contract::origin::one_worker;
use contract::vector::Vector;
use contract::{Backend, Client, Origin, PATIENCE, Server, Upstream};
use rustix::net::sockopt;

/// Nothing here is about time, and a loaded machine has little of it.
const TIMELESS: [&str; 12] = [
    "--body-timeout",
    "10m",
    "--write-timeout",
    "10m",
    "--upstream-wait",
    "10m",
    "--upstream-connect-timeout",
    "10m",
    "--upstream-timeout",
    "10m",
    "--upstream-idle-timeout",
    "10m",
];

/// Has every vector answer a request in every way, each over connections of its own, all at the same
/// time. After them come as many plain requests, and one more: each gets its own answer, and those
/// that come upstream over a connection of before say that it was used again; any other is closed.
pub(crate) fn play(backend: Backend, vectors: &[Vector<Answers>]) {
    let mut ledger = Ledger::new(backend, vectors.len());
    for way in Way::ALL {
        let (origin, server) = one_worker(backend, &TIMELESS);
        let (relayed, plain) = deliver(&origin, &server, vectors, way);
        for (entry, relayed) in vectors.iter().enumerate().zip(relayed) {
            let vector = entry.1;
            let objection = relayed.objection(vector, backend);
            // Where there are two, it is a matter of time which.
            let comparable = vector.outcomes(backend).len() == 1;
            ledger.note(entry, way, relayed, objection, |a, b| !comparable || a == b);
        }
        if ledger.is_clean() {
            plain.into_iter().for_each(Plain::answer);
        }
    }
    ledger.close();
}

/// What comes of each vector in this way, and plain requests to come after them.
fn deliver(
    origin: &Origin,
    server: &Server,
    vectors: &[Vector<Answers>],
    way: Way,
) -> (Vec<Relayed>, Vec<Plain>) {
    let (mut clients, mut deliveries, mut identities) = (Vec::new(), Vec::new(), Vec::new());
    for (number, vector) in vectors.iter().enumerate() {
        let mut client = connect(server);
        client.send(vector.request(&number.to_string()));
        let (upstream, request) = origin.accept_request();
        upstream.resets_at_last();
        request.asks(&format!("{} /{number}", vector.method));
        identities.push(identity(&upstream));
        deliveries.push(Delivery::answer(upstream, vector, way));
        clients.push(client);
    }
    let mut upstreams = Delivery::all(deliveries);
    for (client, vector) in clients.iter_mut().zip(vectors) {
        // Nothing follows an answer to 1.0, and a write would take the news of a reset away.
        if vector.version != "1.0" {
            probe(client);
        }
    }
    let deadline = Instant::now() + PATIENCE;
    let see = |(client, vector)| Observation::of_answer(client, vector, deadline);
    let seen: Vec<_> = clients.into_iter().zip(vectors).map(see).collect();
    let plain: Vec<_> = (0..=vectors.len())
        .map(|number| Plain::ask(origin, server, &mut upstreams, number))
        .collect();
    // What has not been used again by now never will be.
    for upstream in &mut upstreams {
        upstream.is_dropped();
    }
    let used: BTreeSet<_> = plain.iter().map(|plain| identity(&plain.upstream)).collect();
    let relay = |(seen, identity)| Relayed { seen, reused: used.contains(&identity) };
    (seen.into_iter().zip(identities).map(relay).collect(), plain)
}

/// A request on a new connection that is to be answered well.
struct Plain {
    client: Client,
    upstream: Upstream,
    name: String,
}

impl Plain {
    /// Asks, and has the request arrive on any of `open`, which it is taken out of, or a new one.
    fn ask(origin: &Origin, server: &Server, open: &mut Vec<Upstream>, number: usize) -> Self {
        let name = format!("plain-{number}");
        let mut client = connect(server);
        client.send(format!("GET /proxy/{name} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let at = origin.next_of(open);
        let mut upstream = open.swap_remove(at);
        upstream.resets_at_last();
        upstream.request().asks(&format!("GET /{name}"));
        Self { client, upstream, name }
    }

    fn answer(mut self) {
        self.upstream.ok(&self.name);
        self.client.relayed().status(200).body(&self.name).stays_open();
    }
}

fn connect(server: &Server) -> Client {
    let client = server.connect();
    client.resets_at_last();
    client
}

/// What tells one connection from another; a port may be another's as soon as it is free.
fn identity(upstream: &Upstream) -> u64 {
    sockopt::socket_cookie(upstream.stream()).expect("SO_COOKIE")
}
