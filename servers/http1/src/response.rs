//! Response heads out (RFC 9112, section 4).

use std::io::Write as _;

use http::{StatusCode, Version, response::Parts};

use crate::{
    Framing,
    head::{encode_field, encode_fields, encode_framing},
    output::Output,
};

/// How an answer's content is delimited, given its length if that is known
/// (RFC 9112, section 6.1: a 1.0 client knows no chunks).
pub(crate) fn framing(request: Version, length: Option<u64>) -> Framing {
    match length {
        Some(length) => Framing::Length(length),
        None if request < Version::HTTP_11 => Framing::UntilClose,
        None => Framing::Chunked,
    }
}

/// Whether an answer with this status never has content (RFC 9110, section 6.4.1).
pub(crate) fn is_bodyless(status: StatusCode) -> bool {
    status.is_informational() || matches!(status.as_u16(), 204 | 304)
}

/// What the `Connection` field of an answer says (RFC 9112, section 9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// Nothing: both sides assume that the connection persists.
    Assumed,
    /// `keep-alive`, for a client of version 1.0 that asked for it.
    KeepAlive,
    /// `close`.
    Close,
}

/// Writes the head of an answer. `common` are whole field lines that every answer carries.
pub(crate) fn encode(
    head: &Parts,
    framing: Framing,
    persistence: Persistence,
    common: &[u8],
    output: &mut Output,
) {
    let out = output.tail();
    encode_status_line(head.status, out);
    out.extend_from_slice(common);
    encode_fields(&head.headers, out);
    if !matches!(head.status.as_u16(), 204 | 304) {
        encode_framing(framing, out);
    }
    match persistence {
        Persistence::Assumed => {}
        Persistence::KeepAlive => encode_field("Connection", b"keep-alive", out),
        Persistence::Close => encode_field("Connection", b"close", out),
    }
    out.extend_from_slice(b"\r\n");
}

fn encode_status_line(status: StatusCode, out: &mut Vec<u8>) {
    if status == StatusCode::OK {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    } else {
        let reason = status.canonical_reason().unwrap_or_default();
        // Writing into a vector cannot fail.
        let _ = write!(out, "HTTP/1.1 {} {reason}\r\n", status.as_str());
    }
}
