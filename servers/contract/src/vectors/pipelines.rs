//! More than one request on a connection, or less: RFC 9112, 8 and 9.3.

use crate::exceptions::{CONNECTION_BEYOND_ASCII, EMPTY_LINES, SHORT_CONTENT};
use crate::vector::{Vector, accepts, closes, row, rule, stays};

/// All of them.
pub fn all() -> Vec<Vector> {
    [good(), errors(), unread(), empty_lines(), close(), keep_alive(), half_closed(), incomplete()]
        .concat()
}

// Of a method that has no other name when a byte of it is lost.
const GET: &str = "GET /bytes/5 HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKS: &str =
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
const ANYTHING: &str = "POST /anything HTTP/1.1\r\nHost: a\r\n";
const HEAD: &str = "HEAD /bytes/5 HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST: &str = "GET /bytes/5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fn good() -> Vec<Vector> {
    let request_in_content = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 38\r\n\r\n\
        GET /status/418 HTTP/1.1\r\nHost: a\r\n\r\n\n";
    rule("RFC 9112, 9.3.2", "pipelined requests are answered in their order").vectors([
        accepts("two requests", [GET; 2].concat()).with(&[200; 2]),
        accepts("twenty requests", [GET; 20].concat()).with(&[200; 20]),
        accepts("content between requests", [GET, POST, GET].concat()).with(&[200; 3]),
        accepts("chunks between requests", [GET, CHUNKS, GET].concat()).with(&[200; 3]),
        accepts("content of every kind", [POST, CHUNKS, POST, CHUNKS].concat()).with(&[200; 4]),
        accepts("content that is a request, then one", [request_in_content, GET].concat())
            .with(&[200; 2]),
        accepts("HEAD between requests", [GET, HEAD, GET].concat())
            .with(&[200; 3])
            .to(&["GET", "HEAD", "GET"]),
        row("nothing after close", [LAST, GET].concat(), closes(&[200])),
        row("nothing wrong after close", [LAST, "x\r\n\r\n"].concat(), closes(&[200])),
        row("nothing after 1.0", ["GET /bytes/5 HTTP/1.0\r\n\r\n", GET].concat(), closes(&[200])),
    ])
}

fn errors() -> Vec<Vector> {
    let second = |name, bytes: &str| row(name, [GET, bytes, GET].concat(), closes(&[200, 400]));
    let chunks = |chunks: &str| [ANYTHING, "Transfer-Encoding: chunked\r\n\r\n", chunks].concat();
    rule("RFC 9112, 9.3.2", "what came before an error is answered, what comes after is not")
        .vectors([
            second("a bad request line", "GET\r\n\r\n"),
            second("a bad field", "GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n"),
            second("a missing Host", "GET / HTTP/1.1\r\n\r\n"),
            second("a bad length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"),
            second("a space before a request", " "),
            second("content that nobody announced", "hello\r\n"),
            second("a bad chunk", &chunks("x\r\n")),
            second("a bad trailer", &chunks("0\r\nx\r\n\r\n")),
            row(
                "a tunnel that is not to be had",
                [GET, "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", GET].concat(),
                closes(&[200, 501]),
            ),
            row("more content than its length", [POST, "!\r\n", GET].concat(), closes(&[200, 400])),
            row("more after the last chunk", [CHUNKS, "0\r\n\r\n"].concat(), closes(&[200, 400])),
        ])
}

fn unread() -> Vec<Vector> {
    let lines = "HTTP/1.1\r\nHost: a\r\n";
    let hidden = "Content-Length: 37\r\n\r\nGET /status/418 HTTP/1.1\r\nHost: a\r\n\r\n";
    let unwanted = |request: &str| [request, " ", lines, hidden].concat();
    let chunks = |chunks: &str| {
        ["POST /nowhere ", lines, "Transfer-Encoding: chunked\r\n\r\n", chunks].concat()
    };
    let good_chunks = chunks("5\r\nhello\r\n0\r\nX: y\r\n\r\n");
    let old = ["POST /nowhere HTTP/1.0\r\n", hidden].concat();
    let last = ["POST /nowhere ", lines, "Connection: close\r\n", hidden].concat();
    rule("RFC 9112, 9.3", "a server must read the whole content or close, lest it become a request")
        .vectors([
            row("content for nobody", unwanted("POST /nowhere"), stays(&[404])),
            row("content with the wrong method", unwanted("POST /bytes/5"), stays(&[405])),
            row("content for a status", unwanted("POST /status/403"), stays(&[403])),
            row("content for OPTIONS *", unwanted("OPTIONS *"), stays(&[204])),
            row("content of TRACE", unwanted("TRACE /"), stays(&[405])),
            row("content of GET", unwanted("GET /bytes/5"), stays(&[200])),
            row(
                "content for nobody, then a request",
                [&unwanted("POST /nowhere"), GET].concat(),
                stays(&[404, 200]),
            ),
            row("chunks for nobody", &good_chunks, stays(&[404])),
            row("chunks for nobody, then a request", good_chunks + GET, stays(&[404, 200])),
            row("bad chunks for nobody", chunks("x\r\n"), closes(&[404])),
            row("a bad trailer for nobody", chunks("0\r\nX : y\r\n\r\n"), closes(&[404])),
            row("content on 1.0 for nobody", old, closes(&[404])),
            row("content for nobody and close", last, closes(&[404])),
        ])
}

