//! Answers before the answer: RFC 9110, 15.2.

use contract::answers::{Answers, refuses, row};
use contract::vector::{Vector, closes, rule, stays};

pub(crate) fn all() -> Vec<Vector<Answers>> {
    [good(), announcing(), upgrades(), broken(), many()].concat()
}

const FINAL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";

fn good() -> Vec<Vector<Answers>> {
    let both = |name, interim: &str, statuses| row(name, [interim, FINAL].concat(), statuses);
    let twice: &[u16] = &[103, 103, 200];
    rule("RFC 9110, 15.2", "a proxy must forward 1xx, but not to a client of HTTP/1.0").vectors([
        both("a 100 that nobody waits for", "HTTP/1.1 100 Continue\r\n\r\n", stays(&[100, 200])),
        both("a 102", "HTTP/1.1 102 Processing\r\n\r\n", stays(&[102, 200])),
        both("hints", HINTS, stays(&[103, 200])),
        both("a 1xx that nobody knows", "HTTP/1.1 199 \r\n\r\n", stays(&[199, 200])),
        both("a 1xx without a reason", "HTTP/1.1 150\r\n\r\n", stays(&[150, 200])),
        both("hints twice", &HINTS.repeat(2), stays(twice)),
        both(
            "a 100, then hints",
            &["HTTP/1.1 100 Continue\r\n\r\n", HINTS].concat(),
            stays(&[100, 103, 200]),
        ),
        both("hints of version 1.0", &HINTS.replace("1.1", "1.0"), stays(&[103, 200])).once(),
        both(
            "hints that name their own fields",
            "HTTP/1.1 103 Early Hints\r\nConnection: x-hop\r\nX-Hop: 1\r\nTE: trailers\r\n\r\n",
            stays(&[103, 200]),
        )
        .removing(&["connection", "x-hop", "te"]),
        both(
            "hints that say close",
            "HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n",
            stays(&[103, 200]),
        )
        .once(),
        row("hints for a client of 1.0", [HINTS, FINAL].concat(), closes(&[200])).to_1_0(),
        row("a 100 for a client of 1.0", ["HTTP/1.1 100 \r\n\r\n", FINAL].concat(), closes(&[200]))
            .to_1_0(),
        row(
            "hints, then an answer to HEAD",
            [HINTS, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"].concat(),
            stays(&[103, 200]),
        )
        .to_head(),
        row("hints, then a 204", [HINTS, "HTTP/1.1 204 \r\n\r\n"].concat(), stays(&[103, 204]))
            .content(""),
    ])
}

fn announcing() -> Vec<Vector<Answers>> {
    let both = |name, field: &str, status| {
        row(name, ["HTTP/1.1 103 Hints\r\n", field, "\r\n\r\n", FINAL].concat(), status)
    };
    rule("RFC 9110, 8.6, and RFC 9112, 6.1", "a 1xx must not announce content, and has none")
        .vectors([
            both("hints with a length of zero", "Content-Length: 0", stays(&[103, 200])),
            both("hints with a length", "Content-Length: 5", stays(&[502])),
            both("hints with chunks", "Transfer-Encoding: chunked", stays(&[502])),
            both("hints with a bad length", "Content-Length: x", stays(&[502])),
            row(
                "hints with content",
                ["HTTP/1.1 103 Hints\r\nContent-Length: 5\r\n\r\nworld", FINAL].concat(),
                stays(&[502]),
            ),
            row(
                "hints with content that is an answer",
                ["HTTP/1.1 103 Hints\r\nContent-Length: 43\r\n\r\n", FINAL, FINAL].concat(),
                stays(&[502]),
            ),
        ])
}

fn upgrades() -> Vec<Vector<Answers>> {
    rule("RFC 9110, 7.8", "a server must not switch to a protocol that the client did not ask for")
        .vectors([
            refuses("a 101", "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
            refuses(
                "a 101 that names a protocol",
                "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
            ),
            refuses("a 101 and an answer", ["HTTP/1.1 101 \r\n\r\n", FINAL].concat()),
            refuses(
                "a 101 to HTTP/2",
                "HTTP/1.1 101 \r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n\0\0\0\x04\0\0\0\0\0",
            ),
            row("hints, then a 101", [HINTS, "HTTP/1.1 101 \r\n\r\n"].concat(), stays(&[103, 502])),
        ])
}

fn broken() -> Vec<Vector<Answers>> {
    let after = |name, bytes: &str| row(name, [HINTS, bytes].concat(), stays(&[103, 502]));
    rule("RFC 9110, 15.2", "after any number of 1xx comes a final answer, or there is none")
        .vectors([
            after("hints, then nonsense", "hello\r\n\r\n"),
            after("hints, then a bad status line", "HTTP/1.1 20 OK\r\n\r\n"),
            after("hints, then a bad field", "HTTP/1.1 200 OK\r\nX : y\r\n\r\n"),
            after("hints, then a bad length", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
            after("hints, then content", "hello"),
            after("hints, then bad hints", "HTTP/1.1 103 Hints\r\nno colon\r\n\r\n"),
            after("hints, then the end", "").half_closed(),
            after("hints, then half a status line", "HTTP/1.1 20").half_closed(),
            after("hints, then half a head", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n")
                .half_closed(),
            refuses("half of the hints", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n")
                .half_closed(),
            refuses("bad hints", ["HTTP/1.1 103 Hints\r\nX : y\r\n\r\n", FINAL].concat()),
        ])
}

fn many() -> Vec<Vector<Answers>> {
    const HUNDRED: [u16; 101] = ending(200);
    const TOO_MANY: [u16; 101] = ending(502);
    let flood = |count| ["HTTP/1.1 103 \r\n\r\n".repeat(count), FINAL.to_owned()].concat();
    rule("RFC 9110, 15.2", "a client parses one or more 1xx; how many more is left to it").vectors(
        [
            row("a hundred hints", flood(100), stays(&HUNDRED)),
            row("a hundred and one hints", flood(101), stays(&TOO_MANY)),
            row("hints without end", flood(2000), stays(&TOO_MANY)),
            row("a hundred hints for a client of 1.0", flood(100), closes(&[200])).to_1_0(),
            row("hints without end for a client of 1.0", flood(2000), closes(&[502])).to_1_0(),
        ],
    )
}

/// A hundred hints and then this.
const fn ending(status: u16) -> [u16; 101] {
    let mut statuses = [103; 101];
    statuses[100] = status;
    statuses
}
