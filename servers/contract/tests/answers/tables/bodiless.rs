//! Answers without content, whatever they say: RFC 9112, 6.3.

use contract::answers::{Answers, refuses, relays, row};
use contract::vector::{Vector, rule, stays};

pub(crate) fn all() -> Vec<Vector<Answers>> {
    [to_head(), no_content(), not_modified(), reset_content()].concat()
}

const HEAD: &str = "HTTP/1.1 200 OK\r\n";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKS: &str = "5\r\nhello\r\n0\r\n\r\n";

fn to_head() -> Vec<Vector<Answers>> {
    let asked = |name, fields: &str| relays(name, [HEAD, fields, "\r\n"].concat()).to_head();
    let wrong = |name, fields: &str| refuses(name, [HEAD, fields, "\r\n"].concat()).to_head();
    rule("RFC 9112, 6.3", "an answer to HEAD ends with its head, whatever its fields announce")
        .vectors([
            asked("HEAD, a length", "Content-Length: 12345\r\n")
                .relaying(&[("content-length", "12345")]),
            asked("HEAD, a length of zero", "Content-Length: 0\r\n"),
            asked("HEAD, chunks", "Transfer-Encoding: chunked\r\n"),
            asked("HEAD, neither", ""),
            asked("HEAD, close", "Connection: close\r\n").once(),
            relays("HEAD, version 1.0", "HTTP/1.0 200 OK\r\n\r\n").to_head().once(),
            row("HEAD, a 404", "HTTP/1.1 404 \r\nContent-Length: 9\r\n\r\n", stays(&[404]))
                .to_head(),
            row("HEAD, a 204", "HTTP/1.1 204 \r\n\r\n", stays(&[204])).to_head(),
            row("HEAD, a 304", "HTTP/1.1 304 \r\nContent-Length: 9\r\n\r\n", stays(&[304]))
                .to_head(),
            asked("HEAD with content", "Content-Length: 5\r\n").then("hello"),
            asked("HEAD with chunks", "Transfer-Encoding: chunked\r\n").then(CHUNKS),
            asked("HEAD with content that is an answer", "Content-Length: 43\r\n").then(ANSWER),
            asked("HEAD with content until the end", "").then("hello").half_closed(),
            wrong("HEAD, a bad length", "Content-Length: x\r\n"),
            wrong("HEAD, two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n"),
            wrong("HEAD, both framings", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
            wrong("HEAD, an unknown coding", "Transfer-Encoding: gzip\r\n"),
        ])
}

fn no_content() -> Vec<Vector<Answers>> {
    let none = |name, fields: &str| {
        row(name, ["HTTP/1.1 204 No Content\r\n", fields, "\r\n"].concat(), stays(&[204]))
            .content("")
    };
    rule(
        "RFC 9110, 8.6, and RFC 9112, 6.3",
        "a 204 must not announce content; if it does, it ends with its head, and its sender is not to be trusted",
    )
    .vectors([
        none("a 204", ""),
        none("a 204 with a length of zero", "Content-Length: 0\r\n").removing(&["content-length"]),
        none("a 204 with a length", "Content-Length: 5\r\n").removing(&["content-length"]).once(),
        none("a 204 with chunks", "Transfer-Encoding: chunked\r\n")
            .removing(&["transfer-encoding"])
            .once(),
        none("a 204 with content", "Content-Length: 5\r\n").then("hello"),
        none("a 204 with a chunked body", "Transfer-Encoding: chunked\r\n").then(CHUNKS),
        none("a 204 with content that is an answer", "Content-Length: 43\r\n").then(ANSWER),
        none("a 204 with content that nothing announces", "").then("hello"),
        none("a 204, then an answer", "").then(ANSWER),
        none("a 204 and close", "Connection: close\r\n").once(),
    ])
}

fn not_modified() -> Vec<Vector<Answers>> {
    let none = |name, fields: &str| {
        row(name, ["HTTP/1.1 304 \r\nETag: \"x\"\r\n", fields, "\r\n"].concat(), stays(&[304]))
            .content("")
            .relaying(&[("etag", "\"x\"")])
    };
    rule(
        "RFC 9112, 6.3, and RFC 9110, 15.4.5",
        "a 304 may announce what a 200 would have, but ends with its head",
    )
    .vectors([
        none("a 304", ""),
        none("a 304 with a length", "Content-Length: 5\r\n"),
        none("a 304 with chunks", "Transfer-Encoding: chunked\r\n"),
        none("a 304 with content", "Content-Length: 5\r\n").then("hello"),
        none("a 304 with a chunked body", "Transfer-Encoding: chunked\r\n").then(CHUNKS),
        none("a 304, then an answer", "").then(ANSWER),
    ])
}

fn reset_content() -> Vec<Vector<Answers>> {
    let reset = |name, rest: &str| {
        row(name, ["HTTP/1.1 205 Reset Content\r\n", rest].concat(), stays(&[205]))
    };
    rule("RFC 9110, 15.3.6", "a 205 must not have content, yet is framed like any other answer")
        .vectors([
            reset("a 205", "Content-Length: 0\r\n\r\n").content(""),
            reset(
                "a 205 with an empty body in chunks",
                "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            )
            .content(""),
            reset("a 205 with content", "Content-Length: 5\r\n\r\nhello"),
            reset("a 205 with chunks", &["Transfer-Encoding: chunked\r\n\r\n", CHUNKS].concat()),
            reset("a 205 until the end", "\r\n").content("").once().half_closed(),
        ])
}
