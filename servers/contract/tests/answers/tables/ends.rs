//! Where an answer ends, and what comes after it: RFC 9112, 6.3, 8 and 9.

use contract::answers::{Answers, refuses, relays, row};
use contract::vector::{Row, Vector, closes, rule};

pub(crate) fn all() -> Vec<Vector<Answers>> {
    [until_the_end(), early(), nothing(), surplus()].concat()
}

const HEAD: &str = "HTTP/1.1 200 OK\r\n";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKS: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";

fn until_the_end() -> Vec<Vector<Answers>> {
    let until = |name, bytes: &str| relays(name, bytes).once().half_closed();
    let kept = [HEAD, "Connection: keep-alive\r\n\r\nhello"].concat();
    let long = [HEAD, "\r\n", &"x".repeat(50_000)].concat();
    rule(
        "RFC 9112, 6.3",
        "an answer without a length and without chunks lasts until the connection ends",
    )
    .vectors([
        until("content until the end", &[HEAD, "\r\nhello"].concat()),
        until("no content until the end", &[HEAD, "\r\n"].concat()).content(""),
        until("much content until the end", &long).content("x".repeat(50_000)),
        until("content until the end, by version 1.0", "HTTP/1.0 200 OK\r\n\r\nhello"),
        until("content until the end, though kept alive", &kept),
        until("content until the end, by a 404", "HTTP/1.1 404 \r\n\r\nhello").with(&[404]),
        until("an answer until the end that looks like two", &[HEAD, "\r\n", ANSWER].concat())
            .content(ANSWER),
        until("content until the end that looks like chunks", &[HEAD, "\r\n0\r\n\r\n"].concat())
            .content("0\r\n\r\n"),
        row(
            "content until the end for a client of 1.0",
            [HEAD, "\r\nhello"].concat(),
            closes(&[200]),
        )
        .to_1_0()
        .once()
        .half_closed(),
    ])
}

fn early() -> Vec<Vector<Answers>> {
    rule("RFC 9112, 8, and RFC 9110, 15.6.3", "a head that ends too soon is no answer").vectors(
        [
            refuses("a letter", "H"),
            refuses("half a version", "HTTP/1."),
            refuses("a version", "HTTP/1.1"),
            refuses("half a status", "HTTP/1.1 20"),
            refuses("a status", "HTTP/1.1 200"),
            refuses("a status line without its end", "HTTP/1.1 200 OK"),
            refuses("a status line and half its end", "HTTP/1.1 200 OK\r"),
            refuses("a status line", "HTTP/1.1 200 OK\r\n"),
            refuses("half a name", "HTTP/1.1 200 OK\r\nConte"),
            refuses("a name", "HTTP/1.1 200 OK\r\nContent-Length:"),
            refuses("a field without its end", "HTTP/1.1 200 OK\r\nContent-Length: 0"),
            refuses("a head without its empty line", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"),
            refuses("a head and half its empty line", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r"),
        ]
        .map(Row::half_closed),
    )
}

fn nothing() -> Vec<Vector<Answers>> {
    rule("RFC 9110, 15.6.3", "what is no answer at all gets 502").vectors([
        refuses("nothing", "").half_closed(),
        refuses("an empty line", "\r\n").half_closed(),
        refuses("a word", "hello\r\n\r\n"),
        refuses("a request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        refuses("content without a head", "<!doctype html>\r\n"),
        refuses("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        refuses("settings of HTTP/2", "\0\0\0\x04\0\0\0\0\0\r\n"),
        refuses("TLS", "\x15\x03\x01\0\x02\x02\x46\r\n"),
        refuses("SSH", "SSH-2.0-OpenSSH_9.2\r\n"),
        refuses("zeros", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\r\n\r\n"),
    ])
}

fn surplus() -> Vec<Vector<Answers>> {
    let other = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother";
    let zero = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let long = ["HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n", &"x".repeat(40_000)].concat();
    rule(
        "RFC 9112, 6.3 and 9.2",
        "what comes after an answer is part of none: it must be discarded, and the connection closed",
    )
    .vectors([
        relays("two answers to one request", ANSWER).then(other),
        relays("chunks, then another answer", CHUNKS).then(other),
        relays("no content, then another answer", zero).content("").then(other),
        relays("much content, then another answer", long).content("x".repeat(40_000)).then(other),
        relays("an answer, then half of one", ANSWER).then("HTTP/1.1 200 OK\r\n"),
        relays("an answer, then a byte", ANSWER).then("!"),
        relays("an answer, then an empty line", ANSWER).then("\r\n"),
        relays("chunks, then an empty line", CHUNKS).then("\r\n"),
        relays("chunks, then another last chunk", CHUNKS).then("0\r\n\r\n"),
        relays("an answer, then hints", ANSWER).then("HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n"),
        relays("an answer, then a time-out", ANSWER)
            .then("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"),
        relays("an answer, then NUL", ANSWER).then("\0"),
        relays("an answer, then another and the end", ANSWER).then(other).half_closed(),
        relays("chunks, then the end", CHUNKS).once().half_closed(),
    ])
}
