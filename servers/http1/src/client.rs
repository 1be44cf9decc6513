//! The client's side of a connection: requests out, answers in.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Version, request, response};

use crate::{
    Error, Framing, Input, Limits, Output, Reading,
    chunked::Decoded,
    content::{self, Decoder},
    framing, head,
    request::encode,
    response::{begin, is_bodyless, take},
};

/// The most informational answers to one request. Those are progress reports, each as long as a
/// head may be, so without a bound an answer could take for ever to begin.
const INFORMATIONAL_AT_MOST: u8 = 100;

/// What has been understood of what arrived.
#[derive(Debug)]
pub enum Event {
    /// An answer that precedes the final one: 100, 102, 103 or another 1xx, but never 101.
    Informational(response::Parts),
    /// The final answer's head; its content follows, then [`Event::End`].
    ///
    /// `Content-Length` and `Transfer-Encoding` are among its fields. They have been checked and
    /// acted upon, so whoever passes the answer on frames it anew.
    Head(response::Parts),
    /// A piece of the content, never empty. Shares the input's memory.
    Content(Bytes),
    /// The answer is complete, trailers included: those are checked and dropped.
    End,
}

/// One connection, seen from the client.
///
/// Four kinds of method, to be called in this order for each request:
/// - out: [`send_head`](Self::send_head), [`send_content`](Self::send_content) any number of
///   times, [`send_end`](Self::send_end).
/// - in: [`receive`](Self::receive) until it gives the head, then until it gives
///   [`Event::End`]; or [`end_of_input`](Self::end_of_input). In and out may overlap.
/// - getters: [`reading`](Self::reading), [`persists`](Self::persists) and others.
/// - changes: [`next_request`](Self::next_request).
///
/// There is one request at a time. The states and their transitions are in the
/// [crate's documentation](crate).
#[derive(Debug)]
pub struct Connection {
    limits: Limits,
    sending: Sending,
    receiving: Receiving,
    /// Whether the current request has the method HEAD.
    is_head: bool,
    /// Whether the current answer has no content, whatever its framing says.
    is_bodyless: bool,
    /// How the current answer says that its content is delimited.
    framing: Framing,
    /// Whether the server wants the connection to go on, and nothing speaks against it.
    persists: bool,
}

/// What is written next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    Head,
    Content(Framing),
    Complete,
}

/// What is read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiving {
    /// `informational`: how many such answers have come.
    Head {
        scanned: u32,
        begun: bool,
        informational: u8,
    },
    Content(Decoder),
    Complete,
    Failed(Error),
}

