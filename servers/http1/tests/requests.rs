//! Requests, one by one: what is read, what is refused, what is answered.

#![allow(clippy::unwrap_used, reason = "what fails here should fail the test")]

use http::{HeaderMap, Response, StatusCode};
use http1::{
    Error, Input, Limits, Output, Reading,
    server::{Connection, Event},
};

struct Talk {
    connection: Connection,
    input: Input,
    output: Output,
    fields: HeaderMap,
}

impl Talk {
    fn new(bytes: &[u8]) -> Self {
        let limits = Limits::default();
        let mut input = Input::with_capacity(limits.max_head_bytes as usize + 1024);
        assert_eq!(input.extend(bytes), bytes.len());
        let (connection, output) = (Connection::new(limits), Output::default());
        Self { connection, input, output, fields: HeaderMap::new() }
    }

    fn next(&mut self) -> Result<Option<Event>, Error> {
        self.connection.receive(&mut self.input, &mut self.fields)
    }

    fn head(&mut self) -> http::request::Parts {
        match self.next() {
            Ok(Some(Event::Head(head))) => head,
            other => panic!("expected a head, not {other:?}"),
        }
    }

    fn answer(&mut self, status: StatusCode, length: Option<u64>) -> String {
        let mut response = Response::new(());
        *response.status_mut() = status;
        let head = response.into_parts().0;
        self.connection.send_head(&head, length, b"Date: now\r\n", &mut self.output);
        if length != Some(0) {
            self.connection.send_content("content".into(), &mut self.output);
        }
        self.connection.send_end(&mut self.output);
        String::from_utf8(self.output.to_vec()).unwrap()
    }
}

fn refused(bytes: &[u8]) -> Error {
    let mut talk = Talk::new(bytes);
    loop {
        match talk.next() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("not refused: {}", bytes.escape_ascii()),
            Err(error) => {
                assert_eq!(talk.next().unwrap_err(), error, "an error stays");
                assert!(!talk.connection.persists());
                return error;
            }
        }
    }
}

