//! The content of a forwarded request, as hyper asks for it.

use std::{
    convert::Infallible,
    error::Error as _,
    io::{self, ErrorKind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use service::Content;

use crate::{body::poll_piece, exchange::Exchange, handler::why, wire::Wire};

/// A client's content on its way upstream.
pub(crate) struct Outgoing {
    /// Until its end has been read.
    content: Option<Incoming>,
    /// Whether it has broken off.
    stopped: bool,
    framing: Content,
    exchange: Arc<Exchange>,
    wire: Arc<Wire>,
    /// Bytes so far.
    counted: u64,
    /// The most there may be.
    limit: u64,
}

/// What became of content that was not read to its end.
pub(crate) enum Unread {
    /// This is left of it, and still to come.
    Rest(Incoming),
    /// It could not be read.
    Failed(hyper::Error),
    /// There is too much of it.
    TooLarge,
}

impl Outgoing {
    /// Content of at most `limit` bytes, which goes out on `wire`.
    pub(crate) fn new(
        content: Option<Incoming>,
        framing: Content,
        limit: u64,
        exchange: &Arc<Exchange>,
        wire: &Arc<Wire>,
    ) -> Self {
        Self {
            content,
            stopped: false,
            framing,
            exchange: Arc::clone(exchange),
            wire: Arc::clone(wire),
            counted: 0,
            limit,
        }
    }

    fn end(&mut self) {
        self.content = None;
        self.wire.content_ended();
        self.exchange.content_ended();
    }

    /// Breaks off, so that the upstream takes what it has for no whole: the task that has the
    /// connection looks at the reason, and drops it.
    fn stop<T>(&mut self, reason: Unread) -> Poll<T> {
        self.content = None;
        self.stopped = true;
        self.wire.leave(reason);
        Poll::Pending
    }
}

impl Unread {
    /// What the client is told.
    pub(crate) fn why(&self) -> Response<service::Body> {
        match self {
            Self::Failed(error) => why(error),
            Self::TooLarge | Self::Rest(_) => service::too_large(),
        }
    }

    /// Whether there is no client any more to tell anything.
    pub(crate) fn is_farewell(&self) -> bool {
        let Self::Failed(error) = self else { return false };
        let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
        cause.is_some_and(|cause| cause.kind() == ErrorKind::ConnectionReset)
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        if this.stopped || !this.wire.takes_content() {
            return Poll::Pending;
        }
        let Some(content) = &mut this.content else { return Poll::Ready(None) };
        match ready!(poll_piece(content, cx)) {
            Some(Ok(piece)) => {
                let is_last = content.is_end_stream();
                this.counted += piece.len() as u64;
                this.wire.content_sent();
                if this.counted > this.limit {
                    return this.stop(Unread::TooLarge);
                }
                if is_last {
                    this.end();
                }
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Some(Err(error)) => this.stop(Unread::Failed(error)),
            None => {
                this.end();
                Poll::Ready(None)
            }
        }
    }

    /// A length of 0 is said, which hyper does for what may not have ended.
    fn is_end_stream(&self) -> bool {
        self.content.is_none() && !self.stopped && self.framing != Content::Length(0)
    }

    fn size_hint(&self) -> SizeHint {
        match self.framing {
            Content::None => SizeHint::with_exact(0),
            Content::Length(length) => SizeHint::with_exact(length - self.counted),
            Content::Chunked => SizeHint::new(),
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if let Some(content) = self.content.take() {
            self.wire.leave(Unread::Rest(content));
        }
    }
}
