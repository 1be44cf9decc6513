//! What is no HTTP/1.1 at all: RFC 9112, 2.2, has a server answer 400 and close.

use crate::exceptions::{HTTP_2_PREFACE, OTHER_MAJOR_VERSION};
use crate::vector::{Vector, accepts, closes, refuses, row, rule};

/// All of them.
pub fn all() -> Vec<Vector> {
    [other_versions(), binary(), text(), injected()].concat()
}

fn other_versions() -> Vec<Vector> {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64";
    rule("RFC 9113, 3.4", "the preface of HTTP/2 is made to fail as a request of HTTP/1.1").vectors(
        [
            row("the preface of HTTP/2", preface, closes(&[505]))
                .but(&HTTP_2_PREFACE, [closes(&[]), closes(&[400])]),
            row("the preface and settings", [&preface[..], settings].concat(), closes(&[505]))
                .but(&HTTP_2_PREFACE, [closes(&[]), closes(&[400])]),
            row("half of the preface", &preface[..18], closes(&[505]))
                .but(&OTHER_MAJOR_VERSION, [closes(&[400])]),
        ],
    )
}

fn binary() -> Vec<Vector> {
    // A hello of TLS 1.2: the record's head, the handshake's, a version, random bytes, one suite.
    let hello =
        [&b"\x16\x03\x01\0\x2d\x01\0\0\x29\x03\x03"[..], &[0x5a; 32], b"\0\0\x02\x13\x01\x01\0"]
            .concat();
    rule(
        "RFC 9112, 2.2",
        "a server that gets bytes that are no request should answer 400 and close",
    )
    .vectors([
        refuses("a hello of TLS", hello.clone()),
        refuses("a hello of TLS with line ends in it", [&hello[..], b"\r\n\r\n"].concat()),
        refuses("a hello of SSL 2", b"\x80\x2e\x01\0\x02\0\x15\0\0\0\x10\x01\0\x80\r\n\r\n"),
        refuses("a hundred NULs", [0; 100]),
        refuses("a hundred bytes of 255", [0xff; 100]),
        refuses("random bytes", random(0x0123_4567_89ab_cdef, 500)),
        refuses("other random bytes", random(0xfeed_face_cafe_beef, 500)),
        refuses("a stream of gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\r\n\r\n"),
        refuses("a list of Redis", b"*1\r\n$4\r\nPING\r\n"),
        refuses("the second protocol of proxies", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"),
    ])
}

fn text() -> Vec<Vector> {
    rule(
        "RFC 9112, 2.2",
        "a server that gets bytes that are no request should answer 400 and close",
    )
    .around("", "\r\n\r\n")
    .vectors([
        refuses("SSH", "SSH-2.0-OpenSSH_9.6"),
        refuses("SMTP", "EHLO a.example"),
        refuses("FTP", "USER anonymous"),
        refuses("Redis", "PING"),
        refuses("RTSP", "OPTIONS rtsp://a/ RTSP/1.0\r\nCSeq: 1"),
        refuses("SIP", "OPTIONS sip:me@a SIP/2.0\r\nTo: me"),
        refuses(
            "the first protocol of proxies",
            "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\nHost: a",
        ),
        refuses("an answer", "HTTP/1.1 200 OK\r\nContent-Length: 0"),
        refuses("JSON", "{\"method\": \"GET\"}"),
        refuses("XML", "<?xml version=\"1.0\"?>"),
        refuses("a shell", "() { :; }; echo five"),
    ])
}

fn injected() -> Vec<Vector> {
    rule("RFC 9110, 5.5", "what stands in a value or a target stays there, however it looks")
        .around("GET ", "\r\n\r\n")
        .vectors([
            accepts("a request in a value", "/anything HTTP/1.1\r\nHost: a\r\nX: GET / HTTP/1.1")
                .shows(r#""x":["GET / HTTP/1.1"]"#),
            accepts(
                "a request in a query",
                "/anything?GET%20/%20HTTP/1.1%0d%0a HTTP/1.1\r\nHost: a",
            )
            .shows("GET / HTTP/1.1"),
            refuses("a version in a target", "/anything HTTP/1.1 HTTP/1.1\r\nHost: a"),
        ])
}

/// Bytes that look random and are always the same, by Marsaglia's xorshift.
fn random(mut seed: u64, length: usize) -> Vec<u8> {
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}
