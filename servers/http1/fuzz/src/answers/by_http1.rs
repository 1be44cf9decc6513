//! Answers, as `http1` reads them.

use http::{HeaderMap, Method, Request};
use http1::{
    Input, Limits, Output,
    client::{Connection, Event},
};

use super::{Answer, Reading};

/// Longer than any head that passes the limits, than any chunk's size line, and than most pieces.
fn capacity(limits: Limits) -> usize {
    limits.max_head_bytes as usize + 512
}

/// Reads `bytes` in pieces of these lengths as the answer to such a request, and ends the input.
///
/// # Panics
/// If the buffer is full and nothing can be taken from it: a connection would hang.
pub(super) fn read(
    method: &Method,
    bytes: &[u8],
    pieces: impl Iterator<Item = usize>,
    limits: Limits,
) -> Reading {
    let mut client = Client::new(method, limits);
    let mut rest = bytes;
    let mut goes_on = true;
    for length in pieces {
        if rest.is_empty() || !goes_on {
            break;
        }
        let count = client.input.extend(&rest[..length.min(rest.len())]);
        assert!(count > 0, "the buffer is full, and nothing can be taken from it");
        rest = &rest[count..];
        client.arrived += count;
        goes_on = client.take();
    }
    if goes_on {
        match client.connection.end_of_input() {
            Ok(()) => assert!(!client.take(), "an answer that lasts until the end has ended"),
            Err(error) => client.reading.error = Some(error),
        }
    }
    client.reading.stopped = client.understood();
    client.reading
}

struct Client {
    connection: Connection,
    input: Input,
    /// How many bytes have been put into `input`.
    arrived: usize,
    reading: Reading,
}

impl Client {
    /// A client that has asked.
    fn new(method: &Method, limits: Limits) -> Self {
        let mut connection = Connection::new(limits);
        let mut request = Request::new(()).into_parts().0;
        request.method = method.clone();
        let mut output = Output::default();
        connection.send_head(&request, None, &mut output);
        connection.send_end(&mut output);
        let input = Input::with_capacity(capacity(limits));
        Self { connection, input, arrived: 0, reading: Reading::default() }
    }

    fn understood(&self) -> usize {
        self.arrived - self.input.bytes().len()
    }

    /// Takes all that can be taken; whether the answer goes on.
    fn take(&mut self) -> bool {
        loop {
            match self.connection.receive(&mut self.input, &mut HeaderMap::new()) {
                Ok(None) => return true,
                Ok(Some(Event::Informational(head))) => {
                    self.reading.informational.push((head.status, head.headers));
                    self.reading.head = self.understood();
                }
                Ok(Some(Event::Head(head))) => {
                    self.reading.answer = Some(Answer {
                        status: head.status,
                        version: head.version,
                        fields: head.headers,
                        announced: self.connection.announced_length(),
                        content: Vec::new(),
                    });
                }
                Ok(Some(Event::Content(content))) => {
                    let answer = self.reading.answer.as_mut().expect("content follows a head");
                    answer.content.extend_from_slice(&content);
                }
                Ok(Some(Event::End)) => return false,
                Err(error) => {
                    self.reading.error = Some(error);
                    return false;
                }
            }
        }
    }
}
