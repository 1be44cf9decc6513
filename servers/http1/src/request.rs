//! Request heads in (RFC 9112, sections 2 to 5).

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri, Version, request::Parts};

use crate::{Error, Input, Limits, field};

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
    while let Some(line) = field::line(&bytes[at..], limit.saturating_sub(at)) {
        let line = line?;
        at += line.len() + 2;
        if line.is_empty() {
            return if at <= limit { Ok(Some(at)) } else { Err(Error::HeadTooLarge) };
        }
        *scanned = u32::try_from(at).map_err(|_| Error::HeadTooLarge)?;
    }
    match bytes.len() {
        length if length < limit => Ok(None),
        _ if *scanned == 0 => Err(Error::TargetTooLong),
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
) -> Result<Parts, Error> {
    let head = input.take(length);
    let mut lines = Lines(&head);
    let [method, target, version] = split_request_line(lines.next().unwrap_or_default())?;
    let mut parts = Request::new(()).into_parts().0;
    parts.method = Method::from_bytes(method).map_err(|_| Error::Method)?;
    parts.uri = read_target(&head, target)?;
    parts.version = read_version(version)?;
    parts.headers = fields;
    for (count, line) in lines.enumerate() {
        if count >= limits.max_headers as usize {
            return Err(Error::HeadTooLarge);
        }
        field::append(&head, line, &mut parts.headers)?;
    }
    Ok(parts)
}

/// The lines of a head whose line ends have been checked, without the empty one.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(b'\r', self.0).filter(|end| *end > 0)?;
        let line = &self.0[..end];
        self.0 = &self.0[end + 2..];
        Some(line)
    }
}

/// Splits `method SP request-target SP HTTP-version`, each space exactly one.
fn split_request_line(line: &[u8]) -> Result<[&[u8]; 3], Error> {
    let first = memchr::memchr(b' ', line).ok_or(Error::RequestLine)?;
    let last = memchr::memrchr(b' ', line).filter(|last| *last > first);
    let last = last.ok_or(Error::RequestLine)?;
    let (method, target, version) = (&line[..first], &line[first + 1..last], &line[last + 1..]);
    if target.is_empty() || memchr::memchr(b' ', target).is_some() {
        return Err(Error::RequestLine);
    }
    Ok([method, target, version])
}

/// Checks the target's characters (RFC 3986, appendix A) and reads it.
fn read_target(head: &Bytes, target: &[u8]) -> Result<Uri, Error> {
    const TARGET: [bool; 256] = field::table(b"-._~!$&'()*+,;=:@/?%[]");
    if !target.iter().all(|byte| TARGET[*byte as usize]) {
        return Err(Error::Target);
    }
    for at in memchr::memchr_iter(b'%', target) {
        let escaped =
            target.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        if !escaped {
            return Err(Error::Target);
        }
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
