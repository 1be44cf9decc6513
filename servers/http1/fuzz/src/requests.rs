//! Requests: what must hold of them.

mod by_http1;
mod by_hyper;
mod differences;

use std::cmp::Ordering;

use http::{HeaderMap, Method, Uri, Version, header};
use http1::{Error, Framing, Limits, Output, client};

use crate::{
    Input,
    difference::{Difference, Dispute, explain},
};

/// Limits within the reach of a fuzzer.
const NARROW: Limits = Limits { max_head_bytes: 256, max_headers: 8 };

/// Limits beyond it, but for the number of fields, which is hyper's.
const WIDE: Limits = Limits { max_head_bytes: 32 * 1024, max_headers: 100 };

/// What a server made of some bytes.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    /// The requests that came whole.
    complete: Vec<Request>,
    /// The one whose head came whole, and whose content did not.
    broken: Option<Request>,
    /// Why there are no more; `None` if the last one ended the connection, or the bytes.
    error: Option<Error>,
    /// Where the first request begins that did not come whole.
    next: usize,
    /// Where the bytes begin that were not understood.
    stopped: usize,
}

#[derive(Clone, Debug, PartialEq)]
struct Request {
    /// Where it begins.
    start: usize,
    method: Method,
    target: Uri,
    version: Version,
    fields: HeaderMap,
    /// How much content was announced, in bytes; `None` if it comes in chunks.
    length: Option<u64>,
    content: Vec<u8>,
    /// Whether another may follow.
    persists: bool,
}

/// How requests are cut on their way changes nothing, and what is read from them can be written
/// and read again.
pub fn requests_in_any_split(input: &Input<'_>) {
    let whole = by_http1::read(input.bytes, std::iter::repeat(usize::MAX), NARROW);
    assert_eq!(by_http1::read(input.bytes, input.pieces(), NARROW), whole);
    assert_eq!(by_http1::read(input.bytes, std::iter::repeat(1), NARROW), whole);
    for request in whole.complete.iter().filter(|request| !asks_for_a_tunnel(request)) {
        let again = by_http1::read(&write(request), input.pieces(), WIDE);
        assert_eq!((again.complete.len(), again.error), (1, None), "{request:#?}");
        assert_eq!(meaning(&again.complete[0]), meaning(request));
    }
}

/// What `http1` and hyper both take for requests, they read alike, to the number of them. The kind
/// of the first difference, if there is one.
pub fn requests_beside_hyper(input: &Input<'_>) -> Option<&'static Difference> {
    let ours = by_http1::read(input.bytes, input.pieces(), WIDE);
    let theirs = by_hyper::read(input.bytes);
    for (ours, theirs) in ours.complete.iter().zip(&theirs) {
        assert_eq!(
            (&ours.method, &ours.target, ours.version, &ours.fields, &ours.content),
            (&theirs.method, &theirs.target, theirs.version, &theirs.fields, &theirs.content),
        );
    }
    let count = ours.complete.len();
    let start = |at: usize| ours.complete.get(at).map_or(ours.next, |request| request.start);
    let table = match theirs.len().cmp(&count) {
        Ordering::Equal => return None,
        Ordering::Less => differences::ONLY_HTTP1,
        Ordering::Greater => differences::ONLY_HYPER,
    };
    let at = count.min(theirs.len());
    let message = &input.bytes[start(at)..];
    let has_content = at == count && ours.broken.is_some();
    let dispute = Dispute {
        message,
        stopped: if has_content { &input.bytes[ours.stopped..] } else { message },
        previous: &input.bytes[start(at.saturating_sub(1))..start(at)],
        is_head: false,
        error: ours.error.filter(|_| at == count),
    };
    Some(explain(table, &dispute, &(&ours, &theirs)))
}

/// Every kind of difference.
pub(crate) fn differences() -> impl Iterator<Item = &'static Difference> {
    differences::ONLY_HYPER.iter().chain(differences::ONLY_HTTP1)
}

/// Whether a client of `http1` would not ask this: the target is in authority-form, with CONNECT as
/// it should be or without.
fn asks_for_a_tunnel(request: &Request) -> bool {
    let target = &request.target;
    request.method == Method::CONNECT || (target.scheme().is_none() && target.authority().is_some())
}

/// The bytes of a request with the same meaning.
fn write(request: &Request) -> Vec<u8> {
    let mut head = http::Request::new(()).into_parts().0;
    head.method = request.method.clone();
    head.uri = request.target.clone();
    head.headers = end_to_end(&request.fields);
    let framing = request.length.map_or(Framing::Chunked, Framing::Length);
    let mut connection = client::Connection::new(WIDE);
    let mut output = Output::default();
    connection.send_head(&head, Some(framing), &mut output);
    connection.send_content(request.content.clone().into(), &mut output);
    connection.send_end(&mut output);
    assert!(connection.request_is_sent(), "{request:#?}");
    output.to_vec()
}

/// What survives being written by a client, which speaks in origin-form, or of `*`.
fn meaning(request: &Request) -> (&Method, &str, Option<&str>, HeaderMap, &[u8]) {
    let Request { method, target, fields, content, .. } = request;
    (method, target.path(), target.query(), end_to_end(fields), content)
}

/// The fields without those that the codec adds.
fn end_to_end(fields: &HeaderMap) -> HeaderMap {
    let mut fields = fields.clone();
    for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION] {
        fields.remove(name);
    }
    fields
}
