//! What ends with a hop, and what must not: RFC 9110, 7.6, 7.8 and 10.1.1, and RFC 9112, 9.

use super::{CHUNKS, CONTENT, GET, POISON, POST};
use crate::exceptions::HTTP_2_PREFACE;
use crate::vector::{Vector, accepts, closes, refuses, row, rule, stays};

/// All of them.
pub(super) fn all() -> Vec<Vector> {
    [named_away(), not_an_option(), upgrades(), expectations(), no_expectations(), after_the_last()]
        .concat()
}

fn named_away() -> Vec<Vector> {
    let named = |option: &str, rest: &str| [POST, "Connection: ", option, "\r\n", rest].concat();
    let whole = r#""body_length":33"#;
    let last = |name, bytes| row(name, bytes, closes(&[200])).shows(whole);
    rule("RFC 9110, 7.6.1", "a sender must not name a field that is meant for all recipients")
        .vectors([
            accepts("a length that is named", named("Content-Length", CONTENT)).shows(whole),
            accepts("a length that is named in any case", named("cONTENT-lENGTH", CONTENT))
                .shows(whole),
            accepts("a coding that is named", named("Transfer-Encoding", CHUNKS)).shows(whole),
            accepts("a Host that is named", named("Host", CONTENT)).shows(r#""host":["a"]"#),
            accepts(
                "all that frames and routes, named",
                named("keep-alive, Host, Content-Length, Transfer-Encoding", CONTENT),
            )
            .shows(whole),
            accepts("Connection itself, named", named("Connection, Content-Length", CONTENT))
                .shows(whole),
            accepts(
                "Via and the client's address, named",
                named("Via, Forwarded, X-Forwarded-For, X-Forwarded-Host", CONTENT),
            )
            .shows(whole),
            accepts(
                "an expectation that is named",
                named("Expect", &["Expect: 100-continue\r\n", CONTENT].concat()),
            )
            .shows(whole)
            .invited(),
            last("a length that is named beside close", named("close, Content-Length", CONTENT)),
            last("a coding that is named beside close", named("Transfer-Encoding, close", CHUNKS)),
            accepts(
                "a cookie that is named",
                named("Cookie", &["Cookie: x=y\r\n", CONTENT].concat()),
            )
            .shows(whole),
        ])
}

fn not_an_option() -> Vec<Vector> {
    let two = |name, fields: &str| row(name, fields, stays(&[200, 404]));
    rule("RFC 9110, 7.6.1", "a field that merely looks like Connection ends nothing")
        .around(GET, ["\r\n\r\n", POISON].concat())
        .vectors([
            two("Proxy-Connection, then a request", "Proxy-Connection: close"),
            two("Keep-Alive, then a request", "Keep-Alive: timeout=0, max=0"),
            two("Connection in another's value, then a request", "X: Connection: close"),
            two("an underscore, then a request", "Connection_: close"),
            two(
                "fields that a proxy writes, then a request",
                "Via: 1.1 five-ways\r\nForwarded: for=192.0.2.1\r\nX-Forwarded-For: 192.0.2.1\r\n\
                 X-Forwarded-Host: b\r\nX-Forwarded-Proto: https",
            ),
        ])
}

fn upgrades() -> Vec<Vector> {
    let upgrade = |protocol: &str, rest: &str| {
        [
            GET,
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: ",
            protocol,
            "\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
            rest,
        ]
        .concat()
    };
    let preface = "\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let frames = "\r\n\0\0\0\x04\0\0\0\0\0";
    rule("RFC 9110, 7.8", "without a 101 nothing changes: what follows is the next request")
        .vectors([
            row(
                "an upgrade to HTTP/2, then a request",
                upgrade("h2c", &["\r\n", POISON].concat()),
                stays(&[200, 404]),
            ),
            row(
                "an upgrade to WebSocket, then a request",
                upgrade("websocket", &["\r\n", POISON].concat()),
                stays(&[200, 404]),
            ),
            row(
                "an upgrade to HTTP/2, then its preface",
                upgrade("h2c", preface),
                closes(&[200, 505]),
            )
            .but(&HTTP_2_PREFACE, [closes(&[200, 400]), closes(&[200])]),
            row("an upgrade to HTTP/2, then frames", upgrade("h2c", frames), closes(&[200, 400])),
            accepts("an upgrade with content", upgrade("h2c", CONTENT))
                .shows(r#""body_length":33"#),
            accepts("an upgrade with chunks", upgrade("h2c", CHUNKS)).shows(r#""body_length":33"#),
        ])
}

fn expectations() -> Vec<Vector> {
    let whole = r#""body_length":33"#;
    let ask = |name, expectation: &str, rest: &str| {
        accepts(name, [POST, "Expect:", expectation, "\r\n", rest].concat()).shows(whole).invited()
    };
    rule("RFC 9110, 10.1.1", "who expects 100 and sends its content all the same has sent content")
        .vectors([
            ask("100-continue, and content at once", " 100-continue", CONTENT),
            ask("100-continue, and chunks at once", " 100-continue", CHUNKS),
            ask("100-continue behind a tab", "\t100-continue", CONTENT),
            ask("100-continue in a list", " x, 100-continue ,", CONTENT),
            ask("100-continue beside another", " 100-continue\r\nExpect: x", CONTENT),
            accepts(
                "HEAD with 100-continue and content",
                ["HEAD /anything HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n", CONTENT]
                    .concat(),
            )
            .to(&["HEAD"])
            .invited(),
            accepts(
                "GET with 100-continue and content",
                [GET, "Expect: 100-continue\r\n", CONTENT].concat(),
            )
            .shows(whole)
            .invited(),
        ])
}

fn no_expectations() -> Vec<Vector> {
    let whole = r#""body_length":33"#;
    let ask = |name, expectation: &str| {
        accepts(name, [POST, "Expect:", expectation, "\r\n", CONTENT].concat()).shows(whole)
    };
    let two = |name, fields: &str| {
        row(name, [GET, "Expect: 100-continue\r\n", fields, POISON].concat(), stays(&[200, 404]))
    };
    rule(
        "RFC 9110, 10.1.1",
        "what is no 100-continue holds no content back, nor where there is none",
    )
    .vectors([
        ask("a word before 100-continue", " y 100-continue"),
        ask("a parameter of 100-continue", " 100-continue;x"),
        ask("100-continue in quotes", " \"100-continue\""),
        two("100-continue without content, then a request", "\r\n"),
        two("100-continue and a length of zero, then a request", "Content-Length: 0\r\n\r\n"),
        refuses(
            "a space before the expectation's colon",
            [POST, "Expect : 100-continue\r\n", CONTENT].concat(),
        ),
        refuses("a folded expectation", [POST, "Expect:\r\n 100-continue\r\n", CONTENT].concat()),
    ])
}

fn after_the_last() -> Vec<Vector> {
    let then = |name, first: &str, outcome| row(name, [first, POISON].concat(), outcome);
    rule("RFC 9112, 9.6", "a server must not process what follows the last request").vectors([
        then("a request after close", &[GET, "Connection: close\r\n\r\n"].concat(), closes(&[200])),
        then(
            "a request after close among other options",
            &[GET, "Connection: x, close ,Content-Length\r\n\r\n"].concat(),
            closes(&[200]),
        ),
        then(
            "a request after content and close",
            &[POST, "Connection: close\r\nContent-Length: 2\r\n\r\nhi"].concat(),
            closes(&[200]),
        ),
        then("a request after 1.0", "GET /anything HTTP/1.0\r\n\r\n", closes(&[200])),
        then(
            "a request after content of 1.0",
            "POST /anything HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi",
            closes(&[200]),
        ),
        then("a request after a bad one", "GET /anything HTTP/1.1\r\n\r\n", closes(&[400])),
        then(
            "a request after a good and a bad one",
            &[GET, "\r\nGET / HTTP/1.1\r\n\r\n"].concat(),
            closes(&[200, 400]),
        ),
        then(
            "a request after a tunnel",
            "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
            closes(&[501]),
        ),
    ])
}
