//! What the standards say of requests, vector by vector, for every backend.
//!
//! Each vector arrives in every [`Way`]: whole, byte by byte, line by line, and cut at every CR and LF.
//! Each time its outcome is the one written down, the same down to the last byte of the answers, and
//! the server still answers others.

#![allow(missing_docs, reason = "a test's name is what it says")]

use std::time::Instant;

use contract::delivery::{Delivery, Way};
use contract::ledger::Ledger;
use contract::observation::Observation;
use contract::vector::{Vector, named_twice};
use contract::{Backend, PATIENCE, Server, on_every_backend, vectors};

on_every_backend!(
    lengths,
    codings,
    chunks,
    trailers,
    hosts,
    fields,
    request_lines,
    targets,
    versions,
    methods,
    pipelines,
    expect,
    foreign,
    smuggling,
);

fn lengths(backend: Backend) {
    play(backend, &vectors::lengths::all());
}

fn codings(backend: Backend) {
    play(backend, &vectors::codings::all());
}

fn chunks(backend: Backend) {
    play(backend, &vectors::chunks::all());
}

fn trailers(backend: Backend) {
    play(backend, &vectors::trailers::all());
}

fn hosts(backend: Backend) {
    play(backend, &vectors::hosts::all());
}

fn fields(backend: Backend) {
    play(backend, &vectors::fields::all());
}

fn request_lines(backend: Backend) {
    play(backend, &vectors::request_lines::all());
}

fn targets(backend: Backend) {
    play(backend, &vectors::targets::all());
}

fn versions(backend: Backend) {
    play(backend, &vectors::versions::all());
}

fn methods(backend: Backend) {
    play(backend, &vectors::methods::all());
}

fn pipelines(backend: Backend) {
    play(backend, &vectors::pipelines::all());
}

fn expect(backend: Backend) {
    play(backend, &vectors::expect::all());
}

fn foreign(backend: Backend) {
    play(backend, &vectors::foreign::all());
}

fn smuggling(backend: Backend) {
    play(backend, &vectors::smuggling::all());
}

#[test]
fn vectors_are_told_apart() {
    let all = vectors::all();
    let twice = named_twice(&all);
    assert!(twice.is_empty(), "there are two of each of {twice:?}");
    assert!(all.len() >= 250, "only {} vectors", all.len());
}

#[test]
fn no_exception_is_claimed_in_vain() {
    for vector in vectors::all() {
        assert!(!vector.claims_in_vain(), "{}", vector.name);
    }
}

/// Sends every vector in every way, each over a connection of its own, all at the same time.
fn play(backend: Backend, vectors: &[Vector]) {
    // Nothing here is about time, and a loaded machine has little of it.
    let timeouts = ["--header-timeout", "60s", "--body-timeout", "60s"];
    let server = Server::start(backend, &timeouts);
    let mut ledger = Ledger::new(backend, vectors.len());
    for way in Way::ALL {
        let deliver = |vector| Delivery::new(server.connect(), vector, way);
        let clients = Delivery::all(vectors.iter().map(deliver).collect());
        let deadline = Instant::now() + PATIENCE;
        for (entry, client) in vectors.iter().enumerate().zip(clients) {
            let vector = entry.1;
            let seen = Observation::of(client, vector, deadline);
            let objection = seen.objection(vector, backend);
            // What `hyper` decides may be a matter of time.
            let comparable = vector.outcomes(backend).len() == 1 || !vector.is_excused(backend);
            ledger.note(entry, way, seen, objection, |a, b| !comparable || a.is_like(b));
            server.connect().get("/healthz").status(200);
        }
    }
    ledger.close();
}
