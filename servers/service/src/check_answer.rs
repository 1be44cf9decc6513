//! What an upstream's answer must satisfy, for a codec that lets more pass (RFC 9112, sections 6 and 9).

use http::{HeaderMap, StatusCode, Version, header, response};

use crate::field;

/// Whether an upstream's head frames its content in one way, by one length or by chunks alone, for a
/// codec that takes more. What it makes of that may not be what was sent: content in another coding,
/// or somebody else's answer (RFC 9112, sections 6.1, 6.3 and 11.1).
#[must_use]
pub fn is_framed_once(headers: &HeaderMap) -> bool {
    let has_length = headers.contains_key(header::CONTENT_LENGTH);
    let Some(last) = headers.get_all(header::TRANSFER_ENCODING).into_iter().next_back() else {
        // No content has 2^63 bytes.
        let is_length = |length| i64::try_from(length).is_ok();
        return !has_length || field::content_length(headers).is_some_and(is_length);
    };
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let mut codings = field::list(headers, &header::TRANSFER_ENCODING);
    let once = codings.next().is_some_and(is_chunked) && codings.next().is_none();
    // Behind an empty member, `hyper` does not see it.
    let seen = last.as_bytes().rsplit(|byte| *byte == b',').next();
    !has_length && once && seen.is_some_and(|coding| is_chunked(coding.trim_ascii()))
}

/// Whether an upstream's head says that content follows, be that so or not.
#[must_use]
pub fn announces_content(headers: &HeaderMap) -> bool {
    let has_length = headers.contains_key(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING)
        || has_length && field::content_length(headers) != Some(0)
}

/// Whether another request may follow on the connection of an answer with this head, informational or
/// final, for a codec that goes by less. Not after `close`, whatever stands beside it. Not after a 204
/// that announces content, which may be taken for the next answer (RFC 9112, section 6.3). And not
/// after HTTP/1.0, since `hyper` would go on in that version, which knows no chunks.
#[must_use]
pub fn may_persist(head: &response::Parts) -> bool {
    let is_close = |option: &[u8]| option.eq_ignore_ascii_case(b"close");
    head.version >= Version::HTTP_11
        && !field::list(&head.headers, &header::CONNECTION).any(is_close)
        && (head.status != StatusCode::NO_CONTENT || !announces_content(&head.headers))
}
