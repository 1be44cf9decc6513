//! The server's side of a connection: requests in, answers out.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version, header, request, response};

use crate::{
    Error, Framing, Input, Limits, Output, Reading,
    chunked::Decoded,
    content::{self, Decoder},
    field, framing,
    head::wants_persistence,
    request::{find, take},
    response::{Persistence, encode, encode_informational, framing as answer_framing, is_bodyless},
};

/// What has been understood of what arrived.
#[derive(Debug)]
pub enum Event {
    /// A request's head; its content follows, then [`Event::End`].
    Head(request::Parts),
    /// A piece of the content, never empty. Shares the input's memory.
    Content(Bytes),
    /// The request is complete, trailers included: those are checked and dropped.
    End,
}

/// One connection, seen from the server.
///
/// Four kinds of method, to be called in this order for each request:
/// - in: [`receive`](Self::receive) until it gives the head, then until it gives
///   [`Event::End`]; or [`end_of_input`](Self::end_of_input).
/// - out: [`send_continue`](Self::send_continue) if [`expects_continue`](Self::expects_continue),
///   [`send_head`](Self::send_head), [`send_content`](Self::send_content) any number of times,
///   [`send_end`](Self::send_end). Out and in may overlap.
/// - getters: [`reading`](Self::reading), [`persists`](Self::persists) and others.
/// - changes: [`close_after`](Self::close_after), [`next_request`](Self::next_request).
///
/// The states and their transitions are in the [crate's documentation](crate).
#[derive(Debug)]
pub struct Connection {
    limits: Limits,
    receiving: Receiving,
    sending: Sending,
    /// The current request's version.
    version: Version,
    /// Whether the current request has the method HEAD.
    is_head: bool,
    /// Whether the current request waits for a 100 before it sends its content.
    expects_continue: bool,
    /// Whether the client wants the connection to go on, and we do too.
    persists: bool,
}

/// What is read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiving {
    /// `forgiven`: the empty line that may come before a request has come.
    Head {
        scanned: u32,
        begun: bool,
        forgiven: bool,
    },
    Content(Decoder),
    Complete,
    Failed(Error),
}

/// A head of which nothing has arrived.
const NEXT_HEAD: Receiving = Receiving::Head { scanned: 0, begun: false, forgiven: false };

/// What is written next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    Head,
    Content(Framing),
    /// The answer has no content, whatever its fields say.
    NoContent,
    Complete,
}

