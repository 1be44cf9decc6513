//! What the standards say of requests, vector by vector, for every backend.
//!
//! Each vector arrives in every [`Way`]: whole, byte by byte, line by line, and cut at every CR and LF.
//! Each time its outcome is the one written down, the same down to the last byte of the answers, and
//! the server still answers others.

#![allow(missing_docs, reason = "a test's name is what it says")]

mod tables;

use std::collections::BTreeSet;
use std::time::Instant;

use contract::delivery::{Delivery, Way};
use contract::observation::Observation;
use contract::vector::Vector;
use contract::{Backend, PATIENCE, Server, on_every_backend};

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
);

fn lengths(backend: Backend) {
    play(backend, &tables::lengths::all());
}

fn codings(backend: Backend) {
    play(backend, &tables::codings::all());
}

fn chunks(backend: Backend) {
    play(backend, &tables::chunks::all());
}

fn trailers(backend: Backend) {
    play(backend, &tables::trailers::all());
}

fn hosts(backend: Backend) {
    play(backend, &tables::hosts::all());
}

fn fields(backend: Backend) {
    play(backend, &tables::fields::all());
}

fn request_lines(backend: Backend) {
    play(backend, &tables::request_lines::all());
}

fn targets(backend: Backend) {
    play(backend, &tables::targets::all());
}

fn versions(backend: Backend) {
    play(backend, &tables::versions::all());
}

fn methods(backend: Backend) {
    play(backend, &tables::methods::all());
}

fn pipelines(backend: Backend) {
    play(backend, &tables::pipelines::all());
}

fn expect(backend: Backend) {
    play(backend, &tables::expect::all());
}

fn foreign(backend: Backend) {
    play(backend, &tables::foreign::all());
}

#[test]
fn vectors_are_told_apart() {
    let (all, mut names) = (tables::all(), BTreeSet::new());
    let twice: Vec<_> =
        all.iter().map(|one| one.name).filter(|name| !names.insert(*name)).collect();
    assert!(twice.is_empty(), "there are two of each of {twice:?}");
    assert!(all.len() >= 250, "only {} vectors", all.len());
}

#[test]
fn no_exception_is_claimed_in_vain() {
    for vector in tables::all().iter().filter(|vector| vector.exception().is_some()) {
        let outcomes = vector.outcomes(Backend::TokioHttp1);
        let excused = vector.outcomes(Backend::Tokio);
        assert!(excused.iter().all(|outcome| !outcomes.contains(outcome)), "{}", vector.name);
    }
}

/// Sends every vector in every way, each over a connection of its own, all at the same time.
fn play(backend: Backend, vectors: &[Vector]) {
    // Nothing here is about time, and a loaded machine has little of it.
    let timeouts = ["--header-timeout", "60s", "--body-timeout", "60s"];
    let server = Server::start(backend, &timeouts);
    let mut first: Vec<Option<Observation>> = vectors.iter().map(|_| None).collect();
    let mut failures = Vec::new();
    for way in Way::ALL {
        let deliver = |vector| Delivery::new(server.connect(), vector, way);
        let clients = Delivery::all(vectors.iter().map(deliver).collect());
        let deadline = Instant::now() + PATIENCE;
        for ((vector, client), first) in vectors.iter().zip(clients).zip(&mut first) {
            let seen = Observation::of(client, vector, deadline);
            let objection = seen.objection(vector, backend).or_else(|| {
                // What `hyper` decides may be a matter of time.
                let comparable = vector.outcomes(backend).len() == 1 || !vector.is_excused(backend);
                let whole = first.as_ref().filter(|whole| comparable && !whole.is_like(&seen))?;
                Some(format!("whole, it was {whole}"))
            });
            if let Some(objection) = objection {
                failures.push(format!("{}\n=> {way:?}: {objection}\n=> {seen}", vector.describe()));
            }
            first.get_or_insert(seen);
            server.connect().get("/healthz").status(200);
        }
    }
    let count = failures.len();
    assert!(failures.is_empty(), "{backend}: {count} not as due\n\n{}", failures.join("\n\n"));
}
