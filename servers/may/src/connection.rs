//! One connection, from top to bottom: the coroutine that owns it does what the session says, and
//! yields while it waits.

use std::{
    io::{self, ErrorKind, Read},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::Instant,
};

use may::io::{CoIo, WaitIo};
use process::listener::{has_room, unread};
use rustix::event::epoll::EventFlags;
use session::{Buffers, Failure, Identity, Relay, Release, Session, Step};

use crate::{
    server::Shared,
    timers::{self, Timer},
    upstream::{Progress, Upstream, Upstreams},
    watch::{READABLE, WRITABLE},
};

/// Events after which a client has no more use for an answer: a reset, or a close both ways.
const GONE: EventFlags = EventFlags::HUP.union(EventFlags::ERR);

/// How many steps a connection may take before the others on its scheduler have their turn.
const STEPS_A_TURN: u32 = 16;

/// Serves a connection until it closes.
pub(crate) fn serve(
    shared: &Shared,
    events: &CoIo<Arc<TcpStream>>,
    origin: SocketAddr,
    number: u64,
) -> io::Result<()> {
    process::listener::prepare(&**events.inner())?;
    Connection::new(shared, events, origin, number).run()
}

struct Connection<'a> {
    shared: &'a Shared,
    stream: &'a TcpStream,
    /// Where the coroutine waits for it.
    events: &'a CoIo<Arc<TcpStream>>,
    session: Session,
    /// Borrowed while something is in flight.
    buffers: Option<Box<Buffers>>,
    /// Its scheduler's, if anything is to be forwarded.
    upstreams: Option<&'a Upstreams>,
    upstream: Option<Upstream>,
    /// What the socket is ready for. It tells only once (`EPOLLET`), so this remembers.
    ready: EventFlags,
    timer: Timer<'a>,
    /// Steps since it last yielded.
    steps: u32,
}

impl<'a> Connection<'a> {
    /// On the heap, and made in a frame that is gone when it runs: so the depth of a request stays
    /// within one page of the stack, which is all that an idle connection has touched of it.
    #[inline(never)]
    fn new(
        shared: &'a Shared,
        events: &'a CoIo<Arc<TcpStream>>,
        origin: SocketAddr,
        number: u64,
    ) -> Box<Self> {
        let identity = Identity { origin, number, worker: ("coroutine", number) };
        let context = shared.site.context.clone();
        let session = Session::new(context, identity, Instant::now());
        let scheduler = timers::scheduler_of(events, shared.site.workers);
        let timer = shared.timers.register(session.deadline(), number, events);
        Box::new(Self {
            shared,
            stream: events.inner(),
            events,
            session,
            buffers: None,
            upstreams: shared.upstreams.get(scheduler).map(Arc::as_ref),
            upstream: None,
            ready: EventFlags::OUT,
            timer,
            steps: 0,
        })
    }

    fn run(mut self: Box<Self>) -> io::Result<()> {
        loop {
            let now = Instant::now();
            if self.shared.site.is_draining() {
                self.session.drain(now, || unread(self.stream));
            }
            self.take_turns(now);
            let buffers = self.buffers.get_or_insert_with(|| self.shared.buffers.borrow());
            match self.session.step(buffers, now) {
                Step::Read => self.read(now)?,
                Step::Write => self.write(now)?,
                Step::Wait(until) => self.pause(until, now)?,
                Step::Block(time) => thread::sleep(time),
                Step::Burn(time) => process::burn(time),
                Step::HalfClose => self.stream.shutdown(Shutdown::Write)?,
                Step::Close => return Ok(()),
                Step::Abort => return process::listener::abort(self.stream),
                Step::Connect { reuse } => self.connect(reuse, now)?,
                Step::Relay(wants) => self.relay(wants, now)?,
                Step::Release(release) => self.release(release, now),
            }
        }
    }

