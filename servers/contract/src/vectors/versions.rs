//! Versions and persistence: RFC 9110, 2.5, and RFC 9112, 2.3 and 9.3.

use crate::exceptions::{LATER_MINOR_VERSION, OTHER_MAJOR_VERSION};
use crate::vector::{Vector, accepts, closes, refuses, row, rule};

/// All of them.
pub fn all() -> Vec<Vector> {
    [none(), minor(), major(), persistence_1_0(), persistence_1_1()].concat()
}

fn none() -> Vec<Vector> {
    rule("RFC 9112, 2.3", "HTTP-version = \"HTTP/\" DIGIT \".\" DIGIT, in this case")
        .around("GET /anything ", "\r\nHost: a\r\n\r\n")
        .vectors([
            refuses("a version in lower case", "http/1.1"),
            refuses("a version with one capital", "Http/1.1"),
            refuses("a minor version of two digits", "HTTP/1.10"),
            refuses("a minor version of 01", "HTTP/1.01"),
            refuses("a major version of two digits", "HTTP/11.1"),
            refuses("a major version of 01", "HTTP/01.1"),
            refuses("no minor version", "HTTP/1"),
            refuses("no minor version, but a dot", "HTTP/1."),
            refuses("no major version", "HTTP/.1"),
            refuses("no dot", "HTTP/11"),
            refuses("a comma for the dot", "HTTP/1,1"),
            refuses("three numbers", "HTTP/1.1.1"),
            refuses("a letter after the version", "HTTP/1.1x"),
            refuses("a letter for a digit", "HTTP/1.x"),
            refuses("a negative version", "HTTP/-1.1"),
            refuses("a hexadecimal version", "HTTP/1.a"),
            refuses("no slash", "HTTP1.1"),
            refuses("a backslash for the slash", "HTTP\\1.1"),
            refuses("a space after the slash", "HTTP/ 1.1"),
            refuses("a space before the slash", "HTTP /1.1"),
            refuses("another protocol", "HTTPS/1.1"),
            refuses("a coffee pot", "HTCPCP/1.0"),
            refuses("ICY", "ICY/1.1"),
            refuses("a version in full-width digits", "HTTP/\u{ff11}.\u{ff11}"),
            refuses("NUL in a version", "HTTP/1\0.1"),
        ])
}

fn minor() -> Vec<Vector> {
    let later = |name, bytes| accepts(name, bytes).but(&LATER_MINOR_VERSION, [closes(&[400])]);
    rule(
        "RFC 9110, 2.5",
        "a later minor version is to be read as the highest one that is known of that major",
    )
    .around("POST /anything ", "\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
    .vectors([
        accepts("HTTP/1.1", "HTTP/1.1").shows(r#""body_length":5"#),
        later("HTTP/1.2", "HTTP/1.2").shows(r#""body_length":5"#),
        later("HTTP/1.9", "HTTP/1.9").shows(r#""body_length":5"#),
    ])
}

fn major() -> Vec<Vector> {
    let other =
        |name, bytes| row(name, bytes, closes(&[505])).but(&OTHER_MAJOR_VERSION, [closes(&[400])]);
    rule("RFC 9110, 15.6.6", "505 where the major version of a request is not supported")
        .around("GET /anything ", "\r\nHost: a\r\n\r\n")
        .vectors([
            other("HTTP/0.9", "HTTP/0.9"),
            other("HTTP/0.0", "HTTP/0.0"),
            other("HTTP/2.0", "HTTP/2.0"),
            other("HTTP/3.0", "HTTP/3.0"),
            other("HTTP/9.9", "HTTP/9.9"),
        ])
}

fn persistence_1_0() -> Vec<Vector> {
    rule("RFC 9112, 9.3", "1.0 persists if the client says keep-alive and the server honours it")
        .around("GET /anything HTTP/1.0\r\n", "\r\n")
        .vectors([
            row("1.0", "", closes(&[200])),
            row("1.0 and Host", "Host: a\r\n", closes(&[200])),
            row("1.0 and close", "Connection: close\r\n", closes(&[200])),
            row("1.0 and another option", "Connection: foo\r\n", closes(&[200])),
            row(
                "1.0 and Keep-Alive without its option",
                "Keep-Alive: timeout=5\r\n",
                closes(&[200]),
            ),
            accepts("1.0 and keep-alive", "Connection: keep-alive\r\n"),
            accepts("1.0 and Keep-Alive", "Connection: Keep-Alive\r\n"),
            accepts("1.0 and keep-alive in a list", "Connection: foo, keep-alive\r\n"),
            row("1.0 and both", "Connection: keep-alive, close\r\n", closes(&[200])),
        ])
}

fn persistence_1_1() -> Vec<Vector> {
    rule("RFC 9112, 9.3", "1.1 persists unless one side says close")
        .around("GET /anything HTTP/1.1\r\nHost: a\r\n", "\r\n")
        .vectors([
            accepts("1.1", ""),
            accepts("1.1 and keep-alive", "Connection: keep-alive\r\n"),
            accepts("1.1 and another option", "Connection: foo\r\n"),
            accepts("1.1 and an empty option", "Connection:\r\n"),
            accepts("1.1 and close as another's value", "X: close\r\n"),
            accepts("1.1 and an option that begins like close", "Connection: closer\r\n"),
            row("1.1 and close", "Connection: close\r\n", closes(&[200])),
            row("1.1 and Close", "Connection: Close\r\n", closes(&[200])),
            row("1.1 and close in a list", "Connection: foo , close\r\n", closes(&[200])),
            row(
                "1.1 and close beside keep-alive",
                "Connection: keep-alive, close\r\n",
                closes(&[200]),
            ),
            row(
                "1.1 and close in a second field",
                "Connection: foo\r\nConnection: close\r\n",
                closes(&[200]),
            ),
        ])
}
