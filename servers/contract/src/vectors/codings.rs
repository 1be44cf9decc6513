//! `Transfer-Encoding`: RFC 9112, 6.1, 6.3 and 7.

use crate::exceptions::{EMPTY_MEMBER, LENGTH_BESIDE_CODING, UNKNOWN_CODING};
use crate::vector::{Rule, Vector, accepts, closes, refuses, row, rule};

/// All of them.
pub fn all() -> Vec<Vector> {
    [
        chunked(),
        not_once_and_last(),
        unknown(),
        beside_a_length(),
        malformed(),
        other_fields(),
        version_1_0(),
    ]
    .concat()
}

fn around_three_bytes(rule: Rule) -> Rule {
    let chunks = "\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    rule.around("POST /anything HTTP/1.1\r\nHost: a\r\n", chunks)
}

fn chunked() -> Vec<Vector> {
    let three = r#""body_length":3"#;
    around_three_bytes(rule("RFC 9112, 7", "codings are named in any case, in a list of any form"))
        .vectors([
            accepts("chunked", "Transfer-Encoding: chunked").shows(three),
            accepts("chunked without a space", "Transfer-Encoding:chunked").shows(three),
            accepts("chunked amid white space", "Transfer-Encoding: \t chunked \t ").shows(three),
            accepts("Chunked", "Transfer-Encoding: Chunked").shows(three),
            accepts("CHUNKED", "TRANSFER-ENCODING: CHUNKED").shows(three),
            accepts("chunked and an empty member", "Transfer-Encoding: chunked,")
                .shows(three)
                .but(&EMPTY_MEMBER, [closes(&[400])]),
            accepts("an empty member and chunked", "Transfer-Encoding: , chunked").shows(three),
        ])
}

fn not_once_and_last() -> Vec<Vector> {
    around_three_bytes(rule(
        "RFC 9112, 6.3",
        "a request that is not chunked at last, or chunked twice, gets 400, then close",
    ))
    .vectors([
        refuses("chunked twice", "Transfer-Encoding: chunked, chunked"),
        refuses("chunked twice, in any case", "Transfer-Encoding: chunked,CHUNKED"),
        refuses("chunked in two fields", ["Transfer-Encoding: chunked"; 2].join("\r\n")),
        refuses("chunked not last", "Transfer-Encoding: chunked, gzip"),
        refuses("chunked in the middle", "Transfer-Encoding: gzip, chunked, gzip").with(&[400]),
        refuses(
            "chunked not last, in two fields",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip",
        ),
        refuses("chunked before identity", "Transfer-Encoding: chunked, identity"),
        refuses("no coding", "Transfer-Encoding:"),
        refuses("a list of no coding", "Transfer-Encoding: ,"),
    ])
}

fn unknown() -> Vec<Vector> {
    let unknown = |name, bytes| row(name, bytes, closes(&[501]));
    let no_chunks = |name, bytes| unknown(name, bytes).but(&UNKNOWN_CODING, [closes(&[400])]);
    around_three_bytes(rule(
        "RFC 9112, 6.1",
        "a coding that the server does not understand should get 501; it can't read on",
    ))
    .vectors([
        unknown("gzip, then chunked", "Transfer-Encoding: gzip, chunked"),
        unknown(
            "gzip, then chunked, in two fields",
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        ),
        unknown("identity, then chunked", "Transfer-Encoding: identity, chunked"),
        no_chunks("gzip", "Transfer-Encoding: gzip"),
        no_chunks("identity, which is no more", "Transfer-Encoding: identity"),
        no_chunks("a name that ends like chunked", "Transfer-Encoding: xchunked"),
        no_chunks("a name that begins like chunked", "Transfer-Encoding: chunkedx"),
        no_chunks("chunked with a parameter", "Transfer-Encoding: chunked;q=1"),
        no_chunks("chunked in quotes", "Transfer-Encoding: \"chunked\""),
        no_chunks("two words, one of them chunked", "Transfer-Encoding: x chunked"),
        no_chunks("chunk", "Transfer-Encoding: chunk"),
    ])
}

fn beside_a_length() -> Vec<Vector> {
    let both = |name, bytes| refuses(name, bytes).but(&LENGTH_BESIDE_CODING, [closes(&[200])]);
    around_three_bytes(rule(
        "RFC 9112, 6.3",
        "a length beside a coding ought to be an error; who reads chunks all the same must close",
    ))
    .vectors([
        both("a length before the coding", "Content-Length: 13\r\nTransfer-Encoding: chunked"),
        both("a length after the coding", "Transfer-Encoding: chunked\r\nContent-Length: 13"),
        both(
            "a length of zero beside the coding",
            "Content-Length: 0\r\nTransfer-Encoding: chunked",
        ),
        both(
            "a length too long beside the coding",
            "Transfer-Encoding: chunked\r\nContent-Length: 99",
        ),
        both(
            "a length around the coding",
            "Content-Length: 13\r\nX: y\r\ntransfer-encoding: CHUNKED",
        ),
        refuses(
            "an invalid length before the coding",
            "Content-Length: x\r\nTransfer-Encoding: chunked",
        ),
    ])
}

fn malformed() -> Vec<Vector> {
    around_three_bytes(rule(
        "RFC 9112, 5.1",
        "no white space is allowed between a field's name and its colon, nor in the name",
    ))
    .vectors([
        refuses("a space before the coding's colon", "Transfer-Encoding : chunked"),
        refuses("a tab before the coding's colon", "Transfer-Encoding\t: chunked"),
        refuses("a space before the coding's name", "X: y\r\n Transfer-Encoding: chunked"),
        refuses("a folded coding", "Transfer-Encoding:\r\n chunked"),
        refuses("a coding with a vertical tab", "Transfer-Encoding: \x0bchunked"),
        refuses("a coding with NUL", "Transfer-Encoding: chunked\0"),
        refuses("a coding with a bare CR", "Transfer-Encoding: chunked\r"),
        refuses("a coding's name with NUL", "Transfer-Encoding\0: chunked"),
    ])
}

fn other_fields() -> Vec<Vector> {
    rule("RFC 9112, 6.3", "no other field tells of content: what follows is the next request")
        .around("POST /anything HTTP/1.1\r\nHost: a\r\n", "\r\n\r\n0\r\n\r\n")
        .vectors([
            row("Transfer_Encoding", "Transfer_Encoding: chunked", closes(&[200, 400])),
            row("X-Transfer-Encoding", "X-Transfer-Encoding: chunked", closes(&[200, 400])),
            row("TE", "TE: chunked", closes(&[200, 400])),
            row("Content-Encoding", "Content-Encoding: chunked", closes(&[200, 400])),
            row(
                "a coding as another's value",
                "X: Transfer-Encoding: chunked",
                closes(&[200, 400]),
            ),
        ])
}

fn version_1_0() -> Vec<Vector> {
    rule(
        "RFC 9112, 6.1",
        "a server must treat 1.0 with a Transfer-Encoding as if the framing is faulty, and close",
    )
    .around("POST /anything HTTP/1.0\r\nHost: a\r\n", "\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    .vectors([
        refuses("chunked on 1.0", "Transfer-Encoding: chunked"),
        refuses(
            "chunked on a persistent 1.0",
            "Connection: keep-alive\r\nTransfer-Encoding: chunked",
        ),
        refuses("gzip on 1.0", "Transfer-Encoding: gzip"),
        refuses(
            "chunked beside a length on 1.0",
            "Content-Length: 13\r\nTransfer-Encoding: chunked",
        ),
    ])
}