    /// Yields until something arrives, the deadline passes, or the drain says: look around.
    fn read(&mut self, now: Instant) -> io::Result<()> {
        if !self.wait(READABLE, now) {
            // What has arrived in time is read, though its event has yet to be.
            if unread(self.stream) == 0 {
                self.timed_out();
            }
            return Ok(());
        }
        let buffers = self.buffers.get_or_insert_with(|| self.shared.buffers.borrow());
        let space = buffers.input.space();
        let room = space.len();
        match self.stream.read(space) {
            Ok(0) => self.session.end_of_input(),
            Ok(count) => {
                if count < room {
                    // That was all; for more there will be another event.
                    self.ready.remove(EventFlags::IN);
                }
                buffers.input.filled(count);
                self.session.received(count);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.ready.remove(READABLE),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Yields until the kernel has taken the output, or has not taken any for too long.
    fn write(&mut self, now: Instant) -> io::Result<()> {
        if !self.wait(WRITABLE, now) {
            if !has_room(self.stream) {
                self.timed_out();
            }
            return Ok(());
        }
        let Some(buffers) = &mut self.buffers else { return Ok(()) };
        match buffers.output.write_to(&mut self.stream) {
            Ok(count) => self.session.sent(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.ready.remove(WRITABLE),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Yields until then, or until the client is gone.
    fn pause(&mut self, until: Instant, now: Instant) -> io::Result<()> {
        self.check_client()?;
        self.yield_until(until, now);
        Ok(())
    }

    /// Goes on to a connection upstream, or yields until there is a way.
    #[inline(never)]
    fn connect(&mut self, reuse: bool, now: Instant) -> io::Result<()> {
        self.check_client()?;
        let Some(upstreams) = self.upstreams else { return Ok(()) };
        match upstreams.connect(&mut self.upstream, reuse, self.events, now) {
            Progress::None => self.wait_for_either(now),
            Progress::Connecting => self.session.connecting(now),
            Progress::Connected { reused } => self.session.connected(reused),
            Progress::Failed(failure) => self.session.upstream_failed(failure),
        }
        Ok(())
    }

    /// Does one of the things that are wanted of two sockets, or yields until one can be done.
    #[inline(never)]
    fn relay(&mut self, wants: Relay, now: Instant) -> io::Result<()> {
        self.check_client()?;
        let Some(Upstream::Connected(connection)) = &self.upstream else { return Ok(()) };
        let Relay { downstream, upstream } = wants;
        if upstream.write && connection.socket.is_ready(WRITABLE) {
            self.write_upstream();
        } else if downstream.write && self.ready.intersects(WRITABLE) {
            self.write(now)?;
        } else if upstream.read && connection.socket.is_ready(READABLE) {
            self.read_upstream();
        } else if downstream.read && self.ready.intersects(READABLE) {
            self.read(now)?;
        } else {
            self.wait_for_either(now);
        }
        Ok(())
    }

    /// Parts with the upstream, or with what there is of it.
    #[inline(never)]
    fn release(&mut self, release: Release, now: Instant) {
        let Some(upstreams) = self.upstreams else { return };
        match (self.upstream.take(), release) {
            (Some(Upstream::Connected(connection)), Release::Keep(keep_alive)) => {
                upstreams.give_back(connection, keep_alive, now);
            }
            (Some(Upstream::Connecting(connection)), _) => upstreams.give_up(&connection, now),
            _ => {}
        }
    }

    fn read_upstream(&mut self) {
        let Some(Upstream::Connected(upstream)) = &mut self.upstream else { return };
        let buffers = self.buffers.get_or_insert_with(|| self.shared.buffers.borrow());
        match upstream.socket.read(buffers.upstream_input.space()) {
            Ok(0) => self.session.upstream_end_of_input(),
            Ok(count) => {
                buffers.upstream_input.filled(count);
                self.session.upstream_received(count);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.session.upstream_failed(Failure::Closed),
        }
    }

    fn write_upstream(&mut self) {
        let Some(Upstream::Connected(upstream)) = &mut self.upstream else { return };
        let Some(buffers) = &mut self.buffers else { return };
        match buffers.upstream_output.write_to(&mut upstream.socket) {
            Ok(count) => self.session.upstream_sent(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.session.upstream_stopped_reading(),
        }
    }

    /// An error if nobody is there any more to have an answer.
    fn check_client(&self) -> io::Result<()> {
        if self.ready.intersects(GONE) { Err(ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }

    /// Yields until there is news of either socket, if there is still time.
    fn wait_for_either(&mut self, now: Instant) {
        let deadline = self.session.deadline();
        if now < deadline {
            self.yield_until(deadline, now);
        } else {
            self.timed_out();
        }
    }

    fn timed_out(&mut self) {
        let buffers = self.buffers.get_or_insert_with(|| self.shared.buffers.borrow());
        self.session.timed_out(buffers, Instant::now());
    }

    /// Yields until the socket is ready; or not ready, but there is another reason to look around.
    fn wait(&mut self, events: EventFlags, now: Instant) -> bool {
        if !self.ready.intersects(events) {
            self.yield_until(self.session.deadline(), now);
        }
        self.ready.intersects(events)
    }

    /// Lets others go first from time to time: a client that is fast enough is never waited for.
    fn take_turns(&mut self, now: Instant) {
        self.steps += 1;
        if self.steps > STEPS_A_TURN {
            self.yield_until(now, now);
        }
    }

    /// Yields until something happens on the client's socket or to what there is of an upstream,
    /// until `time`, or until the drain.
    fn yield_until(&mut self, time: Instant, now: Instant) {
        if let Some(idle) = self.buffers.take_if(|buffers| buffers.are_empty()) {
            self.shared.buffers.give_back(idle);
        }
        self.timer.set(time, now);
        #[expect(clippy::cast_possible_truncation, reason = "epoll has 32 bits of events")]
        let news = self.events.wait_io() as u32;
        self.ready |= EventFlags::from_bits_retain(news);
        self.steps = 0;
    }
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        process::listener::abort_if_panicking(self.stream);
        if let Some(buffers) = self.buffers.take() {
            self.shared.buffers.give_back(buffers);
        }
    }
}