#[test]
fn heads_are_refused_for_what_is_wrong_with_them() {
    for (bytes, error) in [
        (&b"GET / HTTP/1.1\nHost: a\r\n\r\n"[..], Error::LineEnd),
        (b"GET / HTTP/1.1\r\nHost: a\n\r\n", Error::LineEnd),
        (b"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", Error::FieldValue),
        (b"GET / HTTP/1.1\r\nA\r: b\r\n\r\n", Error::FieldName),
        (b"GET / HTTP/1.1\r\r\n\r\n", Error::Version),
        (b"GET /\ra HTTP/1.1\r\n\r\n", Error::Target),
        (b"\n\nGET / HTTP/1.1\r\n\r\n", Error::LineEnd),
        (b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", Error::RequestLine),
        (b"GET  / HTTP/1.1\r\n\r\n", Error::RequestLine),
        (b"GET / a HTTP/1.1\r\n\r\n", Error::RequestLine),
        (b"GET /\r\n\r\n", Error::RequestLine),
        (b"GET\r\n\r\n", Error::RequestLine),
        (b" GET / HTTP/1.1\r\n\r\n", Error::Method),
        (b"\x16\x03\x01", Error::Method),
        (b"\r\n\x16", Error::Method),
        (b"G(T / HTTP/1.1\r\n\r\n", Error::Method),
        (b"GET /\x7f HTTP/1.1\r\n\r\n", Error::Target),
        (b"GET /\xc3\xa9 HTTP/1.1\r\n\r\n", Error::Target),
        (b"GET /a#b HTTP/1.1\r\n\r\n", Error::Target),
        (b"GET /%zz HTTP/1.1\r\n\r\n", Error::Target),
        (b"GET /%2 HTTP/1.1\r\n\r\n", Error::Target),
        (b"GET / HTTP/1.1 \r\n\r\n", Error::RequestLine),
        (b"GET / http/1.1\r\n\r\n", Error::Version),
        (b"GET / HTTP/1.10\r\n\r\n", Error::Version),
        (b"GET / HTTP/2.0\r\n\r\n", Error::UnsupportedVersion),
        (b"GET / HTTP/0.9\r\n\r\n", Error::UnsupportedVersion),
        (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", Error::FoldedField),
        (b"GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n", Error::FoldedField),
        (b"GET / HTTP/1.1\r\nA : b\r\n\r\n", Error::FieldName),
        (b"GET / HTTP/1.1\r\n: b\r\n\r\n", Error::FieldName),
        (b"GET / HTTP/1.1\r\nA b\r\n\r\n", Error::FieldName),
        (b"GET / HTTP/1.1\r\nA\x00: b\r\n\r\n", Error::FieldName),
        (b"GET / HTTP/1.1\r\nA: b\x00\r\n\r\n", Error::FieldValue),
        (b"GET / HTTP/1.1\r\nA: \x0cb\r\n\r\n", Error::FieldValue),
        (b"POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", Error::ContentLength),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Error::TransferEncoding),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", Error::ChunkSize),
    ] {
        assert_eq!(refused(bytes), error, "{}", bytes.escape_ascii());
    }
}

#[test]
fn sizes_are_bounded_and_named() {
    let long_line = [b"GET /".as_slice(), &vec![b'a'; 16 * 1024]].concat();
    assert_eq!(refused(&long_line), Error::TargetTooLong);
    let long_field = [b"GET / HTTP/1.1\r\nA: ".as_slice(), &vec![b'a'; 16 * 1024]].concat();
    assert_eq!(refused(&long_field), Error::HeadTooLarge);
    let many = [b"GET / HTTP/1.1\r\n".as_slice(), &b"A: b\r\n".repeat(101), b"\r\n"].concat();
    assert_eq!(refused(&many), Error::HeadTooLarge);
    let enough = [b"GET / HTTP/1.1\r\n".as_slice(), &b"A: b\r\n".repeat(100), b"\r\n"].concat();
    assert_eq!(Talk::new(&enough).head().headers.len(), 100);
}

#[test]
fn one_empty_line_is_forgiven_however_it_arrives() {
    let mut talk = Talk::new(b"\r\n");
    assert!(matches!(talk.next(), Ok(None)));
    talk.input.extend(b"\r\nGET / HTTP/1.1\r\n\r\n");
    assert_eq!(talk.next().unwrap_err(), Error::RequestLine, "a second one is not");

    let mut talk = Talk::new(b"\r\n");
    assert!(matches!(talk.next(), Ok(None)));
    talk.input.extend(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(talk.head().uri, "/");
}

#[test]
fn what_follows_the_empty_line_begins_a_request_however_it_arrives() {
    let mut at_once = Talk::new(b"\r\n\r");
    assert!(matches!(at_once.next(), Ok(None)));
    let mut in_pieces = Talk::new(b"\r\n");
    assert!(matches!(in_pieces.next(), Ok(None)));
    in_pieces.input.extend(b"\r");
    assert!(matches!(in_pieces.next(), Ok(None)));
    for mut talk in [at_once, in_pieces] {
        assert_eq!(talk.connection.reading(), Reading::Head);
        assert_eq!(talk.connection.end_of_input(), Err(Error::Incomplete));
    }
}

#[test]
fn later_minor_versions_are_read_as_1_1() {
    let mut talk = Talk::new(b"GET / HTTP/1.9\r\n\r\n");
    assert_eq!(talk.head().version, http::Version::HTTP_11);
    assert!(talk.connection.persists());
}

#[test]
fn answers_are_framed_as_the_client_understands() {
    let answer = |request: &[u8], length| {
        let mut talk = Talk::new(request);
        talk.head();
        (talk.answer(StatusCode::OK, length), talk.connection.persists())
    };
    let head = "HTTP/1.1 200 OK\r\nDate: now\r\n";
    assert_eq!(
        answer(b"GET / HTTP/1.1\r\n\r\n", None),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\n7\r\ncontent\r\n0\r\n\r\n"), true)
    );
    assert_eq!(
        answer(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", None),
        (format!("{head}Connection: close\r\n\r\ncontent"), false)
    );
    assert_eq!(
        answer(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", Some(7)),
        (format!("{head}Content-Length: 7\r\nConnection: keep-alive\r\n\r\ncontent"), true)
    );
    assert_eq!(
        answer(b"HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n", Some(7)),
        (format!("{head}Content-Length: 7\r\nConnection: close\r\n\r\n"), false)
    );
}

#[test]
fn no_content_has_neither_content_nor_length() {
    let mut talk = Talk::new(b"GET / HTTP/1.1\r\n\r\n");
    talk.head();
    let answer = talk.answer(StatusCode::NO_CONTENT, Some(7));
    assert_eq!(answer, "HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n");
}

#[test]
fn a_final_answer_in_place_of_100_ends_the_connection() {
    let request = b"POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n";
    let mut talk = Talk::new(request);
    talk.head();
    assert!(talk.connection.expects_continue());
    assert!(talk.answer(StatusCode::OK, Some(0)).contains("Connection: close\r\n"));

    let mut talk = Talk::new(request);
    talk.head();
    talk.connection.send_continue(&mut talk.output);
    assert_eq!(talk.output.to_vec(), b"HTTP/1.1 100 Continue\r\n\r\n");
    talk.output.clear();
    assert!(!talk.answer(StatusCode::OK, Some(0)).contains("close"));
}

#[test]
fn an_end_in_the_middle_is_incomplete() {
    for bytes in [&b"GET"[..], b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab"] {
        let mut talk = Talk::new(bytes);
        while let Ok(Some(_)) = talk.next() {}
        assert_eq!(talk.connection.end_of_input(), Err(Error::Incomplete));
    }
    let mut talk = Talk::new(b"");
    assert_eq!(talk.connection.end_of_input(), Ok(()));
    assert_eq!(talk.connection.reading(), Reading::Idle);
}

#[test]
fn content_is_not_copied() {
    let bytes = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
    let mut talk = Talk::new(bytes);
    let begin = talk.input.bytes().as_ptr();
    talk.head();
    let Ok(Some(Event::Content(content))) = talk.next() else { panic!("no content") };
    assert_eq!(content.as_ptr(), begin.wrapping_add(bytes.len() - 3));
}
