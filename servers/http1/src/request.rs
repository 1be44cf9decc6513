//! Request heads in (RFC 9112, sections 2 to 5).

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri, Version, request::Parts};

use crate::{
    Error, Input, Limits,
    field::{self, Relevance},
};

/// The length of the first whole head in `bytes`, its last CR LF included; `None` if more
/// must arrive. `scanned` remembers how far lines have been looked at, so that a head which
/// arrives byte by byte is not read again from its start.
pub(crate) fn find(
    bytes: &[u8],
    scanned: &mut u32,
    limits: Limits,
) -> Result<Option<usize>, Error> {
    let limit = limits.max_head_bytes as usize;
    let mut at = *scanned as usize;
    for end in memchr::memchr_iter(b'\n', &bytes[at..bytes.len().min(limit)]) {
        let end = *scanned as usize + end;
        match &bytes[at..end] {
            [b'\r'] => return Ok(Some(end + 1)),
            [.., b'\r'] => at = end + 1,
            _ => return Err(Error::LineEnd),
        }
    }
    *scanned = u32::try_from(at).map_err(|_| Error::HeadTooLarge)?;
    match bytes.len() {
        length if length < limit => Ok(None),
        _ if at == 0 => Err(Error::TargetTooLong),
        _ => Err(Error::HeadTooLarge),
    }
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
    parts.version = read_version(version)?;
    parts.headers = fields;
    let mut relevance = Relevance::default();
    for (count, line) in lines.enumerate() {
        if count >= limits.max_headers as usize {
            return Err(Error::HeadTooLarge);
        }
        relevance.add(field::append(&head, line, &mut parts.headers)?);
    }
    Ok((parts, relevance))
}

/// The lines of a head whose line ends have been checked, without the empty one.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(b'\n', self.0).filter(|end| *end > 1)?;
        let line = &self.0[..end - 1];
        self.0 = &self.0[end + 1..];
        Some(line)
    }
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
    const PLAIN: [bool; 256] = field::table(b"-._~!$&'()*+,;=:@/?[]");
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

/// Reads `HTTP/` digit `.` digit; a later 1.x is read as 1.1 (RFC 9110, section 2.5).
fn read_version(version: &[u8]) -> Result<Version, Error> {
    match version {
        b"HTTP/1.0" => Ok(Version::HTTP_10),
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9'] => Ok(Version::HTTP_11),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            Err(Error::UnsupportedVersion)
        }
        _ => Err(Error::Version),
    }
}
