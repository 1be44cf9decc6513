//! One connection as an actor: it does what the session says, and returns to its arbiter instead of
//! waiting.

use std::{
    io::{self, ErrorKind},
    pin::Pin,
    rc::Rc,
    task::{self, Poll, ready},
    thread,
    time::Instant,
};

use actix::{Actor, ActorContext, ActorFuture, AsyncContext, Context, Handler};
use process::{
    Permit,
    listener::{has_room, unread},
};
use session::{Buffers, Failure, Identity, Relay, Release, Session, Step};
use tokio::time::{Sleep, sleep_until};

use crate::{
    messages::{Accepted, Closed, Drain, Outcome},
    socket::{Gone, Socket},
    upstream::{Progress, Upstream},
    worker::Shared,
};

/// The actor of a connection, until it closes.
pub(crate) struct Connection {
    shared: Rc<Shared>,
    socket: Rc<Socket>,
    session: Session,
    /// The step that is being taken, over several calls if it must wait.
    step: Step,
    /// Borrowed while something is in flight.
    buffers: Option<Box<Buffers>>,
    /// What a request that is forwarded has of the upstream.
    upstream: Option<Upstream>,
    /// Wakes the actor if the client is gone. Made for the first wait for anything else.
    gone: Option<Gone>,
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
            session.drain(now, || unread(&stream));
        }
        Ok(Self {
            shared: Rc::clone(shared),
            socket: Socket::watch(stream)?,
            alarm: Box::pin(sleep_until(session.deadline().into())),
            session,
            step: Step::Read,
            buffers: None,
            upstream: None,
            gone: None,
            permit,
        })
    }

    /// Takes steps until one has to wait, or the connection has closed.
    fn run(&mut self, task: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.take_step(task)?.is_pending() {
                ready!(self.wait(task))?;
            }
            if matches!(self.step, Step::Close | Step::Abort) {
                return Poll::Ready(Ok(()));
            }
            let now = Instant::now();
            // The message that says so may still be on its way.
            if self.shared.site.is_draining() {
                self.session.drain(now, || unread(&self.socket));
            }
            let buffers = self.buffers.get_or_insert_with(|| self.shared.buffers.borrow());
            self.step = self.session.step(buffers, now);
        }
    }

    /// Does what can be done now. What can't will wake the actor.
    fn take_step(&mut self, task: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        match self.step {
            Step::Read => return self.read(task),
            Step::Write => return self.write(task),
            Step::Wait(_) => return Poll::Pending,
            Step::Block(time) => thread::sleep(time),
            Step::Burn(time) => process::burn(time),
            Step::HalfClose => self.socket.half_close()?,
            Step::Close => {}
            Step::Abort => process::listener::abort(&self.socket)?,
            Step::Connect { reuse } => return self.connect(reuse, task).map(Ok),
            Step::Relay(wants) => return self.relay(wants, task),
            Step::Release(release) => self.release(release),
        }
        Poll::Ready(Ok(()))
    }

    /// Reads what has arrived, into a buffer that is borrowed then.
    fn read(&mut self, task: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        let Self { shared, socket, session, buffers, .. } = self;
        let read = socket.poll_read(task, || {
            buffers.get_or_insert_with(|| shared.buffers.borrow()).input.space()
        });
        match (ready!(read)?, buffers) {
            (0, _) | (_, None) => session.end_of_input(),
            (count, Some(buffers)) => {
                buffers.input.filled(count);
                session.received(count);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what the kernel takes.
    fn write(&mut self, task: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        let Some(Buffers { output, .. }) = self.buffers.as_deref_mut() else {
            return Poll::Ready(Ok(()));
        };
        let write = self.socket.poll_write(task, output.len(), |to| output.write_to(to));
        self.session.sent(ready!(write)?);
        Poll::Ready(Ok(()))
    }

    /// Comes by a place upstream, and then by a connection.
    fn connect(&mut self, reuse: bool, task: &mut task::Context<'_>) -> Poll<()> {
        let Self { shared, session, upstream, .. } = self;
        let Some(upstreams) = &shared.upstreams else { return Poll::Pending };
        match ready!(upstreams.connect(shared, upstream, reuse, task)) {
            Progress::Connecting => session.connecting(Instant::now()),
            Progress::Connected { reused } => session.connected(reused),
            Progress::Failed(failure) => session.upstream_failed(failure),
        }
        Poll::Ready(())
    }

    /// Asks the peer for what is wanted of the upstream, and does what is wanted of the client's
    /// socket until the answer comes.
    fn relay(&mut self, wants: Relay, task: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        let Self { shared, buffers, upstream, .. } = self;
        let Some(Upstream::Connected(link)) = upstream else { return Poll::Pending };
        link.ask(wants, buffers, &shared.buffers);
        if let Poll::Ready((sent, outcome)) = link.poll_answer(task, buffers, &shared.buffers) {
            self.exchanged(sent, outcome);
            return Poll::Ready(Ok(()));
        }
        if wants.downstream.write && self.write(task)?.is_ready() {
            return Poll::Ready(Ok(()));
        }
        if wants.downstream.read { self.read(task) } else { Poll::Pending }
    }

    fn release(&mut self, release: Release) {
        let Some(upstreams) = &self.shared.upstreams else { return };
        match (self.upstream.take(), release) {
            (Some(Upstream::Connected(link)), Release::Keep(keep_alive)) => {
                upstreams.give_back(link, keep_alive);
            }
            (Some(Upstream::Connecting(connecting)), _) => upstreams.give_up(&connecting),
            _ => {}
        }
    }

    fn exchanged(&mut self, sent: usize, outcome: Outcome) {
        let session = &mut self.session;
        if sent > 0 {
            session.upstream_sent(sent);
        }
        match outcome {
            Outcome::Written => {}
            Outcome::Received(count) => session.upstream_received(count),
            Outcome::Ended => session.upstream_end_of_input(),
            Outcome::StoppedReading => session.upstream_stopped_reading(),
            Outcome::Failed => session.upstream_failed(Failure::Closed),
        }
    }

    /// Returns to the arbiter, without an empty buffer, to be woken by whatever was just asked or by
    /// the alarm; unless the deadline has passed, or the client is gone.
    fn wait(&mut self, task: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        if let Some(idle) = self.buffers.take_if(|buffers| buffers.are_empty()) {
            self.shared.buffers.give_back(idle);
        }
        if !matches!(self.step, Step::Read | Step::Write) {
            let gone = self.gone.get_or_insert_with(|| self.socket.gone());
            if gone.as_mut().poll(task).is_ready() {
                return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
            }
        }
        let deadline = self.session.deadline();
        if deadline < self.alarm.deadline().into_std() {
            self.alarm.as_mut().reset(deadline.into());
        }
        // Deadlines mostly move away, so the alarm is set anew only once it has gone off.
        while self.alarm.as_mut().poll(task).is_ready() {
            let now = Instant::now();
            if deadline <= now {
                if self.could_go_on() {
                    // Since before the deadline, and the runtime has yet to hear of it.
                    task.waker().wake_by_ref();
                    return Poll::Pending;
                }
                self.timed_out(now);
                return Poll::Ready(Ok(()));
            }
            self.alarm.as_mut().reset(deadline.into());
        }
        Poll::Pending
    }

    /// Whether the socket itself says that it is ready for what is waited for.
    fn could_go_on(&self) -> bool {
        match self.step {
            Step::Read => unread(&self.socket) > 0,
            Step::Write => has_room(&self.socket),
            _ => false,
        }
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
        process::listener::abort_if_panicking(&*self.socket);
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
        self.session.drain(Instant::now(), || unread(&self.socket));
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
