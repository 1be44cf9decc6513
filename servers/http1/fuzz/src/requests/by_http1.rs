//! Requests, as `http1` reads them.

use http::{HeaderMap, Response};
use http1::{
    Input, Limits, Output,
    server::{Connection, Event},
};

use super::{Reading, Request};

/// Longer than any head that passes the limits, than any chunk's size line, and than most pieces.
fn capacity(limits: Limits) -> usize {
    limits.max_head_bytes as usize + 512
}

/// Reads `bytes` in pieces of these lengths, answers every request, and ends the input.
///
/// # Panics
/// If the buffer is full and nothing can be taken from it: a connection would hang.
pub(super) fn read(bytes: &[u8], pieces: impl Iterator<Item = usize>, limits: Limits) -> Reading {
    let mut server = Server::new(limits);
    let mut rest = bytes;
    let mut goes_on = true;
    for length in pieces {
        if rest.is_empty() || !goes_on {
            break;
        }
        let count = server.input.extend(&rest[..length.min(rest.len())]);
        assert!(count > 0, "the buffer is full, and nothing can be taken from it");
        rest = &rest[count..];
        server.arrived += count;
        goes_on = server.take();
    }
    if goes_on {
        server.reading.error = server.connection.end_of_input().err();
    }
    server.reading.stopped = server.understood();
    server.reading
}

struct Server {
    connection: Connection,
    input: Input,
    /// How many bytes have been put into `input`.
    arrived: usize,
    reading: Reading,
}

impl Server {
    fn new(limits: Limits) -> Self {
        let connection = Connection::new(limits);
        let input = Input::with_capacity(capacity(limits));
        Self { connection, input, arrived: 0, reading: Reading::default() }
    }

    fn understood(&self) -> usize {
        self.arrived - self.input.bytes().len()
    }

    /// Takes all that can be taken; whether the connection goes on.
    fn take(&mut self) -> bool {
        loop {
            match self.connection.receive(&mut self.input, &mut HeaderMap::new()) {
                Ok(None) => return true,
                Ok(Some(Event::Head(head))) => self.begin(head),
                Ok(Some(Event::Content(content))) => {
                    let request = self.reading.broken.as_mut().expect("content follows a head");
                    request.content.extend_from_slice(&content);
                }
                Ok(Some(Event::End)) => {
                    if !self.end() {
                        return false;
                    }
                }
                Err(error) => {
                    self.reading.error = Some(error);
                    return false;
                }
            }
        }
    }

    fn begin(&mut self, head: http::request::Parts) {
        if self.connection.expects_continue() {
            self.connection.send_continue(&mut Output::default());
        }
        self.reading.broken = Some(Request {
            start: self.reading.next,
            method: head.method,
            target: head.uri,
            version: head.version,
            fields: head.headers,
            length: self.connection.content_left(),
            content: Vec::new(),
            persists: self.connection.persists(),
        });
    }

    /// Answers a request that is whole; whether the connection goes on.
    fn end(&mut self) -> bool {
        let mut output = Output::default();
        let answer = Response::new(()).into_parts().0;
        self.connection.send_head(&answer, Some(0), b"", &mut output);
        self.connection.send_end(&mut output);
        self.reading.complete.extend(self.reading.broken.take());
        self.reading.next = self.understood();
        let persists = self.connection.persists();
        if persists {
            self.connection.next_request();
        }
        persists
    }
}
