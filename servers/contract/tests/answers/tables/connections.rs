//! `Connection`, and what speaks of one connection only: RFC 9110, 7.6.1, and RFC 9112, 9.3.

use contract::answers::{Answers, relays, row};
use contract::exceptions::KEEP_ALIVE_OF_1_0;
use contract::vector::{Vector, closes, rule};

pub(crate) fn all() -> Vec<Vector<Answers>> {
    [persistence(), old(), old_clients(), named(), hop_by_hop()].concat()
}

const REST: &str = "\r\nContent-Length: 5\r\n\r\nhello";

fn persistence() -> Vec<Vector<Answers>> {
    let once = |name, fields: &str| relays(name, fields).once().removing(&["connection", "x"]);
    let kept = |name, fields: &str| relays(name, fields).removing(&["connection", "keep-alive"]);
    rule("RFC 9112, 9.3", "a connection persists unless close is among the options")
        .around("HTTP/1.1 200 OK\r\n", REST)
        .vectors([
            once("close", "Connection: close"),
            once("close in capitals", "CONNECTION: CLOSE"),
            once("close among other options", "Connection: x, close, y"),
            once("close beside keep-alive", "Connection: keep-alive, close"),
            once("close after empty members", "Connection: ,, close"),
            once("close in another field", "Connection: x\r\nConnection: close"),
            once("close in the first of two fields", "Connection: close\r\nConnection: keep-alive"),
            relays("close beside obs-text", b"Connection: close, \xe9").once(),
            kept("nothing of the connection", "X: y"),
            kept("keep-alive", "Connection: keep-alive\r\nKeep-Alive: timeout=600, max=9"),
            kept("an option that is no close", "Connection: closed, x-close"),
            kept("close in quotes", "Connection: \"close\""),
            kept("an empty Connection", "Connection:"),
            kept("close for another proxy", "Proxy-Connection: close"),
        ])
}

fn old() -> Vec<Vector<Answers>> {
    let kept = |name, fields: &str| relays(name, fields).but_once(&KEEP_ALIVE_OF_1_0);
    rule("RFC 9112, 9.3", "a connection of 1.0 persists only if keep-alive is among the options")
        .around("HTTP/1.0 200 OK\r\n", REST)
        .vectors([
            relays("1.0", "X: y").once(),
            kept("1.0, kept alive", "Connection: keep-alive"),
            kept("1.0, kept alive in capitals", "Connection: Keep-Alive"),
            kept("1.0, kept alive among other options", "Connection: x, keep-alive"),
            relays("1.0 and close", "Connection: close").once(),
            relays("1.0, kept alive and close", "Connection: keep-alive, close").once(),
            relays("1.0, kept alive by its name alone", "Keep-Alive: timeout=600").once(),
        ])
}

fn old_clients() -> Vec<Vector<Answers>> {
    let head = "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n";
    let last = |name, rest: &str| row(name, [head, rest].concat(), closes(&[200])).to_1_0();
    rule("RFC 9112, 9.3 and 6.1", "the client's connection is no business of the upstream's")
        .vectors([
            last("a length for a client of 1.0", "Content-Length: 5\r\n\r\nhello"),
            last("the end for a client of 1.0", "\r\nhello").once().half_closed(),
        ])
}

fn named() -> Vec<Vector<Answers>> {
    let gone = |name, fields: &str| relays(name, fields).removing(&["x-hop", "connection"]);
    rule("RFC 9110, 7.6.1", "a proxy removes Connection, and each field of a name that is there")
        .around("HTTP/1.1 200 OK\r\nX-End: 1\r\n", REST)
        .vectors([
            gone("a field that Connection names", "Connection: x-hop\r\nX-Hop: 1"),
            gone("a field that a later Connection names", "X-Hop: 1\r\nConnection: x-hop"),
            gone("a field that Connection names in capitals", "Connection: X-HOP\r\nx-hop: 1"),
            gone("fields of a name", "X-Hop: 1\r\nConnection: x-hop\r\nX-Hop: 2"),
            gone("a field named among others", "Connection: a, keep-alive,, x-hop ,b\r\nX-Hop: 1"),
            gone(
                "a field named in a second field",
                "Connection: a\r\nX-Hop: 1\r\nConnection: x-hop",
            ),
            gone(
                "a field named beside what is no token",
                "Connection: a b, \"x\", x-hop\r\nX-Hop: 1",
            ),
            gone("a name beside another", "Connection: x-ho, x-hop\r\nX-Hop: 1"),
            relays("Via can't be named away", "Connection: via\r\nVia: 1.1 other")
                .relaying(&[("x-end", "1")]),
            relays(
                "Cache-Control can't be named away",
                "Connection: cache-control\r\nCache-Control: no-store",
            )
            .relaying(&[("cache-control", "no-store")]),
            relays("a length can't be named away", "Connection: content-length"),
            relays("a name that no field has", "Connection: x-hop").relaying(&[("x-end", "1")]),
        ])
}

fn hop_by_hop() -> Vec<Vector<Answers>> {
    let gone = |name, field: &str, names| relays(name, field).removing(names);
    rule("RFC 9110, 7.6.1", "a proxy removes what is known to be for one connection, named or not")
        .around("HTTP/1.1 200 OK\r\n", REST)
        .vectors([
            gone("Keep-Alive", "Keep-Alive: timeout=600", &["keep-alive"]),
            gone("TE", "TE: trailers", &["te"]),
            gone("Trailer", "Trailer: X-Sum", &["trailer"]),
            gone("Upgrade", "Connection: upgrade\r\nUpgrade: h2c", &["upgrade", "connection"]),
            gone("Upgrade, not named", "Upgrade: websocket", &["upgrade"]),
            gone(
                "Proxy-Authenticate",
                "Proxy-Authenticate: Basic realm=\"x\"",
                &["proxy-authenticate"],
            ),
            gone("Proxy-Connection", "Proxy-Connection: keep-alive", &["proxy-connection"]),
        ])
}
