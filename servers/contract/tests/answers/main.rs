//! What the standards say of answers, vector by vector, for the proxy of every backend.
//!
//! An upstream gives each vector in answer to a request, in every way: whole, byte by byte, line by
//! line, and cut at every CR and LF, each cut one that the proxy has seen. Each time the client gets what
//! is written down, the same down to the last byte; its connection and the upstream's go on, or do not;
//! and whoever asks after that gets an answer, and its own.

#![allow(missing_docs, reason = "a test's name is what it says")]

mod play;
mod tables;

use contract::vector::named_twice;
use contract::{Backend, on_every_backend};
use play::play;

on_every_backend!(
    status_lines,
    informational,
    bodiless,
    lengths,
    codings,
    chunks,
    trailers,
    fields,
    connections,
    ends,
);

fn status_lines(backend: Backend) {
    play(backend, &tables::status_lines::all());
}

fn informational(backend: Backend) {
    play(backend, &tables::informational::all());
}

fn bodiless(backend: Backend) {
    play(backend, &tables::bodiless::all());
}

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

fn fields(backend: Backend) {
    play(backend, &tables::fields::all());
}

fn connections(backend: Backend) {
    play(backend, &tables::connections::all());
}

fn ends(backend: Backend) {
    play(backend, &tables::ends::all());
}

#[test]
fn vectors_are_told_apart() {
    let all = tables::all();
    let twice = named_twice(&all);
    assert!(twice.is_empty(), "there are two of each of {twice:?}");
    assert!(all.len() >= 500, "only {} vectors", all.len());
}

#[test]
fn no_exception_is_claimed_in_vain() {
    for vector in tables::all() {
        let costs = vector.excused_once && vector.persists;
        assert!(costs || !vector.claims_in_vain(), "{}", vector.name);
    }
}
