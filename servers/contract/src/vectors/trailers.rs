//! Trailers: RFC 9112, 7.1.2.

use crate::exceptions::{BARE_LF_AFTER_TRAILERS, TOO_MANY_TRAILERS};
use crate::vector::{Rule, Vector, accepts, closes, refuses, row, rule};

/// All of them.
pub fn all() -> Vec<Vector> {
    [good_trailers(), bad_trailers(), bare_lf_at_the_end(), too_many_trailers()].concat()
}

/// A request to be read to its end before it is answered.
const HEAD: &str = "POST /anything HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

fn after_a_chunk(rule: Rule) -> Rule {
    rule.around([HEAD, "3\r\nabc\r\n0\r\n"].concat(), "\r\n")
}

fn good_trailers() -> Vec<Vector> {
    let three = r#""body_length":3"#;
    let hundred: Vec<_> = (0..100).map(|n| format!("X-{n}: y\r\n")).collect();
    after_a_chunk(rule(
        "RFC 9112, 7.1.2",
        "a recipient may discard trailers; to merge them into the head is for those who know them",
    ))
    .vectors([
        accepts("a trailer", "X: y\r\n").shows(three),
        accepts("a trailer without a value", "X:\r\n").shows(three),
        accepts("a trailer with obs-text", b"X: \xe9\r\n").shows(three),
        accepts("two trailers of a name", "X: y\r\nX: z\r\n").shows(three),
        accepts("a trailer that is a Host", "Host: b\r\n").shows(r#""host":["a"]"#),
        accepts("a trailer that is a length", "Content-Length: 50\r\n").shows(three),
        accepts("a trailer that is a coding", "Transfer-Encoding: gzip\r\n").shows(three),
        accepts("a trailer that wants to close", "Connection: close\r\n").shows(three),
        accepts("a hundred trailers", hundred.concat()).shows(three),
    ])
}

fn bad_trailers() -> Vec<Vector> {
    after_a_chunk(rule("RFC 9112, 7.1.2", "trailer-section = *( field-line CRLF )")).vectors([
        refuses("a trailer without a colon", "X\r\n"),
        refuses("a trailer without a name", ": y\r\n"),
        refuses("a space before a trailer's colon", "X : y\r\n"),
        refuses("a space in a trailer's name", "X y: z\r\n"),
        refuses("a space before a trailer", " X: y\r\n"),
        refuses("a folded trailer", "X: y\r\n z\r\n"),
        refuses("NUL in a trailer", "X: \0\r\n"),
        refuses("NUL in a trailer's name", "X\0: y\r\n"),
        refuses("a control character in a trailer", "X: \x07\r\n"),
        refuses("DEL in a trailer", "X: \x7f\r\n"),
        refuses("bare CR in a trailer", "X: y\rz\r\n"),
        refuses("bare LF in a trailer", "X: y\nZ: z\r\n"),
        refuses("a request in a trailer's place", "GET / HTTP/1.1\r\n"),
    ])
}

fn bare_lf_at_the_end() -> Vec<Vector> {
    // What follows shows who takes it for a trailer.
    let hidden = "GET /status/418 HTTP/1.1\r\nHost: a\r\n\r\n";
    let hides = |name, end: &str| {
        refuses(name, [end, hidden].concat())
            .half_closed()
            .but(&BARE_LF_AFTER_TRAILERS, [closes(&[200])])
    };
    rule("RFC 9112, 2.2", "lines end in CR LF; a recipient may take a single LF for that")
        .around([HEAD, "3\r\nabc\r\n0\r\n"].concat(), "")
        .vectors([
            hides("bare LF for the last line", "\n"),
            hides("bare LF after a trailer", "X: y\n\r\n"),
            hides("bare LF after a trailer and for the last line", "X: y\n\n"),
        ])
}

fn too_many_trailers() -> Vec<Vector> {
    let too_many =
        |name, bytes| row(name, bytes, closes(&[431])).but(&TOO_MANY_TRAILERS, [closes(&[400])]);
    after_a_chunk(rule("RFC 6585, 5", "431 where fields are too large, one or all of them"))
        .vectors([
            too_many("101 trailers", "X: y\r\n".repeat(101)),
            too_many("40,000 trailers", "X: y\r\n".repeat(40_000)),
            too_many("a trailer of 20,000 characters", format!("X: {}\r\n", "y".repeat(20_000))),
        ])
}
