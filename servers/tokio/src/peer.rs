//! A connection upstream over hyper. Whoever has it drives it: a task of its own would have to be
//! woken for each request, and to wake in turn for each answer.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http1::{Builder, Connection, SendRequest},
};
use process::upstream::Opening;
use tokio::net::TcpStream;

use crate::{
    alarm::Alarm,
    outgoing::{Outgoing, Unread},
    upstream::{self, Link},
    wire::{Socket, Wire},
};

/// How often a connection that has woken itself is polled again at once.
const AT_ONCE: usize = 2;

/// One connection upstream, and hyper's state of it.
pub(crate) struct Peer {
    sender: SendRequest<Outgoing>,
    /// Until it has ended.
    connection: Option<Connection<Socket, Outgoing>>,
    waker: Waker,
    wire: Arc<Wire>,
    /// Free once the socket is closed, which the fields above do.
    _opening: Opening,
}

/// How long an upstream may take.
pub(crate) struct Patience {
    alarm: Alarm,
    until: Option<Instant>,
}

/// Why a request that is forwarded ends before its answer does, as far as hyper does not know.
pub(crate) enum Stopped {
    /// The upstream takes too long.
    Late,
    /// The upstream sends informational answers without end, or with content.
    Interims,
    /// The client's content can't be had.
    Content(Unread),
}

impl Peer {
    /// Prepares to speak on a new connection.
    pub(crate) async fn new(
        upstream::Connection { stream, opening }: upstream::Connection,
        builder: &Builder,
    ) -> hyper::Result<Box<Self>> {
        let (socket, wire) = Wire::split(stream);
        let (sender, connection) = builder.handshake(socket).await?;
        Ok(Box::new(Self {
            sender,
            connection: Some(connection),
            waker: wire.waker(),
            wire,
            _opening: opening,
        }))
    }

    /// What is seen of the socket.
    pub(crate) fn wire(&self) -> &Arc<Wire> {
        &self.wire
    }

    /// Hands a request to hyper. The answer comes as the connection is [driven](Self::poll).
    pub(crate) fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> impl Future<Output = hyper::Result<Response<Incoming>>> + use<> {
        self.sender.send_request(request)
    }

    /// Drives the connection until it has brought what `look` looks for.
    pub(crate) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        patience: &mut Patience,
        timeout: Duration,
        mut look: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<Result<T, Stopped>> {
        let own = &mut Context::from_waker(&self.waker);
        for _ in 0..AT_ONCE {
            self.wire.rouse();
            // What it ends with, it tells the request and the answer.
            self.connection.take_if(|connection| Pin::new(connection).poll(own).is_ready());
            if let Poll::Ready(found) = look(own) {
                return Poll::Ready(Ok(found));
            }
            if let Some(unread) = self.wire.refusal() {
                return Poll::Ready(Err(Stopped::Content(unread)));
            }
            if patience.poll_late(cx, &self.wire, timeout).is_ready() {
                return Poll::Ready(Err(Stopped::Late));
            }
            if self.wire.sleep(cx.waker()) {
                return Poll::Pending;
            }
        }
        // It is others' turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The context of all that the connection brings.
    pub(crate) fn context(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }

    /// Whether another request can follow.
    pub(crate) fn is_reusable(&self) -> bool {
        self.connection.is_some() && self.sender.is_ready() && self.wire.is_clean()
    }
}

impl Link for Box<Peer> {
    fn stream(&self) -> &TcpStream {
        self.wire.stream()
    }
}

impl Patience {
    /// For the requests of one task, one after the other.
    pub(crate) fn new() -> Self {
        Self { alarm: Alarm::new(), until: None }
    }

    /// Another request begins.
    pub(crate) fn begin(&mut self) {
        self.until = None;
    }

    /// Waits for `future` for so long.
    pub(crate) async fn bound<T>(
        &mut self,
        time: Duration,
        future: impl Future<Output = T>,
    ) -> Option<T> {
        let mut future = std::pin::pin!(future);
        self.until = None;
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll_until(cx, time).map(|()| None),
        })
        .await
    }

    /// Waits until an upstream that is waited for has done nothing for so long.
    fn poll_late(&mut self, cx: &mut Context<'_>, wire: &Wire, time: Duration) -> Poll<()> {
        let progressed = wire.progressed();
        if progressed || !wire.is_waited_for() {
            self.until = None;
        }
        if wire.is_waited_for() { self.poll_until(cx, time) } else { Poll::Pending }
    }

    fn poll_until(&mut self, cx: &mut Context<'_>, time: Duration) -> Poll<()> {
        let now = Instant::now();
        let until = *self.until.get_or_insert(now + time);
        self.alarm.poll(cx, until, now)
    }
}
