//! One connection over `http1`, from top to bottom: the task that owns it does what the session
//! says, and yields while it waits.

use std::{
    cell::Cell,
    future::poll_fn,
    io::{self, ErrorKind, IoSlice, Write},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    thread,
    time::Instant,
};

use session::{Buffers, Failure, Identity, Session, Step};
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};

use crate::{alarm::Alarm, server::Shared};

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
    alarm: Alarm,
    /// Whether the session knows that the process is on its way out.
    draining: bool,
}

impl Connection {
    fn new(shared: Arc<Shared>, stream: TcpStream, origin: SocketAddr, number: u64) -> Self {
        let identity = Identity { origin, number, worker: ("task", number) };
        let session = Session::new(shared.site.context.clone(), identity, Instant::now());
        Self { shared, stream, session, buffers: None, alarm: Alarm::new(), draining: false }
    }

    async fn run(&mut self) -> io::Result<()> {
        loop {
            let now = Instant::now();
            if self.shared.site.is_draining() {
                self.draining = true;
                self.session.drain(now);
            }
            let buffers = self.buffers.get_or_insert_with(|| borrow(&self.shared));
            match self.session.step(buffers, now) {
                Step::Read => self.read(now).await?,
                Step::Write => self.write().await?,
                Step::Wait(_) => poll_fn(|cx| self.poll_deadline(cx, Instant::now())).await,
                Step::Block(time) => thread::sleep(time),
                Step::Burn(time) => process::burn(time),
                Step::HalfClose => self.stream.shutdown().await?,
                Step::Close => return Ok(()),
                Step::Abort => {
                    process::listener::abort(&self.stream)?;
                    return Ok(());
                }
                Step::Connect { .. } => self.session.upstream_failed(Failure::Unreachable),
                Step::Relay(_) | Step::Release(_) => {}
            }
        }
    }

    /// Yields until something arrives, the deadline passes, or the drain says: look around.
    async fn read(&mut self, now: Instant) -> io::Result<()> {
        if let Some(idle) = self.buffers.take_if(|buffers| buffers.are_empty()) {
            give_back(&self.shared, idle);
        }
        let mut now = Some(now);
        let read = poll_fn(|cx| match self.poll_read(cx) {
            Poll::Ready(read) => Poll::Ready(read),
            Poll::Pending if self.shared.site.is_draining() && !self.draining => {
                Poll::Ready(Err(ErrorKind::Interrupted.into()))
            }
            Poll::Pending => {
                let now = now.take().unwrap_or_else(Instant::now);
                self.poll_deadline(cx, now).map(|()| Err(ErrorKind::WouldBlock.into()))
            }
        });
        match read.await {
            Ok(0) => self.session.end_of_input(),
            Ok(count) => self.session.received(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.timed_out(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Writes at once, for there is nearly always room; yields where there is none.
    async fn write(&mut self) -> io::Result<()> {
        let Some(buffers) = &mut self.buffers else { return Ok(()) };
        match buffers.output.write_to(&mut Writer(&self.stream)) {
            Ok(count) => self.session.sent(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait_for_room().await?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Yields until the kernel takes bytes again, or has not taken any for too long.
    async fn wait_for_room(&mut self) -> io::Result<()> {
        let has_room = poll_fn(|cx| match self.stream.poll_write_ready(cx) {
            Poll::Ready(ready) => Poll::Ready(ready.map(|()| true)),
            Poll::Pending => self.poll_deadline(cx, Instant::now()).map(|()| Ok(false)),
        });
        if !has_room.await? {
            self.timed_out();
        }
        Ok(())
    }

    /// Waits for readiness without a buffer, and borrows one then.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        ready!(self.stream.poll_read_ready(cx))?;
        let buffers = self.buffers.get_or_insert_with(|| borrow(&self.shared));
        let mut space = ReadBuf::new(buffers.input.space());
        // Where this fills less than the space, tokio knows that there is no more, and asks epoll.
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut space))?;
        let count = space.filled().len();
        buffers.input.filled(count);
        Poll::Ready(Ok(count))
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        self.alarm.poll(cx, self.session.deadline(), now)
    }

    fn timed_out(&mut self) {
        let buffers = self.buffers.get_or_insert_with(|| borrow(&self.shared));
        self.session.timed_out(buffers, Instant::now());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(buffers) = self.buffers.take() {
            self.shared.buffers.give_back(buffers);
        }
    }
}

thread_local! {
    /// The buffers that a worker used last. It nearly always wants them next, and need not ask the
    /// other workers for that.
    static AT_HAND: Cell<Option<Box<Buffers>>> = const { Cell::new(None) };
}

fn borrow(shared: &Shared) -> Box<Buffers> {
    AT_HAND.take().unwrap_or_else(|| shared.buffers.borrow())
}

/// Gives back buffers that are empty.
fn give_back(shared: &Shared, buffers: Box<Buffers>) {
    if let Some(others) = AT_HAND.replace(Some(buffers)) {
        shared.buffers.give_back(others);
    }
}

/// A socket as `Output` wants it: what would have to wait fails instead.
struct Writer<'a>(&'a TcpStream);

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
