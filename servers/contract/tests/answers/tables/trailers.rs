//! Trailers: RFC 9112, 7.1.2, and RFC 9110, 6.5.

use contract::answers::{Answers, breaks, relays};
use contract::vector::{Vector, rule};

pub(crate) fn all() -> Vec<Vector<Answers>> {
    [dropped(), malformed(), many()].concat()
}

const BEFORE: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n";

fn dropped() -> Vec<Vector<Answers>> {
    rule(
        "RFC 9110, 6.5.1, and RFC 9112, 7.1.2",
        "trailers may be discarded, and are not to be merged into the head",
    )
    .around(BEFORE, "\r\n")
    .vectors([
        relays("a trailer", "X-Trailer: 1\r\n").removing(&["x-trailer"]),
        relays("two trailers", "X-Trailer: 1\r\nX-Trailer: 2\r\n").removing(&["x-trailer"]),
        relays("an empty trailer", "X-Trailer:\r\n").removing(&["x-trailer"]),
        relays("a trailer of obs-text", b"X-Trailer: \xe9\r\n").removing(&["x-trailer"]),
        relays("a length for a trailer", "Content-Length: 3\r\n").removing(&["content-length"]),
        relays("a bad length for a trailer", "Content-Length: x\r\n").removing(&["content-length"]),
        relays("a coding for a trailer", "Transfer-Encoding: gzip\r\n"),
        relays("close for a trailer", "Connection: close\r\n").removing(&["connection"]),
        relays("a cookie for a trailer", "Set-Cookie: a=b\r\n").removing(&["set-cookie"]),
    ])
}

fn malformed() -> Vec<Vector<Answers>> {
    rule("RFC 9112, 5 and 7.1.2", "trailer-section = *( field-line CRLF )")
        .around(BEFORE, "")
        .vectors([
            breaks("a trailer without a colon", "X\r\n\r\n", "hello"),
            breaks("a trailer with a space before its colon", "X : y\r\n\r\n", "hello"),
            breaks("a trailer without a name", ": y\r\n\r\n", "hello"),
            breaks("a trailer with a space in its name", "X Y: z\r\n\r\n", "hello"),
            breaks("a trailer that begins with a space", " X: y\r\n\r\n", "hello"),
            breaks("a folded trailer", "X: y\r\n z\r\n\r\n", "hello"),
            breaks("NUL in a trailer", "X: y\0\r\n\r\n", "hello"),
            breaks("a bare CR in a trailer", "X: y\rz\r\n\r\n", "hello"),
            breaks("LF after a trailer", "X: y\nY: z\r\n\r\n", "hello"),
            breaks("LF after the last trailer", "X: y\n\r\n", "hello").half_closed(),
            breaks("LF in place of the last line end", "\n", "hello").half_closed(),
            breaks("CR CR LF in place of the last line end", "\r\r\n", "hello"),
            breaks(
                "an answer in place of trailers",
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                "hello",
            ),
            breaks("a chunk in place of trailers", "5\r\nhello\r\n0\r\n\r\n", "hello"),
        ])
}

fn many() -> Vec<Vector<Answers>> {
    rule("RFC 9110, 6.5 and 2.3", "trailers are bounded, as any part of a message may be")
        .around(BEFORE, "\r\n")
        .vectors([
            relays("a hundred trailers", "X: y\r\n".repeat(100)),
            breaks("a hundred and one trailers", "X: y\r\n".repeat(101), "hello"),
            breaks("trailers without end", "X: y\r\n".repeat(20_000), "hello"),
            relays("a trailer of eight KiB", ["X: ", &"y".repeat(8192), "\r\n"].concat()),
            breaks(
                "a trailer of twenty KiB",
                ["X: ", &"y".repeat(20_480), "\r\n"].concat(),
                "hello",
            ),
            breaks(
                "a trailer without end",
                ["X: ", &"y".repeat(200_000), "\r\n"].concat(),
                "hello",
            ),
        ])
}
