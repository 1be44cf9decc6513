//! Field lines: RFC 9110, 5, and RFC 9112, 2.2 and 5.

use crate::exceptions::BARE_LF;
use crate::vector::{Rule, Vector, accepts, closes, refuses, row, rule, stays};

/// All of them.
pub fn all() -> Vec<Vector> {
    [good(), names(), folds(), space_before_the_first(), values(), line_ends(), limits()].concat()
}

fn after_host(rule: Rule) -> Rule {
    rule.around("GET /anything HTTP/1.1\r\nHost: a\r\n", "\r\n\r\n")
}

fn good() -> Vec<Vector> {
    let y = r#""x":["y"]"#;
    let tokens = "!#$%&'*+-.^_`|~09azAZ: y";
    after_host(rule("RFC 9112, 5", "field-line = field-name \":\" OWS field-value OWS")).vectors([
        accepts("a field", "X: y").shows(y),
        accepts("no space after the colon", "X:y").shows(y),
        accepts("tabs and spaces around a value", "X: \t y \t ").shows(y),
        accepts("a tab in a value", "X: y\tz").shows(r#""x":["y\tz"]"#),
        accepts("an empty value", "X:").shows(r#""x":[""]"#),
        accepts("a value of white space", "X: \t ").shows(r#""x":[""]"#),
        accepts("a value of colons", "X:::").shows(r#""x":["::"]"#),
        accepts("obs-text in a value", b"X: \x80\xe9\xff").shows(r#""x":[""#),
        accepts("UTF-8 in a value", "X: \u{00e9}").shows("\u{00e9}"),
        accepts("every character of a token in a name", tokens).shows(r#"09azaz":["y"]"#),
        accepts("a name that is a digit", "0: y").shows(r#""0":["y"]"#),
        accepts("a name twice", "X: y\r\nx: z").shows(r#""x":["y","z"]"#),
        accepts("a name of 1,000 characters", ["x".repeat(1000), ": y".into()].concat()),
        accepts("a value of 8,000 characters", ["X: ", &"y".repeat(8000)].concat()),
        accepts("a value that looks like an end", "X: \\r\\n\\r\\n").shows(r"\\r\\n"),
    ])
}

fn names() -> Vec<Vector> {
    after_host(rule(
        "RFC 9112, 5.1",
        "field-name = token; no white space may come before its colon",
    ))
    .vectors([
        refuses("a space before the colon", "X : y"),
        refuses("a tab before the colon", "X\t: y"),
        refuses("a space in a name", "X y: z"),
        refuses("no name", ": y"),
        refuses("no name but a space", " : y"),
        refuses("no colon", "X"),
        refuses("no colon, but a value", "X y"),
        refuses("a name in parentheses", "(X): y"),
        refuses("a name in quotes", "\"X\": y"),
        refuses("a name with a slash", "X/Y: z"),
        refuses("a name with an at sign", "X@Y: z"),
        refuses("a name with a comma", "X,Y: z"),
        refuses("a name with a semicolon", "X;Y: z"),
        refuses("a name with an equals sign", "X=Y: z"),
        refuses("a name with a bracket", "X[Y]: z"),
        refuses("a name with a brace", "X{Y}: z"),
        refuses("a name with a backslash", "X\\Y: z"),
        refuses("obs-text in a name", b"X\xe9: y"),
        refuses("UTF-8 in a name", "\u{00e9}: y"),
        refuses("NUL in a name", "X\0: y"),
        refuses("a control character in a name", "X\x01: y"),
        refuses("DEL in a name", "X\x7f: y"),
        refuses("bare CR in a name", "X\rY: z"),
        refuses("bare CR before the colon", "X\r: y"),
    ])
}

fn folds() -> Vec<Vector> {
    after_host(rule(
        "RFC 9112, 5.2",
        "a server must refuse obs-fold with 400, or replace it by spaces",
    ))
    .vectors([
        refuses("a value folded by a space", "X: y\r\n z"),
        refuses("a value folded by a tab", "X: y\r\n\tz"),
        refuses("a value folded at its begin", "X:\r\n y"),
        refuses("a value folded to nothing", "X: y\r\n "),
        refuses("a folded field that hides one", "X: y\r\n Z: z"),
        refuses("a value folded twice", "X: y\r\n z\r\n w"),
    ])
}

fn space_before_the_first() -> Vec<Vector> {
    rule("RFC 9112, 2.2", "white space before the first field: refuse, or drop those lines")
        .around("GET /anything HTTP/1.1\r\n", "\r\n\r\n")
        .vectors([
            refuses("a space before the first field", " Host: a"),
            refuses("a tab before the first field", "\tHost: a"),
            refuses("a space before the first of two fields", " X: y\r\nHost: a"),
            refuses("a line of a space before the first field", " \r\nHost: a"),
        ])
}

fn values() -> Vec<Vector> {
    after_host(rule(
        "RFC 9110, 5.5",
        "CR, LF and NUL in a value are invalid: refuse, or replace; other controls are invalid too",
    ))
    .vectors([
        refuses("NUL in a value", "X: y\0z"),
        refuses("NUL for a value", "X: \0"),
        refuses("SOH in a value", "X: \x01"),
        refuses("BEL in a value", "X: \x07"),
        refuses("BS in a value", "X: y\x08"),
        refuses("VT in a value", "X: y\x0bz"),
        refuses("VT around a value", "X:\x0by"),
        refuses("FF in a value", "X: y\x0cz"),
        refuses("ESC in a value", "X: \x1b[0m"),
        refuses("US in a value", "X: \x1f"),
        refuses("DEL in a value", "X: y\x7f"),
        refuses("bare CR in a value", "X: y\rz"),
        refuses("bare CR at the end of a value", "X: y\r"),
        refuses("bare CR at the begin of a value", "X:\ry"),
        refuses("bare CR for a value", "X: \r"),
        refuses("a field behind a bare CR", "X: y\rContent-Length: 5"),
    ])
}

fn line_ends() -> Vec<Vector> {
    let lf = |name, bytes| refuses(name, bytes).but(&BARE_LF, [stays(&[200])]);
    rule("RFC 9112, 2.2", "lines end in CR LF; a recipient may take a single LF for that")
        .around("GET /anything HTTP/1.1\r\nHost: a", "")
        .vectors([
            lf("bare LF after a field", "\nX: y\r\n\r\n"),
            lf("bare LF after every field", "\nX: y\n\n"),
            lf("bare LF for the empty line", "\r\n\n"),
            lf("bare LF after the last field", "\n\r\n"),
            lf("two bare LFs at the end", "\n\n"),
            refuses("bare CR for the empty line", "\r\n\rX: y\r\n\r\n"),
            refuses("two bare CRs at the end", "\r\r\n\r\n"),
            refuses("LF CR for a line end", "\n\rX: y\r\n\r\n"),
            refuses("CR CR LF for a line end", "\r\r\nX: y\r\n\r\n"),
        ])
}

fn limits() -> Vec<Vector> {
    let fields =
        |count: usize| (0..count).map(|n| format!("X-{n}: y\r\n")).collect::<Vec<_>>().concat();
    let too_large = |name, bytes| row(name, bytes, closes(&[431]));
    let pad = |length: usize| format!("X: {}", "y".repeat(length));
    after_host(rule("RFC 6585, 5", "431 where fields are too large, one or all of them")).vectors([
        accepts("100 fields", fields(99).trim_end()),
        too_large("101 fields", fields(100).trim_end().to_owned()),
        too_large("a thousand fields", fields(1000).trim_end().to_owned()),
        accepts("a head of 15,000 characters", pad(15_000)),
        too_large("a head of 17,000 characters", pad(17_000)),
        too_large("a name of 20,000 characters", format!("{}: y", "x".repeat(20_000))),
        too_large("a head of 100,000 characters", pad(100_000)),
    ])
}
