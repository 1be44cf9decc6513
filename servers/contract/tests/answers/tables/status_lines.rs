//! The status line: RFC 9112, 4, and RFC 9110, 15.

use contract::answers::{Answers, refuses, relays, row};
use contract::exceptions::{BARE_LF, EMPTY_LINES_BEFORE_ANSWER, LATER_MINOR_VERSION};
use contract::vector::{Vector, rule, stays};

pub(crate) fn all() -> Vec<Vector<Answers>> {
    [versions(), before(), spaces(), codes(), known_codes(), reasons(), line_ends()].concat()
}

const REST: &str = "\r\nContent-Length: 5\r\n\r\nhello";

fn versions() -> Vec<Vector<Answers>> {
    rule("RFC 9112, 2.3", "HTTP-version = \"HTTP\" \"/\" DIGIT \".\" DIGIT, in this case")
        .around("", [" 200 OK", REST].concat())
        .vectors([
            relays("version 1.1", "HTTP/1.1"),
            relays("version 1.0", "HTTP/1.0").once(),
            relays("version 1.2 (RFC 9110, 2.5: as the highest that is known)", "HTTP/1.2")
                .but(&LATER_MINOR_VERSION, [stays(&[502])]),
            relays("version 1.9", "HTTP/1.9").but(&LATER_MINOR_VERSION, [stays(&[502])]),
            refuses("version 2.0 (RFC 9110, 2.5: another syntax)", "HTTP/2.0"),
            refuses("version 3.1", "HTTP/3.1"),
            refuses("version 0.9", "HTTP/0.9"),
            refuses("version 1.10", "HTTP/1.10"),
            refuses("version 1.", "HTTP/1."),
            refuses("version 1", "HTTP/1"),
            refuses("version 01.1", "HTTP/01.1"),
            refuses("version 1,1", "HTTP/1,1"),
            refuses("a version in lower case", "http/1.1"),
            refuses("a version without a name", "/1.1"),
            refuses("a version without a slash", "HTTP 1.1"),
            refuses("another protocol's version", "HTTPS/1.1"),
            refuses("an answer of Icecast", "ICY"),
        ])
}

fn before() -> Vec<Vector<Answers>> {
    rule("RFC 9112, 2.1", "a message begins with its start-line")
        .around("", ["HTTP/1.1 200 OK", REST].concat())
        .vectors([
            refuses("a space before an answer", " "),
            refuses("a tab before an answer", "\t"),
            refuses("NUL before an answer", "\0"),
            refuses("a mark of byte order before an answer", "\u{feff}"),
            refuses("a letter before an answer", "x"),
            refuses("a line before an answer", "hello\r\n"),
            refuses("a bare CR before an answer", "\r"),
            refuses("an empty line before an answer", "\r\n")
                .but(&EMPTY_LINES_BEFORE_ANSWER, [stays(&[200])]),
            refuses("two empty lines before an answer", "\r\n\r\n")
                .but(&EMPTY_LINES_BEFORE_ANSWER, [stays(&[200])]),
            refuses("a bare LF before an answer", "\n")
                .but(&EMPTY_LINES_BEFORE_ANSWER, [stays(&[200])]),
        ])
}

fn spaces() -> Vec<Vector<Answers>> {
    rule(
        "RFC 9112, 4",
        "status-line = HTTP-version SP status-code SP [ reason ]; more leniency is a may",
    )
    .around("", REST)
    .vectors([
        relays("no reason", "HTTP/1.1 200 "),
        relays("no reason, and no space for it", "HTTP/1.1 200"),
        refuses("two spaces after the version", "HTTP/1.1  200 OK"),
        refuses("a tab after the version", "HTTP/1.1\t200 OK"),
        refuses("no space after the version", "HTTP/1.1200 OK"),
        refuses("a tab after the status", "HTTP/1.1 200\tOK"),
        refuses("a colon after the status", "HTTP/1.1 200: OK"),
        refuses("no space after the status", "HTTP/1.1 200OK"),
        refuses("a version alone", "HTTP/1.1"),
        refuses("a version and a space", "HTTP/1.1 "),
        refuses("no status", "HTTP/1.1 OK"),
        refuses("an empty status", "HTTP/1.1  OK"),
    ])
}

