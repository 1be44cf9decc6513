//! One connection, from top to bottom: the worker that owns it does what the session says, and
//! blocks while it waits.

use std::{
    io::{self, ErrorKind, Read},
    mem::MaybeUninit,
    net::{Shutdown, SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use session::{Buffers, Failure, Identity, Session, Step};

use crate::{pool, server::Shared};

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
    stream.set_write_timeout(Some(shared.site.options.write_timeout))?;
    let identity = Identity { origin, number, worker: ("worker", pool::worker_number()) };
    let context = shared.site.context.clone();
    let session = Session::new(context, identity, Instant::now());
    let buffers = shared.buffers.borrow();
    Connection { shared, stream, session, buffers: Some(buffers), number, patience: None }.run()
}

struct Connection<'a> {
    shared: &'a Shared,
    stream: &'a TcpStream,
    session: Session,
    /// Borrowed while something is in flight.
    buffers: Option<Box<Buffers>>,
    number: u64,
    /// The socket's `SO_RCVTIMEO`, so that it is set only when it changes.
    patience: Option<Duration>,
}

impl Connection<'_> {
    fn run(mut self) -> io::Result<()> {
        loop {
            let now = Instant::now();
            if self.shared.site.is_draining() && self.session.drain(now) {
                self.shared.interrupts.noticed(self.number);
            }
            let buffers = self.buffers.get_or_insert_with(|| self.shared.buffers.borrow());
            match self.session.step(buffers, now) {
                Step::Read => self.read(now)?,
                Step::Write => self.write()?,
                Step::Wait(until) => thread::sleep(until.saturating_duration_since(now)),
                Step::Block(time) => thread::sleep(time),
                Step::Burn(time) => process::burn(time),
                Step::HalfClose => self.stream.shutdown(Shutdown::Write)?,
                Step::Close => return Ok(()),
                Step::Abort => {
                    process::listener::abort(self.stream)?;
                    return Ok(());
                }
                Step::Connect { .. } => self.session.upstream_failed(Failure::Unreachable),
                Step::Relay(_) | Step::Release(_) => {}
            }
        }
    }

    /// Blocks until something arrives, the deadline passes, or a signal says: look around.
    fn read(&mut self, now: Instant) -> io::Result<()> {
        self.set_patience(self.session.deadline().saturating_duration_since(now))?;
        let idle = self.session.is_idle();
        if let Some(idle) = self.buffers.take_if(|buffers| idle && buffers.are_empty()) {
            self.shared.buffers.give_back(idle);
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

    /// Blocks until the kernel has taken the output, or has not taken any for too long.
    fn write(&mut self) -> io::Result<()> {
        let Some(buffers) = &mut self.buffers else { return Ok(()) };
        match buffers.output.write_to(&mut self.stream) {
            Ok(count) => self.session.sent(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.timed_out(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
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

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        if let Some(buffers) = self.buffers.take() {
            self.shared.buffers.give_back(buffers);
        }
    }
}
