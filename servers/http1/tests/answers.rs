//! Answers, one by one, as a client sees them: what is asked, what is read, what is refused.

#![allow(clippy::unwrap_used, reason = "what fails here should fail the test")]

use http::{HeaderMap, Method, Request, Uri};
use http1::{
    Error, Framing, Input, Limits, Output, Reading,
    client::{Connection, Event},
};

struct Talk {
    connection: Connection,
    input: Input,
    output: Output,
    fields: HeaderMap,
}

/// What became of one answer.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    statuses: Vec<u16>,
    length: Option<u64>,
    content: String,
    persists: bool,
}

impl Talk {
    /// A request with this method is sent, and these bytes are the answer.
    fn new(method: Method, answer: &[u8]) -> Self {
        let limits = Limits::default();
        let mut talk = Self {
            connection: Connection::new(limits),
            input: Input::with_capacity(limits.max_head_bytes as usize + 1024),
            output: Output::default(),
            fields: HeaderMap::new(),
        };
        talk.ask(method, "/", None);
        talk.connection.send_end(&mut talk.output);
        assert_eq!(talk.input.extend(answer), answer.len());
        talk
    }

    fn ask(&mut self, method: Method, target: &'static str, framing: Option<Framing>) -> String {
        let mut head = Request::new(()).into_parts().0;
        head.method = method;
        head.uri = Uri::from_static(target);
        head.headers.insert("host", "a".parse().unwrap());
        self.output.clear();
        self.connection.send_head(&head, framing, &mut self.output);
        self.written()
    }

    fn written(&self) -> String {
        String::from_utf8(self.output.to_vec()).unwrap()
    }

    fn next(&mut self) -> Result<Option<Event>, Error> {
        self.connection.receive(&mut self.input, &mut self.fields)
    }

    /// Reads one answer, after which the server closes.
    fn read(&mut self) -> Result<Read, Error> {
        let mut read =
            Read { statuses: vec![], length: None, content: String::new(), persists: true };
        loop {
            let event = if let Some(event) = self.next()? {
                event
            } else {
                self.connection.end_of_input()?;
                self.next()?.unwrap()
            };
            match event {
                Event::Informational(head) => read.statuses.push(head.status.as_u16()),
                Event::Head(head) => {
                    read.statuses.push(head.status.as_u16());
                    read.length = self.connection.content_length();
                }
                Event::Content(content) => read.content += str::from_utf8(&content).unwrap(),
                Event::End => {
                    read.persists = self.connection.persists();
                    return Ok(read);
                }
            }
        }
    }
}

fn refused(method: Method, bytes: &[u8]) -> Error {
    let mut talk = Talk::new(method, bytes);
    let error = talk.read().expect_err(&format!("not refused: {}", bytes.escape_ascii()));
    assert_eq!(talk.next().unwrap_err(), error, "an error stays");
    assert!(!talk.connection.persists());
    assert_eq!(talk.connection.reading(), Reading::Nothing);
    error
}

#[test]
fn what_speaks_another_protocol_is_refused_before_its_head_is_whole() {
    for (bytes, error) in [
        (&b"S"[..], Error::StatusLine),
        (b"\0\0\0\x04", Error::StatusLine),
        (b"HTML", Error::StatusLine),
        (b"HTTP/2.0 200 OK\r\n", Error::UnsupportedVersion),
        (b"HTTP/1.1 20 OK\r\n", Error::StatusLine),
        (b"HTTP/1.1 999 OK\r\n", Error::Status),
        (b"HTTP/1.1 103 -\r\n\r\nh", Error::StatusLine),
    ] {
        let mut talk = Talk::new(Method::GET, bytes);
        let error_of = |talk: &mut Talk| talk.next().err().or_else(|| talk.next().err());
        assert_eq!(error_of(&mut talk), Some(error), "{}", bytes.escape_ascii());
    }
    for begin in [&b""[..], b"H", b"HTTP/", b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\n"] {
        let mut talk = Talk::new(Method::GET, begin);
        assert!(talk.next().unwrap().is_none(), "{}", begin.escape_ascii());
    }
}

