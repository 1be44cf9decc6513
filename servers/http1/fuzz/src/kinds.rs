//! Kinds of difference that requests and answers share.

use std::sync::LazyLock;

use http1::Error;
use regex::bytes::Regex;

use crate::difference::{Difference, has_bare_lf, lines, members, values, without_empty_lines};

pub(crate) const BARE_LF: Difference = Difference {
    name: "bare-lf",
    verdict: "RFC 9112, 2.2: a recipient may take a single LF for the end of a line",
    errors: &[Error::LineEnd],
    explains: |dispute| has_bare_lf(dispute.stopped),
};

pub(crate) const EQUAL_LENGTHS: Difference = Difference {
    name: "equal-lengths",
    verdict: "RFC 9112, 6.3: equal values may be replaced by one, or refused",
    errors: &[Error::ContentLength],
    explains: |dispute| {
        let lengths: Vec<_> = members(dispute.message, "content-length").map(number).collect();
        let [Some(first), others @ ..] = &lengths[..] else { return false };
        !others.is_empty() && others.iter().all(|other| other.as_ref() == Some(first))
    },
};

pub(crate) const LENGTH_BESIDE_CODING: Difference = Difference {
    name: "length-beside-coding",
    verdict: "RFC 9112, 6.3: it may be refused, or the coding used alone and the connection closed",
    errors: &[Error::ConflictingFraming, Error::ContentLength],
    explains: |dispute| {
        ["content-length", "transfer-encoding"]
            .iter()
            .all(|name| values(dispute.message, name).next().is_some())
    },
};

pub(crate) const CHUNK_SIZE: Difference = Difference {
    name: "chunk-size",
    verdict: "RFC 9112, 7.1: a size is digits and nothing else; a bound on them is to be expected",
    errors: &[Error::ChunkSize],
    explains: |dispute| ODD_CHUNK_SIZE.is_match(dispute.stopped),
};

pub(crate) const CHUNK_EXTENSION: Difference = Difference {
    name: "chunk-extension",
    verdict: "RFC 9112, 7.1.1: an extension has a grammar, and should be bounded",
    errors: &[Error::ChunkExtension, Error::ChunkSize],
    explains: |dispute| {
        lines(dispute.stopped).next().is_some_and(|line| {
            line.contains(&b';') && (line.len() > 256 || !CHUNK_LINE.is_match(line))
        })
    },
};

pub(crate) const LATER_MINOR_VERSION: Difference = Difference {
    name: "later-minor-version",
    verdict: "RFC 9110, 2.5: a later minor version should be read as the one known",
    errors: &[],
    explains: |dispute| {
        let line = lines(without_empty_lines(dispute.message)).next();
        [Some(dispute.previous), line].into_iter().flatten().any(|it| LATER_VERSION.is_match(it))
    },
};

/// White space behind the size, where there is no extension; or more digits than 64 bits have.
static ODD_CHUNK_SIZE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:[0-9A-Fa-f]+[ \t]+\r|[0-9A-Fa-f]{17})"));

/// A chunk's size and extensions, with the CR behind them.
static CHUNK_LINE: LazyLock<Regex> = LazyLock::new(|| {
    let token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
    let quoted = r#""(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*""#;
    let extension = format!(r"[ \t]*;[ \t]*{token}(?:[ \t]*=[ \t]*(?:{token}|{quoted}))?");
    pattern(&format!(r"^[0-9A-Fa-f]{{1,16}}(?:{extension})*\r$"))
});

/// At the end of a request line, or at the beginning of a status line.
static LATER_VERSION: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m: HTTP/1\.[2-9]\r$|^HTTP/1\.[2-9] )"));

/// A pattern of bytes, not of characters.
pub(crate) fn pattern(pattern: &str) -> Regex {
    Regex::new(&format!("(?-u){pattern}")).expect("a pattern that is written here is right")
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
