//! `--admin`: health and metrics on a port of their own, however busy the model is.
//!
//! A thread accepts and a few more answer, blocking; no model takes part.

use std::{
    io::{self, ErrorKind, Read},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant, SystemTime},
};

use http::StatusCode;
use service::{Failure, Route};
use session::{Buffers, Context, Environment, Identity, Session, Step};

/// How many clients are answered at once; a scraper or two, and a health check.
const AT_ONCE: usize = 8;

/// Serves `context` on `listener` until the process ends.
pub(crate) fn start(listener: TcpListener, context: Arc<Context>) -> io::Result<()> {
    listener.set_nonblocking(false)?;
    thread::Builder::new().name("admin".to_owned()).spawn(move || accept(&listener, &context))?;
    Ok(())
}

fn accept(listener: &TcpListener, context: &Arc<Context>) {
    let (free, seats) = mpsc::channel();
    (0..AT_ONCE).for_each(|_| drop(Seat(free.clone())));
    // Whoever comes when none is free waits to be accepted. There is always a sender: `free`.
    while seats.recv().is_ok() {
        let seat = Seat(free.clone());
        match listener.accept() {
            Ok((stream, origin)) => answer(stream, origin, context, seat),
            // Nothing to be had at the moment; do not spin.
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// The world as it is seen from here: whoever asks what the server is busy with is none of it.
pub(crate) struct Aside(pub(crate) Arc<dyn Environment>);

impl Environment for Aside {
    fn wall_clock(&self) -> SystemTime {
        self.0.wall_clock()
    }

    fn began(&self) {}

    fn ended(&self) {}

    fn answered(&self, route: Route, status: StatusCode, elapsed: Duration) {
        self.0.answered(route, status, elapsed);
    }

    fn moved(&self, received: u64, sent: u64) {
        self.0.moved(received, sent);
    }

    fn retried(&self) {
        self.0.retried();
    }

    fn upstream_failed(&self, failure: Failure) {
        self.0.upstream_failed(failure);
    }

    fn client_gone(&self) {
        self.0.client_gone();
    }
}

/// Serves a client on a thread of its own or, if there is none to be had, here.
fn answer(stream: TcpStream, origin: SocketAddr, context: &Arc<Context>, seat: Seat) {
    let stream = Arc::new(stream);
    // One client's trouble is nobody else's.
    let serve = move |stream: Arc<TcpStream>, context| drop(serve(&stream, origin, context));
    let elsewhere = {
        let (stream, context) = (Arc::clone(&stream), Arc::clone(context));
        move || {
            serve(stream, context);
            drop(seat);
        }
    };
    if thread::Builder::new().name("admin".to_owned()).spawn(elsewhere).is_err() {
        serve(stream, Arc::clone(context));
    }
}

/// One of the places for clients that are being answered, free again on drop.
struct Seat(mpsc::Sender<()>);

impl Drop for Seat {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

fn serve(mut stream: &TcpStream, origin: SocketAddr, context: Arc<Context>) -> io::Result<()> {
    let mut buffers = Buffers::new(context.limits);
    let identity = Identity { origin, number: 1, worker: ("admin", 1) };
    let mut session = Session::new(context, identity, Instant::now());
    loop {
        match session.step(&mut buffers, Instant::now()) {
            Step::Read => {
                let left = session.deadline().saturating_duration_since(Instant::now());
                stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
                match stream.read(buffers.input.space()) {
                    Ok(0) => session.end_of_input(),
                    Ok(count) => {
                        buffers.input.filled(count);
                        session.received(count);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        session.timed_out(&mut buffers, Instant::now());
                    }
                    Err(error) => return Err(error),
                }
            }
            Step::Write => {
                let left = session.deadline().saturating_duration_since(Instant::now());
                stream.set_write_timeout(Some(left.max(Duration::from_millis(1))))?;
                let count = buffers.output.write_to(&mut stream)?;
                session.sent(count);
            }
            Step::HalfClose => stream.shutdown(Shutdown::Write)?,
            Step::Wait(until) => thread::sleep(until.saturating_duration_since(Instant::now())),
            Step::Block(time) | Step::Burn(time) => thread::sleep(time),
            // Nothing is forwarded here, and nothing ends with the connection.
            Step::Connect { .. }
            | Step::Relay(_)
            | Step::Release(_)
            | Step::Abort
            | Step::Close => {
                return Ok(());
            }
        }
    }
}
