//! Response heads, in and out (RFC 9112, section 4).

use std::io::Write as _;

use http::{HeaderMap, Response, StatusCode, Version, response::Parts};

use crate::{
    Error, Framing, Input, Limits,
    field::Relevance,
    head::{self, Lines, encode_field, encode_fields, encode_framing},
    output::Output,
};

/// Checks a head's status line as soon as it is there, and that it is one as soon as that shows:
/// whoever speaks another protocol may never send the rest. Its length, its CR LF included; 0 if more
/// must arrive, or if its end is for [`head::find`] to judge.
pub(crate) fn begin(bytes: &[u8], limits: Limits) -> Result<usize, Error> {
    const PROTOCOL: &[u8] = b"HTTP/";
    if bytes.iter().zip(PROTOCOL).any(|(byte, due)| byte != due) {
        return Err(Error::StatusLine);
    }
    let window = &bytes[..bytes.len().min(limits.max_head_bytes as usize)];
    let Some(end) = memchr::memchr(b'\n', window) else { return Ok(0) };
    let Some(line) = window[..end].strip_suffix(b"\r") else { return Ok(0) };
    read_status_line(line)?;
    Ok(end + 1)
}

/// Takes a head of `length` bytes, as [`head::find`] gave it, off the front of `input`. `fields`
/// is an empty map whose memory is used again.
pub(crate) fn take(
    input: &mut Input,
    length: usize,
    fields: HeaderMap,
    limits: Limits,
) -> Result<(Parts, Relevance), Error> {
    let head = input.take(length);
    let mut lines = Lines(&head);
    let (version, status) = read_status_line(lines.next().unwrap_or_default())?;
    let mut parts = Response::new(()).into_parts().0;
    parts.version = version;
    parts.status = status;
    parts.headers = fields;
    let relevance = head::read_fields(&head, lines, &mut parts.headers, limits)?;
    Ok((parts, relevance))
}

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

/// Writes an informational answer, which has no content and says nothing of the connection.
pub(crate) fn encode_informational(head: &Parts, output: &mut Output) {
    let out = output.tail();
    encode_status_line(head.status, out);
    encode_fields(&head.headers, out);
    out.extend_from_slice(b"\r\n");
}

fn read_status_line(line: &[u8]) -> Result<(Version, StatusCode), Error> {
    let (version, status) = split_status_line(line)?;
    Ok((head::read_version(version)?, read_status(status)?))
}

/// Splits `HTTP-version SP status-code [ SP reason-phrase ]`; the reason is checked and dropped.
///
/// The standard wants its space even without a reason, but servers leave it out, and nothing can
/// be read into that.
fn split_status_line(line: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let (version, rest) = line.split_at_checked("HTTP/1.1".len()).ok_or(Error::StatusLine)?;
    let rest = rest.strip_prefix(b" ").ok_or(Error::StatusLine)?;
    let (status, rest) = rest.split_at_checked("200".len()).ok_or(Error::StatusLine)?;
    let reason = match rest {
        [] => &[],
        [b' ', reason @ ..] => reason,
        _ => return Err(Error::StatusLine),
    };
    if reason.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(Error::StatusLine);
    }
    Ok((version, status))
}

/// Reads a status code of one of the five classes; `http`'s own type knows more of them.
fn read_status(status: &[u8]) -> Result<StatusCode, Error> {
    let status = StatusCode::from_bytes(status).map_err(|_| Error::Status)?;
    if status.as_u16() < 600 { Ok(status) } else { Err(Error::Status) }
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
