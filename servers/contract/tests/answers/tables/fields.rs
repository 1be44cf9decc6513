//! Field lines: RFC 9112, 5, and RFC 9110, 5.

use contract::answers::{Answers, refuses, relays};
use contract::exceptions::BARE_LF;
use contract::vector::{Rule, Vector, rule, stays};

pub(crate) fn all() -> Vec<Vector<Answers>> {
    [values(), controls(), names(), spaces(), folds(), line_ends(), sizes()].concat()
}

/// Of an answer that is otherwise good.
fn among_others(rule: Rule) -> Rule {
    rule.around("HTTP/1.1 200 OK\r\n", "\r\nContent-Length: 5\r\n\r\nhello")
}

fn values() -> Vec<Vector<Answers>> {
    among_others(rule(
        "RFC 9110, 5.5",
        "field-value = *field-content, of VCHAR, obs-text, SP and HTAB",
    ))
    .vectors([
        relays("a field", "X: y").relaying(&[("x", "y")]),
        relays("an empty value", "X:").relaying(&[("x", "")]),
        relays("a value of spaces", "X: \t ").relaying(&[("x", "")]),
        relays("a value in spaces", "X: \t y \t ").relaying(&[("x", "y")]),
        relays("a value with spaces", "X: y  z\tz").relaying(&[("x", "y  z\tz")]),
        relays("a value with colons", "X:: y: z").relaying(&[("x", ": y: z")]),
        relays("a value of obs-text", b"X: \xe9t\xe9").relaying(&[("x", "\u{e9}t\u{e9}")]),
        relays("a value of all signs", "X: !\"#$%&'()*+,-./;<=>?@[\\]^_`{|}~")
            .relaying(&[("x", "!\"#$%&'()*+,-./;<=>?@[\\]^_`{|}~")]),
        relays("a value that looks like an answer", "X: HTTP/1.1 200 OK")
            .relaying(&[("x", "HTTP/1.1 200 OK")]),
        relays("a name of all signs", "!#$%&'*+-.^_`|~: y").relaying(&[("!#$%&'*+-.^_`|~", "y")]),
        relays("a name that is a digit", "1: y").relaying(&[("1", "y")]),
        relays("the same name twice", "X: y\r\nX: z").relaying(&[("x", "y"), ("x", "z")]),
    ])
}

fn controls() -> Vec<Vector<Answers>> {
    among_others(rule(
        "RFC 9110, 5.5",
        "CR, LF and NUL are dangerous: the message is rejected, or they become SP",
    ))
    .vectors([
        refuses("NUL in a value", "X: y\0z"),
        refuses("NUL in front of a value", "X: \0y"),
        refuses("a bare CR in a value", "X: y\rz"),
        refuses("a bare CR in front of a value", "X:\ry"),
        refuses("a bare CR that hides a field", "X: y\rContent-Length: 3"),
        refuses("a bell in a value", "X: y\x07"),
        refuses("an escape in a value", "X: \x1b[2J"),
        refuses("a vertical tab in a value", "X: y\x0bz"),
        refuses("a form feed before a value", "X:\x0cy"),
        refuses("DEL in a value", "X: y\x7f"),
        refuses("0x01 in a value", "X: \x01"),
    ])
}

fn names() -> Vec<Vector<Answers>> {
    among_others(rule("RFC 9110, 5.1 and 5.6.2", "field-name = token")).vectors([
        refuses("a line without a colon", "X"),
        refuses("a colon alone", ":"),
        refuses("an empty name", ": y"),
        refuses("an empty name before a length", ":Content-Length: 3"),
        refuses("a space in a name", "X Y: z"),
        refuses("a parenthesis in a name", "X(y): z"),
        refuses("a slash in a name", "X/y: z"),
        refuses("a comma in a name", "X,y: z"),
        refuses("a quote in a name", "\"X\": z"),
        refuses("a brace in a name", "X{}: z"),
        refuses("an at sign in a name", "@X: z"),
        refuses("NUL in a name", "X\0: z"),
        refuses("a control character in a name", "X\x01: z"),
        refuses("DEL in a name", "X\x7f: z"),
        refuses("obs-text in a name", b"X\xe9: z"),
        refuses("a bare CR in a name", "X\rY: z"),
        refuses("a status line among fields", "HTTP/1.1 200 OK"),
    ])
}