impl Connection {
    /// A connection on which nothing has been said.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            sending: Sending::Head,
            receiving: Receiving::Head { scanned: 0, begun: false, informational: 0 },
            is_head: false,
            is_bodyless: false,
            framing: Framing::UntilClose,
            persists: true,
        }
    }

    /// Writes a request's head, always as HTTP/1.1. `framing` is that of its content; `None` if
    /// it has none and says nothing of it, as a GET does. [`Framing::UntilClose`] is for answers
    /// only.
    ///
    /// The target is written in origin-form, or as `*`. `head` must not name `Content-Length`,
    /// `Transfer-Encoding` or `Connection`: those are this codec's. It must not be a CONNECT,
    /// whose answer would turn the connection into something else.
    pub fn send_head(
        &mut self,
        head: &request::Parts,
        framing: Option<Framing>,
        output: &mut Output,
    ) {
        debug_assert!(self.sending == Sending::Head, "one request at a time");
        debug_assert!(
            framing != Some(Framing::UntilClose),
            "only an answer ends with the connection"
        );
        debug_assert!(head.method != Method::CONNECT, "tunnels are not spoken here");
        encode(head, framing, output);
        self.is_head = head.method == Method::HEAD;
        self.sending = Sending::Content(framing.unwrap_or(Framing::Length(0)));
    }

    /// Writes a piece of the request's content.
    pub fn send_content(&mut self, content: Bytes, output: &mut Output) {
        match &mut self.sending {
            Sending::Content(framing) => content::encode(framing, content, output),
            Sending::Head | Sending::Complete => debug_assert!(false, "content without a head"),
        }
    }

    /// Ends the request. A request shorter than announced is never complete, so that its
    /// connection cannot carry another.
    pub fn send_end(&mut self, output: &mut Output) {
        if let Sending::Content(framing) = self.sending
            && content::encode_end(framing, output)
        {
            self.sending = Sending::Complete;
        }
    }

    /// Takes the next event off the front of `input`; `None` if more must arrive, or if the
    /// answer is complete. `fields` lends the memory of an empty map to the next head.
    ///
    /// The final answer may arrive before the request is sent. An answer before a request began
    /// is an error.
    ///
    /// # Errors
    /// What is wrong with the answer; again and again, since nothing after it can be trusted.
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
        // What follows must not be taken for the answer to the next request (RFC 9112,
        // section 6.3).
        if self.receiving == Receiving::Complete && !input.is_empty() {
            self.persists = false;
        }
        event
    }

    /// Says that no more bytes will arrive, once [`receive`](Self::receive) has given all it
    /// can. An answer delimited by the end is complete then, and [`Event::End`] is next. The
    /// connection does not persist, whatever was said.
    ///
    /// # Errors
    /// [`Error::Incomplete`] if a request had begun and its answer did not end. Whether nothing
    /// at all had come of it is for [`reading`](Self::reading) to say, before this.
    pub fn end_of_input(&mut self) -> Result<(), Error> {
        self.persists = false;
        match &mut self.receiving {
            Receiving::Content(Decoder::UntilClose { closed }) => *closed = true,
            Receiving::Head { begun: false, .. } if self.sending == Sending::Head => {}
            Receiving::Complete => {}
            Receiving::Failed(error) => return Err(*error),
            _ => {
                self.fail(Error::Incomplete);
                return Err(Error::Incomplete);
            }
        }
        Ok(())
    }

    /// What the next bytes belong to, which says how long they may take: [`Reading::Idle`] until
    /// the first byte of an answer, [`Reading::Head`] from then on until the final head is
    /// whole, between informational answers too.
    #[must_use]
    pub fn reading(&self) -> Reading {
        match self.receiving {
            Receiving::Head { begun: false, .. } => Reading::Idle,
            Receiving::Head { .. } => Reading::Head,
            Receiving::Content(_) => Reading::Content,
            Receiving::Complete | Receiving::Failed(_) => Reading::Nothing,
        }
    }

    /// The length of the answer's content in bytes, all of it, if it is known: 0 where there can
    /// be none. `None` before [`Event::Head`] too.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        if self.is_bodyless { Some(0) } else { self.announced_length() }
    }

    /// What the answer's `Content-Length` says, in bytes. To a HEAD, and in a 304, it is the
    /// length of content that is not there (RFC 9110, section 8.6).
    #[must_use]
    pub fn announced_length(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(length) => Some(length),
            Framing::Chunked | Framing::UntilClose => None,
        }
    }

    /// Whether the request has been written to its end.
    #[must_use]
    pub fn request_is_sent(&self) -> bool {
        self.sending == Sending::Complete
    }

    /// Whether, once the answer is complete, another request may follow on this connection. Not
    /// before this one is sent: the server would take the next one for the rest of it. And not
    /// if bytes follow the answer: they belong to no request.
    #[must_use]
    pub fn persists(&self) -> bool {
        self.persists && self.request_is_sent()
    }

    /// Turns to the next request: the current one is complete, and so is its answer.
    pub fn next_request(&mut self) {
        debug_assert!(self.receiving == Receiving::Complete, "the answer is not complete");
        debug_assert!(self.sending == Sending::Complete, "the request is not complete");
        *self = Self { persists: self.persists, ..Self::new(self.limits) };
    }

    fn receive_head(
        &mut self,
        input: &mut Input,
        fields: &mut HeaderMap,
    ) -> Result<Option<Event>, Error> {
        let Receiving::Head { scanned, begun, informational } = &mut self.receiving else {
            return Ok(None);
        };
        if input.is_empty() {
            return Ok(None);
        }
        if self.sending == Sending::Head {
            return Err(Error::UnexpectedAnswer);
        }
        *begun = true;
        if *scanned == 0 {
            let length = begin(input.bytes(), self.limits)?;
            *scanned = u32::try_from(length).map_err(|_| Error::HeadTooLarge)?;
        }
        let Some(length) = head::find(input.bytes(), scanned, self.limits)? else {
            return Ok(None);
        };
        let (parts, relevance) = take(input, length, std::mem::take(fields), self.limits)?;
        let framing = if relevance.framing {
            framing::of_response(parts.version, &parts.headers)?
        } else {
            Framing::UntilClose
        };
        self.persists &= if relevance.connection {
            head::wants_persistence(parts.version, &parts.headers)
        } else {
            parts.version >= Version::HTTP_11
        };
        if parts.status.is_informational() {
            *scanned = 0;
            *informational += 1;
            check_informational(parts.status, framing, *informational)?;
            return Ok(Some(Event::Informational(parts)));
        }
        self.delimit(parts.status, framing);
        Ok(Some(Event::Head(parts)))
    }

    /// Finds out where the content of a final answer ends (RFC 9112, section 6.3).
    fn delimit(&mut self, status: StatusCode, framing: Framing) {
        self.framing = framing;
        self.is_bodyless = self.is_head || is_bodyless(status);
        if self.is_bodyless {
            self.receiving = Receiving::Content(Decoder::Length(0));
            // A 204 must not announce content (RFC 9110, section 8.6), and has none if it does.
            // A server that gets this wrong may send it all the same.
            self.persists &= status != StatusCode::NO_CONTENT || !announces_content(framing);
        } else {
            self.receiving = Receiving::Content(Decoder::new(framing));
            self.persists &= framing != Framing::UntilClose;
        }
    }

    /// Nothing after an error can be trusted, so the connection carries no other request.
    fn fail(&mut self, error: Error) {
        self.receiving = Receiving::Failed(error);
        self.persists = false;
    }
}

/// Checks the `count`th informational answer. It has no content, but what follows one that
/// announces some is anybody's guess: the next head, or that content.
fn check_informational(status: StatusCode, framing: Framing, count: u8) -> Result<(), Error> {
    if status == StatusCode::SWITCHING_PROTOCOLS {
        Err(Error::UnexpectedUpgrade)
    } else if announces_content(framing) {
        Err(Error::InformationalContent)
    } else if count > INFORMATIONAL_AT_MOST {
        Err(Error::TooManyInformational)
    } else {
        Ok(())
    }
}

/// Whether an answer's fields say that content follows.
fn announces_content(framing: Framing) -> bool {
    !matches!(framing, Framing::Length(0) | Framing::UntilClose)
}
