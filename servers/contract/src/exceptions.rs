//! Where `hyper` decides: the only places in which `tokio` may differ from the rest.
//!
//! `server-tokio` is `hyper` as people deploy it. What the RFC permits, and what `hyper` can't be
//! told, stays as an entry here; a test excuses a backend by the entry's name and no other way.
//! `tokio/http1` has none.

use crate::Backend;

/// One difference, with what the RFC has to say about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Exception {
    /// What it is called in the documents.
    pub id: &'static str,
    /// Where the RFCs speak of it.
    pub rfc: &'static str,
    /// What `hyper` does.
    pub what: &'static str,
    /// What to think of it.
    pub verdict: &'static str,
}

/// Both `Transfer-Encoding` and `Content-Length`.
pub const LENGTH_BESIDE_CODING: Exception = Exception {
    id: "length-beside-coding",
    rfc: "RFC 9112, 6.1 and 6.3",
    what: "drops Content-Length, reads chunks, answers as usual and closes",
    verdict: "permitted: a server may reject, or use Transfer-Encoding alone and close",
};

/// Lines that end in a bare LF.
pub const BARE_LF: Exception = Exception {
    id: "bare-lf",
    rfc: "RFC 9112, 2.2",
    what: "takes a bare LF for the end of a line",
    verdict: "permitted: a recipient may recognise a single LF as a line terminator",
};

/// A bare LF after the last trailer, or in its place.
pub const BARE_LF_AFTER_TRAILERS: Exception = Exception {
    id: "bare-lf-after-trailers",
    rfc: "RFC 9112, 2.2 and 7.1.2",
    what: "takes a bare LF for the end of the trailers, but passes over all up to the next CR LF CR LF",
    verdict: "wrong: a request that follows is lost, though nobody else is answered in its place",
};

/// An empty member of a list of codings.
pub const EMPTY_MEMBER: Exception = Exception {
    id: "empty-member",
    rfc: "RFC 9110, 5.6.1.2",
    what: "answers 400 to a Transfer-Encoding of chunked and an empty member after it, and 502 if an upstream sends it",
    verdict: "wrong: a reasonable number of empty members must be ignored",
};

/// Bytes beyond ASCII in `Connection`.
pub const CONNECTION_BEYOND_ASCII: Exception = Exception {
    id: "connection-beyond-ascii",
    rfc: "RFC 9110, 7.6.1, and RFC 9112, 9.3",
    what: "overlooks close and keep-alive in a Connection field with a byte beyond ASCII",
    verdict: "wrong for close, which is to be honoured whatever stands beside it; for keep-alive permitted",
};

/// White space after a chunk's size.
pub const SPACE_AFTER_CHUNK_SIZE: Exception = Exception {
    id: "space-after-chunk-size",
    rfc: "RFC 9112, 7.1",
    what: "reads a chunk size that is followed by a space",
    verdict: "not in the grammar, though common; harmless where nothing hides behind it",
};

/// What stands in a chunk's extension.
pub const CHUNK_EXTENSION: Exception = Exception {
    id: "chunk-extension",
    rfc: "RFC 9112, 7.1.1",
    what: "passes over a chunk's extension without a look, but for bare CR and LF",
    verdict: "not in the grammar, though an extension that means nothing must be ignored",
};

/// The same `Content-Length` twice.
pub const EQUAL_LENGTHS: Exception = Exception {
    id: "equal-lengths",
    rfc: "RFC 9112, 6.3",
    what: "makes one of two equal Content-Length fields before anyone sees them",
    verdict: "permitted: equal values may be replaced by one",
};

/// The longest lengths that have a name in 64 bits.
pub const LARGEST_LENGTH: Exception = Exception {
    id: "largest-length",
    rfc: "RFC 9110, 8.6",
    what: "takes a Content-Length of 2^63 and more for a length, and answers 431 to 2^64 - 1",
    verdict: "permitted: nothing overflows, though 431 names the wrong thing",
};

