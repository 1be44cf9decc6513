//! Lines and field lines (RFC 9112, sections 2.2 and 5).

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::Error;

/// The first line of `bytes`, without its CR LF, if it ends within `limit` bytes.
///
/// `Some(Err(_))` if it ends in a bare LF. A bare CR is a control character, which nothing that
/// stands in a line may hold.
pub(crate) fn line(bytes: &[u8], limit: usize) -> Option<Result<&[u8], Error>> {
    let window = &bytes[..bytes.len().min(limit.saturating_add(2))];
    let end = memchr::memchr(b'\n', window)?;
    Some(window[..end].strip_suffix(b"\r").ok_or(Error::LineEnd))
}

/// Checks a field line that nobody keeps.
pub(crate) fn check(line: &[u8]) -> Result<(), Error> {
    let (name, value) = split(line)?;
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return Err(Error::FieldName);
    }
    if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(Error::FieldValue);
    }
    Ok(())
}

/// Splits `field-name ":" OWS field-value OWS`.
fn split(line: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Error::FoldedField);
    }
    let colon = line.iter().position(|byte| *byte == b':').ok_or(Error::FieldName)?;
    Ok((&line[..colon], trim(&line[colon + 1..])))
}

/// Appends the field of `line`, a slice of `head` whose memory the value goes on sharing.
/// `http`'s own types check that the name is a token and that the value holds no controls.
pub(crate) fn append(
    head: &Bytes,
    line: &[u8],
    fields: &mut HeaderMap,
) -> Result<Relevance, Error> {
    let (name, value) = split(line)?;
    let name = HeaderName::from_bytes(name).map_err(|_| Error::FieldName)?;
    let value =
        HeaderValue::from_maybe_shared(head.slice_ref(value)).map_err(|_| Error::FieldValue)?;
    let relevance = Relevance::of(&name);
    fields.try_append(name, value).map_err(|_| Error::HeadTooLarge)?;
    Ok(relevance)
}

/// Which of the fields that a codec must act on are there, so that it need not look for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Relevance {
    /// `Content-Length` or `Transfer-Encoding`.
    pub(crate) framing: bool,
    /// `Connection`.
    pub(crate) connection: bool,
    /// `Expect`.
    pub(crate) expect: bool,
}

impl Relevance {
    fn of(name: &HeaderName) -> Self {
        Self {
            framing: *name == header::CONTENT_LENGTH || *name == header::TRANSFER_ENCODING,
            connection: *name == header::CONNECTION,
            expect: *name == header::EXPECT,
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.framing |= other.framing;
        self.connection |= other.connection;
        self.expect |= other.expect;
    }
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
