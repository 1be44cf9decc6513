//! Where `http1` and hyper differ over answers, and what the standard says of it.

use http1::Error;

use crate::difference::{Difference, Dispute, lines, members, values};
use crate::kinds;

/// What only hyper takes.
pub(super) const ONLY_HYPER: &[Difference] = &[
    kinds::BARE_LF,
    kinds::EQUAL_LENGTHS,
    kinds::LENGTH_BESIDE_CODING,
    kinds::CHUNK_SIZE,
    kinds::CHUNK_EXTENSION,
    Difference {
        name: "empty-lines-before-an-answer",
        verdict: "RFC 9112, 2.2: only a server should forgive an empty line, before a request",
        errors: &[Error::StatusLine],
        // The end of such a line may be a bare LF, which is not what http1 minds first.
        explains: |dispute| matches!(dispute.message, [b'\n', ..] | [b'\r', b'\n', ..]),
    },
    Difference {
        name: "sixth-class",
        verdict: "RFC 9110, 15: a status of 600 or more is invalid; \
                  a client should take it for one of 500",
        errors: &[Error::Status],
        explains: |dispute| {
            status(dispute).is_some_and(|status| matches!(status, [b'6'..=b'9', ..]))
        },
    },
    Difference {
        name: "switching-protocols",
        verdict: "RFC 9110, 7.8: a server must not switch to a protocol that was not asked for",
        errors: &[Error::UnexpectedUpgrade],
        explains: |dispute| status(dispute) == Some(b"101"),
    },
    Difference {
        name: "informational-with-content",
        verdict: "RFC 9110, 8.6 and RFC 9112, 6.1: a server must not announce content there",
        errors: &[Error::InformationalContent],
        explains: |dispute| {
            status(dispute).is_some_and(|status| status.starts_with(b"1"))
                && announces_content(dispute)
        },
    },
    Difference {
        name: "wrong-lengths-without-content",
        verdict: "RFC 9112, 6.3: an answer that has no content ends with its head; \
                  lengths and codings that can't be read make it suspect all the same",
        errors: &[Error::ContentLength, Error::TransferEncoding, Error::UnknownTransferCoding],
        explains: |dispute| has_no_content(dispute) && announces_content(dispute),
    },
    Difference {
        name: "unknown-coding",
        verdict: "RFC 9112, 6.3: content in another coding than chunked lasts until the close, \
                  but whoever does not know the coding can't read it",
        errors: &[Error::UnknownTransferCoding, Error::TransferEncoding],
        explains: |dispute| {
            let codings: Vec<_> = members(dispute.message, "transfer-encoding").collect();
            !codings.is_empty() && !matches!(codings[..], [coding] if is_chunked(coding))
        },
    },
    Difference {
        name: "many-informational",
        verdict: "RFC 9110, 15.2: any number may come; no client needs more than a few",
        errors: &[Error::TooManyInformational],
        explains: |dispute| status(dispute).is_some_and(|status| status.starts_with(b"1")),
    },
    Difference { errors: IN_CHUNKS, ..EMPTY_LIST_MEMBERS },
];

/// What only `http1` takes.
pub(super) const ONLY_HTTP1: &[Difference] = &[kinds::LATER_MINOR_VERSION];

/// What both take, and take for different things.
pub(super) const READ_OTHERWISE: &[Difference] = &[EMPTY_LIST_MEMBERS];

const EMPTY_LIST_MEMBERS: Difference = Difference {
    name: "empty-list-members",
    verdict: "RFC 9110, 5.6.1: a recipient must ignore empty members; hyper reads until the close",
    errors: &[],
    explains: |dispute| members(dispute.message, "transfer-encoding").any(<[u8]>::is_empty),
};

/// What can be wrong with chunks, and with bytes that are none.
const IN_CHUNKS: &[Error] = &[
    Error::ChunkSize,
    Error::ChunkExtension,
    Error::ChunkEnd,
    Error::LineEnd,
    Error::FieldName,
    Error::FieldValue,
    Error::FoldedField,
    Error::HeadTooLarge,
    Error::Incomplete,
];

/// The second word of the status line.
fn status<'a>(dispute: &Dispute<'a>) -> Option<&'a [u8]> {
    lines(dispute.message).next()?.trim_ascii().split(|byte| *byte == b' ').nth(1)
}

fn has_no_content(dispute: &Dispute<'_>) -> bool {
    dispute.is_head
        || status(dispute).is_some_and(|status| matches!(status, [b'1', _, _] | b"204" | b"304"))
}

fn announces_content(dispute: &Dispute<'_>) -> bool {
    ["content-length", "transfer-encoding"]
        .iter()
        .any(|name| values(dispute.message, name).next().is_some())
}

fn is_chunked(coding: &[u8]) -> bool {
    coding.eq_ignore_ascii_case(b"chunked")
}
