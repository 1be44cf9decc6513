//! Lengths and codings that not everyone takes for what they are: RFC 9112, 6.

use super::{END_AND_POISON, POISON, POST};
use crate::exceptions::{BARE_LF, LENGTH_BESIDE_CODING};
use crate::vector::{Rule, Vector, accepts, closes, refuses, row, rule, stays};

/// All of them.
pub(super) fn all() -> Vec<Vector> {
    [
        length_and_chunks(),
        disguised_coding(),
        no_coding(),
        disguised_length(),
        no_length(),
        content_of_any_method(),
    ]
    .concat()
}

fn length_and_chunks() -> Vec<Vector> {
    let both =
        |name, bytes: String| refuses(name, bytes).but(&LENGTH_BESIDE_CODING, [closes(&[200])]);
    let in_a_chunk = ["\r\n\r\n21\r\n", POISON, "\r\n0\r\n\r\n"].concat();
    rule(
        "RFC 9112, 6.1",
        "a length beside a coding might be an attempt to smuggle: refuse, or close",
    )
    .around([POST, "Transfer-Encoding: chunked\r\nContent-Length: "].concat(), "")
    .vectors([
        both("CL.TE", ["38\r\n\r\n", END_AND_POISON].concat()),
        both("CL.TE, the beginning of a request", "6\r\n\r\n0\r\n\r\nG".into()),
        both("CL.TE, half of a request", ["25\r\n\r\n", &END_AND_POISON[..27]].concat()),
        both("TE.CL", ["4", &in_a_chunk].concat()),
        both("TE.CL, a length of zero", ["0", &in_a_chunk].concat()),
        refuses("TE.CL, two lengths", ["4\r\nContent-Length: 42", &in_a_chunk].concat())
            .but(&LENGTH_BESIDE_CODING, [closes(&[200])]),
        refuses("TE.CL, no length", ["x", &in_a_chunk].concat())
            .but(&LENGTH_BESIDE_CODING, [closes(&[200])]),
    ])
}

/// Who sees no coding takes all for content, and who sees chunks finds a request behind them.
fn beside_a_length(rule: Rule) -> Rule {
    let before = [POST, "Content-Length: 38\r\n"].concat();
    rule.around(before, ["\r\n\r\n", END_AND_POISON].concat())
}

fn disguised_coding() -> Vec<Vector> {
    let both =
        |name, bytes: &str| refuses(name, bytes).but(&LENGTH_BESIDE_CODING, [closes(&[200])]);
    beside_a_length(rule("RFC 9112, 6.3", "a coding that not everyone sees must not go unnoticed"))
        .vectors([
            both("TE.TE, a tab before the coding", "Transfer-Encoding:\tchunked"),
            both("TE.TE, white space after the coding", "Transfer-Encoding: chunked \t"),
            both("TE.TE, no space before the coding", "Transfer-Encoding:chunked"),
            both("TE.TE, in capitals", "TRANSFER-ENCODING: cHuNkEd"),
            both("TE.TE, an empty member", "Transfer-Encoding: , chunked"),
            both(
                "TE.TE, a coding named away",
                "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
            ),
            refuses("TE.TE, another name", "Transfer-Encoding: xchunked"),
            refuses("TE.TE, a parameter", "Transfer-Encoding: chunked;x=y"),
            refuses("TE.TE, quotes", "Transfer-Encoding: \"chunked\""),
            refuses("TE.TE, another coding last", "Transfer-Encoding: chunked, x"),
            refuses("TE.TE, another coding first", "Transfer-Encoding: x, chunked")
                .but(&LENGTH_BESIDE_CODING, [closes(&[501])]),
            refuses(
                "TE.TE, another field last",
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
            ),
            refuses(
                "TE.TE, another field first",
                "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
            )
            .but(&LENGTH_BESIDE_CODING, [closes(&[501])]),
            refuses("TE.TE, an empty coding", "Transfer-Encoding:"),
            refuses("TE.TE, the sign of Kelvin", "Transfer-Encoding: chun\u{212a}ed"),
            refuses("TE.TE, a vertical tab", "Transfer-Encoding:\x0bchunked"),
            refuses("TE.TE, a form feed", "Transfer-Encoding: chunked\x0c"),
            refuses("TE.TE, NUL in the name", "Transfer-Encoding\0: chunked"),
            refuses("TE.TE, NUL after the coding", "Transfer-Encoding: chunked\0"),
            refuses("TE.TE, a space before the colon", "Transfer-Encoding : chunked"),
            refuses("TE.TE, a tab before the colon", "Transfer-Encoding\t: chunked"),
            refuses("TE.TE, a space in the name", "Transfer Encoding: chunked"),
            refuses("TE.TE, a no-break space before the name", b"\xa0Transfer-Encoding: chunked"),
            refuses("TE.TE, a colon before the name", ":Transfer-Encoding: chunked"),
            refuses("TE.TE, a name on two lines", "Transfer-Encoding\r\n: chunked"),
            refuses("TE.TE, a folded coding", "Transfer-Encoding:\r\n chunked"),
            refuses("TE.TE, a coding in a fold", "X: y\r\n\tTransfer-Encoding: chunked"),
            refuses("TE.TE, a coding behind a bare CR", "X: y\rTransfer-Encoding: chunked"),
            refuses("TE.TE, a bare CR in the coding", "Transfer-Encoding: chun\rked"),
            refuses("TE.TE, a bare CR before the coding", "Transfer-Encoding: \rchunked"),
            refuses("TE.TE, a coding behind a bare LF", "X: y\nTransfer-Encoding: chunked")
                .but(&BARE_LF, [closes(&[200])]),
        ])
}