/// The largest chunks that have a size in 64 bits.
pub const LARGEST_CHUNK: Exception = Exception {
    id: "largest-chunk",
    rfc: "RFC 9112, 7.1",
    what: "begins to read a chunk of 2^63 bytes and more",
    verdict: "permitted: nothing overflows",
};

/// Many zeros before a chunk's size.
pub const ZEROS_BEFORE_CHUNK_SIZE: Exception = Exception {
    id: "zeros-before-chunk-size",
    rfc: "RFC 9112, 7.1",
    what: "reads a chunk size of more than 16 digits, if all but the last 16 are zeros",
    verdict: "permitted: the grammar sets no bound",
};

/// Content that ends before its length or its last chunk.
pub const SHORT_CONTENT: Exception = Exception {
    id: "short-content",
    rfc: "RFC 9112, 8",
    what: "has 400 answered to content that a half-close cuts short, where the others close without a word",
    verdict: "permitted: a server may send an error before it closes",
};

/// Too many trailers.
pub const TOO_MANY_TRAILERS: Exception = Exception {
    id: "too-many-trailers",
    rfc: "RFC 6585, 5",
    what: "answers 400 in place of 431 to trailers that are too many or too long",
    verdict: "permitted: 431 is one of the ways to refuse",
};

/// More than one empty line before a request.
pub const EMPTY_LINES: Exception = Exception {
    id: "empty-lines",
    rfc: "RFC 9112, 2.2",
    what: "ignores any number of empty lines before a request line",
    verdict: "permitted: at least one is to be ignored",
};

/// Empty lines before an answer.
pub const EMPTY_LINES_BEFORE_ANSWER: Exception = Exception {
    id: "empty-lines-before-answer",
    rfc: "RFC 9112, 2.1 and 2.2",
    what: "ignores any number of empty lines before a status line",
    verdict: "not in the grammar, which forgives them before requests only; harmless, for they hide nothing",
};

/// A coding that is not known, where chunked is not the last.
pub const UNKNOWN_CODING: Exception = Exception {
    id: "unknown-coding",
    rfc: "RFC 9112, 6.1 and 6.3",
    what: "answers 400 in place of 501 to a Transfer-Encoding that does not end in chunked",
    verdict: "permitted: 6.3 asks for 400 there, 6.1 for 501",
};

/// A fragment in the target.
pub const FRAGMENT: Exception = Exception {
    id: "fragment",
    rfc: "RFC 9112, 3.2",
    what: "drops a fragment before anyone sees it",
    verdict: "contrary to a should: an invalid request line is to be refused",
};

/// A request line that is too long.
pub const LONG_REQUEST_LINE: Exception = Exception {
    id: "long-request-line",
    rfc: "RFC 9110, 15.5.15",
    what: "answers 431 to any head that is too large, in place of 414 to a long request line",
    verdict: "contrary to a should of RFC 9112, 3: too long a target is to get 414",
};

/// A later minor version.
pub const LATER_MINOR_VERSION: Exception = Exception {
    id: "later-minor-version",
    rfc: "RFC 9110, 2.5",
    what: "answers HTTP/1.2 with an empty 400, and 502 if an upstream sends it",
    verdict: "contrary to a should: a later minor version is to be read as the one known",
};

/// Another major version.
pub const OTHER_MAJOR_VERSION: Exception = Exception {
    id: "other-major-version",
    rfc: "RFC 9110, 15.6.6",
    what: "answers HTTP/2.0 with an empty 400 in place of 505",
    verdict: "permitted: 505 is one of the ways to refuse",
};

/// The preface of HTTP/2.
pub const HTTP_2_PREFACE: Exception = Exception {
    id: "http-2-preface",
    rfc: "RFC 9113, 3.4",
    what: "closes on the preface of HTTP/2, without a word or, if it comes in pieces, with an empty 400",
    verdict: "permitted: it is no request of HTTP/1.1",
};

