//! `Expect` and `Upgrade`: RFC 9110, 7.8 and 10.1.1.

use crate::vector::{Vector, accepts, closes, refuses, row, rule, stays};

/// All of them.
pub fn all() -> Vec<Vector> {
    [invited(), not_invited(), others(), wrong(), upgrades()].concat()
}

const EXPECT: &str = "Expect: 100-continue\r\n";
const CONTENT: &str = "Content-Length: 5\r\n\r\nhello";
const CHUNKS: &str = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";

fn invited() -> Vec<Vector> {
    let five = r#""body_length":5"#;
    let ask = |expectation: &str, content: &str| {
        format!("POST /anything HTTP/1.1\r\nHost: a\r\nExpect: {expectation}\r\n{content}")
    };
    rule("RFC 9110, 10.1.1", "a server that wants the content says 100, unless it is there already")
        .vectors([
            accepts("100-continue", ask("100-continue", CONTENT)).shows(five).invited(),
            accepts("100-Continue", ask("100-Continue", CONTENT)).shows(five).invited(),
            accepts("100-CONTINUE", ask("100-CONTINUE", CONTENT)).shows(five).invited(),
            accepts("100-continue and chunks", ask("100-continue", CHUNKS)).shows(five).invited(),
            accepts("100-continue twice", ask("100-continue\r\nExpect: 100-continue", CONTENT))
                .shows(five)
                .invited(),
            accepts(
                "100-continue in echo",
                ask("100-continue", CONTENT).replace("/anything", "/echo"),
            )
            .shows("hello")
            .invited(),
            accepts("two requests of 100-continue", ask("100-continue", CONTENT).repeat(2))
                .with(&[200; 2])
                .invited(),
        ])
}

fn not_invited() -> Vec<Vector> {
    let five = r#""body_length":5"#;
    let ask = |line: &str, rest: &str| [line, "\r\nHost: a\r\n", EXPECT, rest].concat();
    let unwanted = |target: &str| ask(&format!("POST {target} HTTP/1.1"), CONTENT);
    let old = ask("POST /anything HTTP/1.0", &["Connection: keep-alive\r\n", CONTENT].concat());
    let zero = ask("POST /anything HTTP/1.1", "Content-Length: 0\r\n\r\n");
    let much = ask("POST /anything HTTP/1.1", "Content-Length: 99999999999\r\n\r\n");
    let none = ask("GET /anything HTTP/1.1", "\r\n");
    rule("RFC 9110, 10.1.1", "no 100 to 1.0, nor without content, nor after the final answer")
        .vectors([
            accepts("100-continue on 1.0", old).shows(five),
            accepts("100-continue without content", &none),
            accepts("100-continue and a length of zero", zero),
            row("100-continue to nobody", unwanted("/nowhere"), closes(&[404])),
            row("100-continue with the wrong method", unwanted("/bytes/5"), closes(&[405])),
            row("100-continue for a status", unwanted("/status/403"), closes(&[403])),
            row("100-continue and too much content", much, closes(&[413])),
            row("100-continue and no more, then the end", &none, closes(&[200])).half_closed(),
        ])
}

fn others() -> Vec<Vector> {
    rule("RFC 9110, 10.1.1", "an expectation that can't be met may get 417, or be overlooked")
        .around("POST /anything HTTP/1.1\r\nHost: a\r\nExpect: ", ["\r\n", CONTENT].concat())
        .vectors([
            accepts("an expectation that nobody knows", "tea"),
            accepts("an expectation of 200", "200-ok"),
            accepts("an empty expectation", ""),
            accepts("an expectation that begins like 100-continue", "100-continued"),
        ])
}

fn wrong() -> Vec<Vector> {
    let no_chunk = "POST /anything HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n";
    rule("RFC 9110, 10.1.1", "a request that is wrong is refused whatever it expects").vectors([
        refuses(
            "100-continue and a bad length",
            ["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n", EXPECT, "\r\n"].concat(),
        ),
        refuses("100-continue without Host", ["POST / HTTP/1.1\r\n", EXPECT, CONTENT].concat()),
        refuses("100-continue and a bad chunk", [no_chunk, EXPECT, "\r\nx\r\n"].concat()).invited(),
        row(
            "100-continue and a tunnel",
            ["CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n", EXPECT, "\r\n"].concat(),
            closes(&[501]),
        ),
    ])
}

fn upgrades() -> Vec<Vector> {
    rule("RFC 9110, 7.8", "a server may ignore Upgrade").around("", "\r\nHost: a\r\n\r\n").vectors(
        [
            accepts(
                "an upgrade to WebSocket",
                "GET /anything HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            ),
            accepts(
                "an upgrade to HTTP/2",
                "GET /anything HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\n\
                 Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
            ),
            row(
                "an upgrade, then the end",
                "GET /anything HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: five",
                closes(&[200]),
            )
            .half_closed(),
            row(
                "an upgrade of OPTIONS *",
                "OPTIONS * HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: TLS/1.0",
                stays(&[204]),
            ),
        ],
    )
}
