//! Heads within heads, and destinations beside each other: RFC 9112, 2.2, 3 and 5.

use super::{CHUNKS, CONTENT, GET, POISON};
use crate::exceptions::{LATER_MINOR_VERSION, OTHER_MAJOR_VERSION};
use crate::vector::{Vector, accepts, closes, refuses, row, rule, stays};

/// All of them.
pub(super) fn all() -> Vec<Vector> {
    [destinations(), line_ends_in_values(), heads_in_heads(), versions()].concat()
}

fn destinations() -> Vec<Vector> {
    let b = r#""host":["b"]"#;
    let two = |name, line: &str| {
        row(name, [line, "\r\nHost: a\r\n\r\n", POISON].concat(), stays(&[200, 404]))
    };
    let bad = |name, line: &str| refuses(name, [line, "\r\nHost: a\r\n\r\n", POISON].concat());
    rule("RFC 9112, 3.2.2", "one request has one destination: the target's, or else Host's")
        .vectors([
            two("absolute-form to another host, then a request", "GET http://b/anything HTTP/1.1")
                .shows(b),
            two(
                "absolute-form with a query for a path, then a request",
                "OPTIONS http://b/anything?http://c/ HTTP/1.1",
            )
            .shows(b),
            row(
                "a path of two slashes, then a request",
                ["GET //b/anything HTTP/1.1\r\nHost: a\r\n\r\n", POISON].concat(),
                stays(&[404, 404]),
            ),
            row(
                "a path that is a target, then a request",
                ["GET /http://b/anything HTTP/1.1\r\nHost: a\r\n\r\n", POISON].concat(),
                stays(&[404, 404]),
            ),
            bad("a target with a user for a host", "GET http://a@b/anything HTTP/1.1"),
            bad("a target that begins with an at sign", "GET @b/anything HTTP/1.1"),
            bad("a target that begins with a colon", "GET :80/anything HTTP/1.1"),
            bad("a target with a backslash for a slash", "GET http://b\\@a/anything HTTP/1.1"),
        ])
}

fn line_ends_in_values() -> Vec<Vector> {
    rule("RFC 9110, 5.5", "CR, LF and NUL in a value are dangerous, and make a request invalid")
        .around(GET, ["\r\n\r\n", POISON].concat())
        .vectors([
            refuses("a request behind a bare CR in a value", "X: y\rGET /poison HTTP/1.1"),
            refuses("a head's end of bare CRs in a value", "X: y\r\r\rGET /poison HTTP/1.1"),
            refuses("a head's end of CR CR LF in a value", "X: y\r\r\n\r\r\nGET /poison HTTP/1.1"),
            refuses(
                "NUL in a value, and a request behind it",
                "X: y\0\r\n\r\nGET /poison HTTP/1.1",
            ),
            accepts("an escaped line end in a value", "X: y%0d%0aContent-Length: 33")
                .with(&[200, 404]),
            accepts("a line end in UTF-8 that is none", "X: y\u{010d}\u{010a}Content-Length: 33")
                .with(&[200, 404]),
        ])
}

fn heads_in_heads() -> Vec<Vector> {
    rule("RFC 9112, 5", "a line of a head is a field, or the request is invalid")
        .around(GET, ["\r\n\r\n", POISON].concat())
        .vectors([
            refuses("a request line among the fields", "GET /poison HTTP/1.1"),
            refuses("a request line with a colon among the fields", "GET http://a/poison HTTP/1.1"),
            refuses("an answer among the fields", "HTTP/1.1 200 OK"),
            refuses("a line of white space among the fields", "X: y\r\n \r\nZ: z"),
            refuses("a chunk among the fields", "0"),
        ])
}

fn versions() -> Vec<Vector> {
    let content =
        |version: &str, rest: &str| ["POST /anything ", version, "\r\nHost: a\r\n", rest].concat();
    let refused = [closes(&[400])];
    rule("RFC 9112, 2.3 and 6.1", "framing goes by the version that the sender says").vectors([
        refuses("chunks on 1.0 that hold a request", content("HTTP/1.0", CHUNKS)),
        refuses(
            "chunks on 1.0 that persists",
            content("HTTP/1.0\r\nConnection: keep-alive", CHUNKS),
        ),
        accepts(
            "content on 1.0 that persists",
            content("HTTP/1.0\r\nConnection: keep-alive", CONTENT),
        )
        .shows(r#""body_length":33"#),
        accepts("chunks on 1.2", content("HTTP/1.2", CHUNKS))
            .shows(r#""body_length":33"#)
            .but(&LATER_MINOR_VERSION, refused),
        row("chunks on 2.0", content("HTTP/2.0", CHUNKS), closes(&[505]))
            .but(&OTHER_MAJOR_VERSION, refused),
        refuses("a length on no version", ["POST /anything\r\nHost: a\r\n", CONTENT].concat()),
    ])
}
