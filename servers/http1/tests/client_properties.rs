//! What must hold of any bytes that a client reads: how they are split does not matter.

#![allow(clippy::unwrap_used, reason = "what fails here should fail the test")]

use http::{HeaderMap, Method, Request, StatusCode};
use http1::{
    Error, Input, Limits, Output,
    client::{Connection, Event},
};
use proptest::{collection::vec, prelude::*, sample::select};

/// What a client made of some bytes, with neighbouring content joined.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Informational(StatusCode, HeaderMap),
    Head { status: StatusCode, fields: HeaderMap, length: Option<u64>, persists: bool },
    Content(Vec<u8>),
    End,
    Error(Error),
}

/// Feeds `bytes`, in pieces that end at `cuts`, as the answer to one request, then the end.
fn read(method: &Method, bytes: &[u8], cuts: &[usize]) -> Vec<Seen> {
    let mut connection = Connection::new(Limits { max_head_bytes: 256, max_headers: 4 });
    let mut request = Request::new(()).into_parts().0;
    request.method = method.clone();
    let mut output = Output::default();
    connection.send_head(&request, None, &mut output);
    connection.send_end(&mut output);
    let mut input = Input::with_capacity(512);
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
    match connection.end_of_input() {
        Ok(()) => assert!(!drain(&mut connection, &mut input, &mut fields, &mut seen)),
        Err(error) => seen.push(Seen::Error(error)),
    }
    seen
}

/// Takes all events there are; whether the answer goes on.
fn drain(
    connection: &mut Connection,
    input: &mut Input,
    fields: &mut HeaderMap,
    seen: &mut Vec<Seen>,
) -> bool {
    loop {
        match connection.receive(input, fields) {
            Ok(None) => return true,
            Ok(Some(Event::Informational(head))) => {
                seen.push(Seen::Informational(head.status, head.headers));
            }
            Ok(Some(Event::Head(head))) => seen.push(Seen::Head {
                status: head.status,
                fields: head.headers,
                length: connection.content_length(),
                persists: connection.persists(),
            }),
            Ok(Some(Event::Content(content))) => match seen.last_mut() {
                Some(Seen::Content(before)) => before.extend_from_slice(&content),
                _ => seen.push(Seen::Content(content.to_vec())),
            },
            Ok(Some(Event::End)) => {
                seen.push(Seen::End);
                return false;
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

/// An answer, mostly right, and perhaps some bytes of it changed.
fn answer() -> impl Strategy<Value = Vec<u8>> {
    let informational = text("(HTTP/1\\.1 10[023] [ -~]{0,5}\r\n(Link: [a-z]{0,5}\r\n)?\r\n){0,2}");
    let line = text("HTTP/1\\.[01] (200|204|304|599)( [ -~\t]{0,9})?\r\n");
    let fields =
        text("(X-[a-z]:[ \t]?[!-~]{0,9}[ \t]?\r\n|Connection: (close|keep-alive)\r\n){0,2}");
    let content = prop_oneof![
        text("\r\n.{0,40}"),
        "[a-z]{0,40}".prop_map(|content| {
            format!("Content-Length: {}\r\n\r\n{content}", content.len()).into_bytes()
        }),
        vec("[a-z]{1,20}", 0..3).prop_map(|chunks| {
            let mut bytes = b"Transfer-Encoding: chunked\r\n\r\n".to_vec();
            for chunk in chunks {
                bytes.extend(format!("{:x};x\r\n{chunk}\r\n", chunk.len()).into_bytes());
            }
            bytes.extend(b"0\r\nT: t\r\n\r\n");
            bytes
        }),
    ];
    let byte = prop_oneof![any::<u8>(), select(b"\r\n :".as_slice())];
    let changes = vec((any::<prop::sample::Index>(), byte), 0..3);
    (informational, line, fields, content, changes).prop_map(
        |(first, line, fields, rest, changes)| {
            let mut bytes = [first, line, fields, rest].concat();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_split_gives_the_same_events(
        method in select(vec![Method::GET, Method::HEAD]),
        bytes in answer(),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.sort_unstable();
        let whole = read(&method, &bytes, &[]);
        prop_assert_eq!(&read(&method, &bytes, &cuts), &whole, "{}", bytes.escape_ascii());
        let every: Vec<usize> = (0..bytes.len()).collect();
        prop_assert_eq!(&read(&method, &bytes, &every), &whole, "{}", bytes.escape_ascii());
    }
}