fn codes() -> Vec<Vector<Answers>> {
    rule("RFC 9112, 4, and RFC 9110, 15", "status-code = 3DIGIT, of which 100 to 599 are valid")
        .around("HTTP/1.1 ", [" OK", REST].concat())
        .vectors([
            refuses("a status of two digits", "20"),
            refuses("a status of one digit", "2"),
            refuses("a status of four digits", "2000"),
            refuses("a status of four digits, the first a zero", "0200"),
            refuses("a status of many digits", "2".repeat(300)),
            refuses("a status of letters", "two"),
            refuses("a status with a letter", "2x0"),
            refuses("a status in hexadecimal", "0xc8"),
            refuses("a status with a sign", "+20"),
            refuses("a status with a point", "20."),
            refuses("a status of Arabic digits", "\u{662}\u{660}\u{660}"),
            refuses("status 000", "000"),
            refuses("status 099", "099"),
            refuses("status 600", "600"),
            refuses("status 999", "999"),
            refuses("status -200", "-200"),
        ])
}

fn known_codes() -> Vec<Vector<Answers>> {
    rule("RFC 9110, 15", "a client must understand the class of any status, known or not")
        .around("HTTP/1.1 ", [" Whatever", REST].concat())
        .vectors([
            row("status 203", "203", stays(&[203])),
            row("status 299", "299", stays(&[299])),
            row("status 206, that nobody asked for", "206", stays(&[206])),
            row("status 300", "300", stays(&[300])),
            row("status 399", "399", stays(&[399])),
            row("status 404", "404", stays(&[404])),
            row("status 407", "407", stays(&[407])),
            row("status 426", "426", stays(&[426])),
            row("status 499", "499", stays(&[499])),
            row("status 503", "503", stays(&[503])),
            row("status 599", "599", stays(&[599])),
        ])
}

fn reasons() -> Vec<Vector<Answers>> {
    rule(
        "RFC 9112, 4",
        "reason-phrase = 1*( HTAB / SP / VCHAR / obs-text ); clients should ignore it",
    )
    .around("HTTP/1.1 200 ", REST)
    .vectors([
        relays("a reason of many words", "It is all right"),
        relays("a reason that begins with a space", " OK"),
        relays("a reason that ends in a space", "OK "),
        relays("a reason with a tab", "O\tK"),
        relays("a reason of high bytes", b"\xe9t\xe9"),
        relays("a reason in UTF-8", "\u{fc}ber"),
        relays("a reason that looks like a status line", "HTTP/1.1 404 Not Found"),
        relays("a reason that looks like a field", "Content-Length: 3"),
        relays("a long reason", "O".repeat(2000)),
        refuses("NUL in a reason", "O\0K"),
        refuses("a bell in a reason", "O\x07K"),
        refuses("an escape in a reason", "\x1b[31mOK"),
        refuses("DEL in a reason", "O\x7fK"),
        refuses("a vertical tab in a reason", "O\x0bK"),
        refuses("a bare CR in a reason", "O\rK"),
        refuses("a bare CR after a reason", "OK\r"),
    ])
}

fn line_ends() -> Vec<Vector<Answers>> {
    let length = "Content-Length: 5\r\n\r\nhello";
    rule("RFC 9112, 2.2", "a line ends in CR LF; a single LF may be taken for it, a CR must not")
        .around("HTTP/1.1 200 OK", length)
        .vectors([
            refuses("LF after a status line", "\n").but(&BARE_LF, [stays(&[200])]),
            refuses("CR after a status line", "\r"),
            refuses("CR CR LF after a status line", "\r\r\n"),
            refuses("LF CR after a status line", "\n\r"),
            refuses("NUL after a status line", "\0\r\n"),
        ])
}