#[test]
fn heads_are_refused_for_what_is_wrong_with_them() {
    for (bytes, error) in [
        (&b"\r\nHTTP/1.1 200 OK\r\n\r\n"[..], Error::StatusLine),
        (b" HTTP/1.1 200 OK\r\n\r\n", Error::StatusLine),
        (b"HTTP/1.1\r\n\r\n", Error::StatusLine),
        (b"HTTP/1.1 \r\n\r\n", Error::StatusLine),
        (b"HTTP/1.1 20\r\n\r\n", Error::StatusLine),
        (b"HTTP/1.1  200 OK\r\n\r\n", Error::StatusLine),
        (b"HTTP/1.1 2000 OK\r\n\r\n", Error::StatusLine),
        (b"HTTP/1.1\t200 OK\r\n\r\n", Error::StatusLine),
        (b"HTTP/1.1 200\tOK\r\n\r\n", Error::StatusLine),
        (b"HTTP/1.1 200 O\x00K\r\n\r\n", Error::StatusLine),
        (b"HTTP/1.1 200 O\rK\r\n\r\n", Error::StatusLine),
        (b"HTTP/1.1 200 \x7f\r\n\r\n", Error::StatusLine),
        (b"HTTP/1.10 200 OK\r\n\r\n", Error::StatusLine),
        (b"ICY 200 OK\r\n\r\n", Error::StatusLine),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", Error::Status),
        (b"HTTP/1.1 +20 OK\r\n\r\n", Error::Status),
        (b"HTTP/1.1 099 OK\r\n\r\n", Error::Status),
        (b"HTTP/1.1 600 OK\r\n\r\n", Error::Status),
        (b"http/1.1 200 OK\r\n\r\n", Error::StatusLine),
        (b"HTTP/1,1 200 OK\r\n\r\n", Error::Version),
        (b"HTTP/2.0 200 OK\r\n\r\n", Error::UnsupportedVersion),
        (b"HTTP/0.9 200 OK\r\n\r\n", Error::UnsupportedVersion),
        (b"HTTP/1.1 200 OK\nA: b\r\n\r\n", Error::LineEnd),
        (b"HTTP/1.1 200 OK\r\nA: b\n\r\n", Error::LineEnd),
        (b"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", Error::FieldValue),
        (b"HTTP/1.1 200 OK\r\nA: b\x00\r\n\r\n", Error::FieldValue),
        (b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", Error::FieldName),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", Error::FoldedField),
        (b"HTTP/1.1 101 -\r\nUpgrade: x\r\n\r\n", Error::UnexpectedUpgrade),
        (b"", Error::Incomplete),
        (b"HTTP/1.1 200 OK\r\n", Error::Incomplete),
        (b"HTTP/1.1 100 -\r\n\r\n", Error::Incomplete),
    ] {
        assert_eq!(refused(Method::GET, bytes), error, "{}", bytes.escape_ascii());
    }
}

