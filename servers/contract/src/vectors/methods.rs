//! Methods: RFC 9110, 9.

use crate::vector::{Vector, accepts, refuses, row, rule, stays};

/// All of them.
pub fn all() -> Vec<Vector> {
    [tokens(), no_tokens(), meanings(), head()].concat()
}

fn tokens() -> Vec<Vector> {
    rule("RFC 9110, 9.1", "method = token, and its case matters; a method need not be known")
        .around("", " /anything HTTP/1.1\r\nHost: a\r\n\r\n")
        .vectors([
            accepts("GET", "GET").shows(r#""method":"GET""#),
            accepts("PATCH", "PATCH").shows(r#""method":"PATCH""#),
            accepts("a method of somebody's own", "FIVE").shows(r#""method":"FIVE""#),
            accepts("a method in lower case", "get").shows(r#""method":"get""#),
            accepts("a method of one letter", "M").shows(r#""method":"M""#),
            accepts("a method with a hyphen", "M-SEARCH").shows(r#""method":"M-SEARCH""#),
            accepts("a method of digits", "123").shows(r#""method":"123""#),
            accepts("a method of odd characters", "!#$%&'*+-.^_`|~").shows("!#$%&'*+-.^_`|~"),
            accepts("a method of 100 letters", "M".repeat(100)).shows("MMMMMMMM"),
            accepts("PRI, but of 1.1", "PRI").shows(r#""method":"PRI""#),
        ])
}

fn no_tokens() -> Vec<Vector> {
    rule("RFC 9110, 5.6.2", "a token has no delimiters, no white space and no controls")
        .around("", " /anything HTTP/1.1\r\nHost: a\r\n\r\n")
        .vectors([
            refuses("an empty method", ""),
            refuses("a method with a parenthesis", "GE(T"),
            refuses("a method in quotes", "\"GET\""),
            refuses("a method with a colon", "GET:"),
            refuses("a method with a slash", "GET/"),
            refuses("a method with a comma", "GET,POST"),
            refuses("a method with a semicolon", "GET;"),
            refuses("a method with an at sign", "G@T"),
            refuses("a method in braces", "{GET}"),
            refuses("a method with a backslash", "G\\T"),
            refuses("a method with an equals sign", "G=T"),
            refuses("a method with obs-text", b"G\xc9T"),
            refuses("a method with UTF-8", "G\u{00c9}T"),
            refuses("a method with NUL", "G\0T"),
            refuses("a method with DEL", "G\x7fT"),
            refuses("a method with a bare CR", "G\rT"),
        ])
}

fn meanings() -> Vec<Vector> {
    rule("RFC 9110, 15.5.6", "405 for a method that the resource does not support")
        .around("", " HTTP/1.1\r\nHost: a\r\n\r\n")
        .vectors([
            row("POST of what is only read", "POST /bytes/5", stays(&[405])),
            row("get, which is not GET", "get /bytes/5", stays(&[405])),
            row("a method that nobody knows", "FIVE /healthz", stays(&[405])),
            row("TRACE", "TRACE /anything", stays(&[405])),
            row("HEAD of what is not there", "HEAD /nowhere", stays(&[404])).to(&["HEAD"]),
        ])
}

fn head() -> Vec<Vector> {
    rule("RFC 9110, 9.3.2", "the answer to HEAD has no content, whatever its fields say")
        .around("HEAD ", " HTTP/1.1\r\nHost: a\r\n\r\n")
        .vectors([
            accepts("HEAD of a length", "/bytes/5").to(&["HEAD"]),
            accepts("HEAD of a report", "/anything").to(&["HEAD"]),
            accepts("HEAD of an echo", "/echo").to(&["HEAD"]),
            accepts("HEAD of chunks", "/stream/3?interval=1ms").to(&["HEAD"]),
            row("HEAD of a refusal", "/bytes/x", stays(&[400])).to(&["HEAD"]),
        ])
}
