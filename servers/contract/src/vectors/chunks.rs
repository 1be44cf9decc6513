//! Chunks: RFC 9112, 7.1.

use crate::exceptions::{
    CHUNK_EXTENSION, LARGEST_CHUNK, SPACE_AFTER_CHUNK_SIZE, ZEROS_BEFORE_CHUNK_SIZE,
};
use crate::vector::{Rule, Vector, accepts, closes, cuts, refuses, row, rule, stays};

/// All of them.
pub fn all() -> Vec<Vector> {
    [
        sizes(),
        no_sizes(),
        overflowing(),
        huge(),
        extensions(),
        no_extensions(),
        data(),
        broken_off(),
    ]
    .concat()
}

/// A request to be read to its end before it is answered.
const HEAD: &str = "POST /anything HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

fn chunked(rule: Rule) -> Rule {
    rule.around(HEAD, "")
}

fn sizes() -> Vec<Vector> {
    let ten = r#""body_length":10"#;
    chunked(rule("RFC 9112, 7.1", "chunk-size = 1*HEXDIG; a size of zero ends the content"))
        .vectors([
            accepts("no chunk but the last", "0\r\n\r\n").shows(r#""body_length":0"#),
            accepts("a chunk", "a\r\n0123456789\r\n0\r\n\r\n").shows(ten),
            accepts("a size in upper case", "A\r\n0123456789\r\n0\r\n\r\n").shows(ten),
            accepts("zeros before a size", "00a\r\n0123456789\r\n0\r\n\r\n").shows(ten),
            accepts("16 digits", "000000000000000a\r\n0123456789\r\n0\r\n\r\n").shows(ten),
            accepts("a last chunk of many zeros", "a\r\n0123456789\r\n0000\r\n\r\n").shows(ten),
            accepts("ten chunks", ["1\r\nx\r\n".repeat(10), "0\r\n\r\n".into()].concat())
                .shows(ten),
            accepts("a chunk that looks like chunks", "a\r\n0\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n")
                .shows(ten),
            accepts("a size of two digits", ["10\r\n", &"x".repeat(16), "\r\n0\r\n\r\n"].concat())
                .shows(r#""body_length":16"#),
        ])
}

fn no_sizes() -> Vec<Vector> {
    chunked(rule("RFC 9112, 7.1", "chunk-size = 1*HEXDIG, at the very beginning of the line"))
        .vectors([
            refuses("no size", "\r\nabc\r\n0\r\n\r\n"),
            refuses("an extension without a size", ";x\r\nabc\r\n0\r\n\r\n"),
            refuses("a size that is no digit", "x\r\nabc\r\n0\r\n\r\n"),
            refuses("a size beyond f", "g\r\nabc\r\n0\r\n\r\n"),
            refuses("a size with a sign", "+3\r\nabc\r\n0\r\n\r\n"),
            refuses("a negative size", "-3\r\nabc\r\n0\r\n\r\n"),
            refuses("a last chunk of minus zero", "-0\r\n\r\n"),
            refuses("a size with 0x", "0x3\r\nabc\r\n0\r\n\r\n"),
            refuses("a size with h", "3h\r\nabc\r\n0\r\n\r\n"),
            refuses("a size with a fraction", "3.0\r\nabc\r\n0\r\n\r\n"),
            refuses("a size with an underscore", "0_3\r\nabc\r\n0\r\n\r\n"),
            refuses("a size with a comma", "3,\r\nabc\r\n0\r\n\r\n"),
            refuses("a size in quotes", "\"3\"\r\nabc\r\n0\r\n\r\n"),
            refuses("two sizes", "3 3\r\nabc\r\n0\r\n\r\n"),
            refuses("a full-width three", "\u{ff13}\r\nabc\r\n0\r\n\r\n"),
            refuses("a size and NUL", "3\0\r\nabc\r\n0\r\n\r\n"),
            refuses("a space before a size", " 3\r\nabc\r\n0\r\n\r\n"),
            refuses("a tab before a size", "\t3\r\nabc\r\n0\r\n\r\n"),
            refuses("a line end before a size", "3\r\nabc\r\n\r\n0\r\n\r\n"),
            refuses("a space after a size", "3 \r\nabc\r\n0\r\n\r\n")
                .but(&SPACE_AFTER_CHUNK_SIZE, [stays(&[200])]),
            refuses("a tab after a size", "3\t\r\nabc\r\n0\r\n\r\n")
                .but(&SPACE_AFTER_CHUNK_SIZE, [stays(&[200])]),
            refuses("a space after the last size", "0 \r\n\r\n")
                .but(&SPACE_AFTER_CHUNK_SIZE, [stays(&[200])]),
        ])
}

fn overflowing() -> Vec<Vector> {
    let zeros = ["0".repeat(500), "3\r\nabc\r\n0\r\n\r\n".into()].concat();
    let nothing_but_zeros = ["0".repeat(500), "\r\n\r\n".into()].concat();
    chunked(rule(
        "RFC 9112, 7.1",
        "a recipient must anticipate large hexadecimal numbers, and prevent errors of overflow",
    ))
    .vectors([
        refuses("2^64 + 3 as a size", "10000000000000003\r\nabc\r\n0\r\n\r\n"),
        refuses("2^64 as a size", "10000000000000000\r\n\r\n0\r\n\r\n"),
        refuses("2^68 - 1 as a size", "fffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
        refuses("500 times f", ["f".repeat(500), "\r\nabc\r\n0\r\n\r\n".into()].concat()),
        row("2^63 - 1 as a size", "7fffffffffffffff\r\nabc", closes(&[]))
            .or(closes(&[400]))
            .half_closed(),
        row("2^32 + 3 as a size", "100000003\r\nabc\r\n0\r\n\r\n", closes(&[]))
            .or(closes(&[400]))
            .half_closed(),
        refuses("17 digits", "00000000000000003\r\nabc\r\n0\r\n\r\n")
            .but(&ZEROS_BEFORE_CHUNK_SIZE, [stays(&[200])]),
        refuses("500 zeros before a size", zeros).but(&ZEROS_BEFORE_CHUNK_SIZE, [stays(&[200])]),
        refuses("a last chunk of 500 zeros", nothing_but_zeros)
            .but(&ZEROS_BEFORE_CHUNK_SIZE, [stays(&[200])]),
    ])
}

fn huge() -> Vec<Vector> {
    let huge = |name, size: &str| {
        refuses(name, [size, "\r\nabc"].concat()).half_closed().but(&LARGEST_CHUNK, [cuts(&[200])])
    };
    rule("RFC 9112, 7.1", "a recipient must anticipate large hexadecimal numbers")
        .around(HEAD.replace("/anything", "/echo"), "")
        .vectors([
            huge("2^63 as a size", "8000000000000000"),
            huge("2^64 - 1 as a size", "ffffffffffffffff"),
            huge("2^64 - 1 as a size in upper case", "FFFFFFFFFFFFFFFF"),
        ])
}

fn extensions() -> Vec<Vector> {
    let three = r#""body_length":3"#;
    chunked(rule(
        "RFC 9112, 7.1.1",
        "a recipient must ignore chunk extensions that it does not know",
    ))
    .vectors([
        accepts("an extension", "3;x\r\nabc\r\n0\r\n\r\n").shows(three),
        accepts("an extension with a value", "3;x=y\r\nabc\r\n0\r\n\r\n").shows(three),
        accepts("a quoted value", "3;x=\"y z\"\r\nabc\r\n0\r\n\r\n").shows(three),
        accepts("an empty quoted value", "3;x=\"\"\r\nabc\r\n0\r\n\r\n").shows(three),
        accepts("a semicolon in quotes", "3;x=\";y\"\r\nabc\r\n0\r\n\r\n").shows(three),
        accepts("an escaped quote", "3;x=\"\\\"\"\r\nabc\r\n0\r\n\r\n").shows(three),
        accepts("an escaped backslash", "3;x=\"\\\\\"\r\nabc\r\n0\r\n\r\n").shows(three),
        accepts("a tab in quotes", "3;x=\"\t\"\r\nabc\r\n0\r\n\r\n").shows(three),
        accepts("obs-text in quotes", b"3;x=\"\xe9\xff\"\r\nabc\r\n0\r\n\r\n").shows(three),
        accepts("many extensions", "3;x;y=z;w=\"v\"\r\nabc\r\n0\r\n\r\n").shows(three),
        accepts("spaces around an extension", "3 ; x = y ; z\r\nabc\r\n0\r\n\r\n").shows(three),
        accepts("tabs around an extension", "3\t;\tx\t=\ty\r\nabc\r\n0\r\n\r\n").shows(three),
        accepts("an extension of the last chunk", "3\r\nabc\r\n0;x=y\r\n\r\n").shows(three),
        accepts("a name of odd characters", "3;!#$%&'*+-.^_`|~\r\nabc\r\n0\r\n\r\n").shows(three),
    ])
}

fn no_extensions() -> Vec<Vector> {
    let ignored =
        |name, bytes: &'static [u8]| refuses(name, bytes).but(&CHUNK_EXTENSION, [stays(&[200])]);
    let long = |length| ["3;", &"x".repeat(length), "\r\nabc\r\n0\r\n\r\n"].concat();
    chunked(rule(
        "RFC 9112, 7.1.1",
        "chunk-ext = *( BWS \";\" BWS name [ BWS \"=\" BWS value ] ), and ought to be bounded",
    ))
    .vectors([
        ignored("an extension without a name", b"3;\r\nabc\r\n0\r\n\r\n"),
        ignored("a value without a name", b"3;=y\r\nabc\r\n0\r\n\r\n"),
        ignored("an extension without a value", b"3;x=\r\nabc\r\n0\r\n\r\n"),
        ignored("an open quote", b"3;x=\"y\r\nabc\r\n0\r\n\r\n"),
        ignored("more after a quote", b"3;x=\"y\"z\r\nabc\r\n0\r\n\r\n"),
        ignored("two words in an extension", b"3;x y\r\nabc\r\n0\r\n\r\n"),
        ignored("a name that is no token", b"3;x(y)\r\nabc\r\n0\r\n\r\n"),
        ignored("obs-text out of quotes", b"3;\xe9\r\nabc\r\n0\r\n\r\n"),
        ignored("NUL in an extension", b"3;a\0b\r\nabc\r\n0\r\n\r\n"),
        ignored("NUL in quotes", b"3;x=\"\0\"\r\nabc\r\n0\r\n\r\n"),
        ignored("DEL in quotes", b"3;x=\"\x7f\"\r\nabc\r\n0\r\n\r\n"),
        refuses("bare CR in an extension", "3;a\rb\r\nabc\r\n0\r\n\r\n"),
        refuses("bare LF in an extension", "3;a\nb\r\nabc\r\n0\r\n\r\n"),
        refuses("bare LF in quotes", "3;x=\"\n\"\r\nabc\r\n0\r\n\r\n"),
        refuses("CR LF in quotes", "3;x=\"\r\n\"\r\nabc\r\n0\r\n\r\n"),
        refuses("an extension of 20,000 characters", long(20_000)),
    ])
}

fn data() -> Vec<Vector> {
    chunked(rule("RFC 9112, 7.1", "chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF")).vectors(
        [
            refuses("nothing after a chunk", "3\r\nabc0\r\n\r\n"),
            refuses("more than the size says", "3\r\nabcd\r\n0\r\n\r\n"),
            refuses("less than the size says", "3\r\nab\r\n0\r\n\r\n"),
            refuses("bare LF after a chunk", "3\r\nabc\n0\r\n\r\n"),
            refuses("bare CR after a chunk", "3\r\nabc\r0\r\n\r\n"),
            refuses("LF CR after a chunk", "3\r\nabc\n\r0\r\n\r\n"),
            refuses("a space after a chunk", "3\r\nabc \r\n0\r\n\r\n"),
            refuses("bare LF after a size", "3\nabc\r\n0\r\n\r\n"),
            refuses("bare LF after an extension", "3;x\nabc\r\n0\r\n\r\n"),
            refuses("bare CR after a size", "3\rabc\r\n0\r\n\r\n"),
            refuses("CR CR LF after a size", "3\r\r\nabc\r\n0\r\n\r\n"),
            refuses("bare LF after the last size", "0\n\r\n"),
            refuses("bare CR at the end", "0\r\n\rX"),
        ],
    )
}

fn broken_off() -> Vec<Vector> {
    rule("RFC 9112, 8", "after a head is out, an error must not look like the end of an answer")
        .around("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "")
        .vectors([
            row("a bad size after a good chunk", "3\r\nabc\r\nx\r\n", cuts(&[200]))
                .or(closes(&[400])),
            row("a bad end of an echoed chunk", "3\r\nabcd\r\n", cuts(&[200])).or(closes(&[400])),
            row("a bad trailer after a good chunk", "3\r\nabc\r\n0\r\nX : y\r\n\r\n", cuts(&[200]))
                .or(closes(&[400])),
            row("half a chunk, then the end", "5\r\nabc", cuts(&[200]))
                .or(closes(&[400]))
                .half_closed(),
        ])
}
