//! What request and response heads have in common, in and out (RFC 9112, sections 2 and 5).

use bytes::Bytes;
use http::{HeaderMap, Version, header};

use crate::{
    Error, Framing, Limits,
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
        _ => Err(Error::HeadTooLarge),
    }
}

/// The lines of a head whose line ends have been checked, without the empty one.
pub(crate) struct Lines<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(b'\n', self.0).filter(|end| *end > 1)?;
        let line = &self.0[..end - 1];
        self.0 = &self.0[end + 1..];
        Some(line)
    }
}

/// Appends the fields of `lines`, which are what is left of `head`, to an empty map.
pub(crate) fn read_fields(
    head: &Bytes,
    lines: Lines,
    fields: &mut HeaderMap,
    limits: Limits,
) -> Result<Relevance, Error> {
    let mut relevance = Relevance::default();
    for (count, line) in lines.enumerate() {
        if count >= limits.max_headers as usize {
            return Err(Error::HeadTooLarge);
        }
        relevance.add(field::append(head, line, fields)?);
    }
    Ok(relevance)
}

/// Reads `HTTP/` digit `.` digit; a later 1.x is read as 1.1 (RFC 9110, section 2.5).
pub(crate) fn read_version(version: &[u8]) -> Result<Version, Error> {
    match version {
        b"HTTP/1.0" => Ok(Version::HTTP_10),
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9'] => Ok(Version::HTTP_11),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            Err(Error::UnsupportedVersion)
        }
        _ => Err(Error::Version),
    }
}

/// What a sender says of the connection's future (RFC 9112, section 9.3).
pub(crate) fn wants_persistence(version: Version, fields: &HeaderMap) -> bool {
    let mut persists = version >= Version::HTTP_11;
    for option in field::list(fields, &header::CONNECTION) {
        if option.eq_ignore_ascii_case(b"close") {
            return false;
        }
        persists |= option.eq_ignore_ascii_case(b"keep-alive");
    }
    persists
}

/// Writes fields, in their order.
pub(crate) fn encode_fields(fields: &HeaderMap, out: &mut Vec<u8>) {
    for (name, value) in fields {
        out.reserve(name.as_str().len() + value.len() + 4);
        encode_name(name.as_str(), out);
        encode_value(value.as_bytes(), out);
    }
}

/// Writes the field that says how the content is delimited, if one does.
pub(crate) fn encode_framing(framing: Framing, out: &mut Vec<u8>) {
    match framing {
        Framing::Length(length) => {
            let mut digits = itoa::Buffer::new();
            encode_field("Content-Length", digits.format(length).as_bytes(), out);
        }
        Framing::Chunked => encode_field("Transfer-Encoding", b"chunked", out),
        Framing::UntilClose => {}
    }
}

/// Writes one field line.
pub(crate) fn encode_field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    encode_value(value, out);
}

fn encode_value(value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Names are alike in any case; people read `Content-Type`.
fn encode_name(name: &str, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(name.as_bytes());
    let mut begins = true;
    for byte in &mut out[start..] {
        if begins {
            byte.make_ascii_uppercase();
        }
        begins = *byte == b'-';
    }
}
