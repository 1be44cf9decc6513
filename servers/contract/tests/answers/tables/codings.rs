//! `Transfer-Encoding`: RFC 9112, 6.1 and 6.3.

use contract::answers::{Answers, breaks, refuses, relays};
use contract::exceptions::EMPTY_MEMBER;
use contract::vector::{Vector, rule, stays};

pub(crate) fn all() -> Vec<Vector<Answers>> {
    [chunked(), unknown(), wrong(), both(), old()].concat()
}

const HEAD: &str = "HTTP/1.1 200 OK\r\n";
const CHUNKS: &str = "\r\n\r\n5\r\nhello\r\n0\r\n\r\n";

fn chunked() -> Vec<Vector<Answers>> {
    rule(
        "RFC 9112, 6.1 and 7",
        "chunked is to be understood, in any case, and in any list (RFC 9110, 5.6.1.2)",
    )
    .around(HEAD, CHUNKS)
    .vectors([
        relays("chunked", "Transfer-Encoding: chunked"),
        relays("chunked in capitals", "TRANSFER-ENCODING: CHUNKED"),
        relays("chunked without a space", "Transfer-Encoding:chunked"),
        relays("chunked in space", "Transfer-Encoding: \t chunked \t"),
        relays("chunked after an empty member", "Transfer-Encoding: , chunked"),
        relays("chunked before an empty member", "Transfer-Encoding: chunked ,")
            .but(&EMPTY_MEMBER, [stays(&[502])]),
        relays("chunked after an empty field", "Transfer-Encoding:\r\nTransfer-Encoding: chunked"),
        relays("chunked before an empty field", "Transfer-Encoding: chunked\r\nTransfer-Encoding:")
            .but(&EMPTY_MEMBER, [stays(&[502])]),
    ])
}

fn unknown() -> Vec<Vector<Answers>> {
    rule(
        "RFC 9112, 6.3",
        "whoever can't decode what lasts until the close must not pass it on as content",
    )
    .around(HEAD, CHUNKS)
    .vectors([
        refuses("gzip", "Transfer-Encoding: gzip"),
        refuses("gzip, then chunked", "Transfer-Encoding: gzip, chunked"),
        refuses(
            "gzip, then chunked in another field",
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        ),
        refuses("identity", "Transfer-Encoding: identity"),
        refuses("identity, then chunked", "Transfer-Encoding: identity, chunked"),
        refuses("a coding that nobody knows", "Transfer-Encoding: xchunked"),
        refuses("chunked with a parameter", "Transfer-Encoding: chunked;q=1"),
        refuses("chunked in quotes", "Transfer-Encoding: \"chunked\""),
        refuses("chunked and a word", "Transfer-Encoding: chunked x"),
        refuses("chunked and obs-text", b"Transfer-Encoding: chunked\xa0"),
    ])
}

fn wrong() -> Vec<Vector<Answers>> {
    rule("RFC 9112, 6.1", "chunked is applied once, and last").around(HEAD, CHUNKS).vectors([
        refuses("chunked twice", "Transfer-Encoding: chunked, chunked"),
        refuses(
            "chunked in two fields",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        ),
        refuses("chunked, then gzip", "Transfer-Encoding: chunked, gzip"),
        refuses("chunked, then identity", "Transfer-Encoding: chunked, identity"),
        refuses(
            "chunked, then gzip in another field",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip",
        ),
        refuses("no coding", "Transfer-Encoding:"),
        refuses("a list of nothing", "Transfer-Encoding: ,"),
        refuses("a vertical tab before chunked", "Transfer-Encoding: \x0bchunked"),
        refuses("chunked folded", "Transfer-Encoding:\r\n chunked"),
        refuses("chunked before NUL", "Transfer-Encoding: chunked\0"),
    ])
}

fn both() -> Vec<Vector<Answers>> {
    rule(
        "RFC 9112, 6.3",
        "a length beside a coding might be response splitting, and ought to be an error",
    )
    .around(HEAD, CHUNKS)
    .vectors([
        refuses("a length, then chunked", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
        refuses("chunked, then a length", "Transfer-Encoding: chunked\r\nContent-Length: 5"),
        refuses(
            "the length of the chunks, then chunked",
            "Content-Length: 15\r\nTransfer-Encoding: chunked",
        ),
        refuses("a length of zero and chunked", "Content-Length: 0\r\nTransfer-Encoding: chunked"),
        refuses("a bad length and chunked", "Content-Length: x\r\nTransfer-Encoding: chunked"),
        refuses("a length and gzip", "Content-Length: 15\r\nTransfer-Encoding: gzip"),
        refuses("a length and no coding", "Content-Length: 15\r\nTransfer-Encoding:"),
        refuses(
            "two lengths and chunked",
            "Content-Length: 5\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        ),
    ])
}

fn old() -> Vec<Vector<Answers>> {
    rule(
        "RFC 9112, 6.1",
        "Transfer-Encoding in an answer of HTTP/1.0 means that its framing is faulty",
    )
    .around("HTTP/1.0 200 OK\r\n", CHUNKS)
    .vectors([
        refuses("chunked of version 1.0", "Transfer-Encoding: chunked"),
        refuses(
            "chunked of version 1.0, kept alive",
            "Connection: keep-alive\r\nTransfer-Encoding: chunked",
        ),
        refuses("gzip of version 1.0", "Transfer-Encoding: gzip"),
        refuses(
            "chunked and a length of version 1.0",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
        ),
        breaks("a length too long of version 1.0", "Content-Length: 30", &CHUNKS[4..])
            .half_closed(),
    ])
}