fn empty_lines() -> Vec<Vector> {
    rule("RFC 9112, 2.2", "a server should ignore at least one empty line before a request line")
        .vectors([
            accepts("an empty line between requests", [GET, "\r\n", GET].concat()).with(&[200; 2]),
            accepts("an empty line after content", [POST, "\r\n", GET].concat()).with(&[200; 2]),
            accepts("an empty line after chunks", [CHUNKS, "\r\n", GET].concat()).with(&[200; 2]),
            row(
                "two empty lines between requests",
                [GET, "\r\n\r\n", GET].concat(),
                closes(&[200, 400]),
            )
            .but(&EMPTY_LINES, [stays(&[200, 200])]),
        ])
}

fn close() -> Vec<Vector> {
    let last = |name, options: &[u8]| row(name, options, closes(&[200]));
    rule("RFC 9112, 9.3", "if close is among the options, the connection does not persist")
        .around("GET /bytes/5 HTTP/1.1\r\nHost: a\r\nConnection: ", "\r\n\r\n")
        .vectors([
            last("close among other options", b"x, Close ,y"),
            last("close after what is no token", b"\", a b, close"),
            last("close before obs-text", b"close, \xe9")
                .but(&CONNECTION_BEYOND_ASCII, [stays(&[200])]),
            last("close after obs-text", b"\", a b, \x80, close")
                .but(&CONNECTION_BEYOND_ASCII, [stays(&[200])]),
            last("close in a field after one of obs-text", b"\x80\r\nConnection: close"),
        ])
}

fn keep_alive() -> Vec<Vector> {
    rule("RFC 9112, 9.3", "a connection of 1.0 may persist if keep-alive is among the options")
        .around("GET /bytes/5 HTTP/1.0\r\nConnection: ", "\r\n\r\n")
        .vectors([
            accepts("keep-alive among other options", "x, Keep-Alive ,y"),
            accepts("keep-alive beside obs-text", b"keep-alive, \xe9")
                .but(&CONNECTION_BEYOND_ASCII, [closes(&[200])]),
        ])
}

fn half_closed() -> Vec<Vector> {
    let slow = "GET /delay/20ms HTTP/1.1\r\nHost: a\r\n\r\n";
    rule("RFC 9112, 9.6", "a client that sends no more may still read the answers").vectors([
        row("a request, then the end", GET, closes(&[200])).half_closed(),
        row("content, then the end", POST, closes(&[200])).half_closed(),
        row("chunks, then the end", CHUNKS, closes(&[200])).half_closed(),
        row("a pipeline, then the end", [GET, POST, CHUNKS].concat(), closes(&[200; 3]))
            .half_closed(),
        row("a slow request, then the end", slow, closes(&[200])).half_closed(),
        row("slow requests, then the end", [slow, slow, GET].concat(), closes(&[200; 3]))
            .half_closed(),
        row("a last request, then the end", LAST, closes(&[200])).half_closed(),
        row("a request of 1.0, then the end", "GET /anything HTTP/1.0\r\n\r\n", closes(&[200]))
            .half_closed(),
        row("a bad request, then the end", "GET\r\n\r\n", closes(&[400])).half_closed(),
        row("HEAD, then the end", HEAD, closes(&[200])).to(&["HEAD"]).half_closed(),
    ])
}

fn incomplete() -> Vec<Vector> {
    let half = |name, bytes: &str| row(name, bytes, closes(&[])).half_closed();
    let short = |name, bytes: &str| half(name, bytes).but(&SHORT_CONTENT, [closes(&[400])]);
    let chunks = |chunks: &str| [ANYTHING, "Transfer-Encoding: chunked\r\n\r\n", chunks].concat();
    rule(
        "RFC 9112, 8",
        "a request that is incomplete is not answered as if it were whole, but perhaps with 400",
    )
    .vectors([
        half("a letter", "G"),
        half("half a method", "GE"),
        half("half a version", "GET /anything HTT"),
        half("a request line and no more", "GET /anything HTTP/1.1\r\n"),
        half("half a line end", "GET /anything HTTP/1.1\r\nHost: a\r"),
        half("a head without its empty line", "GET /anything HTTP/1.1\r\nHost: a\r\n"),
        half("half an empty line", "GET /anything HTTP/1.1\r\nHost: a\r\n\r"),
        short("a head without its content", &[ANYTHING, "Content-Length: 5\r\n\r\n"].concat()),
        short("content too short", &[ANYTHING, "Content-Length: 5\r\n\r\nhell"].concat()),
        short("a head without its chunks", &chunks("")),
        short("half a size", &chunks("5")),
        short("a size without a chunk", &chunks("5\r\n")),
        short("half of a chunk", &chunks("5\r\nhel")),
        short("a chunk without its end", &chunks("5\r\nhello")),
        short("chunks without the last", &chunks("5\r\nhello\r\n")),
        short("a last chunk without its end", &chunks("5\r\nhello\r\n0")),
        short("half of the last line end", &chunks("5\r\nhello\r\n0\r\n\r")),
        short("trailers without an end", &chunks("5\r\nhello\r\n0\r\nX: y\r\n")),
        row("a request and a half", [GET, "GET /any"].concat(), closes(&[200])).half_closed(),
    ])
}
