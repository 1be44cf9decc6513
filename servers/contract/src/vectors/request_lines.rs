//! Request lines: RFC 9112, 2.2 and 3.

use crate::exceptions::{BARE_LF, EMPTY_LINES, LONG_REQUEST_LINE};
use crate::vector::{Vector, accepts, closes, refuses, row, rule, stays};

/// All of them.
pub fn all() -> Vec<Vector> {
    [good(), spaces(), parts(), controls(), line_ends(), empty_lines(), nothing(), too_long()]
        .concat()
}

fn good() -> Vec<Vector> {
    rule("RFC 9112, 3", "request-line = method SP request-target SP HTTP-version")
        .around("", "\r\nHost: a\r\n\r\n")
        .vectors([accepts("a request line", "GET /anything HTTP/1.1")
            .shows(r#""method":"GET","origin":"127.0.0.1","path":"/anything""#)])
}

fn spaces() -> Vec<Vector> {
    rule("RFC 9112, 3", "one space between two parts; a recipient may split at other white space")
        .around("", "\r\nHost: a\r\n\r\n")
        .vectors([
            refuses("two spaces before the target", "GET  /anything HTTP/1.1"),
            refuses("two spaces after the target", "GET /anything  HTTP/1.1"),
            refuses("a tab before the target", "GET\t/anything HTTP/1.1"),
            refuses("a tab after the target", "GET /anything\tHTTP/1.1"),
            refuses("tabs in place of spaces", "GET\t/anything\tHTTP/1.1"),
            refuses("a tab beside a space", "GET \t/anything HTTP/1.1"),
            refuses("a space before the method", " GET /anything HTTP/1.1"),
            refuses("a tab before the method", "\tGET /anything HTTP/1.1"),
            refuses("a space after the version", "GET /anything HTTP/1.1 "),
            refuses("a tab after the version", "GET /anything HTTP/1.1\t"),
            refuses("a vertical tab in place of a space", "GET\x0b/anything HTTP/1.1"),
            refuses("a form feed in place of a space", "GET /anything\x0cHTTP/1.1"),
            refuses("a bare CR in place of a space", "GET\r/anything HTTP/1.1"),
            refuses("a no-break space in place of a space", "GET\u{a0}/anything HTTP/1.1"),
        ])
}

fn parts() -> Vec<Vector> {
    rule("RFC 9112, 3", "an invalid request line should get 400; it ought not to be repaired")
        .around("", "\r\nHost: a\r\n\r\n")
        .vectors([
            refuses("a method only", "GET"),
            refuses("a method and a space", "GET "),
            refuses("no target", "GET HTTP/1.1"),
            refuses("no version, as in HTTP/0.9", "GET /anything"),
            refuses("no version, but a space", "GET /anything "),
            refuses("no method", "/anything HTTP/1.1"),
            refuses("a version only", "HTTP/1.1"),
            refuses("two targets", "GET /anything /echo HTTP/1.1"),
            refuses("two versions", "GET /anything HTTP/1.1 HTTP/1.1"),
            refuses("no space at all", "GET/anythingHTTP/1.1"),
            refuses("parts in another order", "/anything GET HTTP/1.1"),
            refuses("a field in place of a request line", "X: y"),
            refuses("an answer in place of a request", "HTTP/1.1 200 OK"),
        ])
}

fn controls() -> Vec<Vector> {
    rule("RFC 9112, 3", "method, target and version have no control characters")
        .around("", "\r\nHost: a\r\n\r\n")
        .vectors([
            refuses("NUL before the method", "\0GET /anything HTTP/1.1"),
            refuses("NUL after the version", "GET /anything HTTP/1.1\0"),
            refuses("ESC in the target", "GET /any\x1bthing HTTP/1.1"),
            refuses("a mark of byte order before the method", "\u{feff}GET /anything HTTP/1.1"),
        ])
}

fn line_ends() -> Vec<Vector> {
    rule("RFC 9112, 2.2", "lines end in CR LF; a recipient may take a single LF for that")
        .around("GET /anything HTTP/1.1", "Host: a\r\n\r\n")
        .vectors([
            refuses("bare LF after the request line", "\n").but(&BARE_LF, [stays(&[200])]),
            refuses("bare CR after the request line", "\r"),
            refuses("LF CR after the request line", "\n\r"),
            refuses("CR CR LF after the request line", "\r\r\n"),
        ])
}

fn empty_lines() -> Vec<Vector> {
    let more = |name, bytes: &[u8]| refuses(name, bytes).but(&EMPTY_LINES, [stays(&[200])]);
    rule("RFC 9112, 2.2", "a server should ignore at least one empty line before a request line")
        .around("", "GET /anything HTTP/1.1\r\nHost: a\r\n\r\n")
        .vectors([
            accepts("an empty line", "\r\n"),
            more("two empty lines", b"\r\n\r\n"),
            more("a hundred empty lines", &b"\r\n".repeat(100)),
            refuses("an empty line that ends in bare LF", "\n").but(&BARE_LF, [stays(&[200])]),
            refuses("an empty line that ends in bare CR", "\r"),
            refuses("an empty line of CR CR LF", "\r\r\n"),
            refuses("a line of a space", " \r\n"),
            refuses("a line of a tab", "\t\r\n"),
            refuses("an empty line and a line of a space", "\r\n \r\n"),
        ])
}

fn nothing() -> Vec<Vector> {
    rule("RFC 9112, 9.6", "a client may close when it has nothing to ask").vectors([
        row("nothing at all", "", closes(&[])).half_closed(),
        row("an empty line and no more", "\r\n", closes(&[])).half_closed(),
        row("a CR and no more", "\r", closes(&[])).half_closed(),
    ])
}

fn too_long() -> Vec<Vector> {
    let target =
        |length: usize| format!("GET /anything?{} HTTP/1.1\r\nHost: a\r\n\r\n", "q".repeat(length));
    let method =
        |length: usize| format!("{} /anything HTTP/1.1\r\nHost: a\r\n\r\n", "M".repeat(length));
    let long = |name, bytes: String| {
        row(name, bytes, closes(&[414])).but(&LONG_REQUEST_LINE, [closes(&[431])])
    };
    rule(
        "RFC 9112, 3",
        "request lines of 8,000 bytes are to be supported; a target too long must get 414",
    )
    .vectors([
        accepts("a target of 8,000 bytes", target(8000)),
        accepts("a target of 15,000 bytes", target(15_000)),
        accepts("a method of 1,000 bytes", method(1000)),
        long("a target of 17,000 bytes", target(17_000)),
        long("a target of 100,000 bytes", target(100_000)),
    ])
}
