//! Request heads, in and out (RFC 9112, sections 2 to 5).

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri, request::Parts};

use crate::{
    Error, Framing, Input, Limits,
    field::{self, Relevance},
    head::{self, Lines},
    output::Output,
};

/// The length of the first whole head in `bytes`, as [`head::find`] gives it, but for the name of
/// the error where the request line alone is too long.
pub(crate) fn find(
    bytes: &[u8],
    scanned: &mut u32,
    limits: Limits,
) -> Result<Option<usize>, Error> {
    head::find(bytes, scanned, limits).map_err(|error| match error {
        Error::HeadTooLarge if *scanned == 0 => Error::TargetTooLong,
        error => error,
    })
}

/// Takes a head of `length` bytes, as [`find`] gave it, off the front of `input`. `fields` is
/// an empty map whose memory is used again.
pub(crate) fn take(
    input: &mut Input,
    length: usize,
    fields: HeaderMap,
    limits: Limits,
) -> Result<(Parts, Relevance), Error> {
    let head = input.take(length);
    let mut lines = Lines(&head);
    let [method, target, version] = split_request_line(lines.next().unwrap_or_default())?;
    let mut parts = Request::new(()).into_parts().0;
    parts.method = Method::from_bytes(method).map_err(|_| Error::Method)?;
    parts.uri = read_target(&head, target)?;
    parts.version = head::read_version(version)?;
    parts.headers = fields;
    let relevance = head::read_fields(&head, lines, &mut parts.headers, limits)?;
    Ok((parts, relevance))
}

/// Writes the head of a request, its target in origin-form or as `*`.
pub(crate) fn encode(head: &Parts, framing: Option<Framing>, output: &mut Output) {
    let out = output.tail();
    out.extend_from_slice(head.method.as_str().as_bytes());
    out.push(b' ');
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    if target.starts_with('?') {
        out.push(b'/');
    }
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    head::encode_fields(&head.headers, out);
    if let Some(framing) = framing {
        head::encode_framing(framing, out);
    }
    out.extend_from_slice(b"\r\n");
}

/// Splits `method SP request-target SP HTTP-version`, each space exactly one.
fn split_request_line(line: &[u8]) -> Result<[&[u8]; 3], Error> {
    let mut parts = line.split(|byte| *byte == b' ');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(method), Some(target), Some(version), None) if !target.is_empty() => {
            Ok([method, target, version])
        }
        _ => Err(Error::RequestLine),
    }
}

/// Checks the target's characters (RFC 3986, appendix A) and reads it.
fn read_target(head: &Bytes, target: &[u8]) -> Result<Uri, Error> {
    /// What a [`Uri`] can hold, in bytes.
    const AT_MOST: usize = u16::MAX as usize - 1;
    const PLAIN: [bool; 256] = field::table(b"-._~!$&'()*+,;=:@/?[]");
    if target.len() > AT_MOST {
        return Err(Error::TargetTooLong);
    }
    let mut rest = target;
    while let [byte, after @ ..] = rest {
        rest = match after {
            _ if PLAIN[*byte as usize] => after,
            [high, low, after @ ..]
                if *byte == b'%' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                after
            }
            _ => return Err(Error::Target),
        };
    }
    Uri::from_maybe_shared(head.slice_ref(target)).map_err(|_| Error::Target)
}