impl Connection {
    /// A connection on which nothing has been said.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            receiving: NEXT_HEAD,
            sending: Sending::Head,
            version: Version::HTTP_11,
            is_head: false,
            expects_continue: false,
            persists: true,
        }
    }

    /// Takes the next event off the front of `input`; `None` if more must arrive, or if the
    /// request is complete and its answer is not. `fields` lends the memory of an empty map to
    /// the next head.
    ///
    /// # Errors
    /// What is wrong with the request; again and again, since nothing after it can be trusted.
    pub fn receive(
        &mut self,
        input: &mut Input,
        fields: &mut HeaderMap,
    ) -> Result<Option<Event>, Error> {
        let event = match &mut self.receiving {
            Receiving::Head { .. } => self.receive_head(input, fields),
            Receiving::Content(decoder) => decoder.decode(input, self.limits).map(|decoded| {
                decoded.map(|decoded| match decoded {
                    Decoded::Content(content) => Event::Content(content),
                    Decoded::Done => Event::End,
                })
            }),
            Receiving::Complete => Ok(None),
            Receiving::Failed(error) => Err(*error),
        };
        match &event {
            Ok(Some(Event::End)) => self.receiving = Receiving::Complete,
            Err(error) => self.fail(*error),
            Ok(_) => {}
        }
        event
    }

    /// Says that no more bytes will arrive; a client may stop sending and still read.
    ///
    /// # Errors
    /// [`Error::Incomplete`] if a request had begun and did not end.
    pub fn end_of_input(&mut self) -> Result<(), Error> {
        match self.receiving {
            Receiving::Head { begun: false, .. } | Receiving::Complete => Ok(()),
            Receiving::Failed(error) => Err(error),
            _ => {
                self.fail(Error::Incomplete);
                Err(Error::Incomplete)
            }
        }
    }

    /// Asks the client for the content it holds back (RFC 9110, section 10.1.1).
    pub fn send_continue(&mut self, output: &mut Output) {
        debug_assert!(self.expects_continue, "the client did not ask");
        self.expects_continue = false;
        output.push(b"HTTP/1.1 100 Continue\r\n\r\n");
    }

    /// Passes on an informational answer (RFC 9110, section 15.2), which a client of version 1.0
    /// must not get. A 100 is what a client waits for that holds its content back.
    pub fn send_informational(&mut self, head: &response::Parts, output: &mut Output) {
        debug_assert!(head.status.is_informational() && self.sending == Sending::Head);
        self.expects_continue &= head.status != StatusCode::CONTINUE;
        encode_informational(head, output);
    }

    /// Writes the head of the final answer. `length` is its content's, in bytes, if known;
    /// `common` are whole field lines that every answer carries.
    ///
    /// `head` must not name `Content-Length`, `Transfer-Encoding` or `Connection`: those are
    /// this codec's. A client that still waits for a 100 is told that the connection ends,
    /// since nobody could say whether its next bytes are content.
    pub fn send_head(
        &mut self,
        head: &response::Parts,
        length: Option<u64>,
        common: &[u8],
        output: &mut Output,
    ) {
        debug_assert!(self.sending == Sending::Head, "one final answer to a request");
        let framing = answer_framing(self.version, length);
        let bodyless = self.is_head || is_bodyless(head.status);
        if self.expects_continue || (framing == Framing::UntilClose && !bodyless) {
            self.persists = false;
        }
        let persistence = match (self.persists, self.version) {
            (false, _) => Persistence::Close,
            (true, Version::HTTP_10) => Persistence::KeepAlive,
            (true, _) => Persistence::Assumed,
        };
        encode(head, framing, persistence, common, output);
        self.sending = if bodyless { Sending::NoContent } else { Sending::Content(framing) };
    }

    /// Writes a piece of the answer's content, which is left out where there may be none.
    pub fn send_content(&mut self, content: Bytes, output: &mut Output) {
        match &mut self.sending {
            Sending::Content(framing) => content::encode(framing, content, output),
            Sending::NoContent => {}
            Sending::Head | Sending::Complete => debug_assert!(false, "content without a head"),
        }
    }

    /// Ends the answer. An answer shorter than announced ends the connection instead.
    pub fn send_end(&mut self, output: &mut Output) {
        if let Sending::Content(framing) = self.sending {
            self.persists &= content::encode_end(framing, output);
        }
        self.sending = Sending::Complete;
    }

    /// What the next bytes belong to, which says how long they may take.
    #[must_use]
    pub fn reading(&self) -> Reading {
        match self.receiving {
            Receiving::Head { begun: false, .. } => Reading::Idle,
            Receiving::Head { .. } => Reading::Head,
            Receiving::Content(_) => Reading::Content,
            Receiving::Complete | Receiving::Failed(_) => Reading::Nothing,
        }
    }

    /// Whether the client holds its content back until it is asked for it.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.expects_continue
    }

    /// Whether the connection's end will be the end of the answer, so that a failure must not look
    /// like that.
    #[must_use]
    pub fn ends_with_connection(&self) -> bool {
        self.sending == Sending::Content(Framing::UntilClose)
    }

    /// Whether the answer, of which the head is out, has content. There is none to a HEAD, nor with
    /// some statuses, whatever the fields say (RFC 9110, section 6.4.1): what is sent of it is left out.
    #[must_use]
    pub fn sends_content(&self) -> bool {
        matches!(self.sending, Sending::Content(_))
    }

    /// Whether another request may follow on this connection.
    #[must_use]
    pub fn persists(&self) -> bool {
        self.persists
    }

    /// How many bytes of content are still to come, if that is known.
    #[must_use]
    pub fn content_left(&self) -> Option<u64> {
        match self.receiving {
            Receiving::Content(decoder) => decoder.left(),
            _ => Some(0),
        }
    }

    /// Makes the current answer, or the next one, the last.
    pub fn close_after(&mut self) {
        self.persists = false;
    }

    /// Turns to the next request: the current one is complete, and so is its answer.
    pub fn next_request(&mut self) {
        debug_assert!(self.receiving == Receiving::Complete, "the request is not complete");
        debug_assert!(self.sending == Sending::Complete, "the answer is not complete");
        self.receiving = NEXT_HEAD;
        self.sending = Sending::Head;
    }

    fn receive_head(
        &mut self,
        input: &mut Input,
        fields: &mut HeaderMap,
    ) -> Result<Option<Event>, Error> {
        let Receiving::Head { scanned, begun, forgiven } = &mut self.receiving else {
            return Ok(None);
        };
        if !*begun {
            // One empty line before a request is forgiven (RFC 9112, section 2.2).
            match input.bytes() {
                [] => return Ok(None),
                [b'\r'] if !*forgiven => return Ok(None),
                [b'\r', b'\n', ..] if !*forgiven => {
                    *forgiven = true;
                    input.skip(2);
                }
                _ => {}
            }
            *begun = !input.is_empty();
            // What begins like this, such as a hello of TLS, is not worth the wait for a line's end.
            if let [first, ..] = input.bytes()
                && !(field::is_token(*first) || matches!(first, b'\r' | b'\n'))
            {
                return Err(Error::Method);
            }
        }
        let Some(length) = find(input.bytes(), scanned, self.limits)? else { return Ok(None) };
        let (parts, relevance) = take(input, length, std::mem::take(fields), self.limits)?;
        let framing = if relevance.framing {
            framing::of_request(parts.version, &parts.headers)?
        } else {
            Framing::Length(0)
        };
        self.receiving = Receiving::Content(Decoder::new(framing));
        self.version = parts.version;
        self.is_head = parts.method == http::Method::HEAD;
        self.persists &= if relevance.connection {
            wants_persistence(parts.version, &parts.headers)
        } else {
            parts.version >= Version::HTTP_11
        };
        self.expects_continue = relevance.expect
            && parts.version >= Version::HTTP_11
            && self.content_left() != Some(0)
            && field::list(&parts.headers, &header::EXPECT)
                .any(|expectation| expectation.eq_ignore_ascii_case(b"100-continue"));
        Ok(Some(Event::Head(parts)))
    }

    /// Nothing after an error can be trusted, so the connection ends with the answer to it.
    fn fail(&mut self, error: Error) {
        self.receiving = Receiving::Failed(error);
        self.persists = false;
    }
}
