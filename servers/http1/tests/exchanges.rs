//! What must hold of a client and a server that speak to each other: each understands what the
//! other says, in whatever pieces it arrives.

#![allow(clippy::unwrap_used, reason = "what fails here should fail the test")]

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http1::{Framing, Input, Limits, Output, Reading, client, server};
use proptest::{collection::vec, prelude::*, sample::select};

/// A request and its answer.
#[derive(Clone, Debug)]
struct Exchange {
    method: Method,
    target: String,
    status: StatusCode,
    request: Message,
    answer: Message,
    /// Whether an informational answer comes first.
    has_hints: bool,
    close: bool,
}

/// What both kinds of message have.
#[derive(Clone, Debug)]
struct Message {
    fields: HeaderMap,
    pieces: Vec<Bytes>,
    is_chunked: bool,
}

impl Message {
    fn content(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    fn length(&self) -> Option<u64> {
        (!self.is_chunked).then(|| self.content().len() as u64)
    }
}

fn message() -> impl Strategy<Value = Message> {
    let name = "x(-[a-z]){1,2}".prop_map(|name| HeaderName::try_from(name).unwrap());
    let byte = prop_oneof![b'!'..=b'~', 0x80..=0xff_u8];
    let value = vec(byte, 0..9).prop_map(|value| HeaderValue::from_bytes(&value).unwrap());
    // Longer than what the output copies, now and then.
    let length = prop_oneof![0..9_usize, 1000..2000_usize];
    let piece = (any::<u8>(), length).prop_map(|(byte, length)| vec![byte; length].into());
    (vec((name, value), 0..5), vec(piece, 0..4), any::<bool>()).prop_map(
        |(lines, pieces, is_chunked)| {
            let mut fields = HeaderMap::new();
            for (name, value) in lines {
                fields.append(name, value);
            }
            Message { fields, pieces, is_chunked }
        },
    )
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let method = select(vec![Method::GET, Method::HEAD, Method::POST, Method::OPTIONS]);
    let target = "/[a-z/]{0,9}(\\?[a-z]=%2[0-9])?|\\*";
    let status = select(vec![200, 204, 299, 304, 404, 599]);
    let close = prop::bool::weighted(0.1);
    (method, target, status, message(), message(), any::<bool>(), close).prop_map(
        |(method, target, status, request, answer, has_hints, close)| {
            let status = StatusCode::from_u16(status).unwrap();
            Exchange { method, target, status, request, answer, has_hints, close }
        },
    )
}

/// Two ends and what is between them: bytes that arrive a few at a time.
struct Pair {
    client: client::Connection,
    server: server::Connection,
    upward: Input,
    downward: Input,
    width: usize,
}

impl Pair {
    fn new(width: usize) -> Self {
        let limits = Limits::default();
        Self {
            client: client::Connection::new(limits),
            server: server::Connection::new(limits),
            upward: Input::with_capacity(20_000),
            downward: Input::with_capacity(20_000),
            width,
        }
    }

    /// The bytes of the exchange's request, as the client writes them.
    fn ask(&mut self, exchange: &Exchange) -> Vec<u8> {
        let mut head = Request::new(()).into_parts().0;
        head.method = exchange.method.clone();
        head.uri = exchange.target.parse().unwrap();
        head.headers = exchange.request.fields.clone();
        let framing = match exchange.request.length() {
            Some(0) => None,
            Some(length) => Some(Framing::Length(length)),
            None => Some(Framing::Chunked),
        };
        let (mut output, mut bytes) = (Output::default(), Vec::new());
        self.client.send_head(&head, framing, &mut output);
        for piece in &exchange.request.pieces {
            self.client.send_content(piece.clone(), &mut output);
            flush(&mut output, &mut bytes);
        }
        self.client.send_end(&mut output);
        flush(&mut output, &mut bytes);
        bytes
    }

    /// The bytes of the exchange's answer, as the server writes them.
    fn answer(&mut self, exchange: &Exchange) -> Vec<u8> {
        let (mut output, mut bytes) = (Output::default(), Vec::new());
        let mut head = Response::new(()).into_parts().0;
        head.headers = exchange.answer.fields.clone();
        if exchange.has_hints {
            head.status = StatusCode::EARLY_HINTS;
            self.server.send_informational(&head, &mut output);
        }
        if exchange.close {
            self.server.close_after();
        }
        head.status = exchange.status;
        self.server.send_head(&head, exchange.answer.length(), b"", &mut output);
        for piece in &exchange.answer.pieces {
            self.server.send_content(piece.clone(), &mut output);
            flush(&mut output, &mut bytes);
        }
        self.server.send_end(&mut output);
        flush(&mut output, &mut bytes);
        bytes
    }

