//! `--admin`: health and metrics on a port of their own, however busy the model is.
//!
//! A thread accepts and a few more answer, blocking; no model takes part.

use std::{
    io::{self, ErrorKind, Read},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use session::{Buffers, Context, Identity, Session, Step};

/// How many clients are answered at once; a scraper or two, and a health check.
const AT_ONCE: usize = 8;

/// Serves `context` on `listener` until the process ends.
pub(crate) fn start(listener: TcpListener, context: Arc<Context>) -> io::Result<()> {
    listener.set_nonblocking(false)?;
    thread::Builder::new().name("admin".to_owned()).spawn(move || accept(&listener, &context))?;
    Ok(())
}

fn accept(listener: &TcpListener, context: &Arc<Context>) {
    let busy = Arc::new(());
    loop {
        match listener.accept() {
            Ok((stream, origin)) if Arc::strong_count(&busy) <= AT_ONCE => {
                let (context, busy) = (Arc::clone(context), Arc::clone(&busy));
                let serve = move || {
                    // One client's trouble is nobody else's.
                    let _ = serve(&stream, origin, context);
                    drop(busy);
                };
                let _ = thread::Builder::new().name("admin".to_owned()).spawn(serve);
            }
            Ok(_) => {}
            // Nothing to be had at the moment; do not spin.
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
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