fn no_coding() -> Vec<Vector> {
    let whole = r#""body_length":38"#;
    beside_a_length(rule(
        "RFC 9112, 6.3",
        "no other field tells of content, however alike its name",
    ))
    .vectors([
        accepts("an underscore for the coding's hyphen", "Transfer_Encoding: chunked").shows(whole),
        accepts("a dot after the coding's name", "Transfer-Encoding.: chunked").shows(whole),
        accepts("an apostrophe before the coding's name", "'Transfer-Encoding: chunked")
            .shows(whole),
        accepts("a coding of the content", "Content-Encoding: chunked").shows(whole),
        accepts("a coding that is asked for", "TE: chunked").shows(whole),
        accepts("a coding in a value", "X: y Transfer-Encoding: chunked").shows(whole),
    ])
}

/// Who sees a length takes a request for content.
fn before_a_request(rule: Rule) -> Rule {
    rule.around(POST, ["\r\n\r\n", POISON].concat())
}

fn disguised_length() -> Vec<Vector> {
    let content = r#""body_length":33"#;
    before_a_request(rule("RFC 9112, 6.3", "a length that not everyone reads alike is no length"))
        .vectors([
            accepts("0.CL, zeros before the length", "Content-Length: 000033").shows(content),
            accepts("0.CL, a tab before the length", "Content-Length:\t33\t").shows(content),
            accepts(
                "0.CL, a length named away",
                "Connection: Content-Length\r\nContent-Length: 33",
            )
            .shows(content),
            refuses("0.CL, a sign", "Content-Length: +33"),
            refuses("0.CL, a hexadecimal length", "Content-Length: 0x21"),
            refuses("0.CL, two words", "Content-Length: 33 0"),
            refuses("0.CL, a list", "Content-Length: 0, 33"),
            refuses("0.CL, zero first", "Content-Length: 0\r\nContent-Length: 33"),
            refuses("0.CL, zero last", "Content-Length: 33\r\nContent-Length: 0"),
            refuses("0.CL, 2^64 + 33", "Content-Length: 18446744073709551649"),
            refuses("0.CL, a vertical tab", "Content-Length:\x0b33"),
            refuses("0.CL, NUL in the name", "Content-Length\0: 33"),
            refuses("0.CL, a space before the colon", "Content-Length : 33"),
            refuses("0.CL, a space in the name", "Content Length: 33"),
            refuses("0.CL, a space before the name", " Content-Length: 33"),
            refuses("0.CL, a folded length", "Content-Length:\r\n 33"),
            refuses("0.CL, a length behind a bare CR", "X: y\rContent-Length: 33"),
            refuses("0.CL, a length behind a bare LF", "X: y\nContent-Length: 33")
                .but(&BARE_LF, [stays(&[200])]),
        ])
}

fn no_length() -> Vec<Vector> {
    let two = |name, bytes: &str| row(name, bytes, stays(&[200, 404]));
    before_a_request(rule(
        "RFC 9112, 6.3",
        "without a length there is no content: a request follows",
    ))
    .vectors([
        two("an underscore for the length's hyphen", "Content_Length: 33"),
        two("a dot after the length's name", "Content-Length.: 33"),
        two("an x before the length's name", "X-Content-Length: 33"),
        two("a length in a value", "X: Content-Length: 33"),
        row("a length after the head", "\r\nContent-Length: 33", closes(&[200, 400])),
        row("a length after an empty line", "\r\n\r\nContent-Length: 33", closes(&[200, 400])),
    ])
}

fn content_of_any_method() -> Vec<Vector> {
    let by_length = |method: &str| {
        [method, " HTTP/1.1\r\nHost: a\r\nContent-Length: 33\r\n\r\n", POISON].concat()
    };
    let by_chunks = |method: &str| {
        let head = " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        [method, head, "21\r\n", POISON, "\r\n0\r\n\r\n"].concat()
    };
    rule("RFC 9110, 9.3.1", "content has the length it has, whatever the method makes of it")
        .vectors([
        accepts("CL.0, GET", by_length("GET /anything")),
        accepts("CL.0, HEAD", by_length("HEAD /anything")).to(&["HEAD"]),
        accepts("CL.0, DELETE", by_length("DELETE /anything")),
        accepts("CL.0, OPTIONS", by_length("OPTIONS /anything")),
        accepts("CL.0, a method of somebody's own", by_length("FIVE /anything")),
        row("CL.0, TRACE", by_length("TRACE /anything"), stays(&[405])),
        row("CL.0, OPTIONS *", by_length("OPTIONS *"), stays(&[204])),
        row(
            "CL.0, OPTIONS that goes no further",
            [
                "OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\nContent-Length: 33\r\n\r\n",
                POISON,
            ]
            .concat(),
            stays(&[204]),
        ),
        accepts("TE.0, GET", by_chunks("GET /anything")),
        accepts("TE.0, HEAD", by_chunks("HEAD /anything")).to(&["HEAD"]),
        accepts("TE.0, OPTIONS", by_chunks("OPTIONS /anything")),
        row("TE.0, TRACE", by_chunks("TRACE /anything"), stays(&[405])),
    ])
}
