//! One connection over `http1`, from top to bottom: the task that owns it does what the session
//! says, and yields while it waits.

use std::{
    future::poll_fn,
    io::{self, ErrorKind},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, ready},
    thread,
    time::Instant,
};

use process::listener::unread;
use session::{Buffers, Failure, Identity, Relay, Release, Session, Step};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    alarm::Alarm,
    buffers,
    gone::Gone,
    server::Shared,
    socket::{is_passing, poll_read, poll_room, poll_unread, write},
    upstream::{self, Upstream},
};

/// Serves a connection until it closes.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    stream: TcpStream,
    origin: SocketAddr,
    number: u64,
) -> io::Result<()> {
    process::listener::prepare(&stream)?;
    Connection::new(shared, stream, origin, number).run().await
}

struct Connection {
    shared: Arc<Shared>,
    stream: TcpStream,
    session: Session,
    /// Borrowed while something is in flight.
    buffers: Option<Box<Buffers>>,
    upstream: Option<Upstream<upstream::Connection>>,
    alarm: Alarm,
    gone: Gone,
    /// Whether the session knows that the process is on its way out.
    draining: bool,
}

impl Connection {
    fn new(shared: Arc<Shared>, stream: TcpStream, origin: SocketAddr, number: u64) -> Self {
        let identity = Identity { origin, number, worker: ("task", number) };
        let session = Session::new(shared.site.context.clone(), identity, Instant::now());
        Self {
            shared,
            stream,
            session,
            buffers: None,
            upstream: None,
            alarm: Alarm::new(),
            gone: Gone::default(),
            draining: false,
        }
    }

    async fn run(&mut self) -> io::Result<()> {
        loop {
            let now = Instant::now();
            if self.shared.site.is_draining() {
                self.draining = true;
                self.session.drain(now, || unread(&self.stream));
            }
            let buffers = self.buffers.get_or_insert_with(|| buffers::borrow(&self.shared.buffers));
            match self.session.step(buffers, now) {
                Step::Read => self.read(now).await?,
                Step::Write => self.write().await?,
                Step::Wait(_) => self.pause().await?,
                Step::Block(time) => thread::sleep(time),
                Step::Burn(time) => process::burn(time),
                Step::HalfClose => self.stream.shutdown().await?,
                Step::Close => return Ok(()),
                Step::Abort => return process::listener::abort(&self.stream),
                Step::Connect { reuse } => self.connect(reuse).await?,
                Step::Relay(wants) => self.relay(wants, now).await?,
                Step::Release(release) => self.release(release),
            }
        }
    }

