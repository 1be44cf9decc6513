//! One connection, from top to bottom: the worker that owns it does what the session says, and
//! blocks while it waits.

use std::{
    io::{self, ErrorKind, Read},
    mem::MaybeUninit,
    net::{Shutdown, SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use process::listener::unread;
use rustix::event::{PollFd, PollFlags};
use session::{Buffers, Failure, Identity, Interest, Relay, Release, Session, Step};

use crate::{
    pool,
    server::Shared,
    socket::{self, Waited},
    upstream::{Missing, Upstream},
};

/// The first bytes of a request are read into memory of this size on the stack, so that a worker
/// that waits for a request holds no buffer.
const FIRST: usize = 1024;

/// Serves a connection until it closes.
pub(crate) fn serve(
    shared: &Shared,
    stream: &TcpStream,
    origin: SocketAddr,
    number: u64,
) -> io::Result<()> {
    process::listener::prepare(stream)?;
    let identity = Identity { origin, number, worker: ("worker", pool::worker_number()) };
    let context = shared.site.context.clone();
    let session = Session::new(context, identity, Instant::now());
    Connection { shared, stream, session, buffers: None, upstream: None, number, patience: None }
        .run()
}

struct Connection<'a> {
    shared: &'a Shared,
    stream: &'a TcpStream,
    session: Session,
    /// Borrowed while something is in flight.
    buffers: Option<Box<Buffers>>,
    upstream: Option<Upstream>,
    number: u64,
    /// The socket's `SO_RCVTIMEO`, so that it is set only when it changes.
    patience: Option<Duration>,
}

impl Connection<'_> {
    fn run(mut self) -> io::Result<()> {
        loop {
            let now = Instant::now();
            if self.shared.site.is_draining() && self.session.drain(now, || unread(self.stream)) {
                self.shared.interrupts.noticed(self.number);
            }
            let buffers = self.buffers.get_or_insert_with(|| self.shared.buffers.borrow());
            match self.session.step(buffers, now) {
                Step::Read => self.read(now)?,
                Step::Write => self.write()?,
                Step::Wait(until) => self.pause(until)?,
                Step::Block(time) => thread::sleep(time),
                Step::Burn(time) => process::burn(time),
                Step::HalfClose => self.stream.shutdown(Shutdown::Write)?,
                Step::Close => return Ok(()),
                Step::Abort => return process::listener::abort(self.stream),
                Step::Connect { reuse } => self.connect(reuse)?,
                Step::Relay(wants) => self.relay(wants)?,
                Step::Release(release) => self.release(release),
            }
        }
    }

    /// Blocks until something arrives, the deadline passes, or a signal says: look around.
    fn read(&mut self, now: Instant) -> io::Result<()> {
        self.set_patience(self.session.deadline().saturating_duration_since(now))?;
        if self.session.is_idle() {
            self.give_back_buffers();
        }
        let read = match &mut self.buffers {
            Some(buffers) => {
                let read = self.stream.read(buffers.input.space());
                read.inspect(|count| buffers.input.filled(*count))
            }
            None => self.read_first(),
        };
        match read {
            Ok(0) => self.session.end_of_input(),
            Ok(count) => self.session.received(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.timed_out(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Reads the first bytes of a request, and borrows buffers once they are there.
    fn read_first(&mut self) -> io::Result<usize> {
        // Not initialised: of a stack that was cold for so long, no more should be touched.
        let mut first = [MaybeUninit::uninit(); FIRST];
        let (first, _) = rustix::io::read(self.stream, &mut first[..])?;
        if !first.is_empty() {
            let buffers = self.buffers.insert(self.shared.buffers.borrow());
            buffers.input.extend(first);
        }
        Ok(first.len())
    }

    /// Writes at once, for there is nearly always room; where there is none, blocks until there is, or
    /// has not been any for too long.
    fn write(&mut self) -> io::Result<()> {
        if !self.write_downstream()? {
            let mut sockets = [PollFd::new(self.stream, PollFlags::OUT)];
            if socket::wait(&mut sockets, self.session.deadline())? == Waited::Late {
                self.timed_out();
            }
        }
        Ok(())
    }

    /// Blocks until then, or until the client is gone.
    fn pause(&self, until: Instant) -> io::Result<()> {
        // Asked for nothing, poll(2) tells of a reset and nothing else.
        match socket::wait(&mut [PollFd::new(self.stream, PollFlags::empty())], until)? {
            Waited::Ready => Err(ErrorKind::ConnectionReset.into()),
            Waited::Late | Waited::Interrupted => Ok(()),
        }
    }

    /// Blocks until there is a place for a connection upstream, and then until there is one.
    fn connect(&mut self, reuse: bool) -> io::Result<()> {
        self.give_back_buffers();
        let Some(upstreams) = &self.shared.upstreams else { return Ok(()) };
        let until = self.session.deadline();
        let had = match self.upstream.take() {
            Some(Upstream::Placed(opening)) => upstreams.connect(opening, self.stream, until),
            _ => upstreams.acquire(reuse, self.stream, until),
        };
        match had {
            Ok(Upstream::Placed(_)) => self.session.connecting(Instant::now()),
            Ok(Upstream::Connected(_)) => self.session.connected(reuse),
            Err(Missing::Failed(failure)) => self.session.upstream_failed(failure),
            Err(Missing::Late) => self.timed_out(),
            Err(Missing::ClientGone) => return Err(ErrorKind::ConnectionReset.into()),
        }
        self.upstream = had.ok();
        Ok(())
    }

    /// Blocks until either socket is ready for what is wanted of it, and does that. A write need
    /// not wait: there is nearly always room.
    fn relay(&mut self, wants: Relay) -> io::Result<()> {
        if wants.upstream.write && self.write_upstream()
            || wants.downstream.write && self.write_downstream()?
        {
            return Ok(());
        }
        self.give_back_buffers();
        let Some(Upstream::Connected(upstream)) = &self.upstream else { return Ok(()) };
        let mut sockets = [
            PollFd::new(self.stream, events(wants.downstream)),
            PollFd::new(upstream.stream(), events(wants.upstream)),
        ];
        // An upstream of which nothing is wanted may have closed, which poll(2) tells for ever.
        let count = if wants.upstream == Interest::default() { 1 } else { 2 };
        let waited = socket::wait(&mut sockets[..count], self.session.deadline())?;
        let [downstream, upstream] = sockets.map(|socket| socket.revents());
        if waited == Waited::Late {
            self.timed_out();
        } else if downstream.intersects(PollFlags::ERR | PollFlags::HUP) {
            return Err(ErrorKind::ConnectionReset.into());
        } else if wants.upstream.read && !upstream.is_empty() {
            self.read_upstream();
        } else if wants.downstream.read && !downstream.is_empty() {
            self.read_downstream()?;
        }
        Ok(())
    }

    fn release(&mut self, release: Release) {
        let upstream = self.upstream.take();
        if let (Release::Keep(keep_alive), Some(Upstream::Connected(connection)), Some(upstreams)) =
            (release, upstream, &self.shared.upstreams)
        {
            upstreams.give_back(connection, keep_alive);
        }
    }

    fn read_upstream(&mut self) {
        let buffers = self.buffers.get_or_insert_with(|| self.shared.buffers.borrow());
        let Some(Upstream::Connected(upstream)) = &self.upstream else { return };
        match socket::read(upstream.stream(), &mut buffers.upstream_input) {
            Ok(0) => self.session.upstream_end_of_input(),
            Ok(count) => self.session.upstream_received(count),
            Err(error) if is_passing(&error) => {}
            Err(_) => self.session.upstream_failed(Failure::Closed),
        }
    }

    /// Whether that did anything.
    fn write_upstream(&mut self) -> bool {
        let Some(buffers) = &mut self.buffers else { return false };
        let Some(Upstream::Connected(upstream)) = &self.upstream else { return false };
        match socket::write(upstream.stream(), &mut buffers.upstream_output) {
            Ok(count) => self.session.upstream_sent(count),
            Err(error) if is_passing(&error) => return false,
            Err(_) => self.session.upstream_stopped_reading(),
        }
        true
    }

    fn read_downstream(&mut self) -> io::Result<()> {
        let buffers = self.buffers.get_or_insert_with(|| self.shared.buffers.borrow());
        match socket::read(self.stream, &mut buffers.input) {
            Ok(0) => self.session.end_of_input(),
            Ok(count) => self.session.received(count),
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Whether that did anything.
    fn write_downstream(&mut self) -> io::Result<bool> {
        let Some(buffers) = &mut self.buffers else { return Ok(false) };
        match socket::write(self.stream, &mut buffers.output) {
            Ok(count) => self.session.sent(count),
            Err(error) if is_passing(&error) => return Ok(false),
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Gives the buffers back while they are empty.
    fn give_back_buffers(&mut self) {
        if let Some(idle) = self.buffers.take_if(|buffers| buffers.are_empty()) {
            self.shared.buffers.give_back(idle);
        }
    }

    fn timed_out(&mut self) {
        let buffers = self.buffers.get_or_insert_with(|| self.shared.buffers.borrow());
        self.session.timed_out(buffers, Instant::now());
    }

    /// Sets how long a read may block; a time-out of zero would mean for ever.
    fn set_patience(&mut self, patience: Duration) -> io::Result<()> {
        let patience = Some(patience.max(Duration::from_millis(1)));
        if self.patience != patience {
            self.stream.set_read_timeout(patience)?;
            self.patience = patience;
        }
        Ok(())
    }
}

/// What poll(2) is asked for.
fn events(interest: Interest) -> PollFlags {
    let mut events = PollFlags::empty();
    events.set(PollFlags::IN, interest.read);
    events.set(PollFlags::OUT, interest.write);
    events
}

/// Whether the socket is as good as before.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        process::listener::abort_if_panicking(self.stream);
        if let Some(buffers) = self.buffers.take() {
            self.shared.buffers.give_back(buffers);
        }
    }
}
