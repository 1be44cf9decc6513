//! HTTP/1.1 (RFC 9112) without a socket, a thread or a clock: bytes in, events out.
//!
//! The caller owns two buffers and lends them: [`Input`], which its transport fills, and
//! [`Output`], which its transport writes. A connection with nothing in flight needs neither,
//! so whoever waits for ten thousand clients holds ten thousand [`server::Connection`]s of a
//! hundred bytes and only as many buffers as are in use. A [`client::Connection`] is the other
//! end: it is what a proxy has upstream.
//!
//! On either end both directions advance by themselves, so that an answer may begin before the
//! request has ended.
//!
//! # The server's states
//!
//! All transitions live in [`server`].
//!
//! | receiving  | on                                  | gives                  | next       |
//! |------------|-------------------------------------|------------------------|------------|
//! | `Head`     | a whole head                        | [`server::Event::Head`]| `Content`  |
//! | `Content`  | some of it                          | `Content`              | `Content`  |
//! | `Content`  | none left; the last chunk and the trailers | `End`           | `Complete` |
//! | both       | bytes that no standard allows       | [`Error`]              | `Failed`   |
//! | `Complete` | `next_request`                      |                        | `Head`     |
//!
//! | sending    | on             | writes                                  | next |
//! |------------|----------------|-----------------------------------------|------|
//! | `Head`     | `send_head`    | status line, fields, framing            | `Content`, `NoContent` |
//! | `Content`  | `send_content` | bytes, as a chunk where the framing says so | `Content` |
//! | `NoContent`| `send_content` | nothing: HEAD, 204, 304                 | `NoContent` |
//! | both       | `send_end`     | the last chunk, if there are chunks     | `Complete` |
//! | `Complete` | `next_request` |                                         | `Head` |
//!
//! ```
//! use http1::{Input, Limits, Output, Reading, server::{Connection, Event}};
//!
//! let mut connection = Connection::new(Limits::default());
//! let mut input = Input::with_capacity(4096);
//! let mut output = Output::default();
//! let mut fields = http::HeaderMap::new();
//! assert_eq!(connection.reading(), Reading::Idle);
//!
//! // Half a head gives nothing yet.
//! input.extend(b"POST /echo HTTP/1.1\r\nHost: a\r\n");
//! assert!(connection.receive(&mut input, &mut fields)?.is_none());
//! assert_eq!(connection.reading(), Reading::Head);
//!
//! // The rest of it does, and the content follows.
//! input.extend(b"Content-Length: 5\r\n\r\nhello");
//! let Some(Event::Head(head)) = connection.receive(&mut input, &mut fields)? else { panic!() };
//! assert_eq!(head.uri.path(), "/echo");
//! assert_eq!(connection.reading(), Reading::Content);
//!
//! let answer = http::Response::new(()).into_parts().0;
//! connection.send_head(&answer, Some(5), b"", &mut output);
//! let Some(Event::Content(content)) = connection.receive(&mut input, &mut fields)? else { panic!() };
//! connection.send_content(content, &mut output);
//! let Some(Event::End) = connection.receive(&mut input, &mut fields)? else { panic!() };
//! connection.send_end(&mut output);
//! assert_eq!(output.to_vec(), b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
//!
//! // And so on, as long as both sides want to.
//! assert!(connection.persists());
//! connection.next_request();
//! assert_eq!(connection.reading(), Reading::Idle);
//! # Ok::<(), http1::Error>(())
//! ```
//!
//! # The client's states
//!
//! All transitions live in [`client`].
//!
//! | sending    | on                    | writes                                  | next       |
//! |------------|-----------------------|-----------------------------------------|------------|
//! | `Head`     | `send_head`           | request line, fields, framing           | `Content`  |
//! | `Content`  | `send_content`        | bytes, as a chunk where the framing says so | `Content` |
//! | `Content`  | `send_end`, nothing missing | the last chunk, if there are chunks | `Complete` |
//! | `Complete` | `next_request`        |                                         | `Head`     |
//!
//! | receiving  | on                    | gives                                   | next       |
//! |------------|-----------------------|-----------------------------------------|------------|
//! | `Head`     | a whole head, 1xx     | `Informational`                         | `Head`     |
//! | `Head`     | any other whole head  | [`client::Event::Head`]                 | `Content`  |
//! | `Head`     | a byte before a request | [`Error::UnexpectedAnswer`]           | `Failed`   |
//! | `Content`  | some of it            | `Content`                               | `Content`  |
//! | `Content`  | none left; the last chunk and the trailers; `end_of_input` | `End` | `Complete` |
//! | both       | bytes that no standard allows | [`Error`]                       | `Failed`   |
//! | both       | `end_of_input` in the middle  | [`Error::Incomplete`]           | `Failed`   |
//! | `Complete` | `next_request`        |                                         | `Head`     |
//!
//! An answer to HEAD, a 204 and a 304 have no content, whatever their fields say.
//!
//! ```
//! use http1::{Framing, Input, Limits, Output, Reading, client::{Connection, Event}};
//!
//! let mut connection = Connection::new(Limits::default());
//! let mut input = Input::with_capacity(4096);
//! let mut output = Output::default();
//! let mut fields = http::HeaderMap::new();
//!
//! let request = http::Request::post("/echo").header("Host", "a").body(()).unwrap();
//! connection.send_head(&request.into_parts().0, Some(Framing::Length(5)), &mut output);
//! connection.send_content("hello".into(), &mut output);
//! connection.send_end(&mut output);
//! assert!(connection.request_is_sent());
//! let written = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
//! assert_eq!(output.to_vec(), written);
//! assert_eq!(connection.reading(), Reading::Idle);
//!
//! // Informational answers may come first.
//! input.extend(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 O");
//! let hints = connection.receive(&mut input, &mut fields)?;
//! assert!(matches!(hints, Some(Event::Informational(head)) if head.status == 103));
//! assert!(connection.receive(&mut input, &mut fields)?.is_none());
//! assert_eq!(connection.reading(), Reading::Head);
//!
//! input.extend(b"K\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
//! let Some(Event::Head(head)) = connection.receive(&mut input, &mut fields)? else { panic!() };
//! assert_eq!((head.status.as_u16(), connection.content_length()), (200, None));
//! let Some(Event::Content(content)) = connection.receive(&mut input, &mut fields)? else { panic!() };
//! assert_eq!(content, "hello");
//! let Some(Event::End) = connection.receive(&mut input, &mut fields)? else { panic!() };
//!
//! // And so on, as long as both sides want to.
//! assert!(connection.persists());
//! connection.next_request();
//! assert_eq!(connection.reading(), Reading::Idle);
//! # Ok::<(), http1::Error>(())
//! ```
//!
//! # How strict
//!
//! Whatever two readers could read differently is refused: bare LF and CR, folded fields, white
//! space before a colon, two lengths, a length beside a transfer coding, chunk sizes that are
//! not plain hexadecimal, extensions and trailers without bound; in answers also a status beyond
//! the five classes, a 101, a 1xx with content, and an answer that nobody asked for. [`Error`]
//! names each with its section. An answer's status line is judged as soon as it is there: a server
//! that speaks another protocol may wait for the rest of a conversation of its own.
//!
//! Two liberties are taken with answers, since neither can be read in two ways. A status line may
//! lack its reason and the space before it. A 204 that announces content has none, as the standard
//! says, but its connection does not persist, lest that content be taken for the next answer.

#![forbid(unsafe_code)]

mod chunked;
pub mod client;
mod content;
mod error;
mod field;
mod framing;
mod head;
mod input;
mod output;
mod request;
mod response;
pub mod server;

pub use error::Error;
pub use framing::Framing;
pub use input::Input;
pub use output::Output;

/// How much a peer may send before it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest head, and the longest trailer section, in bytes.
    pub max_head_bytes: u32,
    /// The most field lines in a head or a trailer section.
    pub max_headers: u16,
}

impl Default for Limits {
    /// 16 KiB and 100 field lines.
    fn default() -> Self {
        Self { max_head_bytes: 16 * 1024, max_headers: 100 }
    }
}

/// What the next bytes from the peer belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A head of which nothing has arrived: the connection is idle.
    Idle,
    /// A head that has begun.
    Head,
    /// The content of a message.
    Content,
    /// Nothing: the message is complete, or not to be understood.
    Nothing,
}
