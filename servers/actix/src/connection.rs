//! One connection as an actor: it does what the session says, and returns to its arbiter instead of
//! waiting.

use std::{
    io::{self, ErrorKind, Write},
    pin::Pin,
    rc::Rc,
    task::{self, Poll, ready},
    thread,
    time::Instant,
};

use actix::{Actor, ActorContext, ActorFuture, AsyncContext, Context, Handler};
use process::Permit;
use session::{Buffers, Failure, Identity, Session, Step};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep_until},
};

use crate::{
    messages::{Accepted, Closed, Drain},
    worker::Shared,
};

/// The actor of a connection, until it closes.
pub(crate) struct Connection {
    shared: Rc<Shared>,
    stream: TcpStream,
    session: Session,
    /// The step that is being taken, over several calls if it must wait.
    step: Step,
    /// Borrowed while something is in flight.
    buffers: Option<Box<Buffers>>,
    /// Goes off at the session's deadline or, since setting it costs something, before.
    alarm: Pin<Box<Sleep>>,
    /// Dropped after the socket: whoever sees its place free can have the descriptor too.
    permit: Permit,
}

impl Connection {
    /// An actor, to be started on the arbiter that this is called on.
    pub(crate) fn open(shared: &Rc<Shared>, accepted: Accepted) -> io::Result<Self> {
        let Accepted { stream, origin, permit } = accepted;
        process::listener::prepare(&stream)?;
        stream.set_nonblocking(true)?;
        let number = permit.number();
        let identity = Identity { origin, number, worker: ("arbiter", shared.number) };
        let now = Instant::now();
        let mut session = Session::new(shared.site.context.clone(), identity, now);
        if shared.site.is_draining() {
            session.drain(now);
        }
        Ok(Self {
            shared: Rc::clone(shared),
            stream: TcpStream::from_std(stream)?,
            alarm: Box::pin(sleep_until(session.deadline().into())),
            session,
            step: Step::Read,
            buffers: None,
            permit,
        })
    }

    /// Takes steps until one has to wait, or the connection has closed.
    fn run(&mut self, task: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.step {
                Step::Read => ready!(self.read(task))?,
                Step::Write => ready!(self.write(task))?,
                Step::Wait(_) => ready!(self.wait(task)),
                Step::Block(time) => thread::sleep(time),
                Step::Burn(time) => process::burn(time),
                Step::HalfClose => ready!(Pin::new(&mut self.stream).poll_shutdown(task))?,
                Step::Close => return Poll::Ready(Ok(())),
                Step::Abort => {
                    process::listener::abort(&self.stream)?;
                    return Poll::Ready(Ok(()));
                }
                Step::Connect { .. } => self.session.upstream_failed(Failure::Unreachable),
                Step::Relay(_) | Step::Release(_) => {}
            }
            let now = Instant::now();
            // The message that says so may still be on its way.
            if self.shared.site.is_draining() {
                self.session.drain(now);
            }
            let buffers = self.buffers.get_or_insert_with(|| self.shared.buffers.borrow());
            self.step = self.session.step(buffers, now);
        }
    }

    /// Reads what has arrived, or waits for it without a buffer.
    fn read(&mut self, task: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        if self.stream.poll_read_ready(task)?.is_pending() {
            return self.wait(task).map(Ok);
        }
        let buffers = self.buffers.get_or_insert_with(|| self.shared.buffers.borrow());
        let mut space = ReadBuf::new(buffers.input.space());
        // A read that does not fill the space tells the runtime that there is no more, which
        // saves the one that would say so.
        if Pin::new(&mut self.stream).poll_read(task, &mut space)?.is_pending() {
            return self.wait(task).map(Ok);
        }
        match space.filled().len() {
            0 => self.session.end_of_input(),
            count => {
                buffers.input.filled(count);
                self.session.received(count);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what the kernel takes, or waits until it takes more.
    fn write(&mut self, task: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        let Some(buffers) = &mut self.buffers else { return Poll::Ready(Ok(())) };
        match buffers.output.write_to(&mut Writer { stream: &mut self.stream, task }) {
            Ok(count) => self.session.sent(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return self.wait(task).map(Ok);
            }
            Err(error) => return Poll::Ready(Err(error)),
        }
        Poll::Ready(Ok(()))
    }

    /// Returns to the arbiter, to be woken by the socket that was just asked or by the alarm,
    /// unless the deadline has passed.
    fn wait(&mut self, task: &mut task::Context<'_>) -> Poll<()> {
        if let Some(idle) = self.buffers.take_if(|buffers| buffers.are_empty()) {
            self.shared.buffers.give_back(idle);
        }
        let deadline = self.session.deadline();
        if deadline < self.alarm.deadline().into_std() {
            self.alarm.as_mut().reset(deadline.into());
        }
        // Deadlines mostly move away, so the alarm is set anew only once it has gone off.
        while self.alarm.as_mut().poll(task).is_ready() {
            let now = Instant::now();
            if deadline <= now {
                self.timed_out(now);
                return Poll::Ready(());
            }
            self.alarm.as_mut().reset(deadline.into());
        }
        Poll::Pending
    }

    fn timed_out(&mut self, now: Instant) {
        let buffers = self.buffers.get_or_insert_with(|| self.shared.buffers.borrow());
        self.session.timed_out(buffers, now);
    }
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        context.spawn(Serving);
    }

    /// Called after a panic, too.
    fn stopped(&mut self, _: &mut Context<Self>) {
        if let Some(buffers) = self.buffers.take() {
            self.shared.buffers.give_back(buffers);
        }
        if let Some(worker) = self.shared.worker.upgrade() {
            // In a mailbox that is full, a new address still has one place of its own.
            let _ = worker.try_send(Closed(self.permit.number()));
        }
    }
}

impl Handler<Drain> for Connection {
    type Result = ();

    /// The deadline may be nearer now. It is looked at next: the actor goes on after a message.
    fn handle(&mut self, _: Drain, _: &mut Context<Self>) {
        self.session.drain(Instant::now());
    }
}

/// What the actor does between messages, and after each: it serves.
struct Serving;

impl ActorFuture<Connection> for Serving {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        connection: &mut Connection,
        context: &mut Context<Connection>,
        task: &mut task::Context<'_>,
    ) -> Poll<()> {
        if let Err(error) = ready!(connection.run(task)) {
            tracing::debug!(number = connection.permit.number(), %error, "connection failed");
        }
        context.stop();
        Poll::Ready(())
    }
}

/// The socket to write to: if it would block, the actor is woken when it does not.
struct Writer<'a, 'b> {
    stream: &'a mut TcpStream,
    task: &'a mut task::Context<'b>,
}

impl Write for Writer<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        or_would_block(Pin::new(&mut *self.stream).poll_write(self.task, bytes))
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        or_would_block(Pin::new(&mut *self.stream).poll_write_vectored(self.task, slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn or_would_block<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}