    /// Yields until something arrives, the deadline passes, or the drain says: look around.
    async fn read(&mut self, now: Instant) -> io::Result<()> {
        self.gone.rest();
        self.give_back_buffers();
        let mut now = Some(now);
        let read = poll_fn(|cx| match self.poll_read(cx) {
            Poll::Ready(read) => Poll::Ready(read),
            Poll::Pending if self.shared.site.is_draining() && !self.draining => {
                Poll::Ready(Err(ErrorKind::Interrupted.into()))
            }
            Poll::Pending => {
                let now = now.take().unwrap_or_else(Instant::now);
                ready!(self.poll_deadline(cx, now));
                ready!(poll_unread(&self.stream, cx));
                Poll::Ready(Err(ErrorKind::WouldBlock.into()))
            }
        });
        match read.await {
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.timed_out(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => self.received(read?),
        }
        Ok(())
    }

    /// Writes at once, for there is nearly always room; yields where there is none.
    async fn write(&mut self) -> io::Result<()> {
        let Some(buffers) = &mut self.buffers else { return Ok(()) };
        match write(&self.stream, &mut buffers.output) {
            Ok(count) => self.session.sent(count),
            Err(error) if is_passing(&error) => self.wait_for_room().await?,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Yields until the deadline passes, or the client is gone.
    async fn pause(&mut self) -> io::Result<()> {
        poll_fn(|cx| match self.gone.poll(&self.stream, cx) {
            Poll::Ready(()) => Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
            Poll::Pending => self.poll_deadline(cx, Instant::now()).map(Ok),
        })
        .await
    }

    /// Yields until there is a place for a connection upstream, and then until there is one.
    async fn connect(&mut self, reuse: bool) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let Some(upstreams) = &shared.upstreams else { return Ok(()) };
        let had = match self.upstream.take() {
            // Boxed, for a task holds room for all that it will ever wait for.
            Some(Upstream::Placed(opening)) => {
                let address = upstreams.address();
                let connected = Box::pin(upstreams.connect(address, opening));
                let connected = self.in_time(connected).await?;
                if connected.is_none() {
                    upstreams.give_up(address);
                }
                connected.map(|made| made.map(Upstream::Connected))
            }
            _ => self.in_time(upstreams.acquire(reuse)).await?,
        };
        match had {
            Some(Ok(had)) => {
                match had {
                    Upstream::Placed(_) => self.session.connecting(Instant::now()),
                    Upstream::Connected(_) => self.session.connected(reuse),
                }
                self.upstream = Some(had);
            }
            Some(Err(failure)) => self.session.upstream_failed(failure),
            None => self.timed_out(),
        }
        Ok(())
    }

    /// Yields until either socket is ready for what is wanted of it, and does that. A write need
    /// not wait: there is nearly always room.
    async fn relay(&mut self, wants: Relay, now: Instant) -> io::Result<()> {
        if wants.upstream.write && self.write_upstream()
            || wants.downstream.write && self.write_downstream()?
        {
            return Ok(());
        }
        self.give_back_buffers();
        let mut now = Some(now);
        poll_fn(|cx| match self.poll_relay(cx, wants) {
            Poll::Ready(done) => Poll::Ready(done),
            Poll::Pending => {
                let now = now.take().unwrap_or_else(Instant::now);
                ready!(self.poll_deadline(cx, now));
                self.timed_out();
                Poll::Ready(Ok(()))
            }
        })
        .await
    }

    fn release(&mut self, release: Release) {
        self.gone.rest();
        let upstream = self.upstream.take();
        if let (Release::Keep(keep_alive), Some(Upstream::Connected(connection)), Some(upstreams)) =
            (release, upstream, &self.shared.upstreams)
        {
            upstreams.give_back(connection, keep_alive);
        }
    }

    /// Yields until the kernel takes bytes again, or has not taken any for too long.
    async fn wait_for_room(&mut self) -> io::Result<()> {
        let has_room = poll_fn(|cx| match self.stream.poll_write_ready(cx) {
            Poll::Ready(ready) => Poll::Ready(ready.map(|()| true)),
            Poll::Pending => {
                ready!(self.poll_deadline(cx, Instant::now()));
                ready!(poll_room(&self.stream, cx));
                Poll::Ready(Ok(false))
            }
        });
        if !has_room.await? {
            self.timed_out();
        }
        Ok(())
    }

    /// Waits for readiness without a buffer, and borrows one then.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        ready!(self.stream.poll_read_ready(cx))?;
        let buffers = self.buffers.get_or_insert_with(|| buffers::borrow(&self.shared.buffers));
        let read = poll_read(&mut self.stream, &mut buffers.input, cx);
        if read.is_pending() {
            // A new socket may be called ready before anything has come.
            self.give_back_buffers();
        }
        read
    }

    fn poll_relay(&mut self, cx: &mut Context<'_>, wants: Relay) -> Poll<io::Result<()>> {
        let Some(Upstream::Connected(upstream)) = &mut self.upstream else {
            return Poll::Ready(Ok(()));
        };
        if wants.upstream.write && upstream.stream.poll_write_ready(cx).is_ready()
            || wants.downstream.write && self.stream.poll_write_ready(cx).is_ready()
        {
            // The next step writes.
            return Poll::Ready(Ok(()));
        }
        if wants.upstream.read
            && let Poll::Ready(read) = self.poll_read_upstream(cx)
        {
            self.upstream_received(read.ok());
            return Poll::Ready(Ok(()));
        }
        if wants.downstream.read {
            let read = ready!(self.poll_read(cx))?;
            self.received(read);
            return Poll::Ready(Ok(()));
        }
        self.gone.poll(&self.stream, cx).map(|()| Err(ErrorKind::ConnectionReset.into()))
    }

    /// As [`poll_read`](Self::poll_read).
    fn poll_read_upstream(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(Upstream::Connected(upstream)) = &mut self.upstream else {
            return Poll::Pending;
        };
        ready!(upstream.stream.poll_read_ready(cx))?;
        let buffers = self.buffers.get_or_insert_with(|| buffers::borrow(&self.shared.buffers));
        poll_read(&mut upstream.stream, &mut buffers.upstream_input, cx)
    }

    /// Waits for `future` until the deadline, for which it is `None`, or until the client is gone.
    async fn in_time<T>(&mut self, future: impl Future<Output = T>) -> io::Result<Option<T>> {
        let mut future = pin!(future);
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(Some(output)));
            }
            if self.gone.poll(&self.stream, cx).is_ready() {
                return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
            }
            self.poll_deadline(cx, Instant::now()).map(|()| Ok(None))
        })
        .await
    }

    fn received(&mut self, count: usize) {
        match count {
            0 => self.session.end_of_input(),
            count => self.session.received(count),
        }
    }

    fn upstream_received(&mut self, read: Option<usize>) {
        match read {
            Some(0) => self.session.upstream_end_of_input(),
            Some(count) => self.session.upstream_received(count),
            None => self.session.upstream_failed(Failure::Closed),
        }
    }

    /// Whether that did anything.
    fn write_upstream(&mut self) -> bool {
        let Some(buffers) = &mut self.buffers else { return false };
        let Some(Upstream::Connected(upstream)) = &self.upstream else { return false };
        match write(&upstream.stream, &mut buffers.upstream_output) {
            Ok(count) => self.session.upstream_sent(count),
            Err(error) if is_passing(&error) => return false,
            Err(_) => self.session.upstream_stopped_reading(),
        }
        true
    }

    /// Whether that did anything.
    fn write_downstream(&mut self) -> io::Result<bool> {
        let Some(buffers) = &mut self.buffers else { return Ok(false) };
        match write(&self.stream, &mut buffers.output) {
            Ok(count) => self.session.sent(count),
            Err(error) if is_passing(&error) => return Ok(false),
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Gives buffers back that are empty, for as long as the connection waits.
    fn give_back_buffers(&mut self) {
        if let Some(idle) = self.buffers.take_if(|buffers| buffers.are_empty()) {
            buffers::give_back(&self.shared.buffers, idle);
        }
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        self.alarm.poll(cx, self.session.deadline(), now)
    }

    fn timed_out(&mut self) {
        let buffers = self.buffers.get_or_insert_with(|| buffers::borrow(&self.shared.buffers));
        self.session.timed_out(buffers, Instant::now());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        process::listener::abort_if_panicking(&self.stream);
        if let Some(buffers) = self.buffers.take() {
            self.shared.buffers.give_back(buffers);
        }
    }
}