/// The version of an answer to HTTP/1.0.
pub const ANSWERS_1_0_AS_1_0: Exception = Exception {
    id: "answers-1.0-as-1.0",
    rfc: "RFC 9110, 6.2",
    what: "answers HTTP/1.0 with HTTP/1.0",
    verdict: "contrary to a should: a server sends the highest version that it conforms to",
};

/// An upstream of 1.0 whose connection could go on.
pub const KEEP_ALIVE_OF_1_0: Exception = Exception {
    id: "keep-alive-of-1.0",
    rfc: "RFC 9110, 2.5, and RFC 9112, 9.3",
    what: "would go on in HTTP/1.0 once an upstream has answered so, and therefore gets a new connection though that said keep-alive",
    verdict: "permitted: a connection need not be used again, while a request of 1.0 is contrary to a should",
};

/// An upstream that answers before it has been asked.
pub const ANSWER_BEFORE_REQUEST: Exception = Exception {
    id: "answer-before-request",
    rfc: "RFC 9112, 9.2",
    what: "may answer 502 in place of what an upstream said as soon as it was connected to, such as 503 of one that is full",
    verdict: "permitted: what comes while no request is outstanding is no answer, and whether one is is a matter of time",
};

/// What `hyper` refuses before the service sees it.
pub const UNSIGNED_REFUSAL: Exception = Exception {
    id: "unsigned-refusal",
    rfc: "RFC 9110, 10.2.4",
    what: "refuses what it can't parse by an answer without `Server`",
    verdict: "permitted: Server is a may",
};

/// Every exception that there is.
pub const ALL: &[&Exception] = &[
    &LENGTH_BESIDE_CODING,
    &BARE_LF,
    &BARE_LF_AFTER_TRAILERS,
    &EMPTY_MEMBER,
    &CONNECTION_BEYOND_ASCII,
    &SPACE_AFTER_CHUNK_SIZE,
    &CHUNK_EXTENSION,
    &EQUAL_LENGTHS,
    &LARGEST_LENGTH,
    &LARGEST_CHUNK,
    &ZEROS_BEFORE_CHUNK_SIZE,
    &SHORT_CONTENT,
    &TOO_MANY_TRAILERS,
    &EMPTY_LINES,
    &EMPTY_LINES_BEFORE_ANSWER,
    &UNKNOWN_CODING,
    &FRAGMENT,
    &LONG_REQUEST_LINE,
    &LATER_MINOR_VERSION,
    &OTHER_MAJOR_VERSION,
    &HTTP_2_PREFACE,
    &ANSWERS_1_0_AS_1_0,
    &KEEP_ALIVE_OF_1_0,
    &ANSWER_BEFORE_REQUEST,
    &UNSIGNED_REFUSAL,
];

impl Exception {
    /// Whether it holds for this backend.
    pub fn excuses(&self, backend: Backend) -> bool {
        backend == Backend::Tokio && ALL.contains(&self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_has_a_name_of_its_own() {
        let ids: BTreeSet<_> = ALL.iter().map(|exception| exception.id).collect();
        assert_eq!(ids.len(), ALL.len());
    }

    #[test]
    fn each_is_told_to_readers_in_the_same_words() {
        let document = include_str!("../../../BIAS.md");
        for Exception { id, rfc, what, verdict } in ALL {
            let row = format!("| `{id}` | {rfc} | {what} | {verdict} |");
            assert!(document.lines().any(|line| line == row), "not in BIAS.md: {row}");
        }
        let rows = document.lines().filter(|line| line.contains("` | RFC ")).count();
        assert_eq!(rows, ALL.len(), "BIAS.md lists what is no exception");
    }

    #[test]
    fn they_excuse_hyper_only() {
        let excused: Vec<_> = Backend::ALL.into_iter().filter(|b| BARE_LF.excuses(*b)).collect();
        assert_eq!(excused, [Backend::Tokio]);
    }
}