#[test]
fn content_is_refused_for_what_is_wrong_with_it() {
    const CHUNKED: &str = "Transfer-Encoding: chunked\r\n\r\n";
    let length = |value: &str| format!("Content-Length: {value}\r\n\r\nab");
    let coding = |value: &str| format!("Transfer-Encoding: {value}\r\n\r\n0\r\n\r\n");
    for (line, rest, error) in [
        ("1.1 200", length("2, 2"), Error::ContentLength),
        ("1.1 200", length("2\r\nContent-Length: 2"), Error::ContentLength),
        ("1.1 200", length("-2"), Error::ContentLength),
        ("1.1 304", length("x"), Error::ContentLength),
        ("1.1 100", length("2"), Error::InformationalContent),
        ("1.1 100", coding("chunked"), Error::InformationalContent),
        ("1.1 200", coding("chunked\r\nContent-Length: 5"), Error::ConflictingFraming),
        ("1.0 200", coding("chunked"), Error::TransferEncoding),
        ("1.1 200", coding("chunked, chunked"), Error::TransferEncoding),
        ("1.1 200", coding("gzip"), Error::UnknownTransferCoding),
        ("1.1 200", coding("gzip, chunked"), Error::UnknownTransferCoding),
        ("1.1 200", format!("{CHUNKED} 5\r\n"), Error::ChunkSize),
        ("1.1 200", format!("{CHUNKED}1\r\nab"), Error::ChunkEnd),
        ("1.1 200", length("3"), Error::Incomplete),
        ("1.1 200", format!("{CHUNKED}2\r\nab\r\n"), Error::Incomplete),
        ("1.1 200", format!("{CHUNKED}0\r\n"), Error::Incomplete),
    ] {
        let bytes = format!("HTTP/{line} -\r\n{rest}");
        assert_eq!(refused(Method::GET, bytes.as_bytes()), error, "{bytes:?}");
    }
}

#[test]
fn content_ends_where_the_answer_says() {
    for (method, line, rest, length, content, persists) in [
        ("GET", "1.1 200", "Content-Length: 2\r\n\r\nab", Some(2), "ab", true),
        ("GET", "1.1 200", "Content-Length: 0\r\n\r\n", Some(0), "", true),
        ("GET", "1.1 200", "Content-Length: 2\r\n\r\nabc", Some(2), "ab", false),
        (
            "GET",
            "1.1 200",
            "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: t\r\n\r\n",
            None,
            "a",
            true,
        ),
        ("GET", "1.1 200", "\r\nab", None, "ab", false),
        ("GET", "1.1 200", "\r\n", None, "", false),
        ("GET", "1.0 200", "\r\nab", None, "ab", false),
        ("GET", "1.1 204", "\r\n", Some(0), "", true),
        ("GET", "1.1 204", "\r\nab", Some(0), "", false),
        ("GET", "1.1 204", "Content-Length: 0\r\n\r\n", Some(0), "", true),
        ("GET", "1.1 204", "Content-Length: 2\r\n\r\n", Some(0), "", false),
        ("GET", "1.1 204", "Transfer-Encoding: chunked\r\n\r\n", Some(0), "", false),
        ("GET", "1.1 304", "Content-Length: 2\r\n\r\n", Some(0), "", true),
        ("GET", "1.1 304", "Transfer-Encoding: chunked\r\n\r\n", Some(0), "", true),
        ("HEAD", "1.1 200", "Content-Length: 2\r\n\r\n", Some(0), "", true),
        ("HEAD", "1.1 200", "Transfer-Encoding: chunked\r\n\r\n", Some(0), "", true),
        ("HEAD", "1.1 200", "\r\n", Some(0), "", true),
    ] {
        let answer = format!("HTTP/{line} -\r\n{rest}");
        let read = Talk::new(method.parse().unwrap(), answer.as_bytes()).read().unwrap();
        assert_eq!((read.length, &read.content[..]), (length, content), "{method} {answer:?}");
        assert_eq!(read.persists, persists, "{method} {answer:?}");
    }
}

#[test]
fn a_connection_persists_as_version_and_fields_say() {
    for (answer, persists) in [
        ("HTTP/1.1 204 -\r\n\r\n", true),
        ("HTTP/1.9 204 -\r\n\r\n", true),
        ("HTTP/1.1 204 -\r\nConnection: x, Close\r\n\r\n", false),
        ("HTTP/1.1 204 -\r\nConnection: close, keep-alive\r\n\r\n", false),
        ("HTTP/1.1 100 -\r\nConnection: close\r\n\r\nHTTP/1.1 204 -\r\n\r\n", false),
        ("HTTP/1.0 204 -\r\n\r\n", false),
        ("HTTP/1.0 204 -\r\nConnection: Keep-Alive\r\n\r\n", true),
        ("HTTP/1.0 200 -\r\nConnection: keep-alive\r\n\r\n", false),
    ] {
        let read = Talk::new(Method::GET, answer.as_bytes()).read().unwrap();
        assert_eq!(read.persists, persists, "{answer:?}");
    }
}

