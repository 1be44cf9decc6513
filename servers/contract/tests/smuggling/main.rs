//! Smuggling: every vector through every proxy to the strictest of origins, and after each somebody
//! else's request.
//!
//! What a client sends must become what a strict reader reads of it, and nothing else ([`verdict`]);
//! nobody may get another's answer. Each client has an address of its own, which the proxy tells the
//! origin ([`stage`]); the origin takes nothing that is not well-formed, and names the request in each
//! answer ([`recorder`]). The vectors arrive whole, byte by byte and line by line, one after the other
//! over one connection upstream and many at the same time, and the origin answers when it has the
//! request, or before.

#![allow(missing_docs, reason = "a test's name is what it says")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod heard;
mod naive;
mod passage;
mod recorder;
mod stage;
mod verdict;

use contract::delivery::Way;
use contract::observation::PROBE;
use contract::strict::{Bounds, Ending, Request, read_all};
use contract::vector::{End, Vector};
use contract::{Backend, on_every_backend, vectors};

use recorder::{Manner, Recorder};
use stage::Stage;
use verdict::Court;

on_every_backend!(one_after_the_other, byte_by_byte, answered_before_the_content);

/// How many vectors there are at once: fewer than a server may have connections upstream.
const AT_ONCE: usize = 100;

fn one_after_the_other(backend: Backend) {
    // Several workers may each keep a connection of their own. In `threads`, one could serve but one
    // client.
    let one: &[&str] = if backend == Backend::Threads { &[] } else { &["--workers", "1"] };
    let stage = Stage::new(backend, Manner::Patient, one);
    let acts = stage.perform(&vectors::all(), Way::Whole, 1);
    let host = stage.host();
    let records = stage.finish();
    let court = Court { backend, manner: Manner::Patient, records: &records, host: &host };
    expect_none(backend, &court.objections(&acts, &[]));
    assert_eq!(court.have_one_connection(&acts), Ok(()), "{backend}");
}

fn byte_by_byte(backend: Backend) {
    among_others(backend, Manner::Patient, Way::ByteByByte);
}

fn answered_before_the_content(backend: Backend) {
    among_others(backend, Manner::Hasty, Way::LineByLine);
}

fn among_others(backend: Backend, manner: Manner, way: Way) {
    let stage = Stage::new(backend, manner, &[]);
    let (acts, others) = stage.perform_among_others(&vectors::all(), way, AT_ONCE);
    let host = stage.host();
    let records = stage.finish();
    let court = Court { backend, manner, records: &records, host: &host };
    expect_none(backend, &court.objections(&acts, &others));
    assert!(!others.is_empty(), "{backend}: nobody else has asked");
}

#[test]
fn a_proxy_that_goes_by_lengths_alone_is_found_out() {
    for (name, is_good) in [
        ("CL.0, GET", true),
        ("content that is a request, then one", true),
        ("an underscore for the length's hyphen", true),
        ("CL.TE", false),
        ("TE.CL", false),
        ("TE.0, GET", false),
        ("0.CL, a space before the colon", false),
        ("a length that is named beside close", false),
    ] {
        let vectors = vectors::all();
        let vector = vectors.iter().find(|vector| vector.name == name).unwrap();
        let objections = of_a_naive_proxy(vector);
        assert_eq!(objections.is_empty(), is_good, "{name}: {objections:#?}");
    }
}

/// One more reader of requests, of which the vectors say what it must read.
#[test]
fn the_strict_reader_reads_what_the_vectors_say() {
    let wrong = vectors::all().into_iter().filter(|vector| !is_as_read(vector));
    let wrong: Vec<_> = wrong.map(|vector| vector.describe()).collect();
    assert!(wrong.is_empty(), "{} not as due\n\n{}", wrong.len(), wrong.join("\n\n"));
}

/// Whether an outcome of this vector is what a strict reader would have come of it.
fn is_as_read(vector: &Vector) -> bool {
    let probe = if vector.half_closes { "" } else { PROBE };
    let bytes = [&vector.bytes, probe.as_bytes()].concat();
    let read = read_all(&bytes, &Bounds::OF_SERVERS);
    let is_probe = |request: &Request| request.host.as_deref() == Some("probe");
    let end = if read.requests.last().is_some_and(is_probe) { End::Open } else { End::Closed };
    let requests = &read.requests[..read.requests.len() - usize::from(end == End::Open)];
    let refusal = match &read.ending {
        Ending::Wrong(fault, _) => Some(fault.status),
        _ => None,
    };
    // The service need not wait for content that it does not want, or know how it ends.
    let has_begun = read.begun().is_some();
    let may_be_sooner = has_begun || requests.last().is_some_and(Request::waits);
    vector.outcomes(Backend::TokioHttp1).iter().any(|outcome| {
        let count = outcome.answers.len();
        let refused = refusal.is_none_or(|status| outcome.answers.last() == Some(&status));
        let sooner = may_be_sooner
            && outcome.end != End::Open
            && count == requests.len() + usize::from(has_begun);
        let later = outcome.end == end && count == requests.len() + usize::from(refusal.is_some());
        sooner || later && refused
    })
}

fn of_a_naive_proxy(vector: &Vector) -> Vec<String> {
    let manner = Manner::Patient;
    let recorder = Recorder::start(manner);
    let proxy = naive::start(recorder.address(), 2);
    let stage = Stage::with_double(recorder, proxy);
    let acts = stage.perform(std::slice::from_ref(vector), Way::Whole, 1);
    let host = stage.host();
    let records = stage.finish();
    Court { backend: Backend::Mio, manner, records: &records, host: &host }.objections(&acts, &[])
}

#[track_caller]
fn expect_none(backend: Backend, objections: &[String]) {
    let count = objections.len();
    assert!(count == 0, "{backend}: {count} not as due\n\n{}", objections.join("\n\n"));
}
