//! The content of an answer, as hyper asks for it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use session::Receipt;
use thiserror::Error;

use crate::{
    alarm::Alarm,
    exchange::Exchange,
    forward::{self, Forwarded},
};

/// The content of an answer; it is counted when hyper lets go of it, which it does once it has it
/// all.
pub(crate) struct Answer {
    content: Content,
    exchange: Arc<Exchange>,
    /// What will be counted, unless this breaks off.
    receipt: Option<Receipt>,
}

/// Where an answer's content comes from.
pub(crate) enum Content {
    /// From the service.
    Whole(service::Body),
    /// From the request.
    Echo(Echo),
    /// From the service, a piece every interval.
    Stream(Box<Stream>),
    /// From an upstream.
    Forwarded(Box<Forwarded>),
    /// From nowhere: HEAD asks for none. So long it would be, if that is known.
    Unsent(Option<u64>),
}

/// A request's content on its way back.
pub(crate) struct Echo {
    /// What has been read already.
    pub(crate) first: Option<Bytes>,
    pub(crate) rest: Incoming,
    /// Bytes so far.
    pub(crate) counted: u64,
    /// The most there may be.
    pub(crate) limit: u64,
}

/// An answer in pieces.
pub(crate) struct Stream {
    pieces: service::Stream,
    /// When the next piece is due.
    next: Instant,
    alarm: Alarm,
    begun: bool,
}

/// Why an answer breaks off: its head is out, and only an end without the last chunk tells the
/// truth.
#[derive(Debug, Error)]
pub(crate) enum Broken {
    #[error("the content that was to be echoed did not end well")]
    Request(#[from] hyper::Error),
    #[error("the content that was to be echoed is too large")]
    TooLarge,
    #[error(transparent)]
    Upstream(#[from] forward::Broken),
}

impl Answer {
    pub(crate) fn new(content: Content, exchange: Arc<Exchange>, receipt: Receipt) -> Self {
        Self { content, exchange, receipt: Some(receipt) }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let piece = match &mut self.content {
            Content::Whole(body) => body.next().map(Ok),
            Content::Echo(echo) => ready!(echo.poll_next(cx)),
            Content::Stream(stream) => ready!(stream.poll_next(cx)).map(Ok),
            Content::Forwarded(forwarded) => {
                ready!(forwarded.poll_next(cx)).map(|piece| piece.map_err(Broken::from))
            }
            Content::Unsent(_) => None,
        };
        if let Some(Err(_)) = piece {
            self.receipt = None;
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    /// hyper asks before the first piece too. What has no length ends with a piece, not before:
    /// otherwise hyper would say that its length is 0.
    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(body) => body.is_empty(),
            Content::Echo(echo) => echo.first.is_none() && echo.rest.is_end_stream(),
            Content::Stream(stream) => stream.begun && stream.pieces.left() == 0,
            Content::Forwarded(forwarded) => forwarded.is_end_stream(),
            Content::Unsent(length) => *length == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.content.length().map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

impl Content {
    /// The length in bytes, if it is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::Whole(body) => Some(body.len()),
            Self::Echo(echo) => {
                let first = echo.first.as_ref().map_or(0, Bytes::len) as u64;
                echo.rest.size_hint().exact().map(|rest| first + rest)
            }
            Self::Stream(_) => None,
            Self::Forwarded(forwarded) => forwarded.length(),
            Self::Unsent(length) => *length,
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if matches!(self.content, Content::Echo(_)) {
            self.exchange.content_ended();
        }
        if let Some(receipt) = self.receipt.take() {
            self.exchange.answered(receipt);
        }
    }
}

impl Echo {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let piece = match self.first.take() {
            Some(first) => first,
            None => match ready!(poll_piece(&mut self.rest, cx)) {
                Some(Ok(piece)) => piece,
                other => return Poll::Ready(other.map(|piece| piece.map_err(Broken::from))),
            },
        };
        self.counted += piece.len() as u64;
        let within = self.counted <= self.limit;
        Poll::Ready(Some(if within { Ok(piece) } else { Err(Broken::TooLarge) }))
    }
}

impl Stream {
    pub(crate) fn new(pieces: service::Stream) -> Self {
        Self { pieces, next: Instant::now(), alarm: Alarm::new(), begun: false }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.begun && self.pieces.left() > 0 {
            ready!(self.alarm.poll(cx, self.next, Instant::now()));
        }
        self.begun = true;
        self.next = Instant::now() + self.pieces.interval;
        Poll::Ready(self.pieces.next())
    }
}

/// The next piece of a request's content; its trailers are dropped.
pub(crate) fn poll_piece(
    content: &mut Incoming,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, hyper::Error>>> {
    loop {
        match ready!(Pin::new(&mut *content).poll_frame(cx)) {
            Some(Ok(frame)) => {
                if let Ok(piece) = frame.into_data() {
                    return Poll::Ready(Some(Ok(piece)));
                }
            }
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => return Poll::Ready(None),
        }
    }
}
