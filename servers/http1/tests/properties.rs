//! What must hold of any bytes: how they are split does not matter, and what is encoded decodes
//! to the same.

#![allow(clippy::unwrap_used, reason = "what fails here should fail the test")]

use bytes::Bytes;
use http::{HeaderMap, Response};
use http1::{
    Error, Input, Limits, Output,
    server::{Connection, Event},
};
use proptest::{collection::vec, prelude::*};

/// What a connection made of some bytes, with neighbouring content joined.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Head { line: String, fields: Vec<(String, Vec<u8>)>, expects: bool },
    Content(Vec<u8>),
    End { persists: bool },
    Error(Error),
}

/// Feeds `bytes` in pieces that end at `cuts` and answers every request.
fn read(bytes: &[u8], cuts: &[usize]) -> Vec<Seen> {
    let limits = Limits { max_head_bytes: 512, max_headers: 8 };
    let mut connection = Connection::new(limits);
    let mut input = Input::with_capacity(2048);
    let mut fields = HeaderMap::new();
    let mut seen = Vec::new();
    let mut at = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        while at < end {
            at += input.extend(&bytes[at..end]);
            if !drain(&mut connection, &mut input, &mut fields, &mut seen) {
                return seen;
            }
        }
    }
    if let Err(error) = connection.end_of_input() {
        seen.push(Seen::Error(error));
    }
    seen
}

/// Takes all events there are; whether the connection goes on.
fn drain(
    connection: &mut Connection,
    input: &mut Input,
    fields: &mut HeaderMap,
    seen: &mut Vec<Seen>,
) -> bool {
    loop {
        match connection.receive(input, fields) {
            Ok(None) => return true,
            Ok(Some(Event::Head(head))) => seen.push(Seen::Head {
                line: format!("{} {} {:?}", head.method, head.uri, head.version),
                fields: head
                    .headers
                    .iter()
                    .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
                    .collect(),
                expects: connection.expects_continue(),
            }),
            Ok(Some(Event::Content(content))) => match seen.last_mut() {
                Some(Seen::Content(before)) => before.extend_from_slice(&content),
                _ => seen.push(Seen::Content(content.to_vec())),
            },
            Ok(Some(Event::End)) => {
                let mut output = Output::default();
                let answer = Response::new(()).into_parts().0;
                connection.send_head(&answer, Some(0), b"", &mut output);
                connection.send_end(&mut output);
                let persists = connection.persists();
                seen.push(Seen::End { persists });
                if !persists {
                    return false;
                }
                connection.next_request();
            }
            Err(error) => {
                seen.push(Seen::Error(error));
                return false;
            }
        }
    }
}

fn text(pattern: &'static str) -> impl Strategy<Value = Vec<u8>> {
    pattern.prop_map(String::into_bytes)
}

/// A request that is right, with content framed one way or the other.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let field = text("X-[a-z]{1,8}:[ \t]{0,2}[!-~]{0,12}[ \t]{0,2}\r\n");
    let chunk = (vec(any::<u8>(), 1..40), text("(;[a-z]{1,4}(=([a-z]{1,4}|\"[ -!#-Z]{0,5}\"))?)?"));
    let body = prop_oneof![
        Just(b"\r\n".to_vec()),
        vec(any::<u8>(), 0..60).prop_map(|content| {
            let mut bytes = format!("Content-Length: {}\r\n\r\n", content.len()).into_bytes();
            bytes.extend_from_slice(&content);
            bytes
        }),
        (vec(chunk, 0..4), text("(T: [a-z]{0,5}\r\n){0,2}")).prop_map(|(chunks, trailers)| {
            let mut bytes = b"Transfer-Encoding: chunked\r\n\r\n".to_vec();
            for (data, extension) in chunks {
                bytes.extend_from_slice(format!("{:X}", data.len()).as_bytes());
                bytes.extend_from_slice(&extension);
                bytes.extend_from_slice(b"\r\n");
                bytes.extend_from_slice(&data);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n");
            bytes.extend_from_slice(&trailers);
            bytes.extend_from_slice(b"\r\n");
            bytes
        }),
    ];
    let line =
        text("(\r\n)?(GET|POST|PURGE) /[a-z]{0,9}(\\?[a-z]=%2[0-9])? HTTP/1\\.[19]\r\nHost: a\r\n");
    (line, vec(field, 0..3), body)
        .prop_map(|(line, fields, body)| [line, fields.concat(), body].concat())
}

/// A few requests, and perhaps some bytes of them changed.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let change = (
        any::<prop::sample::Index>(),
        prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b' ')],
    );
    (vec(request(), 1..4), vec(change, 0..3)).prop_map(|(requests, changes)| {
        let mut bytes = requests.concat();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_split_gives_the_same_events(bytes in stream(), cuts in vec(any::<prop::sample::Index>(), 0..12)) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.sort_unstable();
        let whole = read(&bytes, &[]);
        prop_assert_eq!(&read(&bytes, &cuts), &whole, "{}", bytes.escape_ascii());
        let every: Vec<usize> = (0..bytes.len()).collect();
        prop_assert_eq!(&read(&bytes, &every), &whole, "{}", bytes.escape_ascii());
    }

    #[test]
    fn right_requests_are_read(requests in vec(request(), 1..4)) {
        let seen = read(&requests.concat(), &[]);
        let ended = seen.iter().filter(|event| matches!(event, Seen::End { persists: true }));
        prop_assert_eq!(ended.count(), requests.len(), "{:?}", seen);
    }

    #[test]
    fn what_is_encoded_decodes_to_the_same(pieces in vec(vec(any::<u8>(), 0..3000), 0..5)) {
        let answer = encode(&pieces);
        let end = memchr::memmem::find(&answer, b"\r\n\r\n").unwrap() + 4;
        let request = [b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", &answer[end..]].concat();
        let content: Vec<u8> = read(&request, &[]).into_iter().filter_map(|event| match event {
            Seen::Content(content) => Some(content),
            _ => None,
        }).flatten().collect();
        prop_assert_eq!(content, pieces.concat());
        let seen = read(&request, &[]);
        prop_assert_eq!(seen.last(), Some(&Seen::End { persists: true }));
    }
}

/// The chunked answer whose content is these pieces.
fn encode(pieces: &[Vec<u8>]) -> Vec<u8> {
    let mut connection = Connection::new(Limits::default());
    let mut input = Input::with_capacity(1024);
    input.extend(b"GET / HTTP/1.1\r\n\r\n");
    let head = connection.receive(&mut input, &mut HeaderMap::new());
    assert!(matches!(head, Ok(Some(Event::Head(_)))));
    let mut output = Output::default();
    let mut bytes = Vec::new();
    connection.send_head(&Response::new(()).into_parts().0, None, b"", &mut output);
    for piece in pieces {
        connection.send_content(Bytes::copy_from_slice(piece), &mut output);
        while !output.is_empty() {
            output.write_to(&mut bytes).unwrap();
        }
    }
    connection.send_end(&mut output);
    bytes.extend(output.to_vec());
    bytes
}
