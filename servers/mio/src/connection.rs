//! One connection, a piece at a time: each call does what the session says for as long as nothing
//! has to be waited for, and returns.

use std::{
    io::{self, ErrorKind, Read},
    net::Shutdown,
    thread,
    time::Instant,
};

use mio::{event::Event, net::TcpStream};
use process::Permit;
use session::{Buffers, Failure, Pool, Session, Step};

/// How many steps a connection may take before the others on its loop have their turn.
const STEPS_A_TURN: usize = 16;

/// How a connection's turn ended.
pub(crate) enum Turn {
    /// It waits: for readiness, or for its deadline.
    Waiting,
    /// It could go on, but others come first.
    Unfinished,
    /// It is over.
    Over,
}

/// What a connection keeps between two turns; the socket is closed before the permit is free.
pub(crate) struct Connection {
    stream: TcpStream,
    session: Session,
    /// What the session has asked for.
    next: Step,
    ready: Readiness,
    /// Borrowed while something is in flight.
    buffers: Option<Box<Buffers>>,
    permit: Permit,
}

/// What is known of the socket. The kernel tells of each change once, so that this is remembered
/// until a call says otherwise.
#[derive(Default)]
struct Readiness {
    read: bool,
    write: bool,
    /// The client's FIN is there, behind whatever else is to be read.
    end: bool,
}

impl Connection {
    /// A connection that is about to be registered, and has not been heard of.
    pub(crate) fn new(stream: TcpStream, session: Session, permit: Permit) -> Self {
        Self {
            stream,
            session,
            next: Step::Read,
            ready: Readiness::default(),
            buffers: None,
            permit,
        }
    }

    /// The kernel says that the socket's state has changed.
    pub(crate) fn on_ready(&mut self, event: &Event, pool: &Pool) -> io::Result<Turn> {
        if event.is_error() {
            // The client is gone, whatever the session waits for.
            return Err(self.stream.take_error()?.unwrap_or(ErrorKind::ConnectionReset.into()));
        }
        self.ready.read |= event.is_readable();
        self.ready.write |= event.is_writable();
        self.ready.end |= event.is_read_closed();
        self.advance(pool)
    }

    /// The timer says that the deadline may have passed.
    pub(crate) fn on_deadline(&mut self, now: Instant, pool: &Pool) -> io::Result<Turn> {
        if now >= self.deadline() {
            let buffers = self.buffers.get_or_insert_with(|| pool.borrow());
            self.session.timed_out(buffers, now);
            self.next = self.session.step(buffers, now);
        }
        self.advance(pool)
    }

    /// The process is on its way out.
    pub(crate) fn on_drain(&mut self, now: Instant) {
        self.session.drain(now);
    }

    /// Does what the session says until something has to be waited for. What that is follows from
    /// the step alone.
    pub(crate) fn advance(&mut self, pool: &Pool) -> io::Result<Turn> {
        for _ in 0..STEPS_A_TURN {
            match self.next {
                Step::Read if self.ready.read => self.read(pool)?,
                Step::Write if self.ready.write => self.write()?,
                Step::Read | Step::Write | Step::Wait(_) => return Ok(self.wait(pool)),
                Step::Block(time) => thread::sleep(time),
                Step::Burn(time) => process::burn(time),
                Step::HalfClose => self.stream.shutdown(Shutdown::Write)?,
                Step::Close => return Ok(Turn::Over),
                Step::Abort => {
                    process::listener::abort(&self.stream)?;
                    return Ok(Turn::Over);
                }
                Step::Connect { .. } => self.session.upstream_failed(Failure::Unreachable),
                Step::Relay(_) | Step::Release(_) => {}
            }
            let buffers = self.buffers.get_or_insert_with(|| pool.borrow());
            self.next = self.session.step(buffers, Instant::now());
        }
        Ok(Turn::Unfinished)
    }

    /// When to call [`on_deadline`](Self::on_deadline).
    pub(crate) fn deadline(&self) -> Instant {
        self.session.deadline()
    }

    /// The connection's number in the process.
    pub(crate) fn number(&self) -> u64 {
        self.permit.number()
    }

    /// Reads once. A read that leaves room has emptied the socket (epoll(7)), and only the client's
    /// FIN is worth another.
    fn read(&mut self, pool: &Pool) -> io::Result<()> {
        let buffers = self.buffers.get_or_insert_with(|| pool.borrow());
        let space = buffers.input.space();
        let room = space.len();
        match self.stream.read(space) {
            Ok(0) => self.session.end_of_input(),
            Ok(count) => {
                self.ready.read = count == room || self.ready.end;
                buffers.input.filled(count);
                self.session.received(count);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.ready.read = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Writes once. A write that leaves something has filled the socket.
    fn write(&mut self) -> io::Result<()> {
        let Some(buffers) = &mut self.buffers else { return Ok(()) };
        let waiting = buffers.output.len();
        match buffers.output.write_to(&mut self.stream) {
            Ok(count) => {
                self.ready.write = count == waiting;
                self.session.sent(count);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.ready.write = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Gives back what is not needed while nothing happens.
    fn wait(&mut self, pool: &Pool) -> Turn {
        if let Some(idle) = self.buffers.take_if(|buffers| buffers.are_empty()) {
            pool.give_back(idle);
        }
        Turn::Waiting
    }
}
