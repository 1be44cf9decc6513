//! Answers: what must hold of them.

mod by_http1;
mod by_hyper;
mod differences;

use http::{HeaderMap, Method, StatusCode, Version, header};
use http1::{Error, Limits, Output, server};

use crate::{
    Input,
    difference::{Difference, Dispute, explain},
};

/// Limits within the reach of a fuzzer.
const NARROW: Limits = Limits { max_head_bytes: 256, max_headers: 8 };

/// Limits beyond it, but for the number of fields, which is hyper's.
const WIDE: Limits = Limits { max_head_bytes: 32 * 1024, max_headers: 100 };

/// What a client made of some bytes.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    informational: Vec<(StatusCode, HeaderMap)>,
    /// The final answer, if its head came whole.
    answer: Option<Answer>,
    /// Why there is no more of it; `None` if it came whole.
    error: Option<Error>,
    /// Where the last head begins.
    head: usize,
    /// Where the bytes begin that were not understood.
    stopped: usize,
}

#[derive(Clone, Debug, PartialEq)]
struct Answer {
    status: StatusCode,
    version: Version,
    fields: HeaderMap,
    /// How much content was announced, in bytes, if a number was given.
    announced: Option<u64>,
    content: Vec<u8>,
}

/// How an answer is cut on its way changes nothing, and what is read from it can be written and
/// read again.
pub fn answers_in_any_split(input: &Input<'_>) {
    let method = &input.method();
    let whole = by_http1::read(method, input.bytes, std::iter::repeat(usize::MAX), NARROW);
    assert_eq!(by_http1::read(method, input.bytes, input.pieces(), NARROW), whole);
    assert_eq!(by_http1::read(method, input.bytes, std::iter::repeat(1), NARROW), whole);
    if let (Some(answer), None) = (&whole.answer, whole.error) {
        let bytes = write(method, &whole.informational, answer);
        let again = by_http1::read(method, &bytes, input.pieces(), WIDE);
        assert_eq!(again.error, None, "{answer:#?}");
        assert_eq!(again.informational, whole.informational);
        assert_eq!(again.answer.as_ref().map(meaning), Some(meaning(answer)));
    }
}

/// What `http1` and hyper both take for an answer, they read alike. The kind of the difference, if
/// there is one.
pub fn answers_beside_hyper(input: &Input<'_>) -> Option<&'static Difference> {
    let method = &input.method();
    let ours = by_http1::read(method, input.bytes, input.pieces(), WIDE);
    let theirs = by_hyper::read(method, input.bytes);
    let (previous, message) = input.bytes.split_at(ours.head);
    let stopped = if ours.answer.is_some() { &input.bytes[ours.stopped..] } else { message };
    let is_head = method == Method::HEAD;
    let dispute = Dispute { message, stopped, previous, is_head, error: ours.error };
    let table = match (ours.answer.as_ref().filter(|_| ours.error.is_none()), &theirs) {
        (None, None) => return None,
        (None, Some(_)) => differences::ONLY_HYPER,
        (Some(_), None) => differences::ONLY_HTTP1,
        (Some(our), Some((informational, their))) => {
            if read_alike(our, their) && ours.informational == *informational {
                return None;
            }
            differences::READ_OTHERWISE
        }
    };
    Some(explain(table, &dispute, &(&ours, &theirs)))
}

/// Every kind of difference.
pub(crate) fn differences() -> impl Iterator<Item = &'static Difference> {
    [differences::ONLY_HYPER, differences::ONLY_HTTP1, differences::READ_OTHERWISE]
        .into_iter()
        .flatten()
}

fn read_alike(our: &Answer, their: &Answer) -> bool {
    (our.status, our.version, &our.fields, &our.content)
        == (their.status, their.version, &their.fields, &their.content)
}

/// The bytes of answers with the same meaning.
fn write(method: &Method, informational: &[(StatusCode, HeaderMap)], answer: &Answer) -> Vec<u8> {
    let mut connection = asked(method);
    let mut output = Output::default();
    let mut head = http::Response::new(()).into_parts().0;
    for (status, fields) in informational {
        (head.status, head.headers) = (*status, fields.clone());
        connection.send_informational(&head, &mut output);
    }
    (head.status, head.headers) = (answer.status, end_to_end(&answer.fields));
    connection.send_head(&head, answer.announced, b"", &mut output);
    connection.send_content(answer.content.clone().into(), &mut output);
    connection.send_end(&mut output);
    output.to_vec()
}

/// A server that was asked with this method.
fn asked(method: &Method) -> server::Connection {
    let mut connection = server::Connection::new(WIDE);
    let mut input = http1::Input::with_capacity(64);
    input.extend(format!("{method} / HTTP/1.1\r\n\r\n").as_bytes());
    let asked = connection.receive(&mut input, &mut HeaderMap::new());
    assert!(matches!(asked, Ok(Some(server::Event::Head(_)))), "{asked:?}");
    connection
}

/// What survives being written by a server, which says HTTP/1.1 and its own reasons.
fn meaning(answer: &Answer) -> (StatusCode, HeaderMap, &[u8]) {
    (answer.status, end_to_end(&answer.fields), &answer.content)
}

/// The fields without those that the codec adds.
fn end_to_end(fields: &HeaderMap) -> HeaderMap {
    let mut fields = fields.clone();
    for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION] {
        fields.remove(name);
    }
    fields
}