#[test]
fn status_lines_and_informational_answers_are_read() {
    for (answer, statuses) in [
        ("HTTP/1.1 204 \r\n\r\n", &[204][..]),
        ("HTTP/1.1 204\r\n\r\n", &[204]),
        ("HTTP/1.1 304 so \t-\u{e9}\r\n\r\n", &[304]),
        ("HTTP/1.1 100 -\r\n\r\nHTTP/1.1 204 -\r\n\r\n", &[100, 204]),
        ("HTTP/1.1 103 -\r\nContent-Length: 0\r\n\r\nHTTP/1.1 204 -\r\n\r\n", &[103, 204]),
        ("HTTP/1.1 199 -\r\n\r\nHTTP/1.1 102 -\r\n\r\nHTTP/1.1 204 -\r\n\r\n", &[199, 102, 204]),
    ] {
        let read = Talk::new(Method::GET, answer.as_bytes()).read().unwrap();
        assert_eq!(read.statuses, statuses, "{answer:?}");
    }
}

#[test]
fn sizes_and_informational_answers_are_bounded() {
    let long_line = [b"HTTP/1.1 200 ".as_slice(), &vec![b'a'; 16 * 1024]].concat();
    assert_eq!(refused(Method::GET, &long_line), Error::HeadTooLarge);
    let many = [b"HTTP/1.1 200 OK\r\n".as_slice(), &b"A: b\r\n".repeat(101), b"\r\n"].concat();
    assert_eq!(refused(Method::GET, &many), Error::HeadTooLarge);
    let progress = b"HTTP/1.1 102 -\r\n\r\n";
    assert_eq!(refused(Method::GET, &progress.repeat(101)), Error::TooManyInformational);
    let enough = [&progress.repeat(100)[..], b"HTTP/1.1 204 -\r\n\r\n"].concat();
    assert_eq!(Talk::new(Method::GET, &enough).read().unwrap().statuses.len(), 101);
}

#[test]
fn an_announced_length_is_told_where_there_is_no_content() {
    let announced = |method, answer: &str| {
        let mut talk = Talk::new(method, answer.as_bytes());
        assert_eq!(talk.connection.announced_length(), None);
        assert!(matches!(talk.next(), Ok(Some(Event::Head(_)))));
        talk.connection.announced_length()
    };
    assert_eq!(announced(Method::HEAD, "HTTP/1.1 200 -\r\nContent-Length: 7\r\n\r\n"), Some(7));
    assert_eq!(announced(Method::GET, "HTTP/1.1 304 -\r\nContent-Length: 7\r\n\r\n"), Some(7));
    assert_eq!(announced(Method::HEAD, "HTTP/1.1 200 -\r\n\r\n"), None);
}

#[test]
fn an_answer_that_nobody_asked_for_is_refused() {
    let mut talk = Talk::new(Method::GET, b"HTTP/1.1 204 -\r\n\r\n");
    assert!(talk.read().unwrap().persists);
    talk.connection.next_request();
    assert!(matches!(talk.next(), Ok(None)));
    assert_eq!(talk.connection.content_length(), None, "the last answer is forgotten");
    talk.input.extend(b"H");
    assert_eq!(talk.next().unwrap_err(), Error::UnexpectedAnswer);
    assert_eq!(talk.connection.end_of_input(), Err(Error::UnexpectedAnswer));
}

#[test]
fn the_end_of_an_idle_connection_is_no_error_and_still_the_end() {
    let mut connection = Connection::new(Limits::default());
    assert_eq!(connection.end_of_input(), Ok(()));

    let mut talk = Talk::new(Method::GET, b"HTTP/1.1 204 -\r\n\r\n");
    assert!(talk.read().unwrap().persists);
    assert_eq!(talk.connection.end_of_input(), Ok(()));
    assert!(!talk.connection.persists());
}

