//! Requests that are wrong, and the status that each gets before the connection closes.
//!
//! The table is the test. Where `hyper` decides otherwise, the row says what it answers and which
//! exception permits it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use contract::exceptions::{
    BARE_LF, CONTROL_IN_CHUNK_EXTENSION, EQUAL_LENGTHS, FRAGMENT, HTTP_2_PREFACE,
    LENGTH_BESIDE_CODING, OTHER_MAJOR_VERSION, SPACE_AFTER_CHUNK_SIZE, UNKNOWN_CODING,
};
use contract::{Backend, Client, Exception, Server, on_every_backend};

on_every_backend!(lengths, codings, lines, fields, hosts, requests, chunks);

/// A row: what is wrong, in which bytes, what must come back, and what `hyper` answers instead.
struct Wrong {
    what: &'static str,
    bytes: &'static str,
    status: u16,
    hyper: Option<(&'static Exception, Option<u16>)>,
}

const fn wrong(what: &'static str, status: u16, bytes: &'static str) -> Wrong {
    Wrong { what, bytes, status, hyper: None }
}

impl Wrong {
    const fn but_hyper(self, exception: &'static Exception, status: u16) -> Self {
        Self { hyper: Some((exception, Some(status))), ..self }
    }

    const fn but_hyper_closes(self, exception: &'static Exception) -> Self {
        Self { hyper: Some((exception, None)), ..self }
    }
}

/// In place of the length of a `POST` of five bytes.
const LENGTHS: &[Wrong] = &[
    wrong("a length with a sign", 400, "Content-Length: +5"),
    wrong("a negative length", 400, "Content-Length: -5"),
    wrong("a hexadecimal length", 400, "Content-Length: 0x5"),
    wrong("a fraction", 400, "Content-Length: 5.0"),
    wrong("a length with a space", 400, "Content-Length: 5 5"),
    wrong("a length over 2^64", 400, "Content-Length: 18446744073709551621"),
    wrong("unequal lengths listed", 400, "Content-Length: 5, 6"),
    wrong("equal lengths listed", 400, "Content-Length: 5, 5"),
    wrong("unequal lengths", 400, "Content-Length: 5\r\nContent-Length: 6"),
    wrong("equal lengths", 400, "Content-Length: 5\r\nContent-Length: 5")
        .but_hyper(&EQUAL_LENGTHS, 200),
];

/// In place of the framing of a `POST` of no chunk.
const CODINGS: &[Wrong] = &[
    wrong("a length before the coding", 400, "Content-Length: 5\r\nTransfer-Encoding: chunked")
        .but_hyper(&LENGTH_BESIDE_CODING, 200),
    wrong("a length after the coding", 400, "Transfer-Encoding: chunked\r\nContent-Length: 5")
        .but_hyper(&LENGTH_BESIDE_CODING, 200),
    wrong("chunked not last", 400, "Transfer-Encoding: chunked, gzip"),
    wrong("chunked twice", 400, "Transfer-Encoding: chunked, chunked"),
    wrong(
        "chunked twice, in two fields",
        400,
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ),
    wrong("an unknown coding before chunked", 501, "Transfer-Encoding: gzip, chunked"),
    wrong("a name close to chunked", 501, "Transfer-Encoding: xchunked")
        .but_hyper(&UNKNOWN_CODING, 400),
];

/// Whole requests that end their lines wrongly.
const LINES: &[Wrong] = &[
    wrong("bare LF after the request line", 400, "GET /echo HTTP/1.1\nHost: a\r\n\r\n")
        .but_hyper(&BARE_LF, 200),
    wrong("bare LF after a field", 400, "GET /echo HTTP/1.1\r\nHost: a\nX: y\r\n\r\n")
        .but_hyper(&BARE_LF, 200),
    wrong("bare LF at the end", 400, "GET /echo HTTP/1.1\r\nHost: a\r\n\n")
        .but_hyper(&BARE_LF, 200),
    wrong("bare CR in the request line", 400, "GET /echo HTTP/1.1\rHost: a\r\n\r\n"),
    wrong("bare CR in a value", 400, "GET /echo HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n"),
    wrong("NUL in a value", 400, "GET /echo HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n"),
    wrong("NUL in a name", 400, "GET /echo HTTP/1.1\r\nHost: a\r\nX\0: y\r\n\r\n"),
    wrong("NUL in the target", 400, "GET /ec\0ho HTTP/1.1\r\nHost: a\r\n\r\n"),
];

/// After `Host`.
const FIELDS: &[Wrong] = &[
    wrong("a space before the colon", 400, "X : y"),
    wrong("a tab before the colon", 400, "X\t: y"),
    wrong("a folded value", 400, "X: y\r\n z"),
    wrong("a value folded by a tab", 400, "X: y\r\n\tz"),
    wrong("no name", 400, ": y"),
    wrong("no colon", 400, "X"),
    wrong("a name that is no token", 400, "X(y): z"),
    wrong("a control character in a value", 400, "X: \x07"),
    wrong("DEL in a value", 400, "X: \x7f"),
];

/// In place of `Host`.
const HOSTS: &[Wrong] = &[
    wrong("two Hosts", 400, "Host: a\r\nHost: b"),
    wrong("two equal Hosts", 400, "Host: a\r\nHost: a"),
    wrong("a Host with a space", 400, "Host: a b"),
    wrong("a Host with a path", 400, "Host: a/b"),
    wrong("a Host with a user", 400, "Host: me@a"),
    wrong("a Host list", 400, "Host: a, b"),
    wrong("a Host with a port that is none", 400, "Host: a:b"),
];

/// Whole requests.
const REQUESTS: &[Wrong] = &[
    wrong("a method that is no token", 400, "GE(T /echo HTTP/1.1\r\nHost: a\r\n\r\n"),
    wrong("no method", 400, " /echo HTTP/1.1\r\nHost: a\r\n\r\n"),
    wrong("no target", 400, "GET HTTP/1.1\r\nHost: a\r\n\r\n"),
    wrong("no version", 400, "GET /echo\r\nHost: a\r\n\r\n"),
    wrong("a target with a space", 400, "GET /ec ho HTTP/1.1\r\nHost: a\r\n\r\n"),
    wrong("two spaces", 400, "GET  /echo HTTP/1.1\r\nHost: a\r\n\r\n"),
    wrong("a target without a slash", 400, "GET echo HTTP/1.1\r\nHost: a\r\n\r\n"),
    wrong("a target with a fragment", 400, "GET /echo#part HTTP/1.1\r\nHost: a\r\n\r\n")
        .but_hyper(&FRAGMENT, 200),
    wrong("asterisk with GET", 400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    wrong("a version in lower case", 400, "GET /echo http/1.1\r\nHost: a\r\n\r\n"),
    wrong("a version with two digits", 400, "GET /echo HTTP/1.10\r\nHost: a\r\n\r\n"),
    wrong("another protocol", 400, "GET /echo FIVE/1.1\r\nHost: a\r\n\r\n"),
    wrong("white space at the end", 400, "GET /echo HTTP/1.1 \r\nHost: a\r\n\r\n"),
    wrong("version 2.0", 505, "GET /echo HTTP/2.0\r\nHost: a\r\n\r\n")
        .but_hyper(&OTHER_MAJOR_VERSION, 400),
    wrong("version 0.9", 505, "GET /echo HTTP/0.9\r\nHost: a\r\n\r\n")
        .but_hyper(&OTHER_MAJOR_VERSION, 400),
    wrong("the preface of HTTP/2", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .but_hyper_closes(&HTTP_2_PREFACE),
    wrong("TLS", 400, "\x16\x03\x01\x02\0\x01\0\x01\r\n\r\n"),
    wrong("no length", 400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"),
    wrong(
        "a coding on 1.0",
        400,
        "POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    wrong(
        "an unknown coding",
        501,
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: five\r\n\r\n",
    )
    .but_hyper(&UNKNOWN_CODING, 400),
    wrong("a space before the first field", 400, "GET /echo HTTP/1.1\r\n Host: a\r\n\r\n"),
    wrong("no Host", 400, "GET /echo HTTP/1.1\r\n\r\n"),
    wrong("no Host beside an absolute target", 400, "GET http://a/echo HTTP/1.1\r\n\r\n"),
    wrong("two Hosts on 1.0", 400, "GET /echo HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
];

/// The body of a chunked `POST` that is read to its end before the answer.
const CHUNKS: &[Wrong] = &[
    wrong("a size that is none", 400, "x\r\nabc\r\n0\r\n\r\n"),
    wrong("no size", 400, "\r\nabc\r\n0\r\n\r\n"),
    wrong("a size with a sign", 400, "+3\r\nabc\r\n0\r\n\r\n"),
    wrong("a negative size", 400, "-3\r\nabc\r\n0\r\n\r\n"),
    wrong("a size with 0x", 400, "0x3\r\nabc\r\n0\r\n\r\n"),
    wrong("a size over 2^64", 400, "10000000000000003\r\nabc\r\n0\r\n\r\n"),
    wrong("a space before a size", 400, " 3\r\nabc\r\n0\r\n\r\n"),
    wrong("a space after a size", 400, "3 \r\nabc\r\n0\r\n\r\n")
        .but_hyper(&SPACE_AFTER_CHUNK_SIZE, 200),
    wrong("bare LF after a size", 400, "3\nabc\r\n0\r\n\r\n"),
    wrong("bare LF after a chunk", 400, "3\r\nabc\n0\r\n\r\n"),
    wrong("nothing after a chunk", 400, "3\r\nabc0\r\n\r\n"),
    wrong("more than the size says", 400, "3\r\nabcd\r\n0\r\n\r\n"),
    wrong("bare CR in an extension", 400, "3;a\rb\r\nabc\r\n0\r\n\r\n"),
    wrong("bare LF in an extension", 400, "3;a\nb\r\nabc\r\n0\r\n\r\n"),
    wrong("NUL in an extension", 400, "3;a\0b\r\nabc\r\n0\r\n\r\n")
        .but_hyper(&CONTROL_IN_CHUNK_EXTENSION, 200),
    wrong("a trailer that is none", 400, "0\r\nno colon\r\n\r\n"),
    wrong("a trailer with a space before the colon", 400, "0\r\nX : y\r\n\r\n"),
];

fn lengths(backend: Backend) {
    refuses(backend, "POST /echo HTTP/1.1\r\nHost: a\r\n", LENGTHS, "\r\n\r\nhello");
}

fn codings(backend: Backend) {
    refuses(backend, "POST /echo HTTP/1.1\r\nHost: a\r\n", CODINGS, "\r\n\r\n0\r\n\r\n");
}

fn lines(backend: Backend) {
    refuses(backend, "", LINES, "");
}

fn fields(backend: Backend) {
    refuses(backend, "GET /echo HTTP/1.1\r\nHost: a\r\n", FIELDS, "\r\n\r\n");
}

fn hosts(backend: Backend) {
    refuses(backend, "GET /echo HTTP/1.1\r\n", HOSTS, "\r\n\r\n");
}

fn requests(backend: Backend) {
    refuses(backend, "", REQUESTS, "");
}

fn chunks(backend: Backend) {
    refuses(
        backend,
        "POST /anything HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        CHUNKS,
        "",
    );
}

/// Tries every row. Each that is not as it should be says why, and the last line names them all.
fn refuses(backend: Backend, before: &str, table: &[Wrong], after: &str) {
    let server = Server::start(backend, &[]);
    let failed: Vec<_> = table
        .iter()
        .filter(|wrong| {
            let row =
                || is_refused(server.connect(), wrong, &[before, wrong.bytes, after].concat());
            catch_unwind(AssertUnwindSafe(row)).is_err()
        })
        .map(|wrong| wrong.what)
        .collect();
    assert!(failed.is_empty(), "{backend}: not as the table says: {failed:#?}");
    server.connect().get("/healthz").status(200);
}

fn is_refused(mut client: Client, wrong: &Wrong, request: &str) {
    client.send(request);
    let excused = wrong.hyper.filter(|(exception, _)| exception.excuses(client.backend()));
    match excused.map_or(Some(wrong.status), |(_, status)| status) {
        Some(status) if status < 300 => drop(client.answer().status(status)),
        Some(status) => drop(client.refusal().status(status)),
        None => client.closes(),
    }
}