fn spaces() -> Vec<Vector<Answers>> {
    among_others(rule(
        "RFC 9112, 5.1 and 2.2",
        "a proxy must not pass on space between name and colon, nor any before the first field",
    ))
    .vectors([
        refuses("a space before a colon", "X : y"),
        refuses("a tab before a colon", "X\t: y"),
        refuses("a space before the colon of a length", "Content-Length : 3"),
        refuses("a space before the colon of a coding", "Transfer-Encoding : chunked"),
        refuses("a space before the first field", " X: y"),
        refuses("a tab before the first field", "\tX: y"),
        refuses("a line of a space before the first field", " \r\nX: y"),
        refuses("a space before a length, which is the first field", " Content-Length: 3"),
    ])
}

fn folds() -> Vec<Vector<Answers>> {
    among_others(rule(
        "RFC 9112, 5.2",
        "a proxy must replace an answer that has obs-fold by 502, or each obs-fold by SP",
    ))
    .vectors([
        refuses("a folded value", "X: y\r\n z"),
        refuses("a value folded by a tab", "X: y\r\n\tz"),
        refuses("a value folded twice", "X: y\r\n z\r\n z"),
        refuses("a value that begins with a fold", "X:\r\n y"),
        refuses("a value that ends in a fold", "X: y\r\n "),
        refuses("a fold that looks like a field", "X: y\r\n Content-Length: 3"),
        refuses("a folded Connection", "Connection: keep-alive,\r\n close"),
    ])
}

fn line_ends() -> Vec<Vector<Answers>> {
    let mut rows = among_others(rule(
        "RFC 9112, 2.2",
        "a line ends in CR LF; a single LF may be taken for it, a CR must not",
    ))
    .vectors([
        refuses("LF after a field", "X: y\nY: z").but(&BARE_LF, [stays(&[200])]),
        refuses("LF before another length", "X: y\nContent-Length: 3"),
        refuses("CR CR LF after a field", "X: y\r\r\nY: z"),
        refuses("LF CR after a field", "X: y\n\rY: z"),
    ]);
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5";
    rows.extend(
        rule("RFC 9112, 2.1 and 2.2", "a head ends in an empty line")
            .around(head, "hello")
            .vectors([
                relays("CR LF CR LF after a head", "\r\n\r\n"),
                refuses("CR LF LF after a head", "\r\n\n").but(&BARE_LF, [stays(&[200])]),
                refuses("LF LF after a head", "\n\n").but(&BARE_LF, [stays(&[200])]),
                refuses("LF CR LF after a head", "\n\r\n").but(&BARE_LF, [stays(&[200])]),
                refuses("CR LF CR after a head", "\r\n\r").half_closed(),
                refuses("CR CR after a head", "\r\r").half_closed(),
                refuses("a line of a space after a head", "\r\n \r\n\r\n"),
                refuses("CR LF CR CR LF after a head", "\r\n\r\r\n").half_closed(),
            ]),
    );
    rows
}

fn sizes() -> Vec<Vector<Answers>> {
    let fields = |count| vec!["X: y"; count].join("\r\n");
    let value = |length| ["X: ", &"y".repeat(length)].concat();
    among_others(rule(
        "RFC 9110, 5.4 and 15.6.3",
        "a recipient may bound a head; what is beyond is no valid answer",
    ))
    .vectors([
        relays("a hundred fields", fields(99)),
        refuses("a hundred and one fields", fields(100)),
        refuses("a thousand fields", fields(1000)),
        relays("a value of eight KiB", value(8 * 1024)),
        refuses("a value of seventeen KiB", value(17 * 1024)),
        refuses("a value of two hundred KiB", value(200 * 1024)),
        refuses("a name of seventeen KiB", ["x".repeat(17 * 1024), ": y".to_owned()].concat()),
        refuses("a line without end", "x".repeat(200 * 1024)),
    ])
}
