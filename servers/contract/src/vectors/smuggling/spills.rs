//! Chunks that end sooner for one reader than for another, and what is not whole: RFC 9112, 7.1 and 8.

use super::{CHUNKED, END_AND_POISON, GET, POISON, POST};
use crate::exceptions::{BARE_LF_AFTER_TRAILERS, CHUNK_EXTENSION, SHORT_CONTENT};
use crate::vector::{Vector, closes, refuses, row, rule, stays};

/// All of them.
pub(super) fn all() -> Vec<Vector> {
    [chunk_lines(), chunk_ends(), trailers(), prefixes()].concat()
}

/// The line of a chunk's size, where one reader sees its end and another does not.
fn chunk_lines() -> Vec<Vector> {
    // To some, a chunk of two bytes and one of 38; to others, one of two, the end, and a request.
    let ends_sooner = |line: &str| [line, "26\r\n", END_AND_POISON, "\r\n0\r\n\r\n"].concat();
    // The other way about: a chunk of 38, the end, and a request; or all of it in one chunk.
    let ends_later =
        |line: &str| [line, &"x".repeat(38), "\r\n", END_AND_POISON, "\r\n0\r\n\r\n"].concat();
    let zero = |line: &str| [line, POISON].concat();
    rule("RFC 9112, 7.1.1", "a chunk's line ends in CR LF, and nowhere else; nor may it hold them")
        .around(CHUNKED, "")
        .vectors([
            refuses("TERM.EXT", ends_sooner("2;\nxx\r\n")),
            refuses("TERM.EXT, with a name", ends_sooner("2;a\nxx\r\n")),
            refuses("TERM.EXT, with a value", ends_sooner("2;a=\nxx\r\n")),
            refuses("TERM.EXT, in quotes", ends_sooner("2;a=\"\nxx\"\r\n")),
            refuses("TERM.EXT, no extension", ends_sooner("2\nxx\r\n")),
            refuses("TERM.EXT, a bare CR", ends_sooner("2;\rxx\r\n")),
            refuses("TERM.EXT, a bare CR after a size", ends_sooner("2\rxx\r\n")),
            refuses("TERM.EXT, CR and another", ends_sooner("2;\rXxx\r\n")),
            refuses("EXT.TERM", ends_later("26;\n")),
            refuses("EXT.TERM, with a name", ends_later("26;a\n")),
            refuses("EXT.TERM, no extension", ends_later("26\n")),
            refuses("EXT.TERM, a bare CR", ends_later("26;\r")),
            refuses(
                "CR LF in quotes that hides the end",
                ["2;a=\"\r\nxx\r\n0\r\n\r\n\"\r\n", POISON].concat(),
            )
            .but(&CHUNK_EXTENSION, [closes(&[200, 400])]),
            refuses("a last chunk that ends in bare LF, then a request", zero("0\n\n")),
            refuses("a last chunk with an extension that ends in bare LF", zero("0;a\n\r\n")),
            refuses("a last chunk of minus zero, then a request", zero("-0\r\n\r\n")),
            refuses("a last chunk of 0x0, then a request", zero("0x0\r\n\r\n")),
            refuses("a size that is zero in 64 bits", zero("10000000000000000\r\n\r\n")),
        ])
}

/// The end of a chunk's data, where one reader looks for CR LF and another takes what comes.
fn chunk_ends() -> Vec<Vector> {
    let around = |end: &str| ["2\r\nxx", end, END_AND_POISON, "\r\n0\r\n\r\n"].concat();
    rule("RFC 9112, 7.1", "a chunk's data ends in CR LF, exactly where its size says")
        .around(CHUNKED, "")
        .vectors([
            refuses("TERM.SPILL", around("\n26\r\n")),
            refuses("TERM.SPILL, a bare CR", around("\r26\r\n")),
            refuses("SPILL.TERM", ["2\r\nxx\n0\r\n\r\n", POISON, "0\r\n\r\n"].concat()),
            refuses("ONE.TWO, two bytes for a line end", around("XX26\r\n")),
            refuses("ONE.TWO, LF and another", around("\nX26\r\n")),
            refuses("ONE.TWO, LF LF", around("\n\n26\r\n")),
            refuses("ZERO.TWO, no line end", around("26\r\n")),
            refuses("TWO.THREE, CR CR LF", around("\r\r\n26\r\n")),
        ])
}

fn trailers() -> Vec<Vector> {
    let request = |announced: &str, trailer: &str| {
        let head = CHUNKED.replace("\r\n\r\n", "\r\n");
        [&head, announced, "\r\n3\r\nabc\r\n0\r\n", trailer, "\r\n", POISON].concat()
    };
    let two = |name, trailer: &str| {
        row(name, request("", trailer), stays(&[200, 404])).shows(r#""body_length":3"#)
    };
    let announced = request("Trailer: Content-Length\r\n", "Content-Length: 33\r\n");
    rule("RFC 9110, 6.5.1", "a trailer must not be merged into the head where it frames or routes")
        .vectors([
            two("a trailer that is the next request's length", "Content-Length: 33\r\n"),
            two("a trailer that is a coding, then a request", "Transfer-Encoding: chunked\r\n"),
            two("a trailer that is a Host, then a request", "Host: b\r\n"),
            two("a trailer that says close, then a request", "Connection: close\r\n"),
            two("a trailer that names a length", "Connection: Content-Length\r\n"),
            two("a trailer for whom it is forwarded", "X-Forwarded-For: 192.0.2.1\r\n"),
            two("a trailer that expects", "Expect: 100-continue\r\n"),
            row("an announced trailer that is a length", announced, stays(&[200, 404])),
            refuses("a request behind a trailer and a bare LF", request("", "X: y\n\n"))
                .half_closed()
                .but(&BARE_LF_AFTER_TRAILERS, [closes(&[200])]),
        ])
}

/// What is not whole must not become the beginning of somebody else's request.
fn prefixes() -> Vec<Vector> {
    let short = |name, bytes: String| {
        row(name, bytes, closes(&[])).half_closed().but(&SHORT_CONTENT, [closes(&[400])])
    };
    let get = [GET, "\r\n"].concat();
    rule("RFC 9112, 8", "what is incomplete when a connection ends is nobody's").vectors([
        row(
            "the beginning of a head",
            [&get, "GET /poison HTTP/1.1\r\nX: "].concat(),
            closes(&[200]),
        )
        .half_closed(),
        row(
            "a request line behind a request",
            [&get, "GET /poison HTTP/1.1\r\n"].concat(),
            closes(&[200]),
        )
        .half_closed(),
        short(
            "a length of more than a request",
            [POST, "Content-Length: 34\r\n\r\n", POISON].concat(),
        ),
        short(
            "a length that waits for the next",
            [POST, "Content-Length: 1000\r\n\r\nx="].concat(),
        ),
        short("a chunk that waits for the next", [CHUNKED, "3e8\r\n", POISON].concat()),
        short("a size that waits for the next", [CHUNKED, "3\r\nabc\r\n2"].concat()),
        short("a trailer that waits for the next", [CHUNKED, "0\r\nX: "].concat()),
    ])
}
