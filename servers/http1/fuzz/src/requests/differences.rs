//! Where `http1` and hyper differ over requests, and what the standard says of it.

use std::sync::LazyLock;

use http1::Error;
use regex::bytes::Regex;

use crate::{
    difference::{Difference, Dispute, lines, members, values, without_empty_lines},
    kinds,
};

/// What only hyper takes.
pub(super) const ONLY_HYPER: &[Difference] = &[
    kinds::BARE_LF,
    kinds::EQUAL_LENGTHS,
    kinds::LENGTH_BESIDE_CODING,
    kinds::CHUNK_SIZE,
    kinds::CHUNK_EXTENSION,
    CONNECTION_BEYOND_ASCII,
    Difference {
        name: "empty-lines",
        verdict: "RFC 9112, 2.2: a server should ignore at least one empty line before a request",
        errors: &[Error::RequestLine],
        explains: |dispute| dispute.message.starts_with(b"\r\n\r\n"),
    },
    Difference {
        name: "target-characters",
        verdict: "RFC 9112, 3.2: an invalid request line should be refused; \
                  RFC 3986, 2: these characters are in no URI",
        errors: &[Error::Target],
        explains: |dispute| target(dispute).is_some_and(|target| !TARGET.is_match(target)),
    },
    Difference {
        name: "codings-before-chunked",
        verdict: "RFC 9112, 6.1: a server should answer 501 to a coding that it does not know, \
                  and a sender must not apply chunked twice",
        errors: &[Error::UnknownTransferCoding, Error::TransferEncoding],
        explains: |dispute| {
            let codings: Vec<_> = members(dispute.message, "transfer-encoding").collect();
            codings.len() > 1 && codings.last().is_some_and(|last| is_chunked(last))
        },
    },
];

/// What only `http1` takes.
pub(super) const ONLY_HTTP1: &[Difference] = &[
    kinds::LATER_MINOR_VERSION,
    CONNECTION_BEYOND_ASCII,
    Difference {
        name: "empty-list-members",
        verdict: "RFC 9110, 5.6.1: a recipient must ignore a reasonable number of empty members",
        errors: &[],
        explains: |dispute| members(dispute.message, "transfer-encoding").any(<[u8]>::is_empty),
    },
];

/// Both take the request before; whether it is the last is what they differ over.
const CONNECTION_BEYOND_ASCII: Difference = Difference {
    name: "connection-beyond-ascii",
    verdict: "RFC 9110, 7.6.1: an option is a token; hyper gives up on a list with anything else",
    errors: &[],
    explains: |dispute| values(dispute.previous, "connection").any(|value| !value.is_ascii()),
};

/// The characters that a request's target may have, whatever its form.
static TARGET: LazyLock<Regex> =
    LazyLock::new(|| kinds::pattern(r"^(?:[A-Za-z0-9._~!$&'()*+,;=:@/?\[\]-]|%[0-9A-Fa-f]{2})+$"));

fn target<'a>(dispute: &Dispute<'a>) -> Option<&'a [u8]> {
    let line = lines(without_empty_lines(dispute.message)).next()?;
    line.split(|byte| *byte == b' ').nth(1)
}

fn is_chunked(coding: &[u8]) -> bool {
    coding.eq_ignore_ascii_case(b"chunked")
}
