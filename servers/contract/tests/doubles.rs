//! The harness itself, tried on doubles: it must take right bytes and refuse wrong ones, showing
//! the backend and the bytes.

#![allow(missing_docs, reason = "a test's name is what it says")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use contract::{Backend, Client, Exception, exceptions};

const OK: &str = "HTTP/1.1 200 OK\r\nServer: five-ways/mio\r\n";

#[test]
fn a_right_answer_is_taken_by_its_length() {
    let mut client = double(&signed("Content-Length: 3\r\n\r\nabc"));
    client.get("/").status(200).by_length().body("abc").stays_open();
    client.closes();
}

#[test]
fn a_right_answer_is_taken_by_its_chunks() {
    let mut client = double(&signed(
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
    ));
    let answer = client.get("/");
    answer.chunked().body("abc0123456789");
    assert_eq!(answer.chunks, [3, 10]);
}

#[test]
fn a_right_answer_is_taken_by_the_close() {
    let mut client = double(&signed("Connection: close\r\n\r\nabc"));
    client.send("GET / HTTP/1.1\r\n\r\n").last_answer().body("abc");
}

#[test]
fn a_failure_shows_the_backend_and_the_bytes_both_ways() {
    let failure = failure_of(&signed("Content-Length: 3\r\n\r\nabc"), |client| {
        client.get("/some/path").status(404);
    });
    for part in [
        "mio: status 200 where 404 was due",
        "doubles.rs",
        "GET /some/path HTTP/1.1\\r\\n",
        "Content-Length: 3\\r\\n\n\\r\\n\nabc",
    ] {
        assert!(failure.contains(part), "no {part:?} in:\n{failure}");
    }
}

#[test]
fn wrong_bytes_are_refused() {
    let cases = [
        ("", "the connection closed where an answer was due"),
        ("HTTP/1.1 200", "the connection ended inside the status line"),
        ("HTTP/1.1 20 OK\r\n\r\n", "malformed status line"),
        ("HTTP/2.0 200 OK\r\n\r\n", "malformed status line"),
        ("HTTP/1.1 200 OK\n\r\n", "malformed line end"),
        ("HTTP/1.1 200 OK\r\nA\r\n\r\n", "malformed field"),
        ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "malformed field"),
        ("HTTP/1.1 200 OK\r\nA: \x07\r\n\r\n", "malformed field"),
        ("HTTP/1.1 200 OK\r\n", "the connection ended inside the head"),
        ("HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", "malformed framing"),
        ("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na", "malformed Content-Length"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", "more than one"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", "the connection ended inside the body"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "malformed framing"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "both"),
    ];
    for (bytes, complaint) in cases {
        let failure = failure_of(bytes, |client| {
            client.get("/");
        });
        assert!(failure.contains(complaint), "no {complaint:?} for {bytes:?}:\n{failure}");
    }
}

#[test]
fn wrong_chunks_are_refused() {
    let cases = [
        ("x\r\n", "malformed chunk size"),
        ("3;a\r\nabc\r\n", "malformed chunk size"),
        ("3\r\nabcd\r\n", "malformed chunk: ends in \"d\\r\""),
        ("3\r\nab", "the connection ended inside a chunk"),
        ("3\r\nabc\r\n", "the connection ended inside a chunked body"),
        ("0\r\n", "the connection ended inside the trailers"),
        ("0\r\nA: b\r\n\r\n", "malformed trailers"),
    ];
    for (bytes, complaint) in cases {
        let bytes = signed(&format!("Transfer-Encoding: chunked\r\n\r\n{bytes}"));
        let failure = failure_of(&bytes, |client| {
            client.get("/");
        });
        assert!(failure.contains(complaint), "no {complaint:?} for {bytes:?}:\n{failure}");
    }
}

#[test]
fn an_unsigned_answer_is_refused() {
    let date = httpdate::fmt_http_date(std::time::SystemTime::now());
    let cases = [
        (
            format!("HTTP/1.1 204 No\r\nServer: other\r\nDate: {date}\r\n\r\n"),
            "`server` is [\"other\"]",
        ),
        ("HTTP/1.1 204 No\r\nServer: five-ways/mio\r\n\r\n".to_owned(), "`date` is []"),
        (dated("Sun, 06 Nov 1994 08:49:37 GMT"), "is not now"),
        (dated("Sunday, 06-Nov-94 08:49:37 GMT"), "is no IMF-fixdate"),
        (dated("today"), "is no IMF-fixdate"),
    ];
    for (bytes, complaint) in cases {
        let failure = failure_of(&bytes, |client| {
            client.get("/");
        });
        assert!(failure.contains(complaint), "no {complaint:?} for {bytes:?}:\n{failure}");
    }
}

#[test]
fn more_than_the_end_is_refused() {
    let bytes = signed("Connection: close\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
    let failure = failure_of(&bytes, |client| {
        client.send("GET / HTTP/1.1\r\n\r\n").last_answer();
    });
    assert!(failure.contains("was to close, but there is \"HTTP/1.1 200 OK"), "{failure}");
}

#[test]
fn hyper_is_excused_where_the_table_says_so_and_nobody_else() {
    let made_up = Exception { id: "x", rfc: "", what: "", verdict: "" };
    assert!(exceptions::BARE_LF.excuses(Backend::Tokio));
    assert!(!exceptions::BARE_LF.excuses(Backend::TokioHttp1));
    assert!(!made_up.excuses(Backend::Tokio));
}

/// An answer with what every answer has, and then `rest`.
fn signed(rest: &str) -> String {
    format!("{OK}Date: {}\r\n{rest}", httpdate::fmt_http_date(std::time::SystemTime::now()))
}

fn dated(date: &str) -> String {
    format!("HTTP/1.1 204 No\r\nServer: five-ways/mio\r\nDate: {date}\r\n\r\n")
}

/// What the test says that fails against a server that answers `bytes`.
fn failure_of(bytes: &str, test: impl FnOnce(&mut Client)) -> String {
    let mut client = double(bytes);
    let failure = catch_unwind(AssertUnwindSafe(|| test(&mut client)))
        .expect_err(&format!("{bytes:?} must make the test fail"));
    *failure.downcast::<String>().expect("a message")
}

/// A connection to a server that answers one request by `bytes`, whatever it asks, and closes.
fn double(bytes: &str) -> Client {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let bytes = bytes.to_owned();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        // The request is read to its end, lest the close become a reset.
        let mut read = 0;
        while !request[..read].ends_with(b"\r\n\r\n") {
            read += stream.read(&mut request[read..]).unwrap();
        }
        stream.write_all(bytes.as_bytes()).unwrap();
    });
    Client::connect(Backend::Mio, address, None)
}
