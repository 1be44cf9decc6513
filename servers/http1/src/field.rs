//! Lines and field lines (RFC 9112, sections 2.2 and 5).

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::Error;

/// The first line of `bytes`, without its CR LF, if it ends within `limit` bytes.
///
/// `Some(Err(_))` if it ends in a bare LF or holds a bare CR.
pub(crate) fn line(bytes: &[u8], limit: usize) -> Option<Result<&[u8], Error>> {
    let window = &bytes[..bytes.len().min(limit.saturating_add(2))];
    let end = memchr::memchr(b'\n', window)?;
    Some(match window[..end].split_last() {
        Some((b'\r', line)) if memchr::memchr(b'\r', line).is_none() => Ok(line),
        _ => Err(Error::LineEnd),
    })
}

/// Splits `field-name ":" OWS field-value OWS` and checks both.
pub(crate) fn split(line: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Error::FoldedField);
    }
    let colon = memchr::memchr(b':', line).ok_or(Error::FieldName)?;
    let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return Err(Error::FieldName);
    }
    if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(Error::FieldValue);
    }
    Ok((name, value))
}

/// Appends the field of `line`, a slice of `head` whose memory the value goes on sharing.
pub(crate) fn append(head: &Bytes, line: &[u8], fields: &mut HeaderMap) -> Result<(), Error> {
    let (name, value) = split(line)?;
    let name = HeaderName::from_bytes(name).map_err(|_| Error::FieldName)?;
    let value =
        HeaderValue::from_maybe_shared(head.slice_ref(value)).map_err(|_| Error::FieldValue)?;
    fields.try_append(name, value).map_err(|_| Error::HeadTooLarge)?;
    Ok(())
}

/// `bytes` without optional white space around them: space and tab only.
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Whether `byte` may stand in a token (RFC 9110, section 5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    const TOKEN: [bool; 256] = table(b"!#$%&'*+-.^_`|~");
    TOKEN[byte as usize]
}

/// A table of letters, digits and `others`.
pub(crate) const fn table(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
}

/// The members of a comma-separated list field, in order (RFC 9110, section 5.6.1).
pub(crate) fn list<'a>(fields: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    fields
        .get_all(name)
        .into_iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(trim)
        .filter(|member| !member.is_empty())
}