    /// The request that the server reads in `bytes`, and its content.
    fn serve(&mut self, mut bytes: &[u8]) -> (http::request::Parts, Vec<u8>) {
        let (mut head, mut content) = (None, Vec::new());
        loop {
            match self.server.receive(&mut self.upward, &mut HeaderMap::new()).unwrap() {
                None => deliver(&mut bytes, &mut self.upward, self.width),
                Some(server::Event::Head(parts)) => head = Some(parts),
                Some(server::Event::Content(piece)) => content.extend_from_slice(&piece),
                Some(server::Event::End) => break,
            }
        }
        assert!(bytes.is_empty() && self.upward.is_empty(), "bytes after the end");
        (head.unwrap(), content)
    }

    /// The heads that the client reads in `bytes`, the final one last, and the content.
    fn read(&mut self, mut bytes: &[u8]) -> (Vec<http::response::Parts>, Vec<u8>) {
        let (mut heads, mut content) = (Vec::new(), Vec::new());
        loop {
            match self.client.receive(&mut self.downward, &mut HeaderMap::new()).unwrap() {
                None => deliver(&mut bytes, &mut self.downward, self.width),
                Some(client::Event::Informational(parts) | client::Event::Head(parts)) => {
                    heads.push(parts);
                }
                Some(client::Event::Content(piece)) => content.extend_from_slice(&piece),
                Some(client::Event::End) => break,
            }
        }
        assert!(bytes.is_empty() && self.downward.is_empty(), "bytes after the end");
        (heads, content)
    }
}

fn flush(output: &mut Output, bytes: &mut Vec<u8>) {
    while !output.is_empty() {
        output.write_to(bytes).unwrap();
    }
}

/// Moves up to `width` of the bytes to where they are read.
fn deliver(bytes: &mut &[u8], input: &mut Input, width: usize) {
    assert!(!bytes.is_empty(), "the end is missing");
    let count = input.extend(&bytes[..bytes.len().min(width)]);
    *bytes = &bytes[count..];
}

/// The fields without those that the codec adds.
fn without_framing(mut fields: HeaderMap) -> HeaderMap {
    for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION] {
        fields.remove(name);
    }
    fields
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn each_side_understands_the_other(
        exchanges in vec(exchange(), 1..4),
        width in prop_oneof![1..9_usize, 9..20_000_usize],
    ) {
        let mut pair = Pair::new(width);
        for exchange in exchanges {
            let bytes = pair.ask(&exchange);
            let (request, content) = pair.serve(&bytes);
            prop_assert_eq!(&request.method, &exchange.method);
            prop_assert_eq!(request.uri.to_string(), &exchange.target[..]);
            prop_assert_eq!(&without_framing(request.headers), &exchange.request.fields);
            prop_assert_eq!(content, exchange.request.content());

            let bytes = pair.answer(&exchange);
            let (mut answers, content) = pair.read(&bytes);
            let answer = answers.pop().unwrap();
            let hints = answers.iter().map(|hints| (hints.status, &hints.headers));
            let expected = (StatusCode::EARLY_HINTS, &exchange.answer.fields);
            prop_assert!(hints.eq(exchange.has_hints.then_some(expected)));
            let has_none = matches!(exchange.status.as_u16(), 204 | 304);
            let is_bodyless = request.method == Method::HEAD || has_none;
            prop_assert_eq!(answer.status, exchange.status);
            prop_assert_eq!(&without_framing(answer.headers), &exchange.answer.fields);
            prop_assert_eq!(content, if is_bodyless { vec![] } else { exchange.answer.content() });
            let length = if is_bodyless { Some(0) } else { exchange.answer.length() };
            prop_assert_eq!(pair.client.content_length(), length);
            if !has_none {
                prop_assert_eq!(pair.client.announced_length(), exchange.answer.length());
            }

            prop_assert_eq!(pair.client.persists(), pair.server.persists());
            prop_assert_eq!(pair.client.persists(), !exchange.close);
            if exchange.close {
                break;
            }
            pair.client.next_request();
            pair.server.next_request();
            prop_assert_eq!(pair.client.reading(), Reading::Idle);
        }
    }
}