#[test]
fn content_until_the_end_is_read_even_after_the_end() {
    let mut talk = Talk::new(Method::GET, b"HTTP/1.1 200 OK\r\n\r\nab");
    assert!(matches!(talk.next(), Ok(Some(Event::Head(_)))));
    assert!(!talk.connection.persists());
    talk.connection.end_of_input().unwrap();
    assert!(matches!(talk.next(), Ok(Some(Event::Content(content))) if content == "ab"));
    assert!(matches!(talk.next(), Ok(Some(Event::End))));
}

#[test]
fn reading_says_whether_a_byte_of_the_answer_has_come() {
    let mut talk = Talk::new(Method::GET, b"");
    assert!(matches!(talk.next(), Ok(None)));
    assert_eq!(talk.connection.reading(), Reading::Idle);
    talk.input.extend(b"H");
    assert!(matches!(talk.next(), Ok(None)));
    assert_eq!(talk.connection.reading(), Reading::Head);
    talk.input.extend(b"TTP/1.1 100 -\r\n\r\n");
    assert!(matches!(talk.next(), Ok(Some(Event::Informational(_)))));
    assert_eq!(talk.connection.reading(), Reading::Head, "between heads");
    talk.input.extend(b"HTTP/1.1 204 -\r\n\r\n");
    assert!(matches!(talk.next(), Ok(Some(Event::Head(_)))));
    assert_eq!(talk.connection.reading(), Reading::Content);
    assert!(matches!(talk.next(), Ok(Some(Event::End))));
    assert_eq!(talk.connection.reading(), Reading::Nothing);
}

#[test]
fn requests_are_written_as_the_framing_says() {
    let mut talk = Talk::new(Method::GET, b"");
    assert_eq!(talk.written(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for (target, written) in [
        ("/a?b=c", "/a?b=c"),
        ("*", "*"),
        ("http://b/c?d", "/c?d"),
        ("http://b", "/"),
        ("http://b?d", "/?d"),
    ] {
        talk.connection = Connection::new(Limits::default());
        let written = format!("OPTIONS {written} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(talk.ask(Method::OPTIONS, target, Some(Framing::Length(0))), written);
    }
    talk.connection = Connection::new(Limits::default());
    talk.ask(Method::PUT, "/", Some(Framing::Chunked));
    talk.connection.send_content("content".into(), &mut talk.output);
    talk.connection.send_end(&mut talk.output);
    let head = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(talk.written(), format!("{head}7\r\ncontent\r\n0\r\n\r\n"));
}

#[test]
fn a_connection_persists_only_once_the_request_is_sent_whole() {
    let mut talk = Talk::new(Method::GET, b"");
    talk.connection = Connection::new(Limits::default());
    talk.ask(Method::POST, "/", Some(Framing::Length(5)));
    talk.input.extend(b"HTTP/1.1 413 -\r\nContent-Length: 0\r\n\r\n");
    assert!(!talk.read().unwrap().persists, "the answer came early");
    talk.connection.send_content("hell".into(), &mut talk.output);
    talk.connection.send_end(&mut talk.output);
    assert!(!talk.connection.request_is_sent() && !talk.connection.persists(), "too short");
    talk.connection.send_content("o".into(), &mut talk.output);
    talk.connection.send_end(&mut talk.output);
    assert!(talk.connection.request_is_sent() && talk.connection.persists());
}

#[test]
fn content_is_not_copied() {
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
    let mut talk = Talk::new(Method::GET, bytes);
    let begin = talk.input.bytes().as_ptr();
    assert!(matches!(talk.next(), Ok(Some(Event::Head(_)))));
    let Ok(Some(Event::Content(content))) = talk.next() else { panic!("no content") };
    assert_eq!(content.as_ptr(), begin.wrapping_add(bytes.len() - 3));
}
